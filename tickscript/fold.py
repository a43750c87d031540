"""Identifiers inside expressions become literals, and operations outside lambdas become values (spec 3.1, 3.5).

Always: a tree that holds no identifier comes back as the same object; function names are never looked up. A lambda
that embeds others is bounded in size, since each use of a var copies it: doubling thirty times would fill any memory.
So is a string that an operation gives.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NoReturn

from tickscript import ast
from tickscript.errors import EvaluationError
from tickscript.lambdas.expression import Expression
from tickscript.lambdas.values import Duration, Regex
from tickscript.parser import MAX_NESTING
from tickscript.scope import Nil, Scope, go_type

MAX_EMBEDDED_NODES: Final = 20_000
MAX_STRING: Final = 2**18


def embed(expression: ast.Expr, scope: Scope) -> ast.Expr:
    """The expression with every identifier replaced by a literal of its value.

    EvaluationError for a name that is not in scope, a value without a literal form, or a result beyond the bounds.
    """
    embedded = False

    def leaf(node: ast.Expr) -> ast.Expr:
        nonlocal embedded
        if not isinstance(node, ast.Identifier):
            return node
        value = look_up(node, scope)
        embedded = embedded or isinstance(value, ast.Lambda)
        return literal(value, node)

    result = rewrite(expression, leaf)
    if embedded:
        _check_size(result)
    return result


def look_up(name: ast.Identifier, scope: Scope) -> object:
    """The value of a name; EvaluationError, with the place and the names there are, when it has none."""
    try:
        return scope.lookup(name.name)
    except EvaluationError as error:
        raise EvaluationError(
            str(error), line=name.line, char=name.char, length=len(name.name), word=name.name, candidates=scope
        ) from None


def literal(value: object, place: ast.Node) -> ast.Expr:
    """The literal of a value, standing where `place` stands; EvaluationError when the value has none."""
    at: dict[str, Any] = {"line": place.line, "char": place.char, "comment": place.comment}
    match value:
        case bool():
            return ast.Bool(value, **at)
        case int():
            return ast.Int(value, **at)
        case float():
            return ast.Float(value, **at)
        case str():
            return ast.String(value, **at)
        case ast.Duration():
            return ast.Duration(value.value, **at)
        case ast.Regex():
            return ast.Regex(value.pattern, **at)
        case ast.Star() | ast.Lambda():
            return value
        case tuple():
            return ast.List(tuple(literal(item, place) for item in value), **at)
        case Nil() if isinstance(place, ast.Identifier):
            # A template has no value for it yet; its lambdas are never run.
            return place
        case _:
            raise EvaluationError(f"unsupported literal type {go_type(value)}", line=place.line, char=place.char)


def rewrite(expression: ast.Expr, leaf: Callable[[ast.Expr], ast.Expr]) -> ast.Expr:
    """The expression with every node that has no children replaced by `leaf` of it."""
    match expression:
        case ast.Binary():
            return _rewrite_operation(expression, leaf)
        case ast.Unary(operand=operand):
            inner = rewrite(operand, leaf)
            return expression if inner is operand else dataclasses.replace(expression, operand=inner)
        case ast.Lambda(expression=body):
            inner = rewrite(body, leaf)
            return expression if inner is body else dataclasses.replace(expression, expression=inner)
        case ast.Function(args=items) | ast.List(items=items):
            made = tuple(rewrite(item, leaf) for item in items)
            if all(new is old for new, old in zip(made, items, strict=True)):
                return expression
            if isinstance(expression, ast.Function):
                return dataclasses.replace(expression, args=made)
            return dataclasses.replace(expression, items=made)
        case _:
            return leaf(expression)


def _rewrite_operation(expression: ast.Binary, leaf: Callable[[ast.Expr], ast.Expr]) -> ast.Expr:
    first, links = ast.left_spine(expression)
    result = rewrite(first, leaf)
    for link in links:
        assert isinstance(link, ast.Binary)
        right = rewrite(link.right, leaf)
        same = result is link.left and right is link.right
        result = link if same else dataclasses.replace(link, left=result, right=right)
    return result


def _check_size(expression: ast.Expr) -> None:
    count = 0
    waiting: list[tuple[ast.Node, int]] = [(expression, 0)]
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if count > MAX_EMBEDDED_NODES:
            raise EvaluationError(f"lambda expression has more than {MAX_EMBEDDED_NODES} parts with the vars it embeds")
        if depth > MAX_NESTING:
            raise EvaluationError(f"lambda expression nests deeper than {MAX_NESTING} levels with the vars it embeds")
        if isinstance(node, ast.Binary):
            waiting += ((node.left, depth), (node.right, depth + 1))
        else:
            waiting += ((child, depth + 1) for child in ast.children(node))


class _NoNames(Mapping[str, Any]):
    """The scope of a constant: whatever is asked for is undefined."""

    def __getitem__(self, name: str) -> NoReturn:
        raise EvaluationError(f'name "{name}" is undefined. Names in scope: ')

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def constant(expression: ast.Expr, scope: Scope) -> object:
    """The value of an operation outside lambdas, by the rules of lambdas (spec 4).

    Raises EvaluationError (of `tickscript.lambdas.errors` for what the lambda's own rules refuse).
    """
    value = Expression(embed(expression, scope)).evaluate(_NoNames())
    match value:
        case Duration():
            return ast.Duration(int(value))
        case Regex():
            return ast.Regex(value.pattern)
        case str() if len(value) > MAX_STRING:
            raise EvaluationError(f"the string that an operation gives has more than {MAX_STRING} characters")
        case _:
            return value
