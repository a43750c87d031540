"""Tokens to tree: the builder behind `grammar.lark`, and the error texts of the parser.

Always: parsing is linear and uses no recursion. The tree nests at most `MAX_NESTING` levels deep, and at most
`MAX_HEIGHT` when the left sides of operations count too, so that code may walk it recursively; only the left side of
chains has no bound and wants a loop (`ast.left_spine`). Spec "TICKscript" sections 1.6, 2 and 7.2.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from lark import Lark, Transformer, UnexpectedToken, v_args
from lark.lexer import Lexer

from tickscript import ast
from tickscript.durations import INT64_MAX, parse_duration_literal
from tickscript.errors import DepthError, DurationError, ParseError, RegexError, ScanError
from tickscript.gostrings import quote
from tickscript.regex import compile_regex
from tickscript.scanner import Scan, Token, join_comments, scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_NESTING: Final = 100
MAX_HEIGHT: Final = 500

PRECEDENCE: Final = {
    "OR": 0,
    "AND": 1,
    "==": 2,
    "!=": 2,
    "=~": 2,
    "!~": 2,
    "<": 3,
    "<=": 3,
    ">": 3,
    ">=": 3,
    "+": 4,
    "-": 4,
    "*": 5,
    "/": 5,
    "%": 5,
}
_FUNCTION_KINDS: Final = {"|": "chain", ".": "property", "@": "dynamic"}
_KIND_WORDS: Final = {
    "IDENTIFIER": "identifier",
    "REFERENCE": "reference",
    "STRING": "string",
    "NUMBER": "number",
    "DURATION": "duration",
    "REGEX": "regex",
    "LAMBDA": "lambda",
    "$END": "EOF",
}
# The reference's list for "an operand was needed", with its odd `==` and its gaps.
_OPERAND_LIST: Final = '"number","string","duration","identifier","TRUE","FALSE","==","(","-","!"'
_SNIPPET: Final = 10


def _start(node: ast.Node) -> ast.Node:
    """The node that a chain begins with: a chain's own position is its last operator."""
    while isinstance(node, ast.Chain):
        node = node.left
    return node


def _function(kind: str, name: Token, args: tuple[ast.Expr, ...], comment: tuple[str, ...] | None) -> ast.Function:
    multiline = bool(args) and _start(args[-1]).line != name.line
    return ast.Function(kind, name.text, args, multiline, line=name.line, char=name.char, comment=comment)


def _number(token: Token) -> ast.Int | ast.Float:
    text = token.text
    place: dict[str, Any] = {"line": token.line, "char": token.char, "comment": token.comment}
    illegal = ParseError(
        f"parser: illegal number syntax: {quote(text)}", line=token.line, char=token.char, length=len(text)
    )
    if not text.isascii():
        raise illegal
    if "." in text:
        number = float(text)
        if number == float("inf"):
            raise illegal
        return ast.Float(number, **place)
    base = 8 if len(text) > 1 and text[0] == "0" else 10
    digits = text.lstrip("0")
    # int64 has 19 decimal and 21 octal digits; the length is checked first because int() is not linear.
    if len(digits) > 21 or (base == 8 and ("8" in digits or "9" in digits)):
        raise illegal
    value = int(digits or "0", base)
    if value > INT64_MAX:
        raise illegal
    return ast.Int(value, base, **place)


def _duration(token: Token) -> ast.Duration:
    text = token.text
    digits = text[:-2] if text.endswith("ms") else text[:-1]
    try:
        value = parse_duration_literal(digits, text[len(digits) :], text)
    except DurationError as error:
        raise ParseError(f"parser: {error}", line=token.line, char=token.char, length=len(text)) from None
    return ast.Duration(value, text, line=token.line, char=token.char, comment=token.comment)


def _string(token: Token) -> ast.String:
    text = token.text
    triple = len(text) >= 6 and text.startswith("'''")
    value = text[3:-3] if triple else text[1:-1].replace("\\'", "'")
    return ast.String(value, triple, line=token.line, char=token.char, comment=token.comment)


