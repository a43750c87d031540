"""The string functions, over bytes (spec 5.4).

Lengths and offsets count bytes. Where characters matter (sets of characters, case, empty patterns) the bytes are read
as UTF-8, and a byte that is part of no character counts as one U+FFFD, as in Go.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from tickscript.lambdas.errors import CallError, LambdaError
from tickscript.lambdas.values import decode, encode, fold, readable, truncate
from tickscript.regex import compile_regex

if TYPE_CHECKING:
    from tickscript.lambdas.values import Regex

_SPACE: Final = "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"


def contains_any(text: bytes, characters: bytes) -> bool:
    """Whether any of the characters is in the text."""
    return not set(fold(decode(text))).isdisjoint(fold(decode(characters)))


def count(text: bytes, part: bytes) -> int:
    """Occurrences that do not overlap; of the empty text, characters + 1."""
    return text.count(part) if part else len(decode(text)) + 1


def index_any(text: bytes, characters: bytes) -> int:
    """Byte offset of the first of the characters, or -1."""
    wanted = set(fold(decode(characters)))
    raw = decode(text)
    for at, character in enumerate(fold(raw)):
        if character in wanted:
            return len(encode(raw[:at]))
    return -1


def last_index_any(text: bytes, characters: bytes) -> int:
    """Byte offset of the last of the characters, or -1."""
    wanted = set(fold(decode(characters)))
    raw = decode(text)
    folded = fold(raw)
    for at in range(len(folded) - 1, -1, -1):
        if folded[at] in wanted:
            return len(encode(raw[:at]))
    return -1


MAX_REPLACED: Final = 2**24
"""Bytes that a replacement may give: a text replaced by itself grows by the square, so that few would fill any memory."""


def _check_length(size: int, name: str) -> None:
    if size > MAX_REPLACED:
        raise CallError(f"result too long for {name}: more than {MAX_REPLACED} bytes")


def replace(text: bytes, old: bytes, new: bytes, n: int) -> bytes:
    """The first n occurrences replaced, all when n is negative; an empty `old` stands before each character and last.

    Raises `CallError` for a result longer than `MAX_REPLACED`.
    """
    if n == 0 or old == new:
        return text
    found = count(text, old)
    _check_length(len(text) + (found if n < 0 else min(n, found)) * (len(new) - len(old)), "strReplace")
    if old:
        return text.replace(old, new, n)
    raw = decode(text)
    places = len(raw) + 1 if n < 0 else min(n, len(raw) + 1)
    pieces = []
    for at in range(places):
        pieces.append(new)
        pieces.append(encode(raw[at : at + 1]))
    pieces.append(encode(raw[places:]))
    return b"".join(pieces)


def substring(text: bytes, start: int, stop: int) -> bytes:
    """Bytes start to stop - 1; stop must be less than the length, as in the reference.

    Raises `CallError`, or `LambdaError` where the reference's runtime fails.
    """
    for place in (start, stop):
        if place < 0:
            raise CallError(f"found negative index for strSubstring: {place}")
    if stop >= len(text):
        raise CallError(f"stop index too large for string in strSubstring: {stop}")
    if start > stop:
        raise LambdaError(f"runtime error: slice bounds out of range [{start}:{stop}]")
    return text[start:stop]


@lru_cache(maxsize=4096)
def _upper(character: str) -> str:
    for mapped in (character.upper(), character.title()):
        if len(mapped) == 1:
            return mapped
    return character


@lru_cache(maxsize=4096)
def _lower(character: str) -> str:
    # Python knows the full mapping only; the one letter for which it is longer is İ, whose simple form is its base.
    return character.lower()[0]


def to_upper(text: bytes) -> bytes:
    """Unicode's simple mapping, character by character."""
    if text.isascii():
        return text.upper()
    return "".join(map(_upper, fold(decode(text)))).encode("utf-8", "surrogatepass")


def to_lower(text: bytes) -> bytes:
    """Unicode's simple mapping, character by character."""
    if text.isascii():
        return text.lower()
    return "".join(map(_lower, fold(decode(text)))).encode("utf-8", "surrogatepass")


def _strip(text: bytes, characters: str, *, left: bool, right: bool) -> bytes:
    raw = decode(text)
    folded = fold(raw)
    if not characters:
        return text
    start = len(folded) - len(folded.lstrip(characters)) if left else 0
    stop = len(folded.rstrip(characters)) if right else len(folded)
    return encode(raw[start : max(start, stop)])


