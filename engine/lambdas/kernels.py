"""The loops of lambdas that numpy cannot say: truncating division, text comparison, state per group.

All take whole columns and write whole columns; a `mask` says which rows are evaluated at all (an empty mask: all of
them), so that state advances and errors show exactly where a row would have got to. Slots index the state arrays and
are checked by the caller.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types

from engine.frames.jit import F64, F64_OUT, I32, I64, I64_OUT, INT, U8, U32, U64_OUT, array, kernel

MASK = array(types.boolean)
_I64_NEW = types.int64[::1]
_F64_NEW = types.float64[::1]
_BOOL_NEW = types.boolean[::1]
_I8_NEW = types.int8[::1]
_INTERNED: Any = types.Tuple((types.uint32[::1], types.int64[::1]))  # type: ignore[no-untyped-call]
_JOINED: Any = types.Tuple((types.int32[::1], types.uint8[::1], types.boolean))  # type: ignore[no-untyped-call]


@kernel(_I64_NEW, I64, I64)
def quotient(left: Any, right: Any) -> Any:
    """Truncating division that wraps; 0 where the divisor is 0."""
    out = np.zeros(len(left), np.int64)
    for i in range(len(left)):
        a, b = left[i], right[i]
        if b == -1:
            out[i] = -a
        elif b != 0:
            r = a % b
            q = a // b
            if r != 0 and (a < 0) != (b < 0):
                q += 1
            out[i] = q
    return out


@kernel(_I64_NEW, I64, INT)
def quotient_by(left: Any, b: Any) -> Any:
    """Truncating division by one divisor that is neither 0 nor -1."""
    out = np.empty(len(left), np.int64)
    for i in range(len(left)):
        a = left[i]
        r = a % b
        q = a // b
        if r != 0 and (a < 0) != (b < 0):
            q += 1
        out[i] = q
    return out


@kernel(_I64_NEW, F64)
def truncate(values: Any) -> Any:
    """Floats as int64, towards zero; NaN and what is out of range give the smallest int64."""
    out = np.empty(len(values), np.int64)
    for i in range(len(values)):
        x = values[i]
        if -9223372036854775808.0 <= x < 9223372036854775808.0:
            out[i] = np.int64(x)
        else:
            out[i] = np.int64(-9223372036854775807) - np.int64(1)
    return out


@kernel(_BOOL_NEW, MASK, U32)
def spread_bools(table: Any, codes: Any) -> Any:
    """`table[codes]`."""
    out = np.empty(len(codes), np.bool_)
    for i in range(len(codes)):
        out[i] = table[codes[i]]
    return out


@kernel(_BOOL_NEW, I32, U8, U8)
def equal_const(offsets: Any, data: Any, text: Any) -> Any:
    """Whether each string equals the text."""
    n = len(offsets) - 1
    size = len(text)
    out = np.empty(n, np.bool_)
    for i in range(n):
        start = offsets[i]
        same = offsets[i + 1] - start == size
        k = 0
        while same and k < size:
            same = data[start + k] == text[k]
            k += 1
        out[i] = same
    return out


@kernel(_I8_NEW, I32, U8, U8)
def compare_const(offsets: Any, data: Any, text: Any) -> Any:
    """-1, 0 or 1 for each string against the text, byte by byte."""
    n = len(offsets) - 1
    out = np.empty(n, np.int8)
    for i in range(n):
        start = offsets[i]
        size = offsets[i + 1] - start
        order = -1 if size < len(text) else 1 if size > len(text) else 0
        for k in range(min(size, len(text))):
            a, b = data[start + k], text[k]
            if a != b:
                order = -1 if a < b else 1
                break
        out[i] = order
    return out


@kernel(_I8_NEW, I32, U8, U32, I32, U8, U32)
def compare_rows(offsets_a: Any, data_a: Any, codes_a: Any, offsets_b: Any, data_b: Any, codes_b: Any) -> Any:
    """-1, 0 or 1 for each row's string on the left against the one on the right."""
    n = len(codes_a)
    out = np.empty(n, np.int8)
    for i in range(n):
        start_a = offsets_a[codes_a[i]]
        start_b = offsets_b[codes_b[i]]
        size_a = offsets_a[codes_a[i] + np.uint32(1)] - start_a
        size_b = offsets_b[codes_b[i] + np.uint32(1)] - start_b
        order = -1 if size_a < size_b else 1 if size_a > size_b else 0
        for k in range(min(size_a, size_b)):
            a, b = data_a[start_a + k], data_b[start_b + k]
            if a != b:
                order = -1 if a < b else 1
                break
        out[i] = order
    return out


@kernel(_INTERNED, I32, U8)
def intern(offsets: Any, data: Any) -> Any:
    """Codes of equal strings, and the row in which each code first occurs; codes count up in order of occurrence."""
    n = len(offsets) - 1
    room = 64
    while room < 2 * n:
        room *= 2
    slots = np.full(room, -1, np.int64)
    hashes = np.empty(n, np.uint64)
    first = np.empty(n, np.int64)
    codes = np.empty(n, np.uint32)
    known = 0
    for i in range(n):
        start, stop = offsets[i], offsets[i + 1]
        h = np.uint64(14695981039346656037)
        for k in range(start, stop):
            h = (h ^ np.uint64(data[k])) * np.uint64(1099511628211)
        h ^= h >> np.uint64(32)
        at = np.int64(h & np.uint64(room - 1))
        while True:
            code = slots[at]
            if code < 0:
                slots[at] = known
                hashes[known] = h
                first[known] = i
                codes[i] = known
                known += 1
                break
            other = offsets[first[code]]
            same = hashes[code] == h and offsets[first[code] + 1] - other == stop - start
            k = 0
            while same and k < stop - start:
                same = data[other + k] == data[start + k]
                k += 1
            if same:
                codes[i] = code
                break
            at = (at + 1) & (room - 1)
    return codes, first[:known].copy()


