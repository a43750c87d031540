"""Kernels that turn parsed rows into columns: which section a row belongs to, its values, its tags as codes.

Every output is made anew by its caller or here, so the arrays of the parser can be used again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from engine.frames.jit import I64, I64_OUT, INT, U8, U16, U16_OUT, U32_OUT, kernel, pair
from engine.inputs.line_protocol.interning import SLOTS_OUT, TABLE, TABLE_OUT
from engine.inputs.line_protocol.layout import (
    EXACT_ONLY,
    FAMILY,
    ROW_SERIES,
    ROW_SHAPE,
    SEEN,
    SIZE,
    START,
    TAGS,
    TIME,
    VALUES,
)

_U64 = types.Array(types.uint64, 1, "C", readonly=True)
_PAIRS_OUT = types.Array(types.int64, 2, "C")
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_ESCAPED, _SIZE_MASK = np.uint64(1 << 31), np.uint64((1 << 31) - 1)
_S32, _S40 = np.uint64(32), np.uint64(40)


@kernel(pair(INT, INT), TABLE, INT, INT, TABLE, SLOTS_OUT, _PAIRS_OUT, U16_OUT)
def divide(rows: Any, first: Any, stop: Any, series: Any, slots: Any, sections: Any, numbers: Any) -> Any:
    """Number the sections of rows first..stop-1 as they come: how many rows fit, and how many sections they have.

    `sections` [most, 2] gets (family, shape) of each; at one more than `most` the division ends. `slots` is scratch, a power
    of two, more than twice as many.
    """
    for k in range(len(slots)):
        slots[k] = -1
    mask = len(slots) - 1
    most = len(sections)
    found = 0
    last_family, last_shape, last = np.int64(-2), np.int64(-2), np.int64(0)
    for r in range(first, stop):
        s = rows[r, ROW_SERIES]
        family = series[s, FAMILY] if s >= 0 else np.int64(EXACT_ONLY)
        shape = rows[r, ROW_SHAPE]
        if family != last_family or shape != last_shape:
            slot = np.int64(((np.uint64(family + 1) << _S32) + np.uint64(shape)) * _SPREAD >> _S40) & mask
            last = np.int64(slots[slot])
            while last >= 0 and (sections[last, 0] != family or sections[last, 1] != shape):
                slot = (slot + 1) & mask
                last = np.int64(slots[slot])
            if last < 0:
                if found == most:
                    return r - first, found
                last = np.int64(found)
                slots[slot] = found
                sections[found, 0] = family
                sections[found, 1] = shape
                found += 1
            last_family, last_shape = family, shape
        numbers[r - first] = last
    return stop - first, found


@kernel(types.void, U16, INT, I64_OUT, I64_OUT)
def sort_rows(numbers: Any, first: Any, cuts: Any, index: Any) -> None:
    """Rows by section: index[cuts[k]:cuts[k+1]] are those of section k, in order, counted from `first` up."""
    for k in range(len(cuts)):
        cuts[k] = 0
    for r in range(len(numbers)):
        cuts[numbers[r] + 1] += 1
    for k in range(1, len(cuts)):
        cuts[k] += cuts[k - 1]
    for r in range(len(numbers)):
        k = numbers[r]
        index[cuts[k]] = first + r
        cuts[k] += 1
    for k in range(len(cuts) - 1, 0, -1):
        cuts[k] = cuts[k - 1]
    cuts[0] = 0


@kernel(types.void, TABLE, I64, _U64, I64_OUT, types.Array(types.uint64, 2, "C"))
def pick_values(rows: Any, index: Any, values: Any, times: Any, columns: Any) -> None:
    """Times and values of the rows at `index`: `columns` is [fields, rows]."""
    count = columns.shape[0]
    for k in range(len(index)):
        r = index[k]
        times[k] = rows[r, TIME]
        start = rows[r, VALUES]
        for f in range(count):
            columns[f, k] = values[start + f]


@kernel(INT, TABLE, I64, TABLE, I64, TABLE_OUT, INT, U32_OUT, I64_OUT)
def encode_tag(rows: Any, index: Any, series: Any, tags: Any, texts: Any, tag: Any, codes: Any, used: Any) -> Any:
    """Codes of the rows' values of tag number `tag`, in the order of first use; `used` gets the texts, the result how many."""
    found = 0
    for k in range(len(index)):
        number = tags[series[rows[index[k], ROW_SERIES], TAGS] + tag]
        code = texts[number, SEEN]
        if code < 0:
            code = found
            texts[number, SEEN] = found
            used[found] = number
            found += 1
        codes[k] = code
    for k in range(found):
        texts[used[k], SEEN] = -1
    return found


@kernel(pair(types.int32[::1], types.uint8[::1]), TABLE, U8, I64)
def take_texts(texts: Any, arena: Any, numbers: Any) -> Any:
    """The texts with these numbers, as offsets and bytes."""
    n = len(numbers)
    offsets = np.empty(n + 1, np.int32)
    offsets[0] = 0
    total = np.int64(0)
    for k in range(n):
        total += texts[numbers[k], SIZE]
        offsets[k + 1] = total
    out = np.empty(total, np.uint8)
    p = 0
    for k in range(n):
        start, size = texts[numbers[k], START], texts[numbers[k], SIZE]
        for q in range(size):
            out[p + q] = arena[start + q]
        p += size
    return offsets, out


@kernel(pair(types.int32[::1], types.uint8[::1]), U8, _U64)
def pick_strings(data: Any, places: Any) -> Any:
    """The strings at these places of the body, without their escapes, as offsets and bytes."""
    n = len(places)
    offsets = np.empty(n + 1, np.int32)
    offsets[0] = 0
    total = np.int64(0)
    for k in range(n):
        total += np.int64(places[k] & _SIZE_MASK)
    out = np.empty(total, np.uint8)
    p = np.int64(0)
    for k in range(n):
        i = np.int64(places[k] >> _S32)
        stop = i + np.int64(places[k] & _SIZE_MASK)
        if places[k] & _ESCAPED == 0:
            out[p : p + stop - i] = data[i:stop]
            p += stop - i
            i = stop
        while i < stop:
            if data[i] == 92 and i + 1 < stop and (data[i + 1] == 92 or data[i + 1] == 34):
                i += 1
            out[p] = data[i]
            p += 1
            i += 1
        offsets[k + 1] = p
    return offsets, out[:p]
