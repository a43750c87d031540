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
from typing import Final

from tickscript import ast
from tickscript.durations import format_duration
from tickscript.formatter_layout import lay
from tickscript.parser import PRECEDENCE, parse
from tickscript.scanner import Token, scan

_STEP: Final = 4
_CHAIN_STEPS: Final = {"|": 4, "@": 4, ".": 8}
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


def _runs_into(previous: ast.Node, text: str, statement: ast.Node) -> bool:
    """Whether a statement that lost its parentheses would continue the one before it, whose text is given."""
    first, last = _first_operand(statement), _last_operand(previous)
    if first.comment is not None:
        return False
    if isinstance(first, ast.Unary):
        return first.op == "-" and not isinstance(last, ast.Chain | ast.List | ast.TypeDeclaration | ast.Dbrp)
    return isinstance(first, ast.Regex | ast.Star) and not text.endswith(("/", "*", "]"))


def _closes_scan(node: ast.Node) -> bool:
    """Whether the text of an operand ends with a token behind which the scanner expects an operand."""
    return isinstance(_last_operand(node), ast.Regex | ast.Star)


def _binary_behind(operator: str | None) -> bool:
    """Whether the scanner cannot read an operator behind a regex or star; `-` and the keywords it can."""
    return operator is not None and operator not in _KEYWORD_OPERATORS and operator != "-"


class _Writer:
    def __init__(self) -> None:
        self._parts: list[str] = []
        self._begun = self.begins_with_parenthesis = False
        # Whether nothing but blanks follows a comment: a slash there would be taken as its next line.
        self._below_comment = False
        # Whether calls stand in an operation, where their names own no comment.
        self._inner = False

    def text(self) -> str:
        return "".join(self._parts)

    def _write(self, text: str) -> None:
        self._parts.append(text)
        if not self._begun:
            self._begun = True
            self.begins_with_parenthesis = text.startswith("(")
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

    def statement(self, statement: ast.Statement, *, grouped: bool) -> None:
        """Writes a statement; `grouped` keeps it apart from the one before it."""
        if grouped and isinstance(statement, ast.Binary):
            self._binary(statement, 0, at_start=True, first_grouped=True)
        else:
            self.node(statement, 0, at_start=True, grouped=grouped)

    def node(self, node: ast.Node, indent: int, *, at_start: bool, grouped: bool = False) -> None:
        """Writes any node; `grouped` puts it in parentheses, behind its comment."""
        match node:
            case ast.Chain():
                self._chain(node, indent, at_start)
            case ast.Binary():
                self._binary(replace(node, parens=True) if grouped else node, indent, at_start=at_start)
            case ast.Declaration(name=name, value=value):
                self._comment(node.comment, indent, at_start)
                self._write("var ")
                self.node(name, indent, at_start=False)
                self._write(" = ")
                self.node(value, indent, at_start=False)
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
                self._in_operation(expression, indent, behind_keyword=True)
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

    def _in_operation(
        self,
        node: ast.Expr,
        indent: int,
        *,
        grouped: bool = False,
        at_start: bool = False,
        behind_keyword: bool = False,
    ) -> None:
        """An operand or operation where names of calls own no comment; behind a keyword a slash would divide."""
        outer, self._inner = self._inner, True
        first_grouped = behind_keyword and not grouped and isinstance(_first_operand(node), ast.Regex | ast.Star)
        if first_grouped and isinstance(node, ast.Binary):
            self._binary(node, indent, at_start=at_start, first_grouped=True)
        else:
            self.node(node, indent, at_start=at_start, grouped=grouped or first_grouped)
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
        homeless = self._homeless_comment(first, links)
        # Outermost first: what stands before the first operand …
        for link in reversed(links):
            weaker = outer is not None and PRECEDENCE[link.op] < PRECEDENCE[outer.op]
            link_grouped = link.parens or weaker or link is homeless
            self._comment(link.comment, indent, at_start)
            at_start = False
            if link_grouped:
                self._write("(")
                indent += _STEP
                self._inner = True
            opened.append(link_grouped)
            outer = link
        opened.reverse()
        first_grouped = first_grouped or (_closes_scan(first) and _binary_behind(links[0].op))
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

    def _homeless_comment(self, first: ast.Expr, links: list[ast.Binary]) -> ast.Binary | None:
        """The operation whose comment would be lost, since the token behind it owns none: it wants parentheses."""
        inner = self._inner or any(link.parens for link in links)
        if not (isinstance(first, ast.Unary) or (inner and isinstance(first, ast.Function))):
            return None
        for link in links:
            if link.comment is not None or link.parens:
                return None if link.parens else link
        return None

    def _right(self, link: ast.Binary, indent: int, following: str | None) -> None:
        right, grouped = link.right, _closes_scan(link.right) and _binary_behind(following)
        if isinstance(right, ast.Binary):
            grouped = not right.parens and (grouped or PRECEDENCE[right.op] <= PRECEDENCE[link.op])
        self._write(f" {link.op}\n" if link.multiline else f" {link.op} ")
        behind_keyword = link.op in _KEYWORD_OPERATORS
        self._in_operation(right, indent, grouped=grouped, at_start=link.multiline, behind_keyword=behind_keyword)


def format_program(program: ast.Program) -> str:
    """The canonical text of a script; empty for an empty one."""
    statements = lay(program).node.statements
    texts: list[str] = []
    parenthesised: list[bool] = []
    previous: ast.Node | None = None
    for statement in statements:
        grouped = previous is not None and _runs_into(previous, texts[-1], statement)
        writer = _Writer()
        writer.statement(statement, grouped=grouped)
        texts.append(writer.text())
        parenthesised.append(writer.begins_with_parenthesis)
        previous = statement
    # A name in front of a parenthesis would be read as a call; in parentheses of its own it may trouble the one before.
    for index in range(len(texts) - 2, -1, -1):
        last = _last_operand(statements[index])
        if parenthesised[index + 1] and isinstance(last, ast.Identifier) and texts[index].endswith(last.name):
            texts[index] = f"{texts[index].removesuffix(last.name)}({last.name})"
            parenthesised[index] = parenthesised[index] or last is statements[index]
    return "\n".join(f"{text}\n" for text in texts)


def format_expr(node: ast.Node) -> str:
    """The canonical text of one expression or statement, without a newline at its end; of a program, all of it."""
    if isinstance(node, ast.Program):
        return format_program(node)
    writer = _Writer()
    writer.node(lay(node).node, 0, at_start=False)
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
        kept -= lines
    return lost
