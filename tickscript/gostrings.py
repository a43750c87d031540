"""Text quoted as Go quotes it, which error texts, DOT and vars contain.

Spec "TICKscript" 1.6 (a rune is quoted Go style).
"""

from __future__ import annotations

from typing import Final

_SHORT: Final = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
}


def _escape(character: str, quote_mark: str) -> str:
    if character == quote_mark:
        return "\\" + character
    short = _SHORT.get(character)
    if short is not None:
        return short
    # Go prints every letter, mark, number, punctuation and symbol, and of white space only the blank.
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    if 0xDC80 <= code <= 0xDCFF:
        # A byte that was no UTF-8, as Python's surrogateescape carries it.
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def quote(text: str) -> str:
    """The text in double quotes, escaped as by Go's `%q` of a string."""
    return '"' + "".join(_escape(character, '"') for character in text) + '"'


def quote_rune(character: str) -> str:
    """One character in single quotes, escaped as by Go's `%q` of a rune."""
    return "'" + _escape(character, "'") + "'"
