"""The line-protocol kernel: one pass over the bytes of a body (DESIGN §1, spec dependencies §3).

It knows series (measurement and tags as one byte string, looked up whole), patterns of series, and shapes of field sets.
A line whose pattern and shape are known costs no Python. The kernel never reports an error: at a line that
surprises it, it stops and says why, and Python goes on, with the exact parser, a new pattern or a new shape.

What always holds on return: lines before the cursor's position are all dealt with, and its rows are whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from engine.frames.jit import I64, I64_OUT, INT, U8, U8_OUT, U64_OUT, helper, kernel
from engine.frames.words import same_bytes
from engine.inputs.line_protocol.bits import byte_at
from engine.inputs.line_protocol.fields import digits, parse_fields, survey_fields
from engine.inputs.line_protocol.interning import (
    NO_ROOM,
    SLOTS_OUT,
    TABLE,
    TABLE_OUT,
    UNKNOWN_PATTERN,
    find,
    hash_bytes,
    learn_series,
)
from engine.inputs.line_protocol.layout import (
    BEFORE,
    COUNT,
    EXACT_ONLY,
    FAMILY,
    FOUND_HASH,
    FOUND_SIZE,
    HASH,
    LONGEST_KEY,
    NEXT,
    POSITION,
    ROW_SERIES,
    ROW_SHAPE,
    ROWS,
    SHAPE,
    SIZE,
    START,
    TIME,
    USED,
    VALUES,
)

DONE, INCOMPLETE, EXACT, NEW_PATTERN, NEW_SHAPE, FULL, GROW = 0, 1, 2, 3, 4, 5, 6
"""Why the kernel stopped: all lines done; the last line has no end yet; a line for the exact parser; a pattern or shape
that is not known; no room for a row or its values; no room for a new series."""

_COMMENT, _SPACE, _TAB, _QUOTE, _BACKSLASH, _NEWLINE, _MINUS = 35, 32, 9, 34, 92, 10, 45
_LATEST = 9223372036854775806
_LATEST_BITS = np.uint64(_LATEST)
_SLOTS = types.Array(types.int32, 1, "C", readonly=True)


@kernel(INT, U8, INT, INT)
def line_end(data: Any, start: Any, end: Any) -> Any:
    """Where the line that begins at `start` ends: its newline, or `end` when there is none (yet).

    A newline within a quoted field value does not count; quotes mean something only behind the `=` of a field.
    """
    i = start
    while i < end and (byte_at(data, i) == _SPACE or byte_at(data, i) == _TAB or byte_at(data, i) == 0):
        i += 1
    fields = quoted = after_equals = False
    while i < end:
        c = byte_at(data, i)
        if c == _BACKSLASH and i + 2 < end:
            i += 2
            continue
        if c == _NEWLINE and not quoted:
            return i
        if c == _SPACE:
            fields = True
        elif fields:
            if c == _QUOTE and after_equals:
                quoted = not quoted
            elif not quoted:
                if c == 61:
                    after_equals = True
                elif c == 44:
                    after_equals = False
        i += 1
    return end


@helper
def _unfinished(data: Any, i: Any, end: Any, final: Any) -> Any:
    """The verdict on a line that is not plainly right: it may only lack its end."""
    if not final:
        while i < end and byte_at(data, i) != _NEWLINE:
            i += 1
        if i >= end:
            return INCOMPLETE
    return EXACT


@helper
def _shape_of(
    data: Any, i: Any, end: Any, arena: Any, shapes: Any, shape_slots: Any, fields: Any, values: Any, used: Any,
    cursor: Any,
) -> Any:  # fmt: skip
    """Fields that are not of the expected shape: (their shape, where they end), or (-1, why the kernel must stop)."""
    h, count = survey_fields(data, i, end, values, used)
    if h == -2:
        return np.int64(-1), np.int64(FULL)
    if h < 0:
        return np.int64(-1), np.int64(EXACT)
    mask = len(shape_slots) - 1
    slot = h & mask
    shape = np.int64(shape_slots[slot])
    while shape >= 0:
        if shapes[shape, HASH] == h:
            if shapes[shape, COUNT] == EXACT_ONLY:
                return np.int64(-1), np.int64(EXACT)
            if shapes[shape, COUNT] == count:
                stop = parse_fields(data, i, end, arena, shapes, fields, shape, values, used)
                if stop >= 0:
                    return shape, np.int64(stop)
        slot = (slot + 1) & mask
        shape = np.int64(shape_slots[slot])
    cursor[FOUND_HASH] = h
    cursor[FOUND_SIZE] = count
    return np.int64(-1), np.int64(NEW_SHAPE)


@kernel(
    INT,
    U8, INT, types.boolean, INT, INT, INT, I64_OUT, TABLE_OUT, U64_OUT,
    I64_OUT, U8_OUT, TABLE_OUT, SLOTS_OUT, TABLE_OUT, SLOTS_OUT, I64_OUT,
    TABLE, _SLOTS, I64, TABLE, _SLOTS, TABLE,
)  # fmt: skip
def parse(
    data: Any, end: Any, final: Any, now: Any, unit: Any, limit: Any, cursor: Any, rows: Any, values: Any,
    counts: Any, arena: Any, series: Any, series_slots: Any, texts: Any, text_slots: Any, tags: Any,
    patterns: Any, pattern_slots: Any, orders: Any, shapes: Any, shape_slots: Any, fields: Any,
) -> Any:  # fmt: skip
    """Parse lines of data[cursor position:end], behind which stands a newline and SLACK; `final`: no more bytes come.

    `now` (ns) is the time of lines without one, `unit` the nanoseconds of a time stamp's unit. No line begins at or behind
    `limit` while there are rows. The tables are those of `layout`. Rows and values are appended to `rows` and `values`.
    Returns why it stopped.
    """
    i = cursor[POSITION]
    row = cursor[ROWS]
    used = cursor[USED]
    before = cursor[BEFORE]
    latest = _LATEST // unit
    room, value_room = len(rows), len(values)
    reason = DONE
    while True:
        while i < end and (
            byte_at(data, i) == _SPACE
            or byte_at(data, i) == _TAB
            or byte_at(data, i) == 0
            or byte_at(data, i) == _NEWLINE
        ):
            i += 1
        line = i
        if i >= end:
            break
        c = byte_at(data, i)
        if c == _COMMENT:
            # A quote or backslash in a comment can hide its newline from the split into lines.
            while byte_at(data, i) != _NEWLINE and byte_at(data, i) != _QUOTE and byte_at(data, i) != _BACKSLASH:
                i += 1
            if byte_at(data, i) != _NEWLINE or (i >= end and not final):
                reason = _unfinished(data, i, end, final)
                break
            continue
        if row >= room or (line >= limit and row > 0):
            reason = FULL
            break

        # Senders repeat themselves: the series that came behind the last one the time before comes again.
        s = series[before, NEXT]
        known = s >= 0
        if known:
            i = line + series[s, SIZE]
            known = (
                i < end
                and byte_at(data, i) == _SPACE
                and same_bytes(arena, series[s, START], data, line, series[s, SIZE])
            )
        if not known:
            i = line
            while byte_at(data, i) != _NEWLINE and (byte_at(data, i) != _SPACE or byte_at(data, i - 1) == _BACKSLASH):
                i += 1
            if byte_at(data, i) == _NEWLINE or i - line > LONGEST_KEY:
                reason = _unfinished(data, i, end, final)
                break
            h = hash_bytes(data, line, i)
            s = find(series, series_slots, arena, h, data, line, i - line)
            if s < 0:
                s = learn_series(
                    data, line, i, h, cursor, counts, arena, series, series_slots, texts, text_slots, tags,
                    patterns, pattern_slots, orders,
                )  # fmt: skip
                if s < 0:
                    if s == UNKNOWN_PATTERN:
                        reason = NEW_PATTERN
                    elif s == NO_ROOM:
                        reason = GROW
                    else:
                        reason = _unfinished(data, i, end, final)
                    break
            series[before, NEXT] = s
        if series[s, FAMILY] == EXACT_ONLY:
            reason = _unfinished(data, i, end, final)
            break

        while byte_at(data, i) == _SPACE:
            i += 1
        start = i
        shape = series[s, SHAPE]
        i = np.int64(-1)
        if shape >= 0 and used + shapes[shape, COUNT] <= value_room:
            i = parse_fields(data, start, end, arena, shapes, fields, shape, values, used)
        if i < 0:
            shape, i = _shape_of(data, start, end, arena, shapes, shape_slots, fields, values, used, cursor)
            if shape < 0:
                reason = i if i == FULL else _unfinished(data, start, end, final)
                if reason == EXACT:
                    reason = i
                break
            series[s, SHAPE] = shape

        while byte_at(data, i) == _SPACE:
            i += 1
        time = now
        c = byte_at(data, i)
        if c != _NEWLINE:
            negative = c == _MINUS
            if negative:
                i += 1
            first = i
            i, stamp = digits(data, i, np.uint64(0))
            if i == first or i - first > 19 or stamp > _LATEST_BITS or np.int64(stamp) > latest:
                reason = _unfinished(data, i, end, final)
                break
            time = np.int64(stamp) * unit
            if negative:
                time = -time
            while byte_at(data, i) == _SPACE:
                i += 1
        if byte_at(data, i) != _NEWLINE or (i >= end and not final):
            reason = _unfinished(data, i, end, final)
            break
        rows[row, TIME] = time
        rows[row, ROW_SERIES] = s
        rows[row, ROW_SHAPE] = shape
        rows[row, VALUES] = used
        used += shapes[shape, COUNT]
        row += 1
        before = s
    cursor[POSITION] = line
    cursor[ROWS] = row
    cursor[USED] = used
    cursor[BEFORE] = before
    return reason
