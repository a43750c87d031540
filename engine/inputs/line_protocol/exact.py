"""The exact parser of line protocol: one line, the whole protocol, and all error texts (spec "Inputs, outputs" §2).

The kernel hands over every line that surprises it, so this is where the meaning is; a property test holds both equal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

MIN_TIME, MAX_TIME = -9223372036854775806, 9223372036854775806
MAX_KEY = 65535
UNITS = {"n": 1, "u": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
"""Nanoseconds a precision stands for; any other text counts as `n`."""

_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1
_NUMBER = re.compile(rb"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(rb"(-?[0-9]+)i")
_BOOLEANS = {
    b"t": True, b"T": True, b"true": True, b"True": True, b"TRUE": True,
    b"f": False, b"F": False, b"false": False, b"False": False, b"FALSE": False,
}  # fmt: skip
_NAME_ESCAPES = re.compile(rb'\\([,"= ])')
_TAG_ESCAPES = re.compile(rb"\\([,= ])")
_STRING_ESCAPES = re.compile(rb'\\(["\\])')
_COMMA, _SPACE, _EQUALS, _QUOTE, _BACKSLASH = b', ="\\'
_NUMERIC = frozenset(b"0123456789.-Nn")


class LineError(Exception):
    """A line that is no point; str() is the text for the client."""

    def __init__(self, line: bytes, reason: str) -> None:
        self.line = line
        self.reason = reason
        super().__init__(f"unable to parse '{line.decode('utf-8', 'surrogateescape')}': {reason}")


class _Bad(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Point:
    """A point as bytes: tags sorted by key, fields in the order of the line (a repeated key: its last value)."""

    name: bytes
    tags: tuple[tuple[bytes, bytes], ...]
    fields: dict[bytes, Any]
    time: int


def parse_key(text: bytes) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
    """Measurement and sorted tags of a series key. Raises ValueError with the reason."""
    try:
        return _key(text)
    except _Bad as bad:
        raise ValueError(str(bad)) from None


def split(text: bytes, separator: bytes) -> list[bytes]:
    """Split at a separator (one byte) that has no backslash before it."""
    first, *rest = text.split(separator)
    out = [first]
    for piece in rest:
        if out[-1].endswith(b"\\"):
            out[-1] += separator + piece
        else:
            out.append(piece)
    return out


def _key(text: bytes) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
    first, *rest = split(text, b",")
    if not first:
        raise _Bad("missing measurement")
    tags = []
    for item in rest:
        pieces = split(item, b"=")
        if not pieces[0]:
            raise _Bad("missing tag key")
        if len(pieces) == 1 or not pieces[1]:
            raise _Bad("missing tag value")
        if len(pieces) > 2:
            raise _Bad("invalid tag format")
        tags.append((_TAG_ESCAPES.sub(rb"\1", pieces[0]), _TAG_ESCAPES.sub(rb"\1", pieces[1])))
    tags.sort()
    if any(a[0] == b[0] for a, b in pairwise(tags)):
        raise _Bad("duplicate tags")
    return _NAME_ESCAPES.sub(rb"\1", first), tuple(tags)


def parse_line(line: bytes, now: int, unit: int) -> Point | None:
    """The point of a line without its newline; None for an empty line or a comment. Raises LineError.

    A carriage return at the end belongs to the line's end, for clients of other systems; the reference refuses it.

    `now`: receive time, truncated to `unit` (ns of the precision) where the line has no timestamp.
    """
    text = line.lstrip(b" \t\0")
    if text.endswith(b"\r"):
        text = text[:-1]
    if not text or text[0] == 0x23:
        return None
    try:
        return _point(text, now, unit)
    except _Bad as bad:
        raise LineError(text, str(bad)) from None


def _point(text: bytes, now: int, unit: int) -> Point:
    end = _key_end(text)
    name, tags = _key(text[:end])
    if end > MAX_KEY:
        raise _Bad(f"max key length exceeded: {end} > {MAX_KEY}")
    at = end
    while at < len(text) and text[at] == _SPACE:
        at += 1
    if at == len(text):
        raise _Bad("missing fields")
    stop = _fields_end(text, at)
    fields = _fields(text[at:stop], end)
    return Point(name, tags, fields, _time(text[stop:], now, unit))


def _key_end(text: bytes) -> int:
    i = text.find(b" ")
    while i > 0 and text[i - 1] == _BACKSLASH:
        i = text.find(b" ", i + 1)
    return len(text) if i < 0 else i


def _fields_end(text: bytes, start: int) -> int:
    """Where the field set ends, with the checks that look at its shape."""
    i, n = start, len(text)
    quoted = False
    equals = commas = 0
    while i < n:
        c = text[i]
        if c == _BACKSLASH and i + 1 < n:
            i += 2
            continue
        if c == _QUOTE and equals > commas:
            quoted = not quoted
        elif not quoted:
            if c == _SPACE:
                break
            if c == _COMMA:
                commas += 1
            elif c == _EQUALS:
                equals += 1
                _check_equals(text, i, start)
                following = text[i + 1]
                if following != _QUOTE:
                    i = _value_end(text, i + 1, numeric=following in _NUMERIC)
                    continue
        i += 1
    if quoted:
        raise _Bad("unbalanced quotes")
    if equals == 0 or commas != equals - 1:
        raise _Bad("invalid field format")
    return i


def _check_equals(text: bytes, i: int, start: int) -> None:
    if i == start or (text[i - 1] == _COMMA and text[i - 2] != _BACKSLASH):
        raise _Bad("missing field key")
    if i + 1 >= len(text) or text[i + 1] in (_COMMA, _SPACE):
        raise _Bad("missing field value")


def _value_end(text: bytes, start: int, *, numeric: bool) -> int:
    """The end of an unquoted value, which must be a number or a boolean."""
    end = start
    while end < len(text) and text[end] not in (_COMMA, _SPACE):
        end += 1
    value = text[start:end]
    if not numeric:
        if value not in _BOOLEANS:
            raise _Bad("invalid boolean")
        return end
    integer = _INTEGER.fullmatch(value)
    if integer:
        digits = integer.group(1)
        if not _INT64_MIN <= int(digits) <= _INT64_MAX:
            shown = digits.decode()
            raise _Bad(f'unable to parse integer {shown}: strconv.ParseInt: parsing "{shown}": value out of range')
        return end
    if not _NUMBER.fullmatch(value):
        raise _Bad("invalid number")
    if float(value) in (float("inf"), float("-inf")):
        raise _Bad("invalid float")
    return end


def _fields(text: bytes, key_length: int) -> dict[bytes, Any]:
    out: dict[bytes, Any] = {}
    i, n = 0, len(text)
    while i < n:
        start = i
        while text[i] != _EQUALS:
            i += 2 if text[i] == _BACKSLASH else 1
        key = text[start:i]
        size = key_length + 4 + len(key)
        if size > MAX_KEY:
            raise _Bad(f"max key length exceeded: {size} > {MAX_KEY}")
        i += 1
        start = i
        if text[i] == _QUOTE:
            value, i = _string(text, i)
        else:
            while i < n and text[i] != _COMMA:
                i += 1
            value = _number(text[start:i])
        name = _NAME_ESCAPES.sub(rb"\1", key)
        out.pop(name, None)
        out[name] = value
        i += 1
    return out


def _string(text: bytes, start: int) -> tuple[str, int]:
    """A quoted value; what stands behind its closing quote is swallowed up to the next comma, as in the reference."""
    i, n = start + 1, len(text)
    quoted = True
    while i < n and (quoted or text[i] != _COMMA):
        if text[i] == _BACKSLASH:
            i += 2
            continue
        if text[i] == _QUOTE:
            quoted = not quoted
        i += 1
    i = min(i, n)
    inner = _STRING_ESCAPES.sub(rb"\1", text[start + 1 : i - 1])
    return inner.decode("utf-8", "surrogateescape"), i


def _number(text: bytes) -> Any:
    known = _BOOLEANS.get(text)
    if known is not None:
        return known
    return int(text[:-1]) if text.endswith(b"i") else float(text)


def _time(rest: bytes, now: int, unit: int) -> int:
    text = rest.strip(b" ")
    if not text:
        return now - now % unit
    digits, _, more = text.partition(b" ")
    sign = digits[1:] if digits[:1] == b"-" else digits
    if not sign.isdigit():
        raise _Bad("bad timestamp")
    if more.strip(b" "):
        raise _Bad("point is invalid")
    time = int(digits) * unit
    if not MIN_TIME <= time <= MAX_TIME:
        raise _Bad(f"time outside range {MIN_TIME} - {MAX_TIME}")
    return time
