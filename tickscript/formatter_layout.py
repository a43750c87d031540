"""What of a tree must change before it is printed, so that printing it twice gives the same.

Always: the result equals the tree (flags and comments take no part in equality). An operation gets its multi-line flag
where the printed text will have a line end between the places of its operands, even when the source had none; a comment
that would stand directly behind `=`, `=~` or `!~`, where the scanner takes it for a regex, moves further ahead.
Spec "TICKscript" sections 1.1, 2 (multi-line flags) and 7.3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final, Generic, TypeVar

from tickscript import ast
from tickscript.scanner import join_comments

REGEX_FOLLOWS: Final = frozenset({"=~", "!~"})
_N = TypeVar("_N", bound=ast.Node)


@dataclass(frozen=True, slots=True)
class Laid(Generic[_N]):
    """A node, and whether its printed text has a line end before its place, or from there to its end."""

    node: _N
    before: bool
    after: bool

    @property
    def breaks(self) -> bool:
        return self.before or self.after


def hoist(node: ast.Expr) -> tuple[ast.Expr, tuple[str, ...] | None]:
    """A node without the comments that its text begins with, and those."""
    comments: tuple[str, ...] | None = None
    links: list[ast.Binary | ast.Chain] = []
    while isinstance(node, ast.Chain) or (isinstance(node, ast.Binary) and not node.parens):
        if isinstance(node, ast.Binary):
            comments = join_comments(comments, node.comment)
        links.append(node)
        node = node.left
    comments = join_comments(comments, node.comment)
    if comments is None:
        return (links[0] if links else node), None
    node = replace(node, comment=None)
    for link in reversed(links):
        # What stands before the operator of a chain does not stand at its beginning.
        node = replace(link, left=node, comment=link.comment if isinstance(link, ast.Chain) else None)
    return node, comments


def _push_down(statement: ast.Statement) -> ast.Statement:
    """The comment of an operation that begins with a sign, which owns none, moved to the operand of that sign.

    Elsewhere the operation gets parentheses, which own a comment; behind a property that is read they would be a call.
    """
    if not isinstance(statement, ast.Binary) or statement.parens:
        return statement
    bare, comments = hoist(statement)
    first, links = ast.left_spine(bare) if isinstance(bare, ast.Binary) else (bare, [])
    if comments is None or not isinstance(first, ast.Unary):
        return statement
    signs = []
    operand: ast.Expr = first
    while isinstance(operand, ast.Unary):
        signs.append(operand)
        operand = operand.operand
    node: ast.Expr = replace(operand, comment=join_comments(comments, operand.comment))
    for link in [*reversed(signs), *links]:
        node = replace(link, operand=node) if isinstance(link, ast.Unary) else replace(link, left=node)
    return node


def lay(node: _N) -> Laid[_N]:
    """The node as it is to be printed. Recursive, except down the left sides of operations and chains."""
    result: Laid[_N] = _lay(node)  # type: ignore[assignment]  # a node keeps its class
    return result


def _lay(node: ast.Node) -> Laid[ast.Node]:
    commented = node.comment is not None
    match node:
        case ast.Binary():
            return _lay_binary(node)
        case ast.Chain():
            return _lay_chain(node)
        case ast.Function(args=args):
            return _lay_function(node, [lay(arg) for arg in args])
        case ast.Unary(operand=inner):
            operand = lay(inner)
            return Laid(replace(node, operand=operand.node), commented, operand.breaks)
        case ast.Lambda(expression=inner):
            expression = lay(inner)
            return Laid(replace(node, expression=expression.node), commented, expression.breaks)
        case ast.List(items=items):
            return Laid(node, commented, any(item.comment is not None for item in items))
        case ast.Declaration(name=name):
            value, comment = hoist(lay(node.value).node)
            comment = join_comments(node.comment, comment)
            laid = replace(node, value=value, comment=comment)
            return Laid(laid, comment is not None, name.comment is not None)
        case ast.Program(statements=statements):
            laid_statements = [lay(statement).node for statement in statements]
            for index, (previous, statement) in enumerate(pairwise(laid_statements)):
                if isinstance(previous, ast.Chain) and isinstance(previous.right, ast.Identifier):
                    laid_statements[index + 1] = _push_down(statement)
            return Laid(ast.Program(tuple(laid_statements)), False, bool(statements))
        case ast.String(value=text) | ast.Reference(name=text) | ast.Regex(pattern=text):
            return Laid(node, commented, "\n" in text)
        case _:
            return Laid(node, commented, False)


def _lay_binary(node: ast.Binary) -> Laid[ast.Node]:
    first, links = ast.left_spine(node)
    left: Laid[Any] = lay(first)
    for link in links:
        assert isinstance(link, ast.Binary)
        right = lay(link.right)
        source, comment = hoist(right.node) if link.op in REGEX_FOLLOWS else (right.node, None)
        comment = join_comments(link.comment, comment)
        multiline = link.multiline or left.after or right.before
        laid = replace(link, left=left.node, right=source, multiline=multiline, comment=comment)
        left = Laid(laid, comment is not None or left.breaks, multiline or right.breaks)
    return left


def _lay_chain(node: ast.Chain) -> Laid[ast.Node]:
    first, links = ast.left_spine(node)
    left = lay(first).node
    for link in links:
        assert isinstance(link, ast.Chain)
        left = replace(link, left=left, right=lay(link.right).node)
    return Laid(left, True, True)


def _lay_function(node: ast.Function, args: list[Laid[ast.Expr]]) -> Laid[ast.Node]:
    # The recorded layout leaves a call on one line in spite of a chain among its arguments (until the second pass).
    plain = [arg for arg in args[:-1] if not isinstance(arg.node, ast.Chain)]
    last_breaks = bool(args) and args[-1].before and not isinstance(args[-1].node, ast.Chain)
    multiline = bool(args) and (node.multiline or last_breaks or any(arg.breaks for arg in plain))
    laid = replace(node, args=tuple(arg.node for arg in args), multiline=multiline)
    return Laid(laid, node.comment is not None, multiline or any(arg.breaks for arg in args))
