"""InfluxQL functions that give a value a point: elapsed, difference, movingAverage, cumulativeSum (nodes.md §16).

On streams a group's state lives as long as the group; on batch edges it begins anew with every batch, and batches stay
batches. Results carry the result field and the group's tags alone, under the name that the group was first seen with.
A point that cannot be used leaves the state as it is; all but difference then give their last output once more, at its
own time, as the reference does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from engine.frames.jit import F64, F64_OUT, I32, I64, I64_OUT, INT, U8, U8_OUT, helper, kernel
from engine.frames.model import Batches, FieldColumn, Frame, Kind, Section
from engine.frames.reshape import take_batches, take_groups
from engine.nodes.arrivals import Arrivals, group_tags
from engine.nodes.assembly import Piece, assemble
from engine.nodes.cells import Cells, cells, cells_of
from engine.nodes.grouped import Grouped
from engine.nodes.outbox import Outbox
from engine.nodes.reducing import first_named
from engine.nodes.usable import Rule
from engine.slots import grown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_ELAPSED, _DIFFERENCE, _MOVING, _CUMULATIVE = range(4)
_NUMBERS = frozenset({Kind.FLOAT, Kind.INT})
_FUNCTIONS = {
    "elapsed": (_ELAPSED, _NUMBERS | {Kind.BOOL, Kind.STRING}),
    "difference": (_DIFFERENCE, _NUMBERS),
    "movingAverage": (_MOVING, _NUMBERS),
    "cumulativeSum": (_CUMULATIVE, _NUMBERS),
}
_FLOAT, _INT = int(Kind.FLOAT), int(Kind.INT)


@helper
def _quotient(a: Any, b: Any) -> Any:
    """Integer division towards zero."""
    q = a // b
    return q + 1 if q < 0 and q * b != a else q


@kernel(
    INT, INT, INT, INT, I32, U8, I64, U8, F64, I64, U8, U8_OUT, I64_OUT, F64_OUT, I64_OUT, F64_OUT, I64_OUT,
    F64_OUT, I64_OUT, I64_OUT, I64_OUT, F64_OUT, I64_OUT, U8_OUT, U8_OUT,
)  # fmt: skip
def _transform(
    function: Any, unit: Any, window: Any, slots: Any, begins: Any, times: Any, kinds: Any, floats: Any, ints: Any,
    takes: Any, known: Any, count: Any, kept_f: Any, kept_i: Any, ring_f: Any, ring_i: Any, said_f: Any, said: Any,
    out: Any, out_time: Any, out_f: Any, out_i: Any, out_kind: Any, expected: Any,
) -> Any:  # fmt: skip
    """All rows; the number of outputs, whose rows are in `out`. `expected[i]` is the type known at row i, +128 if used.

    Per slot: `known` type, `count` of points, `kept` the last value or the sum, `ring` the window, `said` in columns
    the last point's time, the last output's time and int value, and 1 if there was an output; `said_f` its float value.
    """
    made = 0
    for i in range(len(slots)):
        s = slots[i]
        if begins[i]:
            known[s] = 0
            count[s] = 0
            said[4 * s + 3] = 0
        kind = kinds[i]
        expected[i] = known[s]
        usable = (kind == known[s]) if known[s] else (kind < len(takes) and takes[kind] != 0)
        emits = False
        if usable:
            expected[i] = 128
            known[s] = kind
            t = times[i]
            first = count[s] == 0
            before = said[4 * s]
            whole = kind == _INT
            if function == _ELAPSED:
                if not first:
                    said[4 * s + 2] = _quotient(t - before, unit)
                    emits = True
            elif function == _DIFFERENCE:
                if not first and t == before:
                    continue
                if not first:
                    emits = True
                    if whole:
                        said[4 * s + 2] = ints[i] - kept_i[s]
                    else:
                        said_f[s] = floats[i] - kept_f[s]
                if whole:
                    kept_i[s] = ints[i]
                else:
                    kept_f[s] = floats[i]
            elif function == _CUMULATIVE:
                emits = True
                if whole:
                    kept_i[s] = ints[i] if first else kept_i[s] + ints[i]
                    said[4 * s + 2] = kept_i[s]
                else:
                    kept_f[s] = floats[i] if first else kept_f[s] + floats[i]
                    said_f[s] = kept_f[s]
            else:
                place = s * window + count[s] % window
                if whole:
                    total = np.int64(0) if first else kept_i[s]
                    if count[s] >= window:
                        total -= ring_i[place]
                    ring_i[place] = ints[i]
                    kept_i[s] = total + ints[i]
                    said_f[s] = np.float64(kept_i[s]) / np.float64(window)
                else:
                    sum_f = 0.0 if first else kept_f[s]
                    if count[s] >= window:
                        sum_f -= ring_f[place]
                    ring_f[place] = floats[i]
                    kept_f[s] = sum_f + floats[i]
                    said_f[s] = kept_f[s] / np.float64(window)
                emits = count[s] + 1 >= window
            count[s] += 1
            said[4 * s] = t
            if emits:
                said[4 * s + 1] = t
                said[4 * s + 3] = 1
        elif function != _DIFFERENCE:
            emits = said[4 * s + 3] != 0
        if emits:
            out[made] = i
            out_time[made] = said[4 * s + 1]
            out_f[made] = said_f[s]
            out_i[made] = said[4 * s + 2]
            out_kind[made] = _INT if function == _ELAPSED or (function != _MOVING and known[s] == _INT) else _FLOAT
            made += 1
    return made


class _States:
    """The states of `room` slots as `_transform` has them."""

    def __init__(self, room: int, window: int) -> None:
        self.window = window
        self.known = np.zeros(0, np.uint8)
        self.count = np.zeros(0, np.int64)
        self.kept_f, self.kept_i = np.zeros(0), np.zeros(0, np.int64)
        self.ring_f, self.ring_i = np.zeros(0), np.zeros(0, np.int64)
        self.said_f, self.said = np.zeros(0), np.zeros(0, np.int64)
        self.grow(room)

    def grow(self, room: int) -> None:
        if room <= len(self.known):
            return
        self.known, self.count = grown(self.known, room), grown(self.count, room)
        self.kept_f, self.kept_i = grown(self.kept_f, room), grown(self.kept_i, room)
        self.ring_f = grown(self.ring_f, room * self.window)
        self.ring_i = grown(self.ring_i, room * self.window)
        self.said_f, self.said = grown(self.said_f, room), grown(self.said, 4 * room)

    def reset(self, slots: NDArray[np.int64]) -> None:
        self.known[slots] = 0
        self.count[slots] = 0
        self.said[4 * slots + 3] = 0

    @property
    def arrays(self) -> Any:
        return (
            self.known, self.count, self.kept_f, self.kept_i, self.ring_f, self.ring_i, self.said_f, self.said,
        )  # fmt: skip


class TransformOperator(Grouped):
    """`function` is one of those above; `unit` in ns is that of elapsed, `n` >= 1 the window of movingAverage."""

    _NAMES: ClassVar[tuple[str, ...]] = ("known", "count", "kept_f", "kept_i", "ring_f", "ring_i", "said_f", "said")

    def __init__(
        self, *, function: str, field: str, as_: str = "", stream: bool = False, unit: int = 1, n: int = 1,
        use_point_times: bool = False, quiet: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        del use_point_times  # Results have the times of their points anyway.
        self._code, kinds = _FUNCTIONS[function]
        self._field = field
        self._as = as_ or function
        self._unit = unit
        self._log = not quiet
        self._stream = stream
        aggregate = "failed to aggregate point" if stream else "failed to aggregate point in batch"
        self._rule = Rule(function, field, kinds, aggregate)
        self._takes = np.zeros(8, np.uint8)
        self._takes[[int(k) for k in kinds]] = 1
        self._window = n if function == "movingAverage" else 1
        self._states = _States(0 if stream else 1, self._window)

    def _start(self, slots: NDArray[np.int64]) -> None:
        if self._stream:
            self._states.grow(self.slots.room)
            self._states.reset(slots)

    def _process(self, frame: Frame) -> Sequence[Frame]:
        template = Frame(frame.edge, position=frame.position, parent=frame.parent)
        if not frame.sections:
            return assemble(template, (), frame.events)
        arrivals = Arrivals(frame)
        slots = self._map(arrivals)
        if self._stream:
            return assemble(template, self._points(arrivals, slots), frame.events)
        pieces: list[Piece] = []
        for section, places in first_named(arrivals, slots, self.slots):
            for part, which in self._batches(section):
                pieces.append((part, places if which is None else which if places is None else places[which]))
        return assemble(template, pieces, frame.events)

    def _outbox(self, frame: Frame) -> Outbox:
        return Outbox(frame.edge)

    def _run(
        self, slots: NDArray[np.int32], begins: NDArray[np.uint8], times: NDArray[np.int64], found: Cells
    ) -> tuple[NDArray[Any], ...]:
        """Rows, times, floats, ints and kinds of the outputs."""
        n = len(times)
        out, out_time, out_i = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
        out_f, out_kind, expected = np.empty(n), np.empty(n, np.uint8), np.empty(n, np.uint8)
        arguments: Any = (
            self._code, max(self._unit, 1), self._window, slots, begins, times, found.kinds, found.floats, found.ints,
            self._takes, *self._states.arrays, out, out_time, out_f, out_i, out_kind, expected,
        )  # fmt: skip
        made = _transform(*arguments)
        self._rule.tell(found.kinds, expected.astype(np.int64), expected != 128, self.report, log=self._log)
        return out[:made], out_time[:made], out_f[:made], out_i[:made], out_kind[:made]

    def _column(self, kind: int, floats: NDArray[np.float64], ints: NDArray[np.int64]) -> FieldColumn:
        return FieldColumn(Kind.INT, ints) if kind == _INT else FieldColumn(Kind.FLOAT, floats)

    def _points(self, arrivals: Arrivals, slots: NDArray[np.int32]) -> list[Piece]:
        begins = np.zeros(arrivals.n, np.uint8)
        rows, times, floats, ints, kinds = self._run(slots, begins, arrivals.time, cells(arrivals, self._field))
        mine = slots[rows]
        names = self.slots.name.take(mine)
        pieces: list[Piece] = []
        for which, table, codes in self.slots.tables(mine):
            index = np.arange(len(rows)) if which is None else which
            sorts = names[index].astype(np.int64) * 8 + kinds[index]
            for sort in np.unique(sorts).tolist():
                part = np.flatnonzero(sorts == sort)
                chosen = index[part]
                groups, group = take_groups(table, codes[part])
                column = self._column(sort % 8, floats[chosen], ints[chosen])
                section = Section(
                    self.slots.names[sort // 8],
                    times[chosen],
                    group_tags(groups, group),
                    {self._as: column},
                    groups,
                    group,
                )
                pieces.append((section, rows[chosen]))
        return pieces

    def _batches(self, section: Section) -> list[tuple[Section, NDArray[np.int64] | None]]:
        assert section.batches is not None
        offsets = section.batches.offsets
        begins = np.zeros(section.rows, np.uint8)
        begins[offsets[:-1][offsets[1:] > offsets[:-1]]] = 1
        found = cells_of(section.fields.get(self._field), section.rows)
        rows, times, floats, ints, kinds = self._run(np.zeros(section.rows, np.int32), begins, section.time, found)
        ends = np.searchsorted(rows, offsets).astype(np.int32)
        codes = np.repeat(section.group_codes(), np.diff(ends))
        tags = group_tags(section.groups, codes)
        out = section.with_(time=times, tags=tags, fields={}, batches=Batches(ends, section.batches.time))
        distinct = np.unique(kinds).tolist()
        if len(distinct) < 2:
            kind = distinct[0] if distinct else _FLOAT
            return [(out.with_(fields={self._as: self._column(kind, floats, ints)}), None)]
        # Batches of different types: empty ones go with the first.
        of_batch = np.full(section.count, distinct[0], np.uint8)
        some = ends[1:] > ends[:-1]
        of_batch[some] = kinds[ends[:-1][some]]
        parts: list[tuple[Section, NDArray[np.int64] | None]] = []
        for kind in distinct:
            which = np.flatnonzero(of_batch == kind)
            whole = out.with_(fields={self._as: self._column(kind, floats, ints)})
            parts.append((take_batches(whole, which), which))
        return parts

    def snapshot(self) -> Any:
        arrays = {name: array.tobytes() for name, array in zip(self._NAMES, self._states.arrays, strict=True)}
        return {**super().snapshot(), "states": arrays}

    def restore(self, state: Any) -> None:
        super().restore(state)
        for name in self._NAMES:
            array = np.frombuffer(state["states"][name], getattr(self._states, name).dtype).copy()
            setattr(self._states, name, array)