@kernel(_I64_NEW, I32, U8, U8, INT)
def find_const(offsets: Any, data: Any, text: Any, where: Any) -> Any:
    """Byte offset of the text in each string, or -1. `where`: 0 first anywhere, 1 last, 2 only at the start, 3 at the end."""
    n = len(offsets) - 1
    size = len(text)
    out = np.empty(n, np.int64)
    for i in range(n):
        start = offsets[i]
        last = offsets[i + 1] - start - size
        first = 0
        step = 1
        if where == 1:
            first, last, step = last, 0, -1
        elif where == 2:
            last = min(last, 0)
        elif where == 3:
            first = last
        found = -1
        at = first
        while found < 0 and at >= 0 and ((step > 0 and at <= last) or (step < 0 and at >= last)):
            k = 0
            while k < size and data[start + at + k] == text[k]:
                k += 1
            if k == size:
                found = at
            at += step
        out[i] = found
    return out


@kernel(_JOINED, I32, U8, U32, I32, U8, U32)
def join_rows(offsets_a: Any, data_a: Any, codes_a: Any, offsets_b: Any, data_b: Any, codes_b: Any) -> Any:
    """Each row's string on the left followed by the one on the right; False when the result exceeds int32 offsets."""
    n = len(codes_a)
    offsets = np.zeros(n + 1, np.int32)
    total = 0
    for i in range(n):
        total += offsets_a[codes_a[i] + np.uint32(1)] - offsets_a[codes_a[i]]
        total += offsets_b[codes_b[i] + np.uint32(1)] - offsets_b[codes_b[i]]
        if total > 2147483647:
            return offsets, np.empty(0, np.uint8), False
        offsets[i + 1] = total
    out = np.empty(total, np.uint8)
    at = 0
    for i in range(n):
        for k in range(offsets_a[codes_a[i]], offsets_a[codes_a[i] + np.uint32(1)]):
            out[at] = data_a[k]
            at += 1
        for k in range(offsets_b[codes_b[i]], offsets_b[codes_b[i] + np.uint32(1)]):
            out[at] = data_b[k]
            at += 1
    return offsets, out, True


@kernel(_I64_NEW, I64, MASK, I64_OUT)
def count_rows(slots: Any, mask: Any, counted: Any) -> Any:
    """`State.count` for each row, in order."""
    out = np.zeros(len(slots), np.int64)
    everywhere = len(mask) == 0
    for i in range(len(slots)):
        if everywhere or mask[i]:
            counted[slots[i]] += 1
            out[i] = counted[slots[i]]
    return out


@kernel(_F64_NEW, I64, MASK, F64, F64_OUT, F64_OUT, F64_OUT)
def sigma_rows(slots: Any, mask: Any, values: Any, ns: Any, means: Any, m2s: Any) -> Any:
    """`State.sigma` for each row, in order."""
    out = np.zeros(len(slots), np.float64)
    everywhere = len(mask) == 0
    for i in range(len(slots)):
        if everywhere or mask[i]:
            s = slots[i]
            x = values[i]
            n = ns[s] + 1.0
            delta = x - means[s]
            mean = means[s] + delta / n
            m2 = m2s[s] + delta * (x - mean)
            ns[s], means[s], m2s[s] = n, mean, m2
            if n >= 2.0:
                variance = m2 / (n - 1.0)
                if variance > 0.0:
                    out[i] = abs(x - mean) / math.sqrt(variance)
                elif variance != 0.0:
                    out[i] = math.nan
    return out


@kernel(_F64_NEW, I64, MASK, F64, F64_OUT, F64_OUT)
def spread_rows(slots: Any, mask: Any, values: Any, lows: Any, highs: Any) -> Any:
    """`State.spread` for each row, in order."""
    out = np.zeros(len(slots), np.float64)
    everywhere = len(mask) == 0
    for i in range(len(slots)):
        if everywhere or mask[i]:
            s = slots[i]
            x = values[i]
            if x < lows[s]:  # noqa: PLR1730  # min() of the compiler treats NaN its own way
                lows[s] = x
            if x > highs[s]:  # noqa: PLR1730
                highs[s] = x
            out[i] = highs[s] - lows[s]
    return out


@kernel(_I64_NEW, I64, MASK, U64_OUT)
def rand_rows(slots: Any, mask: Any, seeds: Any) -> Any:
    """`State.rand` for each row, in order."""
    out = np.zeros(len(slots), np.int64)
    everywhere = len(mask) == 0
    for i in range(len(slots)):
        if everywhere or mask[i]:
            s = slots[i]
            seeds[s] += np.uint64(0x9E3779B97F4A7C15)
            z = seeds[s]
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            out[i] = np.int64((z ^ (z >> np.uint64(31))) >> np.uint64(1))
    return out


ALL_ROWS = np.zeros(0, np.bool_)
"""The mask that stands for every row."""
