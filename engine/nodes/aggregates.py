"""InfluxQL aggregates: one value a run (nodes.md §16.2, §16.3).

Sums add in row order; int64 wraps as in the reference. A run without a usable point gives nothing, but for batches
`count` gives 0 and `sum` 0.0. Times are those of the batch, with usePointTimes too, except that, as in the reference,
`median` and `mode` of a single float then keep its time, and each `sum` and the `count` of no point are stamped 1970.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numba import types

from engine.frames.jit import F64, F64_OUT, I32, I64, I64_OUT, kernel
from engine.frames.model import Kind
from engine.nodes.reducing import Part, Reducing, times_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from engine.frames.model import Section

_FLOATS = kernel(types.void, F64, I32, F64_OUT)
_INTS = kernel(types.void, I64, I32, I64_OUT)
_INTS_TO_FLOATS = kernel(types.void, I64, I32, F64_OUT)


def _sum(values: Any, offsets: Any, out: Any) -> None:
    for r in range(len(out)):
        total = values[offsets[r]]
        for i in range(offsets[r] + 1, offsets[r + 1]):
            total += values[i]
        out[r] = total


def _mean(values: Any, offsets: Any, out: Any) -> None:
    for r in range(len(out)):
        total = values[offsets[r]]
        for i in range(offsets[r] + 1, offsets[r + 1]):
            total += values[i]
        out[r] = np.float64(total) / np.float64(offsets[r + 1] - offsets[r])


def _spread(values: Any, offsets: Any, out: Any) -> None:
    for r in range(len(out)):
        low = values[offsets[r]]
        high = low
        for i in range(offsets[r] + 1, offsets[r + 1]):
            low = min(low, values[i])
            high = max(high, values[i])
        out[r] = high - low


def _stddev(values: Any, offsets: Any, out: Any) -> None:
    for r in range(len(out)):
        if offsets[r + 1] - offsets[r] < 2:
            out[r] = np.nan
            continue
        mean = 0.0
        count = 0
        for i in range(offsets[r], offsets[r + 1]):
            v = np.float64(values[i])
            if not np.isnan(v):
                count += 1
                mean += (v - mean) / count
        squares = 0.0
        for i in range(offsets[r], offsets[r + 1]):
            v = np.float64(values[i])
            if not np.isnan(v):
                squares += (v - mean) * (v - mean)
        out[r] = np.sqrt(squares / (count - 1)) if count > 1 else np.nan


def _median(values: Any, offsets: Any, out: Any) -> None:
    for r in range(len(out)):
        ordered = np.sort(values[offsets[r] : offsets[r + 1]])
        n = len(ordered)
        if n % 2 == 1:
            out[r] = ordered[n // 2]
        else:
            low = ordered[n // 2 - 1]
            out[r] = np.float64(low) + np.float64(ordered[n // 2] - low) / 2


def _mode(values: Any, times: Any, offsets: Any, out: Any) -> None:
    for r in range(len(out)):
        base = offsets[r]
        order = np.argsort(values[base : offsets[r + 1]], kind="mergesort")
        current = values[base + order[0]]
        winner = current
        since = times[base + order[0]]
        last = since
        seen = 0
        best = 0
        for k in order:
            v = values[base + k]
            if v != current:
                seen = 1
                current = v
                since = times[base + k]
                continue
            seen += 1
            if best > seen or (best == seen and since > last):
                continue
            best = seen
            winner = v
            last = times[base + k]
        out[r] = winner


_MODE_F = kernel(types.void, F64, I64, I32, F64_OUT)(_mode)
_MODE_I = kernel(types.void, I64, I64, I32, I64_OUT)(_mode)

_SAME: Mapping[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "sum": (_FLOATS(_sum), _INTS(_sum)),
    "spread": (_FLOATS(_spread), _INTS(_spread)),
}
_FLOAT: Mapping[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "mean": (_FLOATS(_mean), _INTS_TO_FLOATS(_mean)),
    "stddev": (_FLOATS(_stddev), _INTS_TO_FLOATS(_stddev)),
    "median": (_FLOATS(_median), _INTS_TO_FLOATS(_median)),
}


class AggregateOperator(Reducing):
    """`function` is one of AGGREGATES."""

    AGGREGATES: ClassVar[frozenset[str]] = frozenset({"sum", "spread", "mean", "stddev", "median", "mode"})

    def _reduce(self, section: Section) -> list[Part]:
        name = self._rule.function
        parts: list[Part] = []
        rest = None
        if name == "sum" and self._runs is None:
            rest = np.ones(section.count, np.bool_)
        for usable, runs, offsets in self._filled(section):
            count = len(offsets) - 1
            if rest is not None:
                rest[slice(None) if runs is None else runs] = False
            whole = usable.kind == Kind.INT
            kind = Kind.FLOAT if name in _FLOAT or not whole else Kind.INT
            out = np.empty(count, np.int64 if kind == Kind.INT else np.float64)
            if name == "mode":
                (_MODE_I if whole else _MODE_F)(usable.data, times_of(section, usable), offsets, out)
            else:
                (_FLOAT if name in _FLOAT else _SAME)[name][whole](usable.data, offsets, out)
            part = self._points(section, runs, kind, out, self._epoch(count))
            if self._point_times and not whole and name in {"median", "mode"}:
                part = self._single_times(section, part, usable.section_rows(offsets[:-1].astype(np.int64)), offsets)
            parts.append(part)
        if rest is not None and rest.any():
            empty = np.flatnonzero(rest)
            parts.append(self._points(section, empty, Kind.FLOAT, np.zeros(len(empty)), self._epoch(len(empty))))
        return parts

    def _epoch(self, count: int) -> NDArray[np.int64] | None:
        """Times that are not the batches'."""
        return np.zeros(count, np.int64) if self._point_times and self._rule.function == "sum" else None

    def _single_times(self, section: Section, part: Part, firsts: Any, offsets: Any) -> Part:
        """Runs of one point get its time."""
        single = np.diff(offsets) == 1
        return part[0].with_(time=np.where(single, section.time.take(firsts), part[0].time)), part[1]


class CountOperator(Reducing):
    """`|count()`: how many usable points a run has."""

    kinds: ClassVar[frozenset[Kind]] = frozenset({Kind.FLOAT, Kind.INT, Kind.STRING, Kind.BOOL})

    def _reduce(self, section: Section) -> list[Part]:
        counts = np.zeros(section.count, np.int64)
        for usable in self._usable(section):
            counts[slice(None) if usable.runs is None else usable.runs] = np.diff(usable.offsets)
        if self._runs is None or counts.all():
            assert section.batches is not None
            time = section.batches.time
            return [
                self._points(
                    section, None, Kind.INT, counts, np.where(counts == 0, 0, time) if self._point_times else None
                )
            ]
        some = np.flatnonzero(counts)
        return [self._points(section, some, Kind.INT, counts[some])]