def _regex(token: Token) -> ast.Regex:
    pattern = token.text[1:-1].replace("\\/", "/")
    try:
        compile_regex(pattern)
    except RegexError as error:
        raise ParseError(f"parser: {error}", line=token.line, char=token.char, length=len(token.text)) from None
    return ast.Regex(pattern, token.text, line=token.line, char=token.char, comment=token.comment)


def _reference(token: Token) -> ast.Reference:
    name = token.text[1:-1].replace('\\"', '"')
    return ast.Reference(name, line=token.line, char=token.char, comment=token.comment)


def _star(token: Token) -> ast.Star:
    return ast.Star(line=token.line, char=token.char, comment=token.comment)


def _bool(token: Token) -> ast.Bool:
    return ast.Bool(token.type == "TRUE", line=token.line, char=token.char, comment=token.comment)


_LITERALS: Final[dict[str, Callable[[Token], ast.Expr]]] = {
    "NUMBER": _number,
    "DURATION": _duration,
    "STRING": _string,
    "REGEX": _regex,
    "REFERENCE": _reference,
    "STAR": _star,
    "TRUE": _bool,
    "FALSE": _bool,
}


@v_args(inline=True)
class _Builder(Transformer[Token, Any]):
    """One method a rule of the grammar."""

    # -- statements

    def program(self, *statements: ast.Statement) -> ast.Program:
        return ast.Program(statements)

    def lambda_body(self, expression: ast.Expr) -> ast.Lambda:
        return ast.Lambda(expression, line=1, char=1)

    def dbrp(self, keyword: Token, db: Token, _dot: Token, rp: Token) -> ast.Dbrp:
        return ast.Dbrp(
            _reference(db._replace(comment=None)),
            _reference(rp._replace(comment=None)),
            line=keyword.line,
            char=keyword.char,
            comment=keyword.comment,
        )

    def declaration(self, keyword: Token, name: Token, _assign: Token, value: ast.Expr) -> ast.Declaration:
        return ast.Declaration(
            self.identifier(name), value, line=keyword.line, char=keyword.char, comment=keyword.comment
        )

    def type_declaration(self, keyword: Token, name: Token, kind: Token) -> ast.TypeDeclaration:
        return ast.TypeDeclaration(
            self.identifier(name),
            self.identifier(kind),
            line=keyword.line,
            char=keyword.char,
            comment=keyword.comment,
        )

    # -- expressions

    def identifier(self, token: Token) -> ast.Identifier:
        return ast.Identifier(token.text, line=token.line, char=token.char, comment=token.comment)

    def literal(self, token: Token) -> ast.Expr:
        return _LITERALS[token.type](token)

    list_literal = literal

    def call(self, name: Token, opening: Token, args: tuple[ast.Expr, ...]) -> ast.Function:
        return _function("global", name, args, join_comments(name.comment, opening.comment))

    def inner_call(self, name: Token, _opening: Token, args: tuple[ast.Expr, ...]) -> ast.Function:
        return _function("global", name, args, None)

    def arguments(self, *args: ast.Expr) -> tuple[ast.Expr, ...]:
        return args

    inner_arguments = arguments

    def link(
        self, operator: Token, name: Token, opening: Token | None = None, args: tuple[ast.Expr, ...] = ()
    ) -> tuple[Token, ast.Function | ast.Identifier]:
        if opening is None:
            return operator, self.identifier(name)
        comment = join_comments(name.comment, opening.comment)
        return operator, _function(_FUNCTION_KINDS[operator.text], name, args, comment)

    def chain(self, head: ast.Expr, *links: tuple[Token, ast.Function | ast.Identifier]) -> ast.Chain:
        left = head
        for operator, right in links:
            left = ast.Chain(
                operator.text, left, right, line=operator.line, char=operator.char, comment=operator.comment
            )
        assert isinstance(left, ast.Chain)
        return left

    def list(self, opening: Token, *items: ast.Expr) -> ast.List:
        return ast.List(items, line=opening.line, char=opening.char, comment=opening.comment)

    def lambda_(self, keyword: Token, expression: ast.Expr) -> ast.Lambda:
        return ast.Lambda(expression, line=keyword.line, char=keyword.char, comment=keyword.comment)

    def group(self, opening: Token, node: ast.Expr) -> ast.Expr:
        if isinstance(node, ast.Binary):
            return replace(node, parens=True, comment=opening.comment)
        return replace(node, comment=opening.comment)

    def unary(self, operator: Token, operand: ast.Expr) -> ast.Unary:
        return ast.Unary(operator.text, operand, line=operator.line, char=operator.char)

    def operation(self, first: ast.Expr, *rest: Any) -> ast.Expr:
        """Precedence climbing without recursion: operators wait until one that binds no tighter follows."""
        if not rest:
            return first
        operands = [first]
        waiting: list[Token] = []

        def apply() -> None:
            operator, right = waiting.pop(), operands.pop()
            left = operands.pop()
            operands.append(
                ast.Binary(
                    operator.text,
                    left,
                    right,
                    multiline=left.line != right.line,
                    line=operator.line,
                    char=operator.char,
                    comment=operator.comment,
                )
            )

        for operator, operand in zip(rest[::2], rest[1::2], strict=True):
            while waiting and PRECEDENCE[waiting[-1].text] >= PRECEDENCE[operator.text]:
                apply()
            waiting.append(operator)
            operands.append(operand)
        while waiting:
            apply()
        return operands[0]

    script_operation = operation


