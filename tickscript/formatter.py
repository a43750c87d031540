"""The tree of a script as canonical text.

Always: what is printed parses to the tree it came from; comments that the tree holds are kept. The layout is that of the
spec, section 7, quirks included: a second pass may still move things where a comment stands inside an operation or a
chain is an argument (7.3), a third one changes nothing.

Every node is written at an indent (a number of blanks) and told whether the output stands at the start of a line: then
the node writes the indent, and a comment needs no newline before it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from tickscript import ast
from tickscript.durations import format_duration
from tickscript.parser import PRECEDENCE, parse
from tickscript.scanner import Token, join_comments, scan

if TYPE_CHECKING:
    from collections.abc import Sequence

_STEP: Final = 4
_CHAIN_STEPS: Final = {"|": 4, "@": 4, ".": 8}
_REGEX_FOLLOWS: Final = frozenset({"=~", "!~"})
_KEYWORD_OPERATORS: Final = frozenset({"AND", "OR"})


def format_float(value: float) -> str:
    """Shortest digits that read back as the same number, without exponent and with at least one decimal."""
    text = format(Decimal(repr(value)), "f")
    return text if "." in text else text + ".0"


def _quote_string(node: ast.String) -> str:
    value = node.value
    # In single quotes a backslash at the end would escape the quote.
    if "'''" not in value and not value.endswith("'") and (node.triple or value.endswith("\\")):
        return f"'''{value}'''"
    escaped = value.replace("'", "\\'")
    return f"'{escaped}'"


def _quote_reference(name: str) -> str:
    escaped = name.replace('"', '\\"')
    return f'"{escaped}"'


def _int(node: ast.Int) -> str:
    return f"0{node.value:o}" if node.base == 8 else str(node.value)


def _regex(node: ast.Regex) -> str:
    if node.literal:
        return node.literal
    escaped = node.pattern.replace("/", "\\/")
    return f"/{escaped}/"


def _leaf(node: ast.Node) -> str:
    match node:
        case ast.Identifier(name=name):
            return name
        case ast.Reference(name=name):
            return _quote_reference(name)
        case ast.String():
            return _quote_string(node)
        case ast.Int():
            return _int(node)
        case ast.Float(value=value):
            return format_float(value)
        case ast.Bool(value=value):
            return "TRUE" if value else "FALSE"
        case ast.Duration(value=value, literal=literal):
            return literal or format_duration(value)
        case ast.Regex():
            return _regex(node)
        case ast.Star():
            return "*"
    raise TypeError(f"{type(node).__name__} is no node of a TICKscript")


def _first_operand(node: ast.Node) -> ast.Node:
    """What the text of a node begins with, unless that is an opening parenthesis: then the operation in it."""
    while isinstance(node, ast.Binary) and not node.parens and node.comment is None:
        node = node.left
    return node


def _last_operand(node: ast.Node) -> ast.Node:
    """What the text of a statement ends with, as far as it matters to the scanner and the parser."""
    while True:
        match node:
            case ast.Declaration(value=inner) | ast.Lambda(expression=inner) | ast.Unary(operand=inner):
                node = inner
            case ast.Binary(parens=False, right=inner):
                node = inner
            case _:
                return node


def _runs_into(previous: ast.Node, statement: ast.Node) -> bool:
    """Whether a statement that lost its parentheses would be read as the continuation of the one before it."""
    first, last = _first_operand(statement), _last_operand(previous)
    if first.comment is not None:
        return False
    if isinstance(first, ast.Unary):
        return first.op == "-" and not isinstance(last, ast.Chain | ast.List | ast.TypeDeclaration | ast.Dbrp)
    return isinstance(first, ast.Regex | ast.Star) and not isinstance(last, ast.List | ast.Regex | ast.Star)


def _binary_behind(operator: str | None) -> bool:
    """Whether the scanner cannot read an operator behind a regex or star; `-` and the keywords it can."""
    return operator is not None and operator not in _KEYWORD_OPERATORS and operator != "-"


def _hoist(node: ast.Expr) -> tuple[ast.Expr, tuple[str, ...] | None]:
    """A node without the comments at its beginning, and those.

    Behind `=`, `=~` and `!~` the scanner would take a comment for a regex, so they are written further ahead.
    """
    comments: tuple[str, ...] | None = None
    links: list[ast.Binary] = []
    while isinstance(node, ast.Binary):
        comments = join_comments(comments, node.comment)
        if node.parens:
            break
        links.append(node)
        node = node.left
    else:
        comments = join_comments(comments, node.comment)
    if comments is None:
        return links[0] if links else node, None
    node = replace(node, comment=None)
    for link in reversed(links):
        node = replace(link, left=node, comment=None)
    return node, comments


class _Writer:
    def __init__(self) -> None:
        self._parts: list[str] = []
        # Whether nothing but blanks follows a comment: a slash there would be taken as its next line.
        self._below_comment = False
        # Whether calls stand in an operation, where their names own no comment.
        self._inner = False

    def text(self) -> str:
        return "".join(self._parts)

    def _write(self, text: str) -> None:
        self._parts.append(text)
        self._below_comment = False

    def _comment(self, comment: tuple[str, ...] | None, indent: int, at_start: bool) -> None:
        """A comment, and the indent of what follows where that begins a line."""
        if comment is not None:
            if not at_start:
                self._parts.append("\n")
            for line in comment:
                if line == "\n":
                    self._parts.append("\n")
                else:
                    self._parts.append(f"{' ' * indent}// {line}\n" if line else f"{' ' * indent}//\n")
            at_start = self._below_comment = True
        if at_start:
            self._parts.append(" " * indent)

    def program(self, statements: Sequence[ast.Statement]) -> None:
        previous: ast.Node | None = None
        for statement in statements:
            if previous is not None:
                self._write("\n")
            grouped = previous is not None and _runs_into(previous, statement)
            if grouped and isinstance(statement, ast.Binary):
                self._binary(statement, 0, at_start=True, first_grouped=True)
            else:
                self.node(statement, 0, at_start=True, grouped=grouped)
            self._write("\n")
            previous = statement

    def node(self, node: ast.Node, indent: int, *, at_start: bool, grouped: bool = False) -> None:
        """Writes any node; `grouped` puts it in parentheses, behind its comment."""
        match node:
            case ast.Chain():
                self._chain(node, indent, at_start)
            case ast.Binary():
                self._binary(replace(node, parens=True) if grouped else node, indent, at_start=at_start)
            case ast.Declaration(name=name):
                value, comment = _hoist(node.value)
                self._comment(join_comments(node.comment, comment), indent, at_start)
                self._write("var ")
                self.node(name, indent, at_start=False)
                self._write(" = ")
                self.node(value, indent, at_start=False)
            case ast.Program(statements=statements):
                self.program(statements)
            case _:
                self._comment(node.comment, indent, at_start)
                # The comment of a sign, or of the name of a call within an operation, has no owner but a parenthesis.
                owns_none = isinstance(node, ast.Unary) or (self._inner and isinstance(node, ast.Function))
                grouped = grouped or (owns_none and node.comment is not None)
                if grouped:
                    self._write("(")
                self._body(node, indent, at_start)
                if grouped:
                    self._write(")")

    def _body(self, node: ast.Node, indent: int, at_start: bool) -> None:
        """What is left of a node behind its comment and indent."""
        match node:
            case ast.Function():
                self._function(node, indent)
            case ast.Unary(op=op, operand=operand):
                self._write(op)
                self._in_operation(operand, indent, grouped=isinstance(operand, ast.Binary))
            case ast.Lambda(expression=expression):
                self._write("lambda: ")
                self._in_operation(expression, indent, grouped=isinstance(expression, ast.Regex | ast.Star))
            case ast.List(items=items):
                self._write("[")
                for index, item in enumerate(items):
                    if index:
                        self._write(", ")
                    self.node(item, indent, at_start=at_start)
                self._write("]")
            case ast.TypeDeclaration(name=name, type=kind):
                self._write("var ")
                self.node(name, indent, at_start=False)
                self._write(" ")
                self.node(kind, indent, at_start=False)
            case ast.Dbrp(db=db, rp=rp):
                self._write(f"dbrp {_quote_reference(db.name)}.{_quote_reference(rp.name)}")
            case ast.Comment():
                pass
            case _:
                if isinstance(node, ast.Regex) and self._below_comment:
                    self._write("\n" + " " * indent)
                self._write(_leaf(node))

    def _in_operation(self, node: ast.Expr, indent: int, *, grouped: bool, at_start: bool = False) -> None:
        outer, self._inner = self._inner, True
        self.node(node, indent, at_start=at_start, grouped=grouped)
        self._inner = outer

    def _chain(self, node: ast.Chain, indent: int, at_start: bool) -> None:
        head, links = ast.left_spine(node)
        self.node(head, indent, at_start=at_start)
        for link in links:
            assert isinstance(link, ast.Chain)
            inner = indent + _CHAIN_STEPS[link.op]
            self._write("\n")
            self._comment(link.comment, inner, at_start=True)
            self._write(link.op)
            self.node(link.right, inner, at_start=False)

    def _function(self, node: ast.Function, indent: int) -> None:
        self._write(node.name + "(")
        inner = indent + _STEP
        multiline = node.multiline and bool(node.args)
        for index, arg in enumerate(node.args):
            if multiline:
                self._write(",\n" if index else "\n")
            elif index:
                self._write(", ")
            self.node(arg, inner, at_start=multiline)
        if multiline:
            self._write("\n" + " " * indent)
        self._write(")")

    def _binary(self, node: ast.Binary, indent: int, *, at_start: bool, first_grouped: bool = False) -> None:
        first, spine = ast.left_spine(node)
        links = [link for link in spine if isinstance(link, ast.Binary)]
        before = self._inner
        opened: list[bool] = []
        outer: ast.Binary | None = None
        # Outermost first: what stands before the first operand …
        for link in reversed(links):
            link_grouped = link.parens or (outer is not None and PRECEDENCE[link.op] < PRECEDENCE[outer.op])
            _, hoisted = _hoist(link.right) if link.op in _REGEX_FOLLOWS else (None, None)
            self._comment(join_comments(link.comment, hoisted), indent, at_start)
            at_start = False
            if link_grouped:
                self._write("(")
                indent += _STEP
                self._inner = True
            opened.append(link_grouped)
            outer = link
        opened.reverse()
        if isinstance(first, ast.Regex | ast.Star):
            first_grouped = first_grouped or _binary_behind(links[0].op)
        self.node(first, indent, at_start=False, grouped=first_grouped)
        # … then, innermost first, each operator and its right operand.
        for index, link in enumerate(links):
            closing = opened[index]
            following = links[index + 1].op if index + 1 < len(links) and not closing else None
            self._right(link, indent, following)
            if closing:
                self._write(")")
                indent -= _STEP
        self._inner = before

    def _right(self, link: ast.Binary, indent: int, following: str | None) -> None:
        right, grouped = link.right, False
        if link.op in _REGEX_FOLLOWS:
            right, _ = _hoist(right)
        if isinstance(right, ast.Binary):
            grouped = not right.parens and PRECEDENCE[right.op] <= PRECEDENCE[link.op]
        elif isinstance(right, ast.Regex | ast.Star):
            # Behind a keyword a slash divides and a star multiplies.
            grouped = link.op in _KEYWORD_OPERATORS or _binary_behind(following)
        self._write(f" {link.op}\n" if link.multiline else f" {link.op} ")
        self._in_operation(right, indent, grouped=grouped, at_start=link.multiline)


def format_program(program: ast.Program) -> str:
    """The canonical text of a script; empty for an empty one."""
    writer = _Writer()
    writer.program(program.statements)
    return writer.text()


def format_expr(node: ast.Node) -> str:
    """The canonical text of one expression or statement, without a newline at its end."""
    writer = _Writer()
    writer.node(node, 0, at_start=False)
    return writer.text()


def format_script(text: str) -> str:
    """The canonical text of a script given as text. Raises `ParseError` when it does not parse."""
    return format_program(parse(text))


def lost_comments(text: str) -> list[Token]:
    """The tokens whose comment `format_script` would drop, because no place in the tree owns it (spec 7.2).

    A token without a comment of its own is never among them; the last one may be the end of the text.
    """
    kept: Counter[str] = Counter()
    printed = scan(format_script(text))
    for token in (*printed.tokens, printed.trailing or printed.end):
        kept.update(line for line in token.comment or () if line != "\n")
    lost: list[Token] = []
    scanned = scan(text)
    for token in (*scanned.tokens, scanned.trailing or scanned.end):
        lines = Counter(line for line in token.comment or () if line != "\n")
        if lines - kept:
            lost.append(token)
        kept.subtract(lines)
    return lost
