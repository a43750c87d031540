"""The fields of a line, within the kernel: values of all kinds, field sets of a known shape, and shapes by their hash.

Nothing here reports an error: what is not plainly right is refused, and the exact parser looks at the line. Behind the
data stands a newline, at which every loop but that of strings ends.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.frames.jit import helper
from engine.frames.words import eight_digits_value, load64, same_bytes
from engine.inputs.line_protocol.bits import byte_at, inlined, low_zeros
from engine.inputs.line_protocol.decimals import INTEGER_POWERS, REFUSED, digit_run, double_bits, run_value
from engine.inputs.line_protocol.interning import hash_bytes, mix
from engine.inputs.line_protocol.layout import (
    BOOLEAN,
    COUNT,
    FIRST,
    FLOAT,
    INTEGER,
    KEY_SIZE,
    KEY_START,
    KIND,
    LONGEST_FIELD_KEY,
    STRING,
)

_COMMA, _SPACE, _EQUALS, _QUOTE, _BACKSLASH, _NEWLINE = 44, 32, 61, 34, 92, 10
_MINUS, _POINT, _PLUS, _LETTER_I = 45, 46, 43, 105
_QUOTES, _BACKSLASHES = np.uint64(0x2222222222222222), np.uint64(0x5C5C5C5C5C5C5C5C)
_LOWS, _HIGHS, _ZERO = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080), np.uint64(0)
_EIGHT_PLACES = np.uint64(100_000_000)
_FOUR_BYTES, _FIVE_BYTES = np.uint64((1 << 32) - 1), np.uint64((1 << 40) - 1)


def _spelt(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text, "little"))


_TRUE1, _TRUE2, _TRUE3 = _spelt(b"true"), _spelt(b"True"), _spelt(b"TRUE")
_FALSE1, _FALSE2, _FALSE3 = _spelt(b"false"), _spelt(b"False"), _spelt(b"FALSE")
_MOST_INTEGER = np.uint64((1 << 63) - 1)
_ONE, _STRING_SHIFT, _ESCAPED_BIT = np.uint64(1), np.uint64(32), np.uint64(1 << 31)


@inlined
def digits(data: Any, i: Any, value: Any) -> Any:
    """Read decimal digits onto `value` (uint64): where they end, and the value."""
    word = load64(data, i)
    n = digit_run(word)
    while n == 8:
        value = value * _EIGHT_PLACES + np.uint64(eight_digits_value(word))
        i += 8
        word = load64(data, i)
        n = digit_run(word)
    if n > 0:
        value = value * INTEGER_POWERS[n] + run_value(word, n)
        i += n
    return i, value


@helper
def _significant(data: Any, start: Any, count: Any) -> Any:
    """How many of a number's `count` digits are left without its leading zeros."""
    i = start
    while byte_at(data, i) == 48 or byte_at(data, i) == _POINT:
        if byte_at(data, i) == 48:
            count -= 1
        i += 1
    return count


@inlined
def _number(data: Any, i: Any, values: Any, slot: Any) -> Any:
    """As `parse_value`, for what begins like a number."""
    negative = byte_at(data, i) == _MINUS
    if negative:
        i += 1
    start = i
    i, mantissa = digits(data, i, np.uint64(0))
    count = i - start
    exponent = np.int64(0)
    if byte_at(data, i) == _POINT:
        point = i
        i, mantissa = digits(data, i + 1, mantissa)
        exponent = point + 1 - i
        count -= exponent
    if count == 0 or (count > 19 and _significant(data, start, count) > 19):
        return 0
    c = byte_at(data, i)
    if c == _LETTER_I:
        if exponent != 0 or byte_at(data, i - 1) == _POINT:
            return 0
        if negative:
            if mantissa > _MOST_INTEGER + _ONE:
                return 0
            values[slot] = ~mantissa + _ONE
        else:
            if mantissa > _MOST_INTEGER:
                return 0
            values[slot] = mantissa
        return ((i + 1) << 3) | INTEGER
    if c | 32 == 101:
        i += 1
        below = byte_at(data, i) == _MINUS
        if below or byte_at(data, i) == _PLUS:
            i += 1
        word = load64(data, i)
        n = digit_run(word)
        if n == 0 or n > 4:
            return 0
        i += n
        power = np.int64(run_value(word, n))
        exponent += -power if below else power
    bits = double_bits(mantissa, exponent, negative)
    if bits == REFUSED:
        return 0
    values[slot] = bits
    return (i << 3) | FLOAT