# The rule is called `lambda`, which cannot be the name of a Python method.
setattr(_Builder, "lambda", _Builder.lambda_)


class _Tokens(Lexer):
    """Hands lark the tokens that `scan` has made."""

    __future_interface__ = 1  # lark's switch for the two-argument `lex`

    def __init__(self, _conf: Any) -> None:
        """Lark gives its configuration, of which nothing is needed."""

    def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Any]:  # noqa: ARG002  # lark's signature
        return iter(lexer_state.text)


@lru_cache(maxsize=1)
def _lark() -> Lark:
    return Lark.open(
        "grammar.lark",
        rel_to=__file__,
        parser="lalr",
        lexer=_Tokens,
        start=["program", "lambda_body"],
        transformer=_Builder(),
        maybe_placeholders=False,
    )


def _expected(accepts: set[str]) -> str:
    if "NUMBER" in accepts:
        return _OPERAND_LIST
    if "_RPAR" in accepts:
        return '")"'
    if "_RSQB" in accepts:
        return '"identifier","string","*"' if "IDENTIFIER" in accepts else '"]"'
    if "$END" in accepts:
        return '"EOF"'
    for terminal, word in (("LPAR", "("), ("IDENTIFIER", "identifier"), ("REFERENCE", "reference"), ("DOT", ".")):
        if terminal in accepts:
            return f'"{word}"'
    raise AssertionError(accepts)


def _snippet(text: str, offset: int) -> str:
    """Ten bytes to either side of the start of the token, within its line."""
    data = text.encode("utf-8", "surrogatepass")
    at = len(text[:offset].encode("utf-8", "surrogatepass"))
    before = data[max(0, at - _SNIPPET) : at].rpartition(b"\n")[2]
    after = data[at : at + _SNIPPET].partition(b"\n")[0]
    # Each byte of a character that was cut in two shows as one replacement character.
    halves = (before + after).decode("utf-8", "surrogateescape")
    return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in halves)


def _unexpected(text: str, scanned: Scan, error: UnexpectedToken) -> ParseError:
    token: Any = error.token
    if token.type == "$END":
        token = scanned.end
    what = _KIND_WORDS.get(token.type, token.text)
    message = (
        f"parser: unexpected {what} line {token.line} char {token.char} "
        f'in "{_snippet(text, token.offset)}". expected: {_expected(set(error.accepts or ()))}'
    )
    kind = ScanError if token.type == "ERROR" else ParseError
    return kind(message, line=token.line, char=token.char, length=1 if token.type == "ERROR" else len(token.text))


