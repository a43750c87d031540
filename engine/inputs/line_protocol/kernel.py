"""The line-protocol kernel: one pass over the bytes of a body (DESIGN §1, spec dependencies §3).

It knows series (measurement and tags as one byte string, looked up whole) and shapes (field keys with their types). A
line whose series is known and whose fields have a known shape costs no Python. It never reports an error: at a line
that surprises it, it stops and says why, and Python goes on: with the exact parser, a new series, or a new shape.

What always holds on return: lines before `position` are all dealt with; rows 0..rows-1 of the output are whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from engine.frames.jit import F64, I32, I32_OUT, I64, I64_OUT, INT, U8, U64_OUT, helper, kernel, pair
from engine.frames.words import eight_digits, eight_digits_value, load64, same_bytes

DONE, INCOMPLETE, EXACT, NEW_SERIES, NEW_SHAPE, FULL = 0, 1, 2, 3, 4, 5
"""Why the kernel stopped: all lines done; the last line has no end yet; a line for the exact parser; a series or shape
that is not known; no room in the output."""

FLOAT, INTEGER, BOOLEAN, STRING = 1, 2, 3, 4
CANDIDATES = 8
"""Shapes tried for one family of series before a line counts as surprising."""

_MANTISSA = 1 << 53
POWERS = np.array([10.0**k for k in range(23)])
_COMMA, _SPACE, _EQUALS, _QUOTE, _BACKSLASH, _NEWLINE, _RETURN = 44, 32, 61, 34, 92, 10, 13


@helper
def hash_bytes(data: Any, start: Any, end: Any) -> Any:
    """A 64-bit hash of data[start:end]; never 0."""
    h = np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(end - start)
    i = start
    while i + 8 <= end:
        h = (h ^ load64(data, i)) * np.uint64(0xFF51AFD7ED558CCD)
        h ^= h >> np.uint64(32)
        i += 8
    w = np.uint64(0)
    k = 0
    while i < end:
        w |= np.uint64(data[i]) << np.uint64(8 * k)
        i += 1
        k += 1
    h = (h ^ w) * np.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> np.uint64(29)
    if h == 0:
        return np.uint64(1)
    return h


@kernel(types.uint64, U8, INT, INT)
def hash_of(data: Any, start: Any, end: Any) -> Any:
    """`hash_bytes` for Python."""
    return hash_bytes(data, start, end)


@helper
def find_series(data: Any, start: Any, end: Any, h: Any, table: Any, hashes: Any, arena: Any, offsets: Any) -> Any:
    """The number of the series with these bytes, or -1."""
    mask = len(table) - 1
    slot = np.int64(h & np.uint64(mask))
    size = end - start
    while table[slot] >= 0:
        s = table[slot]
        if hashes[s] == h and offsets[s + 1] - offsets[s] == size and same_bytes(arena, offsets[s], data, start, size):
            return s
        slot = (slot + 1) & mask
    return -1


@kernel(INT, U8, I32, types.Array(types.uint64, 1, "C", readonly=True), U8, I32)
def series_of(key: Any, table: Any, hashes: Any, arena: Any, offsets: Any) -> Any:
    """`find_series` for Python."""
    return find_series(key, 0, len(key), hash_bytes(key, 0, len(key)), table, hashes, arena, offsets)


@helper
def parse_fields(
    data: Any, i: Any, end: Any, shape: Any, shape_starts: Any, key_starts: Any, keys: Any, kinds: Any, powers: Any,
    values: Any, at: Any, fixups: Any, found: Any,
) -> Any:  # fmt: skip
    """Parse the fields of a line as `shape`; where they end, -1 if they have another shape, -2 if they surprise.

    Floats that need more than exact double arithmetic are left in `fixups` (value index, start, end); `found` counts.
    """
    first, last = shape_starts[shape], shape_starts[shape + 1]
    for f in range(first, last):
        a, b = key_starts[f], key_starts[f + 1]
        if i + (b - a) + 2 > end:
            return -1
        if not same_bytes(keys, a, data, i, b - a):
            return -1
        i += b - a
        if data[i] != _EQUALS:
            return -1
        i += 1
        kind = kinds[f]
        c = data[i]
        slot = at + f - first
        if kind == STRING:
            if c != _QUOTE:
                return -1
            i += 1
            start = i
            while i < end and data[i] != _QUOTE and data[i] != _BACKSLASH:
                i += 1
            if i >= end or data[i] == _BACKSLASH:
                return -2
            values[slot] = (np.uint64(start) << np.uint64(32)) | np.uint64(i - start)
            i += 1
        elif kind == BOOLEAN:
            start = i
            while i < end and data[i] != _COMMA and data[i] != _SPACE and data[i] != _NEWLINE and data[i] != _RETURN:
                i += 1
            truth = _boolean(data, start, i)
            if truth < 0:
                return -1
            values[slot] = np.uint64(truth)
        else:
            start = i
            negative = c == 45
            if negative:
                i += 1
            mantissa = np.int64(0)
            digits = 0
            scale = 0
            while i < end and 48 <= data[i] <= 57:
                mantissa = mantissa * 10 + np.int64(data[i] - 48)
                digits += 1
                i += 1
            whole = digits
            if i < end and data[i] == 46 and kind == FLOAT:
                i += 1
                while i < end and 48 <= data[i] <= 57:
                    mantissa = mantissa * 10 + np.int64(data[i] - 48)
                    digits += 1
                    i += 1
                scale = digits - whole
            if digits == 0:
                return -1
            if kind == INTEGER:
                if i >= end or data[i] != 105:
                    return -1
                if digits > 18:
                    return -2
                i += 1
                values[slot] = np.uint64(-mantissa if negative else mantissa)
            else:
                if i < end and (data[i] == 105 or data[i] == 101 or data[i] == 69):
                    if data[i] == 105:
                        return -1
                    return -2
                if whole > 300:
                    return -2
                if digits > 18 or mantissa > _MANTISSA or scale > 22:
                    fixups[found, 0] = slot
                    fixups[found, 1] = start
                    fixups[found, 2] = i
                    found += 1
                    fixups[-1, 0] = found
                else:
                    x = np.float64(mantissa) / powers[scale]
                    values[slot] = np.float64(-x if negative else x).view(np.uint64)
        if i >= end:
            return -1
        c = data[i]
        if f + 1 < last:
            if c != _COMMA:
                return -1
            i += 1
        elif c != _SPACE and c != _NEWLINE and c != _RETURN:
            return -1
    return i


@helper
def _boolean(data: Any, start: Any, end: Any) -> Any:
    """1 or 0 for the spellings of true and false, else -1."""
    n = end - start
    if n == 0:
        return -1
    c = data[start]
    if n == 1:
        if c == 116 or c == 84:
            return 1
        if c == 102 or c == 70:
            return 0
        return -1
    lower = np.zeros(5, np.uint8)
    if n > 5:
        return -1
    upper_case = 0
    for k in range(n):
        b = data[start + k]
        if 65 <= b <= 90:
            upper_case += 1
            b += 32
        lower[k] = b
    if n == 4 and lower[0] == 116 and lower[1] == 114 and lower[2] == 117 and lower[3] == 101:
        value = 1
    elif n == 5 and lower[0] == 102 and lower[1] == 97 and lower[2] == 108 and lower[3] == 115 and lower[4] == 101:
        value = 0
    else:
        return -1
    if upper_case == 0 or upper_case == n or (upper_case == 1 and 65 <= c <= 90):
        return value
    return -1


@kernel(
    pair(INT, INT, INT, INT, INT, INT),
    U8, INT, INT, INT, INT, INT, INT,
    I32, types.Array(types.uint64, 1, "C", readonly=True), U8, I32, I32, I32_OUT, I32_OUT,
    I32, I32, I32, U8, U8, F64,
    I64_OUT, I32_OUT, I32_OUT, I64_OUT, I64_OUT, U64_OUT, types.Array(types.int64, 2, "C"),
)  # fmt: skip
def parse(
    data: Any, position: Any, end: Any, final: Any, now: Any, unit: Any, sequence: Any,
    table: Any, hashes: Any, arena: Any, offsets: Any, families: Any, last_shape: Any, successors: Any,
    candidates: Any, shape_starts: Any, key_starts: Any, keys: Any, kinds: Any, powers: Any,
    times: Any, series_out: Any, shape_out: Any, value_starts: Any, sequences: Any, values: Any, fixups: Any,
) -> Any:  # fmt: skip
    """Parse lines of data[position:end]; `final` tells that no more bytes come.

    Series: `table` (open addressing, -1 free), `hashes`, `arena` and `offsets` (their bytes), `families` (-1: only the
    exact parser), `last_shape`, `successors` (which series came behind it, -1 unknown; the last entry is for the first line).
    Shapes: `candidates` [families * CANDIDATES] shape numbers or -1, `shape_starts` into
    `key_starts` and `kinds`, `key_starts` into `keys`. Output, a row a line: time, series, shape, where its values begin,
    and its number `sequence`, `sequence + 1`, … among the points. The last row of `fixups` is scratch.

    Returns (reason, position, rows, values used, fixups, family or -1 for NEW_SHAPE).
    """
    rows, used, found = 0, 0, 0
    room, value_room, fixup_room = len(times), len(values), fixups.shape[0] - 1
    fixups[-1, 0] = 0
    i = position
    before = np.int64(len(successors) - 1)
    while True:
        while i < end and (data[i] == 32 or data[i] == 9 or data[i] == 0 or data[i] == _NEWLINE):
            i += 1
        line = i
        if i >= end:
            return DONE, i, rows, used, found, -1
        if data[i] == _RETURN:
            if i + 1 < end and data[i + 1] == _NEWLINE:
                i += 2
                continue
            return (EXACT if final or i + 1 < end else INCOMPLETE), line, rows, used, found, -1
        if data[i] == 35:
            while i < end and data[i] != _NEWLINE:
                i += 1
            if i >= end and final == 0:
                return INCOMPLETE, line, rows, used, found, -1
            continue
        # Senders repeat themselves: the series that came behind the last one the time before comes again.
        s = np.int64(successors[before])
        size = np.int64(offsets[s + 1] - offsets[s]) if s >= 0 else 0
        if (
            s >= 0
            and line + size < end
            and data[line + size] == _SPACE
            and same_bytes(arena, offsets[s], data, line, size)
        ):
            i = line + size
        else:
            while i < end and data[i] != _SPACE and data[i] != _BACKSLASH and data[i] != _NEWLINE:
                i += 1
            if i >= end:
                return (EXACT if final else INCOMPLETE), line, rows, used, found, -1
            if data[i] != _SPACE or i - line > 60000:
                return EXACT, line, rows, used, found, -1
            h = hash_bytes(data, line, i)
            s = find_series(data, line, i, h, table, hashes, arena, offsets)
            if s < 0:
                return NEW_SERIES, line, rows, used, found, -1
            successors[before] = s
        family = families[s]
        if family < 0:
            return EXACT, line, rows, used, found, -1
        while i < end and data[i] == _SPACE:
            i += 1
        start = i
        shape = last_shape[s]
        stop = np.int64(-1)
        if shape >= 0:
            need = shape_starts[shape + 1] - shape_starts[shape]
            if rows >= room or used + need > value_room or found + need > fixup_room:
                return FULL, line, rows, used, found, -1
            stop = parse_fields(
                data, start, end, shape, shape_starts, key_starts, keys, kinds, powers, values, used, fixups, found
            )
        k = 0
        while stop == -1 and k < CANDIDATES:
            other = candidates[family * CANDIDATES + k]
            if other < 0:
                break
            if other != shape:
                need = shape_starts[other + 1] - shape_starts[other]
                if rows >= room or used + need > value_room or found + need > fixup_room:
                    return FULL, line, rows, used, found, -1
                fixups[-1, 0] = found
                stop = parse_fields(
                    data, start, end, other, shape_starts, key_starts, keys, kinds, powers, values, used, fixups, found
                )
                if stop >= 0:
                    shape = other
            k += 1
        if stop < 0:
            fixups[-1, 0] = found
            if final == 0:
                i = start
                while i < end and data[i] != _NEWLINE:
                    i += 1
                if i >= end:
                    return INCOMPLETE, line, rows, used, found, -1
            reason = NEW_SHAPE if stop == -1 else EXACT
            return reason, line, rows, used, found, family
        i = stop
        while i < end and data[i] == _SPACE:
            i += 1
        time = now
        if i < end and data[i] != _NEWLINE and data[i] != _RETURN:
            negative = data[i] == 45
            if negative:
                i += 1
            stamp = np.int64(0)
            digits = 0
            while i + 8 <= end and digits < 16:
                word = load64(data, i)
                if not eight_digits(word):
                    break
                stamp = stamp * 100000000 + eight_digits_value(word)
                digits += 8
                i += 8
            while i < end and 48 <= data[i] <= 57:
                stamp = stamp * 10 + np.int64(data[i] - 48)
                digits += 1
                i += 1
            if digits == 0 or digits > 19 or (digits == 19 and stamp < 0):
                fixups[-1, 0] = found
                return EXACT, line, rows, used, found, -1
            if stamp > 9223372036854775806 // unit:
                fixups[-1, 0] = found
                return EXACT, line, rows, used, found, -1
            time = -stamp * unit if negative else stamp * unit
            while i < end and data[i] == _SPACE:
                i += 1
        if i < end and data[i] == _RETURN:
            i += 1
        if i >= end:
            if final == 0:
                fixups[-1, 0] = found
                return INCOMPLETE, line, rows, used, found, -1
        elif data[i] != _NEWLINE:
            fixups[-1, 0] = found
            return EXACT, line, rows, used, found, -1
        found = fixups[-1, 0]
        times[rows] = time
        series_out[rows] = s
        shape_out[rows] = shape
        value_starts[rows] = used
        sequences[rows] = sequence + rows
        last_shape[s] = shape
        used += shape_starts[shape + 1] - shape_starts[shape]
        rows += 1
        before = s


@kernel(INT, I32, I32_OUT, I64_OUT, INT)
def number_by_first_use(codes: Any, renamed: Any, order: Any, size: Any) -> Any:
    """Number the codes (below `size`) in the order of their first use; `order` gets the codes, the result how many."""
    place = np.full(size, -1, np.int32)
    found = 0
    for k in range(len(codes)):
        c = codes[k]
        if place[c] < 0:
            place[c] = found
            order[found] = c
            found += 1
        renamed[k] = place[c]
    return found


@kernel(types.void, types.Array(types.uint64, 1, "C", readonly=True), I64, INT, U64_OUT)
def pick_values(values: Any, starts: Any, column: Any, out: Any) -> Any:
    """One field's values of the rows that begin at `starts`."""
    for k in range(len(starts)):
        out[k] = values[starts[k] + column]


@kernel(pair(types.int32[::1], types.uint8[::1]), U8, types.Array(types.uint64, 1, "C", readonly=True))
def pick_strings(data: Any, places: Any) -> Any:
    """Strings at (start << 32 | length) of the body, as offsets and bytes."""
    n = len(places)
    offsets = np.empty(n + 1, np.int32)
    offsets[0] = 0
    total = 0
    for k in range(n):
        total = total + np.int64(places[k] & np.uint64(0xFFFFFFFF))  # type: ignore[assignment]
        offsets[k + 1] = total
    out = np.empty(total, np.uint8)
    p = 0
    for k in range(n):
        start = np.int64(places[k] >> np.uint64(32))
        for q in range(offsets[k + 1] - offsets[k]):
            out[p] = data[start + q]
            p += 1
    return offsets, out