@helper
def _boolean(data: Any, i: Any, values: Any, slot: Any) -> Any:
    """As `parse_value`, for what begins like a boolean."""
    start = i
    while byte_at(data, i) != _COMMA and byte_at(data, i) != _SPACE and byte_at(data, i) != _NEWLINE:
        i += 1
    size = i - start
    word = load64(data, start)
    if size == 1:
        truth = byte_at(data, start) | 32 == 116
    elif size == 4:
        word &= _FOUR_BYTES
        if word not in (_TRUE1, _TRUE2, _TRUE3):
            return 0
        truth = True
    elif size == 5:
        word &= _FIVE_BYTES
        if word not in (_FALSE1, _FALSE2, _FALSE3):
            return 0
        truth = False
    else:
        return 0
    values[slot] = np.uint64(truth)
    return (i << 3) | BOOLEAN


@inlined
def _string(data: Any, i: Any, end: Any, values: Any, slot: Any) -> Any:
    """As `parse_value`, for a quoted string."""
    i += 1
    start = i
    escaped = np.uint64(0)
    while i < end:
        word = load64(data, i)
        quotes, escapes = word ^ _QUOTES, word ^ _BACKSLASHES
        hits = (((quotes - _LOWS) & ~quotes) | ((escapes - _LOWS) & ~escapes)) & _HIGHS
        if hits == _ZERO:
            i += 8
            continue
        i += low_zeros(hits) >> 3
        if byte_at(data, i) == _QUOTE:
            break
        escaped = _ESCAPED_BIT
        i += 2
    if i >= end:
        return 0
    values[slot] = (np.uint64(start) << _STRING_SHIFT) | escaped | np.uint64(i - start)
    return ((i + 1) << 3) | STRING


@inlined
def parse_value(data: Any, i: Any, end: Any, values: Any, slot: Any) -> Any:
    """Parse the value at `i` into values[slot]: (where it ends) << 3 | kind, or 0 if it is not plainly right."""
    c = byte_at(data, i)
    if 48 <= c <= 57 or c in (_MINUS, _POINT):
        return _number(data, i, values, slot)
    if c == _QUOTE:
        return _string(data, i, end, values, slot)
    if c in (116, 84, 102, 70):
        return _boolean(data, i, values, slot)
    return 0


@inlined
def ends_fields(c: Any) -> Any:
    """Whether the byte may stand behind the last field."""
    return c in (_SPACE, _NEWLINE)


@inlined
def parse_fields(
    data: Any, i: Any, end: Any, arena: Any, shapes: Any, fields: Any, shape: Any, values: Any, used: Any
) -> Any:
    """Parse the fields at `i` as `shape`, into values[used:]: where they end, or -1 if they are not of this shape."""
    first = shapes[shape, FIRST]
    for f in range(shapes[shape, COUNT]):
        size = fields[first + f, KEY_SIZE]
        if i + size > end or not same_bytes(arena, fields[first + f, KEY_START], data, i, size):
            return -1
        packed = parse_value(data, i + size, end, values, used + f)
        if packed & 7 != fields[first + f, KIND]:
            return -1
        i = packed >> 3
    return i if ends_fields(byte_at(data, i)) else -1


@helper
def survey_fields(data: Any, i: Any, end: Any, values: Any, used: Any) -> Any:
    """The hash of the shape that the fields at `i` have and their number: (-1, _) if they are not plainly right, (-2, _) if
    `values` has no room for them."""
    h = np.int64(0)
    count = 0
    while True:
        if used + count >= len(values):
            return np.int64(-2), count
        start = i
        c = byte_at(data, i)
        while c != _EQUALS and c != _COMMA and c != _SPACE and c != _QUOTE and c != _BACKSLASH and c != _NEWLINE:
            i += 1
            c = byte_at(data, i)
        if c != _EQUALS or i == start or i - start > LONGEST_FIELD_KEY:
            return np.int64(-1), count
        key = hash_bytes(data, start, i)
        packed = parse_value(data, i + 1, end, values, used + count)
        kind = packed & 7
        if kind == 0:
            return np.int64(-1), count
        i = packed >> 3
        h = mix(h, key + kind)
        count += 1
        if byte_at(data, i) != _COMMA:
            return (h if ends_fields(byte_at(data, i)) else np.int64(-1)), count
        i += 1