def _too_deep(line: int, char: int) -> DepthError:
    return DepthError(f"parser: nesting deeper than {MAX_NESTING} levels line {line} char {char}", line=line, char=char)


def _excess_bracket(tokens: tuple[Token, ...]) -> Token | None:
    """The first bracket that opens deeper than `MAX_NESTING`: what comes behind it need not be parsed."""
    depth = 0
    for token in tokens:
        if token.type in ("LPAR", "LSQB"):
            depth += 1
            if depth > MAX_NESTING:
                return token
        elif token.type in ("_RPAR", "_RSQB"):
            depth -= 1
    return None


def _check_nesting(root: ast.Node) -> None:
    waiting = [(root, 0, 0)]
    while waiting:
        node, depth, height = waiting.pop()
        if depth > MAX_NESTING:
            raise _too_deep(node.line, node.char)
        if height > MAX_HEIGHT:
            raise DepthError(
                f"parser: more than {MAX_HEIGHT} operators in a row line {node.line} char {node.char}",
                line=node.line,
                char=node.char,
            )
        match node:
            case ast.Chain(left=left, right=right):
                waiting.append((left, depth, height))
                waiting.append((right, depth + 1, height + 1))
            case ast.Binary(left=left, right=right):
                waiting.append((left, depth, height + 1))
                waiting.append((right, depth + 1, height + 1))
            case _:
                waiting.extend((child, depth + 1, height + 1) for child in ast.children(node))


def _check_literals(tokens: tuple[Token, ...], end: Any) -> None:
    """A literal that the parser took has been read before what it stumbled over, so its fault comes first."""
    for token in tokens:
        if token is end:
            return
        build = _LITERALS.get(token.type)
        if build is not None:
            build(token)


def _parse(text: str, scanned: Scan, start: str) -> Any:
    tokens = scanned.tokens
    excess = _excess_bracket(tokens)
    if excess is not None:
        tokens = tokens[: tokens.index(excess)]
    try:
        tree: Any = _lark().parse(tokens, start=start)
    except UnexpectedToken as error:
        end: Any = error.token
        _check_literals(tokens, end)
        if excess is not None and end.type == "$END":
            raise _too_deep(excess.line, excess.char) from None
        raise _unexpected(text, scanned, error) from None
    if excess is not None:
        raise _too_deep(excess.line, excess.char)
    _check_nesting(tree)
    return tree


def _trailing_comment(scanned: Scan) -> ast.Comment | None:
    """The comment that no token owns because none follows, or because the last token can own none."""
    tokens, trailing = scanned.tokens, scanned.trailing
    last = tokens[-1] if tokens else None
    closing = last is not None and last.type in ("_RPAR", "_RSQB")
    inner_dbrp = len(tokens) >= 4 and [token.type for token in tokens[-4:]] == ["DBRP", "REFERENCE", "DOT", "REFERENCE"]
    unowned = last if last is not None and last.comment and (closing or inner_dbrp) else None
    place = unowned or trailing
    if place is None:
        return None
    comment = join_comments(unowned.comment if unowned else None, trailing.comment if trailing else None)
    return ast.Comment(line=place.line, char=place.char, comment=comment)


def parse(text: str) -> ast.Program:
    """The tree of a script.

    Raises `ParseError` (`ScanError` for what is no token, `DepthError` beyond `MAX_NESTING` or `MAX_HEIGHT`) with the text of spec 1.6.
    """
    scanned = scan(text)
    program: ast.Program = _parse(text, scanned, "program")
    comment = _trailing_comment(scanned)
    return program if comment is None else ast.Program((*program.statements, comment))


def parse_lambda(text: str) -> ast.Lambda:
    """The tree of an expression written without `lambda:`, as it stands in vars. Raises like `parse`."""
    lambda_: ast.Lambda = _parse(text, scan(text), "lambda_body")
    return lambda_
