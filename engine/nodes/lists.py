"""InfluxQL functions that give several values a run, as a batch: distinct, top, bottom (nodes.md §16).

Points carry the result alone; those of top and bottom have all tags of the point they come from, those of distinct the
group's. Times are that of the batch, with usePointTimes their own, and the batch's is raised to the latest of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from engine.frames.model import BATCH, Batches, FieldColumn, Kind
from engine.frames.reshape import take_field, take_tag
from engine.nodes import ranking
from engine.nodes.reducing import Part, Reducing, of_runs, run_tags, times_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.frames.model import Section
    from engine.nodes.usable import Usable


class ListOperator(Reducing):
    """Base of list functions: a subclass picks usable rows for each run."""

    provides: ClassVar[str] = BATCH

    def _pick(self, section: Section, usable: Usable, offsets: NDArray[np.int32], out: Any, ends: Any) -> None:
        """Write usable rows to `out`, run by run, `ends[r + 1]` the number written up to run r."""
        raise NotImplementedError

    def _reduce(self, section: Section) -> list[Part]:
        parts: list[Part] = []
        for usable, runs, offsets in self._filled(section):
            picked = np.empty(int(offsets[-1] - offsets[0]), np.int64)
            ends = np.zeros(len(offsets), np.int32)
            self._pick(section, usable, offsets, picked, ends)
            picked = picked[: ends[-1]]
            rows = usable.section_rows(picked)
            time, group = of_runs(section, runs)
            each = np.repeat(time, np.diff(ends))
            if self._point_times:
                each = section.time.take(rows)
                time = np.maximum(time, np.maximum.reduceat(each, ends[:-1]))
            if self.keeps_tags:
                tags = {k: take_tag(c, rows) for k, c in section.tags.items()}
            else:
                tags = run_tags(section, group, len(time), ends)
            column = take_field(FieldColumn(usable.kind, usable.data), picked)
            out = section.with_(
                time=each, tags=tags, fields={self._as: column}, group=group, batches=Batches(ends, time)
            )
            parts.append((out, runs))
        return parts


class DistinctOperator(ListOperator):
    """`|distinct()`."""

    kinds: ClassVar[frozenset[Kind]] = frozenset({Kind.FLOAT, Kind.INT, Kind.STRING, Kind.BOOL})

    def _pick(self, section: Section, usable: Usable, offsets: NDArray[np.int32], out: Any, ends: Any) -> None:
        times = times_of(section, usable)
        if usable.kind == Kind.FLOAT:
            ranking.distinct_f(times, usable.data, offsets, out, ends)
            return
        if usable.kind == Kind.STRING:
            values = np.empty(len(usable.data), np.int64)
            ranking.ranks(usable.data.offsets, usable.data.data, values)
        else:
            values = usable.data.astype(np.int64)
        ranking.distinct_i(times, values, offsets, out, ends)


class BestOperator(ListOperator):
    """`function` is "top" or "bottom"; `n` is at least 1."""

    keeps_tags: ClassVar[bool] = True

    def __init__(self, *, n: int, **properties: Any) -> None:
        super().__init__(**properties)
        self._n = n

    def _pick(self, section: Section, usable: Usable, offsets: NDArray[np.int32], out: Any, ends: Any) -> None:
        pick = ranking.best_f if usable.kind == Kind.FLOAT else ranking.best_i
        pick(times_of(section, usable), usable.data, offsets, self._n, self._rule.function == "top", out, ends)
