"""Template text as tokens: literal text, and what stands inside `{{ }}`, with trim markers and comments applied.

Always: TEXT tokens hold the text as it will be printed; each action is OPEN, its tokens, CLOSE. SPACE tokens separate
operands inside an action, since `.A.B` and `.A .B` differ.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from engine.templates.errors import ParseError
from engine.templates.values import Int


class T(Enum):
    """Token types."""

    TEXT = auto()
    OPEN = auto()
    CLOSE = auto()
    SPACE = auto()
    IDENTIFIER = auto()
    FIELD = auto()
    VARIABLE = auto()
    DOT = auto()
    STRING = auto()
    NUMBER = auto()
    CHARACTER = auto()
    BOOL = auto()
    NIL = auto()
    KEYWORD = auto()
    PIPE = auto()
    DECLARE = auto()
    ASSIGN = auto()
    COMMA = auto()
    LEFT = auto()
    RIGHT = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """`text` as written, `value` what a literal stands for; `line` from 1, `column` from 0 within its line."""

    type: T
    text: str
    line: int
    column: int
    value: Any = None


KEYWORDS = frozenset({"if", "else", "end", "range", "with", "define", "template", "block", "break", "continue"})
_WORD = r"[^\W\d]\w*"
_ACTION = re.compile(
    rf"(?P<space>[ \t\r\n]+)|(?P<field>\.{_WORD})|(?P<variable>\$(?:{_WORD})?)|(?P<string>\"(?:\\.|[^\"\\\n])*\")|"
    r"(?P<raw>`[^`]*`)|(?P<character>'(?:\\.|[^'\\\n])+')|"
    r"(?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*)?\.?\d[\d_]*\.?(?:[eE][+-]?\d+)?))|"
    rf"(?P<dot>\.)|(?P<word>{_WORD})|(?P<declare>:=)|(?P<assign>=)|(?P<pipe>\|)|(?P<comma>,)|(?P<left>\()|(?P<right>\))"
)
_SIMPLE = {
    "space": T.SPACE, "dot": T.DOT, "declare": T.DECLARE, "assign": T.ASSIGN, "pipe": T.PIPE, "comma": T.COMMA,
    "left": T.LEFT, "right": T.RIGHT,
}  # fmt: skip
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_TRIM = " \t\r\n"


def scan(name: str, text: str) -> list[Token]:
    """All tokens, END last. Raises ParseError."""
    return _Scanner(name, text).run()


class _Scanner:
    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.tokens: list[Token] = []

    def where(self, at: int) -> tuple[int, int]:
        line = self.text.count("\n", 0, at) + 1
        return line, at - (self.text.rfind("\n", 0, at) + 1)

    def fail(self, at: int, message: str) -> ParseError:
        return ParseError(self.name, self.where(at)[0], message)

    def add(self, kind: T, text: str, at: int, value: Any = None) -> None:
        self.tokens.append(Token(kind, text, *self.where(at), value))

    def run(self) -> list[Token]:
        at, trim_next = 0, False
        while True:
            start = self.text.find("{{", at)
            literal = self.text[at:] if start < 0 else self.text[at:start]
            if trim_next:
                literal = literal.lstrip(_TRIM)
            trims = (
                start >= 0
                and self.text[start + 2 : start + 3] == "-"
                and self.text[start + 3 : start + 4] in set(_TRIM)
            )
            if trims:
                literal = literal.rstrip(_TRIM)
            if literal:
                self.add(T.TEXT, literal, at)
            if start < 0:
                break
            at, trim_next = self.action(start + (3 if trims else 2))
        self.add(T.END, "EOF", len(self.text))
        return self.tokens

    def action(self, at: int) -> tuple[int, bool]:
        """Scan from behind the opening delimiter; the place behind the closing one, and whether it trims."""
        inner = at
        while self.text[inner : inner + 1] in set(_TRIM):
            inner += 1
        if self.text.startswith("/*", inner):
            return self.comment(inner)
        self.add(T.OPEN, "{{", at)
        depth = 0
        while True:
            closed = self.closing(at)
            if closed is not None:
                if depth:
                    raise self.fail(at, "unclosed left paren")
                self.add(T.CLOSE, "}}", at)
                return closed
            found = _ACTION.match(self.text, at)
            if found is None:
                raise self.unexpected(at)
            depth += (found.lastgroup == "left") - (found.lastgroup == "right")
            if depth < 0:
                raise self.fail(at, "unexpected right paren")
            self.token(found, at)
            at = found.end()

    def closing(self, at: int) -> tuple[int, bool] | None:
        if self.text.startswith("}}", at):
            return at + 2, False
        if self.text[at : at + 1] in set(_TRIM) and self.text.startswith("-}}", at + 1):
            return at + 4, True
        return None

    def comment(self, at: int) -> tuple[int, bool]:
        end = self.text.find("*/", at + 2)
        if end < 0:
            raise self.fail(at, "unclosed comment")
        closed = self.closing(end + 2)
        if closed is None:
            raise self.fail(at, "comment ends before closing delimiter")
        return closed

    def unexpected(self, at: int) -> ParseError:
        if at >= len(self.text):
            return self.fail(at, "unclosed action")
        char = self.text[at]
        if char == '"':
            return self.fail(at, "unterminated quoted string")
        if char == "`":
            return self.fail(at, "unterminated raw quoted string")
        if char == "'":
            return self.fail(at, "unterminated character constant")
        return self.fail(at, f"unexpected {char!r} in command" if char != "\n" else "unclosed action")

    def token(self, found: re.Match[str], at: int) -> None:
        text, group = found.group(), str(found.lastgroup)
        if group in _SIMPLE:
            self.add(_SIMPLE[group], text, at)
        elif group == "field":
            self.add(T.FIELD, text, at, text[1:])
        elif group == "variable":
            self.add(T.VARIABLE, text, at)
        elif group == "word":
            if text in {"true", "false"}:
                self.add(T.BOOL, text, at, text == "true")
            elif text == "nil":
                self.add(T.NIL, text, at)
            else:
                self.add(T.KEYWORD if text in KEYWORDS else T.IDENTIFIER, text, at)
        elif group == "number":
            self.add(T.NUMBER, text, at, self.number(text, at))
        elif group == "raw":
            self.add(T.STRING, text, at, text[1:-1])
        elif group == "string":
            self.add(T.STRING, text, at, self.unquote(text, at))
        else:
            value = self.unquote(text, at)
            if len(value) != 1:
                raise self.fail(at, f"malformed character constant: {text}")
            self.add(T.CHARACTER, text, at, ord(value))

    def number(self, text: str, at: int) -> Int | float:
        plain = text.replace("_", "")
        try:
            if re.fullmatch(r"[+-]?0[0-7]+", plain):
                return Int(plain, 8)
            return Int(plain, 0)
        except ValueError:
            try:
                return float(plain)
            except ValueError:
                raise self.fail(at, f"bad number syntax: {text!r}") from None

    def unquote(self, text: str, at: int) -> str:
        def one(found: re.Match[str]) -> str:
            body = found.group(1)
            if body[0] in "xuU" and len(body) > 1:
                return chr(int(body[1:], 16))
            if len(body) == 3:
                return chr(int(body, 8))
            if body not in _ESCAPES:
                raise self.fail(at, "invalid syntax")
            return _ESCAPES[body]

        return _ESCAPE.sub(one, text[1:-1])
