"""`|holtWinters()` and `|holtWintersWithFit()`: a batch of forecast values a run (nodes.md §16.3).

The times of a run fall into buckets of the interval; the first value of a bucket counts, a point behind the latest
bucket does not, and buckets without a value are gaps. Values that come to nothing (NaN) are left out; a run from which
nothing can be forecast gives an empty batch. A series beyond `MOST` values is refused and counted: an interval of a few
ns would otherwise ask for any amount of memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from engine.frames.model import BATCH, Batches, FieldColumn, Kind
from engine.nodes.holt_winters import fit
from engine.nodes.reducing import Part, Reducing, of_runs, run_tags, times_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.frames.model import Section

MOST = 1_000_000

_NOTHING = (np.zeros(0, np.int64), np.zeros(0))


class HoltWintersOperator(Reducing):
    """`ahead` values more than there are, `season` 0 to any (below 2: none), `interval` in ns; `with_fit` as its name."""

    provides: ClassVar[str] = BATCH

    def __init__(self, *, ahead: int, season: int, interval: int, with_fit: bool, **properties: Any) -> None:
        super().__init__(**properties)
        self._ahead = ahead
        self._season = season
        self._interval = interval
        self._with_fit = with_fit

    def _reduce(self, section: Section) -> list[Part]:
        parts: list[Part] = []
        for usable, runs, offsets in self._filled(section):
            times, values = times_of(section, usable), usable.data.astype(np.float64)
            found = [
                self._forecast(times[a:z], values[a:z])
                for a, z in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
            ]
            ends = np.zeros(len(offsets), np.int32)
            np.cumsum([len(t) for t, _ in found], out=ends[1:])
            time, group = of_runs(section, runs)
            time = time.copy()
            for i, (each, _) in enumerate(found):
                time[i] = each.max(initial=time[i])
            column = FieldColumn(Kind.FLOAT, np.concatenate([v for _, v in found]))
            out = section.with_(
                time=np.concatenate([t for t, _ in found]),
                tags=run_tags(section, group, len(time), ends),
                fields={self._as: column},
                group=group,
                batches=Batches(ends, time),
            )
            parts.append((out, runs))
        return parts

    def _forecast(
        self, times: NDArray[np.int64], values: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Times and values of one run's result."""
        y = self._series(times, values)
        if y is None:
            return _NOTHING
        out = fit(y, self._ahead, self._season)
        if self._with_fit:
            at = times[0] + self._interval * np.arange(len(out), dtype=np.int64)
        else:
            out = out[len(y) :]
            at = times[-1] + self._interval * np.arange(1, len(out) + 1, dtype=np.int64)
        some = ~np.isnan(out)
        return at[some], out[some]

    def _series(self, times: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """A value a bucket, NaN where there is none; None where there is nothing to forecast from."""
        count, season = len(times), self._season
        if count < 2 or (season >= 2 and count < season) or self._ahead <= 0 or self._interval <= 0:
            return None
        buckets = times // self._interval + (times % self._interval > self._interval // 2)
        if buckets[-1] <= buckets[0]:
            return None
        latest = np.maximum.accumulate(buckets)
        first = np.ones(count, np.bool_)
        first[1:] = latest[1:] > latest[:-1]
        places = buckets[first] - buckets[0]
        if max(int(places[-1]), self._ahead, season) >= MOST:
            self.report.error(
                "failed to forecast",
                f"{int(places[-1]) + 1} intervals of data, {self._ahead} ahead and a season of {season}: the most is {MOST}",
                log=self._log,
            )
            return None
        y = np.full(int(places[-1]) + 1, np.nan)
        y[places] = values[first]
        return y