def trim(text: bytes, characters: bytes) -> bytes:
    """Without the characters at either end."""
    return _strip(text, fold(decode(characters)), left=True, right=True)


def trim_left(text: bytes, characters: bytes) -> bytes:
    """Without the characters at the beginning."""
    return _strip(text, fold(decode(characters)), left=True, right=False)


def trim_right(text: bytes, characters: bytes) -> bytes:
    """Without the characters at the end."""
    return _strip(text, fold(decode(characters)), left=False, right=True)


def trim_space(text: bytes) -> bytes:
    """Without Unicode white space at either end."""
    return _strip(text, _SPACE, left=True, right=True)


_NAME: Final = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})")
_MAX_GROUP_DIGITS: Final = 8


@lru_cache(maxsize=256)
def _template(replacement: bytes, names: tuple[tuple[str, int], ...]) -> tuple[bytes | int, ...]:
    """The replacement as literal pieces and group numbers; -1 is a group that does not exist."""
    text = decode(replacement)
    known = dict(names)
    pieces: list[bytes | int] = []
    at = 0
    for found in _NAME.finditer(text):
        pieces.append(encode(text[at : found.start()]))
        at = found.end()
        name = found[1] or found[2]
        if name is None:
            pieces.append(b"$")
        elif name.isascii() and name.isdigit():
            usable = len(name) <= _MAX_GROUP_DIGITS and (name == "0" or name[0] != "0")
            pieces.append(int(name) if usable else known.get(name, -1))
        else:
            pieces.append(known.get(name, -1))
    pieces.append(encode(text[at:]))
    return tuple(pieces)


def regex_replace(pattern: Regex, text: bytes, replacement: bytes) -> bytes:
    """All matches replaced; `$1`, `$name` and `${name}` expand, the name as long as possible, `$$` is `$`.

    Raises `CallError` for a result longer than `MAX_REPLACED`.
    """
    compiled: Any = compile_regex(pattern.pattern)
    source = readable(text)
    template = _template(replacement, tuple(compiled.groupindex.items()))
    origin = range(len(text) + 1) if source is text else _origins(text)
    pieces: list[bytes] = []
    copied = search = size = 0
    while search <= len(source):
        match = compiled.search(source, search)
        if match is None:
            break
        start, stop = match.span()
        pieces.append(text[origin[copied] : origin[start]])
        # No empty match right behind the previous one.
        if stop > copied or start == 0:
            for piece in template:
                if isinstance(piece, bytes):
                    pieces.append(piece)
                elif 0 <= piece <= compiled.groups and match.start(piece) >= 0:
                    pieces.append(text[origin[match.start(piece)] : origin[match.end(piece)]])
                else:
                    continue
                size += len(pieces[-1])
            _check_length(size, "regexReplace")
        copied = stop
        search = stop if stop > search else search + _width(source, search)
    pieces.append(text[origin[copied] :])
    return b"".join(pieces)


def _origins(text: bytes) -> list[int]:
    """For each byte offset of `readable(text)` the offset in the text that it stands for."""
    origins: list[int] = []
    at = 0
    for character in decode(text):
        size = len(encode(character))
        shown = len(fold(character).encode())
        origins.extend(at + min(i, size) for i in range(shown))
        at += size
    origins.append(at)
    return origins


def _width(source: bytes, at: int) -> int:
    """Bytes of the character that begins at a place of valid UTF-8; 1 at the end."""
    if at >= len(source):
        return 1
    lead = source[at]
    return 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4


_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_SMALLEST_UNIT: Final = 10


def human_bytes(n: int) -> bytes:
    """A size with a unit of powers of 1000: `9 B`, `1.0 kB`, `83 MB`. A negative number is read as unsigned."""
    size = n % 2**64
    if size < _SMALLEST_UNIT:
        return b"%d B" % size
    exponent = math.floor(math.log(size) / math.log(1000.0))
    value = math.floor(size / 1000.0**exponent * 10.0 + 0.5) / 10.0
    return f"{value:.{1 if value < _SMALLEST_UNIT else 0}f} {_UNITS[exponent]}".encode()


def human_bytes_float(x: float) -> bytes:
    """`human_bytes` of the float made unsigned, as on amd64."""
    if x < 2.0**63:
        return human_bytes(truncate(x))
    return human_bytes(truncate(x - 2.0**63) ^ -(2**63))
