"""Text to tokens: a scanner of two modes, because the same character means different things after an operand.

Always: every token knows its line, its byte column and the comment in front of it; scanning is linear in the text; it
ends at the first thing that is no token, which becomes an `ERROR` token, so that the parser decides whether an earlier
fault comes first. Spec "TICKscript" section 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from tickscript.gostrings import quote_rune

# Go's notion of white space; Python's also has the ASCII separators 0x1c to 0x1f.
SPACE: Final = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_SPACES: Final = re.compile(f"[{SPACE}]*")
_STRIPPED: Final = "\t\v\f\r \x85\xa0"

_AFTER_OPERAND: Final = re.compile(rf"[{SPACE}]*(!=|!~|<=|>=|==|=~|[-+*%<>!=]|/(?!/))")

# A backslash escapes the closing mark, and nothing else: not even another backslash.
_REGEX: Final = re.compile(r"/(?:[^/\\]++|\\/?+)*+/")
_OPERAND_EXPECTED: Final = re.compile(
    r"""
      (?P<word>[^\W\d_]\w*)
    | (?P<duration>\d+(?:ms|[uµsmhdw]))
    | (?P<number>\.?\d[\d.]*)
    | (?P<comment>//[^\n]*(?:\n[ \t]*/[^\n]*)*)
    | (?P<punctuation>[-()\[\],|@!*.])
    | (?P<triple>'''(?s:.*?)''')
    | (?P<triple_open>''')
    | (?P<string>'(?:[^'\\]++|\\'?+)*+')
    | (?P<string_open>')
    | (?P<reference>"(?:[^"\\]++|\\"?+)*+")
    | (?P<reference_open>")
    | (?P<regex>/(?:[^/\\]++|\\/?+)*+/)
    | (?P<regex_open>/)
    """,
    re.VERBOSE,
)

_KEYWORDS: Final = {
    "AND": "OPERATOR",
    "OR": "OPERATOR",
    "TRUE": "TRUE",
    "FALSE": "FALSE",
    "var": "VAR",
    "dbrp": "DBRP",
}
_PUNCTUATION: Final = {
    "(": "LPAR",
    ")": "_RPAR",
    "[": "LSQB",
    "]": "_RSQB",
    ",": "_COMMA",
    "|": "BAR",
    "@": "AT",
    ".": "DOT",
    "!": "NOT",
    "-": "MINUS",
    "*": "STAR",
}
_OPERATORS: Final = {"-": "MINUS", "!": "NOT", "=": "ASSIGN"}
_REGEX_FOLLOWS: Final = frozenset({"=", "=~", "!~"})
_LITERALS: Final = {
    "duration": "DURATION",
    "number": "NUMBER",
    "triple": "STRING",
    "string": "STRING",
    "reference": "REFERENCE",
    "regex": "REGEX",
}
_UNTERMINATED: Final = {
    "triple_open": "unterminated string",
    "string_open": "unterminated string",
    "reference_open": "unterminated field reference",
    "regex_open": "unterminated regex",
}


class Token(NamedTuple):
    """One token: its terminal in the grammar, its text as written, its place and the comment in front of it.

    `line` and `char` are 1-based, `char` in bytes; `offset` is 0-based in characters. Of an `ERROR` token the text is
    the message. The properties are what lark reads of a token.
    """

    type: str
    text: str
    line: int
    char: int
    offset: int
    comment: tuple[str, ...] | None = None

    @property
    def start_pos(self) -> int:
        return self.offset

    @property
    def column(self) -> int:
        return self.char

    @property
    def end_line(self) -> int:
        return self.line

    @property
    def end_column(self) -> int:
        return self.char

    @property
    def end_pos(self) -> int:
        return self.offset + len(self.text)


@dataclass(frozen=True, slots=True)
class Scan:
    """The tokens of a text, the `COMMENT` token behind the last one (or `None`), and the place of the end."""

    tokens: tuple[Token, ...]
    trailing: Token | None
    end: Token


class _Places:
    """Turns growing offsets into lines and byte columns, looking at each character once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ascii = text.isascii()
        self._offset = 0
        self._line = 1
        self._char = 1

    def at(self, offset: int) -> tuple[int, int]:
        text, start = self._text, self._offset
        newlines = text.count("\n", start, offset)
        if newlines:
            self._line += newlines
            self._char = 1
            start = text.rfind("\n", start, offset) + 1
        if self._ascii:
            self._char += offset - start
        else:
            self._char += len(text[start:offset].encode("utf-8", "surrogatepass"))
        self._offset = offset
        return self._line, self._char


def join_comments(first: tuple[str, ...] | None, second: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Two comments as blocks of one."""
    if first and second:
        return (*first, "\n", *second)
    return first or second


def _comment_lines(text: str) -> tuple[str, ...]:
    lines = (line.strip(_STRIPPED).removeprefix("//") for line in text.split("\n"))
    return tuple(line.removeprefix(" ") for line in lines)


def _word_length(word: str) -> int:
    """How much of a run of `\\w` is an identifier of Go: letters, decimal digits and `_`."""
    if word.isascii():
        return len(word)
    for index, character in enumerate(word):
        if not (character.isalpha() or character == "_" or (index and character.isdecimal())):
            return index
    return len(word)


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._places = _Places(text)
        self._tokens: list[Token] = []
        self._comment: list[str] = []
        self._comment_token: Token | None = None

    def _emit(self, kind: str, text: str, offset: int) -> None:
        line, char = self._places.at(offset)
        if self._comment:
            self._tokens.append(Token(kind, text, line, char, offset, tuple(self._comment)))
            self._comment, self._comment_token = [], None
        else:
            self._tokens.append(Token(kind, text, line, char, offset))

    def _add_comment(self, text: str, offset: int) -> None:
        if self._comment_token is None:
            line, char = self._places.at(offset)
            self._comment_token = Token("COMMENT", text, line, char, offset)
        if self._comment:
            self._comment.append("\n")
        self._comment.extend(_comment_lines(text))

    def scan(self) -> Scan:
        text, length = self._text, len(self._text)
        position, after_operand = 0, False
        while position < length:
            if after_operand:
                operator = _AFTER_OPERAND.match(text, position)
                after_operand = False
                if operator is not None:
                    spelling = operator[1]
                    self._emit(_OPERATORS.get(spelling, "OPERATOR"), spelling, operator.start(1))
                    position = operator.end()
                    if spelling in _REGEX_FOLLOWS:
                        position = self._regex(position)
                        if position < 0:
                            break
                    continue
            position = _SPACES.match(text, position).end()  # type: ignore[union-attr]  # it matches the empty text too
            if position == length:
                break
            position, after_operand = self._operand_expected(position)
            if position < 0:
                break
        trailing = self._comment_token
        if trailing is not None:
            trailing = trailing._replace(comment=tuple(self._comment))
        line, char = self._places.at(length)
        return Scan(tuple(self._tokens), trailing, Token("$END", "", line, char, length))

    def _regex(self, position: int) -> int:
        """Behind `=`, `=~` and `!~` a slash opens a regex, even when a second one follows."""
        text = self._text
        position = _SPACES.match(text, position).end()  # type: ignore[union-attr]  # it matches the empty text too
        if not text.startswith("/", position):
            return position
        regex = _REGEX.match(text, position)
        if regex is None:
            self._emit("ERROR", _UNTERMINATED["regex_open"], position)
            return -1
        self._emit("REGEX", regex[0], position)
        return regex.end()

    def _operand_expected(self, position: int) -> tuple[int, bool]:
        """Scans one token or comment; returns where to go on (-1: nowhere) and whether that is after an operand."""
        text = self._text
        match = _OPERAND_EXPECTED.match(text, position)
        if match is None:
            return self._unknown(position)
        group, found = match.lastgroup or "", match[0]
        if group == "word":
            size = _word_length(found)
            if size == 0:
                return self._unknown(position)
            found = found[:size]
            if found == "lambda" and text.startswith(":", position + size):
                self._emit("LAMBDA", "lambda:", position)
                return position + size + 1, True
            self._emit(_KEYWORDS.get(found, "IDENTIFIER"), found, position)
            return position + size, True
        if group == "punctuation":
            self._emit(_PUNCTUATION[found], found, position)
            return position + 1, found == ")"
        if group == "comment":
            self._add_comment(found, position)
            return match.end(), False
        if group == "number" and found.count(".") > 1:
            self._emit("ERROR", "multiple decimals in number", position)
            return -1, False
        literal = _LITERALS.get(group)
        if literal is None:
            self._emit("ERROR", _UNTERMINATED[group], position)
            return -1, False
        self._emit(literal, found, position)
        return match.end(), group != "regex"

    def _unknown(self, position: int) -> tuple[int, bool]:
        self._emit("ERROR", f"unknown state, last char: {quote_rune(self._text[position])}", position)
        return -1, False


def scan(text: str) -> Scan:
    """The tokens of a TICKscript or of a lambda's text. Never raises: a fault is an `ERROR` token, the last one."""
    return _Scanner(text).scan()
