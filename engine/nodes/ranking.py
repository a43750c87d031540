"""Kernels that pick rows of runs: first and last, smallest and largest, percentiles, the best n, distinct values.

All take `offsets` (int32[r+1]) over usable rows and write row numbers. Runs are not empty. Values come as float64, int64
(booleans too) or as strings by offsets and bytes. Comparisons are Go's: NaN is neither less nor equal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from engine.frames.jit import BOOL, F64, FLOAT, I32, I32_OUT, I64, I64_OUT, INT, U8, helper, kernel


def _by_time(times: Any, values: Any, offsets: Any, latest: Any, larger: Any, out: Any) -> None:
    """The first (or latest) row of each run; of equal times the larger (or smaller) value, else the earlier row."""
    for r in range(len(out)):
        best = offsets[r]
        for i in range(offsets[r] + 1, offsets[r + 1]):
            if times[i] == times[best]:
                if (values[i] > values[best]) if larger else (values[i] < values[best]):
                    best = i
            elif (times[i] > times[best]) == latest:
                best = i
        out[r] = best


by_time_f = kernel(types.void, I64, F64, I32, BOOL, BOOL, I64_OUT)(_by_time)
by_time_i = kernel(types.void, I64, I64, I32, BOOL, BOOL, I64_OUT)(_by_time)


@helper
def _compare(ends: Any, data: Any, a: Any, b: Any) -> Any:
    """Strings a and b by their bytes: below, at or above 0."""
    n = min(ends[a + 1] - ends[a], ends[b + 1] - ends[b])
    for q in range(n):
        x = np.int64(data[ends[a] + q])
        y = np.int64(data[ends[b] + q])
        if x != y:
            return x - y
    return np.int64(ends[a + 1] - ends[a]) - np.int64(ends[b + 1] - ends[b])


@kernel(types.void, I64, I32, U8, I32, BOOL, I64_OUT)
def by_time_s(times: Any, ends: Any, data: Any, offsets: Any, latest: Any, out: Any) -> Any:
    """As `_by_time` for strings, the larger of equal times."""
    for r in range(len(out)):
        best = np.int64(offsets[r])
        for i in range(offsets[r] + 1, offsets[r + 1]):
            if times[i] == times[best]:
                if _compare(ends, data, i, best) > 0:
                    best = np.int64(i)
            elif (times[i] > times[best]) == latest:
                best = np.int64(i)
        out[r] = best


def _by_value(times: Any, values: Any, offsets: Any, largest: Any, out: Any) -> None:
    """The row with the smallest (or largest) value of each run; of equal values the earlier time, then the earlier row."""
    for r in range(len(out)):
        best = offsets[r]
        for i in range(offsets[r] + 1, offsets[r + 1]):
            if values[i] == values[best]:
                if times[i] < times[best]:
                    best = i
            elif (values[i] > values[best]) if largest else (values[i] < values[best]):
                best = i
        out[r] = best


by_value_f = kernel(types.void, I64, F64, I32, BOOL, I64_OUT)(_by_value)
by_value_i = kernel(types.void, I64, I64, I32, BOOL, I64_OUT)(_by_value)


def _percentile(values: Any, offsets: Any, percent: Any, out: Any) -> None:
    """The row at the percentile of each run's sorted values; -1 where it is out of range."""
    for r in range(len(out)):
        base = offsets[r]
        n = offsets[r + 1] - base
        at = np.int64(np.floor(n * percent / 100.0 + 0.5)) - 1
        if at < 0 or at >= n:
            out[r] = -1
        else:
            out[r] = base + np.argsort(values[base : base + n], kind="mergesort")[at]


percentile_f = kernel(types.void, F64, I32, FLOAT, I64_OUT)(_percentile)
percentile_i = kernel(types.void, I64, I32, FLOAT, I64_OUT)(_percentile)


def _best(times: Any, values: Any, offsets: Any, most: Any, largest: Any, out: Any, out_offsets: Any) -> None:
    """The `most` best rows of each run, best first; of equal values the earlier time, then the earlier row."""
    at = 0
    for r in range(len(offsets) - 1):
        base = at
        for i in range(offsets[r], offsets[r + 1]):
            place = at
            while place > base:
                k = out[place - 1]
                if values[i] == values[k]:
                    if times[i] >= times[k]:
                        break
                elif not ((values[i] > values[k]) if largest else (values[i] < values[k])):
                    break
                place -= 1
            if place - base >= most:
                continue
            if at - base < most:
                at += 1
            for q in range(at - 1, place, -1):
                out[q] = out[q - 1]
            out[place] = i
        out_offsets[r + 1] = at


best_f = kernel(types.void, I64, F64, I32, INT, BOOL, I64_OUT, I32_OUT)(_best)
best_i = kernel(types.void, I64, I64, I32, INT, BOOL, I64_OUT, I32_OUT)(_best)


def _distinct(times: Any, values: Any, offsets: Any, out: Any, out_offsets: Any) -> None:
    """The row that came first with each distinct value of each run, ordered by time, then value."""
    at = 0
    for r in range(len(offsets) - 1):
        base = offsets[r]
        n = offsets[r + 1] - base
        by_value = np.argsort(values[base : base + n], kind="mergesort")
        first = np.empty(n, np.int64)
        count = 0
        for q in range(n):
            i = base + by_value[q]
            if q == 0 or values[i] != values[base + by_value[q - 1]]:
                first[count] = i
                count += 1
        # Values ascend already, so a stable sort by time leaves equal times in their order.
        found = np.empty(count, np.int64)
        for q in range(count):
            found[q] = times[first[q]]
        order = np.argsort(found, kind="mergesort")
        for q in range(count):
            out[at] = first[order[q]]
            at += 1
        out_offsets[r + 1] = at


distinct_f = kernel(types.void, I64, F64, I32, I64_OUT, I32_OUT)(_distinct)
distinct_i = kernel(types.void, I64, I64, I32, I64_OUT, I32_OUT)(_distinct)


@kernel(types.void, I32, U8, I64_OUT)
def ranks(ends: Any, data: Any, out: Any) -> Any:
    """A number for each string that orders as the strings do; equal strings have equal numbers."""
    n = len(out)
    order = np.arange(n)
    spare = np.empty(n, np.int64)
    width = 1
    while width < n:
        for low in range(0, n, 2 * width):
            middle = min(low + width, n)
            high = min(low + 2 * width, n)
            a = low
            b = middle
            for q in range(low, high):
                if a < middle and (b >= high or _compare(ends, data, order[a], order[b]) <= 0):
                    spare[q] = order[a]
                    a += 1
                else:
                    spare[q] = order[b]
                    b += 1
        for q in range(n):
            order[q] = spare[q]
        width *= 2
    rank = 0
    for q in range(n):
        if q > 0 and _compare(ends, data, order[q], order[q - 1]) != 0:
            rank += 1
        out[order[q]] = rank
