"""InfluxQL selectors: one point of a run, with all its tags and fields, the field under the name of the result (§16).

Their time is that of the batch, with usePointTimes their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from engine.frames.model import FieldColumn, Kind
from engine.frames.reshape import take_columns, take_field
from engine.nodes import ranking
from engine.nodes.reducing import Part, Reducing, of_runs, times_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.frames.model import Section
    from engine.nodes.usable import Usable


class SelectorOperator(Reducing):
    """Base of selectors: a subclass picks one usable row a run."""

    keeps_tags: ClassVar[bool] = True
    keeps_fields: ClassVar[bool] = True

    def _pick(self, section: Section, usable: Usable, offsets: NDArray[np.int32]) -> NDArray[np.int64]:
        """A usable row for each run, or -1 for none."""
        raise NotImplementedError

    def _reduce(self, section: Section) -> list[Part]:
        parts: list[Part] = []
        for usable, some, offsets in self._filled(section):
            chosen, runs = self._pick(section, usable, offsets), some
            if len(chosen) and chosen.min() < 0:
                found = np.flatnonzero(chosen >= 0)
                chosen = chosen[found]
                runs = found if some is None else some[found]
            rows = usable.section_rows(chosen)
            tags, fields = take_columns(section, rows)
            fields.pop(self._field, None)
            fields[self._as] = take_field(FieldColumn(usable.kind, usable.data), chosen)
            time, group = of_runs(section, runs)
            if self._point_times:
                time = section.time.take(rows)
            out = section.with_(time=time, tags=tags, fields=fields, group=group, batches=None)
            parts.append((out, runs))
        return parts


class FirstLastOperator(SelectorOperator):
    """`function` is "first" or "last"."""

    kinds: ClassVar[frozenset[Kind]] = frozenset({Kind.FLOAT, Kind.INT, Kind.STRING, Kind.BOOL})

    def _pick(self, section: Section, usable: Usable, offsets: NDArray[np.int32]) -> NDArray[np.int64]:
        latest = self._rule.function == "last"
        times = times_of(section, usable)
        out = np.empty(len(offsets) - 1, np.int64)
        if usable.kind == Kind.STRING:
            ranking.by_time_s(times, usable.data.offsets, usable.data.data, offsets, latest, out)
        elif usable.kind == Kind.FLOAT:
            ranking.by_time_f(times, usable.data, offsets, latest, True, out)
        else:
            # Of booleans at one time the first is false, the last true.
            larger = latest or usable.kind != Kind.BOOL
            ranking.by_time_i(times, usable.data.astype(np.int64), offsets, latest, larger, out)
        return out


class MinMaxOperator(SelectorOperator):
    """`function` is "min" or "max"."""

    def _pick(self, section: Section, usable: Usable, offsets: NDArray[np.int32]) -> NDArray[np.int64]:
        out = np.empty(len(offsets) - 1, np.int64)
        pick = ranking.by_value_f if usable.kind == Kind.FLOAT else ranking.by_value_i
        pick(times_of(section, usable), usable.data, offsets, self._rule.function == "max", out)
        return out


class PercentileOperator(SelectorOperator):
    """`percentile` from 0.0 to 100.0; out of range gives nothing."""

    def __init__(self, *, percentile: float, **properties: Any) -> None:
        super().__init__(**properties)
        self._percentile = percentile

    def _pick(self, section: Section, usable: Usable, offsets: NDArray[np.int32]) -> NDArray[np.int64]:  # noqa: ARG002
        out = np.empty(len(offsets) - 1, np.int64)
        pick = ranking.percentile_f if usable.kind == Kind.FLOAT else ranking.percentile_i
        pick(usable.data, offsets, float(self._percentile), out)
        return out
