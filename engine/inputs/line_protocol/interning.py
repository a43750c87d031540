"""Series and their texts become numbers, within the kernel: a new series costs no Python.

A series is found by all its bytes. A new one is split into its pattern (measurement and tag keys, as they stand), which must
be known, and its tag values, which are interned in one table, so that equal values have equal numbers. Hashes
only choose where to look: bytes are always compared.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from engine.frames.jit import INT, U8, helper, kernel
from engine.frames.words import load64, same_bytes
from engine.inputs.line_protocol.layout import (
    ARENA,
    EXACT_ONLY,
    FAMILY,
    FOUND_HASH,
    FOUND_SIZE,
    HASH,
    MARKS,
    MOST_TAGS,
    NEXT,
    ORDER,
    SEEN,
    SERIES,
    SHAPE,
    SIZE,
    START,
    TAG_COUNT,
    TAG_ROOM,
    TAGS,
    TEXTS,
)

REFUSED, UNKNOWN_PATTERN, NO_ROOM = -1, -2, -3
"""Why a series was not learnt."""

SLOTS_OUT = types.Array(types.int32, 1, "C")
TABLE = types.Array(types.int64, 2, "C", readonly=True)
TABLE_OUT = types.Array(types.int64, 2, "C")

_COMMA, _EQUALS, _QUOTE, _BACKSLASH, _SPACE = 44, 61, 34, 92, 32
_START, _FACTOR = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xFF51AFD7ED558CCD)
_S8, _S29, _S32, _ONE = np.uint64(8), np.uint64(29), np.uint64(32), np.uint64(1)


@helper
def hash_bytes(data: Any, start: Any, end: Any) -> Any:
    """A hash of data[start:end], int64, not negative."""
    h = _START ^ np.uint64(end - start)
    i = start
    while i + 8 <= end:
        h = (h ^ load64(data, i)) * _FACTOR
        h ^= h >> _S32
        i += 8
    w = np.uint64(0)
    while i < end:
        w = (w << _S8) | np.uint64(data[i])
        i += 1
    h = (h ^ w) * _FACTOR
    h ^= h >> _S29
    return np.int64(h >> _ONE)


@helper
def mix(a: Any, b: Any) -> Any:
    """One hash of two, in their order; int64, not negative."""
    h = ((np.uint64(a) * _FACTOR) ^ np.uint64(b)) * _START
    h ^= h >> _S29
    return np.int64(h >> _ONE)


@helper
def put(slots: Any, h: Any, row: Any) -> Any:
    """Enter a row that is not in the table."""
    mask = len(slots) - 1
    slot = h & mask
    while slots[slot] >= 0:
        slot = (slot + 1) & mask
    slots[slot] = row


@kernel(types.void, SLOTS_OUT, TABLE, INT)
def fill_slots(slots: Any, table: Any, count: Any) -> None:
    """Enter the rows 0..count-1 of a table into empty slots."""
    for row in range(count):
        put(slots, table[row, HASH], row)


@kernel(types.void, SLOTS_OUT, INT, INT)
def put_row(slots: Any, h: Any, row: Any) -> None:
    """`put` for Python."""
    put(slots, h, row)


@kernel(INT, U8)
def hash_of(text: Any) -> Any:
    """`hash_bytes` of the whole text, for Python."""
    return hash_bytes(text, 0, len(text))


@helper
def find(table: Any, slots: Any, arena: Any, h: Any, data: Any, start: Any, size: Any) -> Any:
    """The row of a series or text with the bytes data[start:start+size], or -1."""
    mask = len(slots) - 1
    slot = h & mask
    row = np.int64(slots[slot])
    while row >= 0:
        if (
            table[row, HASH] == h
            and table[row, SIZE] == size
            and same_bytes(arena, table[row, START], data, start, size)
        ):
            return row
        slot = (slot + 1) & mask
        row = np.int64(slots[slot])
    return row


@helper
def _stop(data: Any, i: Any, end: Any) -> Any:
    """The first comma or equals sign from `i` on that has no backslash before it, or `end`."""
    while i < end and not ((data[i] == _COMMA or data[i] == _EQUALS) and data[i - 1] != _BACKSLASH):
        i += 1
    return i


@helper
def _find_pattern(
    patterns: Any, slots: Any, arena: Any, h: Any, data: Any, line: Any, name: Any, cursor: Any, count: Any
) -> Any:
    """The pattern of the series at `line` whose tags are marked in the cursor, or -1."""
    mask = len(slots) - 1
    slot = h & mask
    row = np.int64(slots[slot])
    while row >= 0:
        if patterns[row, HASH] == h and patterns[row, TAG_COUNT] == count:
            at = patterns[row, START]
            left = patterns[row, SIZE] - name
            same = left >= 0 and same_bytes(arena, at, data, line, name)
            at += name
            for k in range(count):
                start = cursor[MARKS + 3 * k]
                size = cursor[MARKS + 3 * k + 1] - start
                left -= size
                same = same and left >= 0 and same_bytes(arena, at, data, start, size)
                at += size
            if same and left == 0:
                return row
        slot = (slot + 1) & mask
        row = np.int64(slots[slot])
    return row


@helper
def _unescape(arena: Any, start: Any, size: Any, at: Any) -> Any:
    """Copy a tag value to `at` without its escapes; its size there."""
    n = 0
    i = start
    while i < start + size:
        if arena[i] == _BACKSLASH and i + 1 < start + size:
            c = arena[i + 1]
            if c in (_COMMA, _EQUALS, _SPACE):
                i += 1
        arena[at + n] = arena[i]
        n += 1
        i += 1
    return n


@helper
def _intern(counts: Any, arena: Any, texts: Any, text_slots: Any, start: Any, size: Any) -> Any:
    """The number of the text arena[start:start+size], new if need be."""
    h = hash_bytes(arena, start, start + size)
    number = find(texts, text_slots, arena, h, arena, start, size)
    if number < 0:
        number = counts[TEXTS]
        counts[TEXTS] = number + 1
        texts[number, HASH] = h
        texts[number, START] = start
        texts[number, SIZE] = size
        texts[number, SEEN] = -1
        put(text_slots, h, number)
    return number


@helper
def learn_series(
    data: Any, line: Any, end: Any, h: Any, cursor: Any,
    counts: Any, arena: Any, series: Any, series_slots: Any, texts: Any, text_slots: Any, tags: Any,
    patterns: Any, pattern_slots: Any, orders: Any,
) -> Any:  # fmt: skip
    """The number of the new series data[line:end], whose hash is `h`; or REFUSED, UNKNOWN_PATTERN, NO_ROOM."""
    size = end - line
    i = line
    while i < end and not (data[i] == _COMMA and (i == line or data[i - 1] != _BACKSLASH)):
        i += 1
    name = i - line
    if name == 0:
        return REFUSED
    pattern_hash = hash_bytes(data, line, i)
    count = 0
    while i < end:
        comma = i
        i = _stop(data, i + 1, end)
        if count == MOST_TAGS or i >= end or data[i] == _COMMA or i == comma + 1:
            return REFUSED
        value = i + 1
        i = _stop(data, value, end)
        if i == value or (i < end and data[i] == _EQUALS):
            return REFUSED
        pattern_hash = mix(pattern_hash, hash_bytes(data, comma, value))
        cursor[MARKS + 3 * count] = comma
        cursor[MARKS + 3 * count + 1] = value
        cursor[MARKS + 3 * count + 2] = i
        count += 1
    pattern = _find_pattern(patterns, pattern_slots, arena, pattern_hash, data, line, name, cursor, count)
    if pattern < 0:
        cursor[FOUND_HASH] = pattern_hash
        cursor[FOUND_SIZE] = size
        return UNKNOWN_PATTERN
    s = counts[SERIES]
    start = counts[ARENA]
    if (
        2 * (s + 1) > len(series_slots)
        or s >= len(series)
        or 2 * (counts[TEXTS] + count) > len(text_slots)
        or counts[TEXTS] + count > len(texts)
        or counts[TAG_ROOM] + count > len(tags)
        or start + 2 * size > len(arena)
    ):
        return NO_ROOM
    escapes = quotes = False
    for k in range(size):
        c = data[line + k]
        arena[start + k] = c
        escapes = escapes or c == _BACKSLASH
        quotes = quotes or c == _QUOTE
    counts[ARENA] = start + size
    counts[SERIES] = s + 1
    series[s, HASH] = h
    series[s, START] = start
    series[s, SIZE] = size
    # With both, the exact parser's view of where a line ends is not that of a simple scan.
    series[s, FAMILY] = EXACT_ONLY if escapes and quotes else patterns[pattern, FAMILY]
    series[s, TAGS] = counts[TAG_ROOM]
    series[s, SHAPE] = -1
    series[s, NEXT] = -1
    put(series_slots, h, s)
    for k in range(count):
        at = start + cursor[MARKS + 3 * k + 1] - line
        length = cursor[MARKS + 3 * k + 2] - cursor[MARKS + 3 * k + 1]
        if escapes:
            plain = counts[ARENA]
            length = _unescape(arena, at, length, plain)
            counts[ARENA] = plain + length
            at = plain
        tags[counts[TAG_ROOM] + orders[patterns[pattern, ORDER] + k]] = _intern(
            counts, arena, texts, text_slots, at, length
        )
    counts[TAG_ROOM] += count
    return s
