"""`|derivative()` and `|changeDetect()`: a point against the one before it in its group (nodes.md §11.7, §11.8).

Batch edges begin anew at every batch. Kernels run over the rows in order of arrival, with one state a slot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from engine.frames.groups import murmur3_128
from engine.frames.jit import BOOL, F64, F64_OUT, HASHES, HASHES_OUT, I32, I64, I64_OUT, INT, U8, U8_OUT, kernel
from engine.frames.model import DTYPES, NULL, PRESENT, FieldColumn, Kind
from engine.frames.strings import Strings
from engine.nodes.arrivals import Arrivals
from engine.nodes.assembly import assemble
from engine.nodes.cells import cells
from engine.nodes.grouped import Grouped
from engine.nodes.moving import kept
from engine.nodes.usable import MISSING, NIL, WORDS, kind_of_value
from engine.slots import grown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from engine.frames.model import Frame

_FLOAT, _INT = int(Kind.FLOAT), int(Kind.INT)
_NULL, _NOT_A_NUMBER = 100, 200
_PASSES, _KEPT, _BAD, _STILL = 1, 0, 2, 3


class RowByRow(Grouped):
    """Rows in order, with a state a group on streams and a state a batch otherwise."""

    def _rows(self, frame: Frame) -> tuple[Arrivals, Arrivals, NDArray[np.int32], NDArray[np.uint8]]:
        """The frame's arrivals, those of its rows, their state numbers, and where a state begins anew."""
        arrivals = Arrivals(frame)
        slots = self._map(arrivals)
        rows = arrivals.by_row()
        begins = np.zeros(rows.n, np.uint8)
        if rows is arrivals:
            return arrivals, rows, slots, begins
        size = arrivals.sizes
        starts = np.cumsum(size) - size
        begins[starts[size > 0]] = 1
        return arrivals, rows, np.zeros(rows.n, np.int32), begins


@kernel(INT, I32, U8, I64, U8, F64, I64, INT, BOOL, U8_OUT, I64_OUT, F64_OUT, F64_OUT, U8_OUT)
def _derivative(
    slots: Any, begins: Any, times: Any, kinds: Any, floats: Any, ints: Any, unit: Any, positive: Any, seen: Any,
    last_time: Any, last: Any, out: Any, verdict: Any,
) -> Any:  # fmt: skip
    """The rate at each row, where `verdict` is _PASSES; the number of rows that failed."""
    failed = 0
    for i in range(len(slots)):
        s = slots[i]
        if begins[i]:
            seen[s] = 0
        if kinds[i] == _FLOAT:
            value = floats[i]
        elif kinds[i] == _INT:
            value = np.float64(ints[i])
        else:
            verdict[i] = _BAD
            failed += 1
            continue
        verdict[i] = _KEPT
        if seen[s]:
            elapsed = times[i] - last_time[s]
            if elapsed == 0:
                verdict[i] = _STILL
                failed += 1
            else:
                difference = value - last[s]
                if not (positive and difference < 0.0):
                    out[i] = difference / (np.float64(elapsed) / np.float64(unit))
                    verdict[i] = _PASSES
        seen[s] = 1
        last_time[s] = times[i]
        last[s] = value
    return failed


class DerivativeOperator(RowByRow):
    """`unit` in ns. The result is a float, under `as_` (the field's own name where empty)."""

    def __init__(
        self, *, field: str, as_: str = "", unit: int = 1_000_000_000, non_negative: bool = False, quiet: bool = False
    ) -> None:
        super().__init__()
        self._field = field
        self._as = as_ or field
        self._unit = unit
        self._positive = non_negative
        self._log = not quiet
        self._seen = np.zeros(1, np.uint8)
        self._time = np.zeros(1, np.int64)
        self._last = np.zeros(1)

    def _start(self, slots: NDArray[np.int64]) -> None:
        room = self.slots.room
        self._seen, self._time, self._last = grown(self._seen, room), grown(self._time, room), grown(self._last, room)
        self._seen[slots] = 0

    def _process(self, frame: Frame) -> Sequence[Frame]:
        if not frame.sections:
            return assemble(frame, (), frame.events)
        arrivals, rows, slots, begins = self._rows(frame)
        found = cells(rows, self._field)
        out, verdict = np.empty(rows.n), np.empty(rows.n, np.uint8)
        failed = _derivative(
            slots, begins, rows.time, found.kinds, found.floats, found.ints, self._unit, self._positive, self._seen,
            self._time, self._last, out, verdict,
        )  # fmt: skip
        if failed:
            self._tell(found.kinds, verdict)
        sections, masks = [], []
        for i, section in enumerate(frame.sections):
            values, mask = out, verdict == _PASSES
            if rows.single is None:
                values, mask = out[rows.places[i]], mask[rows.places[i]]
            sections.append(section.with_(fields={**section.fields, self._as: FieldColumn(Kind.FLOAT, values)}))
            masks.append(mask)
        return kept(frame.with_(sections=tuple(sections)), arrivals, masks)

    def _tell(self, kinds: NDArray[np.uint8], verdict: NDArray[np.uint8]) -> None:
        message = "cannot perform derivative"
        still = int(np.count_nonzero(verdict == _STILL))
        if still:
            self.report.error(message, "elaspsed time was 0", times=still, log=self._log)
        for kind, times in zip(*np.unique(kinds[verdict == _BAD], return_counts=True), strict=True):
            got = "<nil>" if kind in {MISSING, NIL} else WORDS[Kind(kind)]
            self.report.error(message, f"field {self._field} is the wrong type: {got}", times=int(times), log=self._log)

    def snapshot(self) -> Any:
        state = {"seen": self._seen.tobytes(), "time": self._time.tobytes(), "last": self._last.tobytes()}
        return {**super().snapshot(), **state}

    def restore(self, state: Any) -> None:
        super().restore(state)
        self._seen = np.frombuffer(state["seen"], np.uint8).copy()
        self._time = np.frombuffer(state["time"], np.int64).copy()
        self._last = np.frombuffer(state["last"]).copy()


@kernel(INT, I32, U8, INT, HASHES, HASHES, U8_OUT, HASHES_OUT, HASHES_OUT, U8_OUT)
def _detect(
    slots: Any, begins: Any, fields: Any, kinds: Any, bits: Any, seen: Any, last_kinds: Any, last_bits: Any, keep: Any
) -> Any:  # fmt: skip
    """Mark the rows in which a field differs from the last marked row; the number of fields missing from rows.

    `kinds[i, f]` is 0 where the field is absent; `bits[i, 2f:2f+2]` stands for the value: equal bits, equal values, but
    _NOT_A_NUMBER equals nothing.
    """
    missing = 0
    for i in range(len(slots)):
        s = slots[i]
        if begins[i]:
            seen[s] = 0
        differs = False
        for f in range(fields):
            kind = kinds[i, f]
            if kind == 0:
                missing += 1
                continue
            before = last_kinds[s, f] if seen[s] else np.uint64(_NULL)
            if kind == _NOT_A_NUMBER or kind != before:
                differs = True
            elif kind != _NULL:
                differs |= bits[i, 2 * f] != last_bits[s, 2 * f] or bits[i, 2 * f + 1] != last_bits[s, 2 * f + 1]
        keep[i] = differs
        if differs:
            seen[s] = 1
            for f in range(fields):
                # An absent field of the last marked row is like a null one.
                last_kinds[s, f] = kinds[i, f] if kinds[i, f] != 0 else np.uint64(_NULL)
                last_bits[s, 2 * f] = bits[i, 2 * f]
                last_bits[s, 2 * f + 1] = bits[i, 2 * f + 1]
    return missing


@kernel(types.void, I32, U8, INT, HASHES_OUT)
def _hash_strings(ends: Any, data: Any, place: Any, out: Any) -> Any:
    """The 128-bit hash of each string into out[:, place:place + 2]."""
    found = np.empty((1, 2), np.uint64)
    for i in range(len(ends) - 1):
        murmur3_128(data, ends[i], ends[i + 1] - ends[i], found, 0)
        out[i, place] = found[0, 0]
        out[i, place + 1] = found[0, 1]


def _fill(column: FieldColumn, place: int, kinds: NDArray[np.uint64], bits: NDArray[np.uint64]) -> None:
    """What `_detect` needs of a section's column, in place `place` of its arrays."""
    n = len(kinds)
    kinds[:, place] = int(column.kind)
    if column.kind == Kind.STRING:
        _hash_strings(column.data.offsets, column.data.data, 2 * place, bits)
    elif column.kind == Kind.FLOAT:
        # Adding zero makes -0.0 and 0.0 one.
        bits[:, 2 * place] = (column.data + 0.0).view(np.uint64)
        kinds[np.isnan(column.data), place] = _NOT_A_NUMBER
    elif column.kind == Kind.MIXED:
        for i in range(n):
            value = column.at(i)
            if value is not None:
                one = np.zeros((1, 1), np.uint64), np.zeros((1, 2), np.uint64)
                _fill(_alone(value), 0, *one)
                kinds[i, place] = one[0][0, 0]
                bits[i, 2 * place : 2 * place + 2] = one[1][0]
    else:
        bits[:, 2 * place] = column.data.astype(np.int64).view(np.uint64)
    if column.valid is not None:
        lost = column.valid != PRESENT
        kinds[lost, place] = np.where(column.valid[lost] == NULL, _NULL, 0)
        bits[lost, 2 * place : 2 * place + 2] = 0


def _alone(value: Any) -> FieldColumn:
    kind = Kind(kind_of_value(value))
    return FieldColumn(kind, Strings.of([value]) if kind == Kind.STRING else np.array([value], DTYPES[kind]))


class ChangeDetectOperator(RowByRow):
    """Passes the points in which one of `fields` differs from the last point of the group that passed."""

    def __init__(self, *, fields: Sequence[str], quiet: bool = False) -> None:
        super().__init__()
        self._fields = tuple(fields)
        self._log = not quiet
        self._seen = np.zeros(1, np.uint8)
        self._kinds = np.zeros((1, len(self._fields)), np.uint64)
        self._bits = np.zeros((1, 2 * len(self._fields)), np.uint64)

    def _start(self, slots: NDArray[np.int64]) -> None:
        room = self.slots.room
        self._seen, self._kinds, self._bits = grown(self._seen, room), grown(self._kinds, room), grown(self._bits, room)
        self._seen[slots] = 0

    def _process(self, frame: Frame) -> Sequence[Frame]:
        if not frame.sections:
            return assemble(frame, (), frame.events)
        arrivals, rows, slots, begins = self._rows(frame)
        count = len(self._fields)
        kinds, bits = np.zeros((rows.n, count), np.uint64), np.zeros((rows.n, 2 * count), np.uint64)
        for i, section in enumerate(rows.sections):
            if rows.single is not None:
                self._fill(section.fields, kinds, bits)
                continue
            part = np.zeros((section.rows, count), np.uint64), np.zeros((section.rows, 2 * count), np.uint64)
            self._fill(section.fields, *part)
            kinds[rows.places[i]], bits[rows.places[i]] = part
        keep = np.empty(rows.n, np.uint8)
        missing = _detect(slots, begins, count, kinds, bits, self._seen, self._kinds, self._bits, keep)
        if missing:
            for place, times in enumerate(np.count_nonzero(kinds == 0, axis=0).tolist()):
                if times:
                    text = f"expected field {self._fields[place]} not found"
                    self.report.error("Invalid field in change detect", text, times=times, log=self._log)
        mask = keep.astype(np.bool_)
        return kept(frame, arrivals, [mask] if rows.single is not None else [mask[p] for p in rows.places])

    def _fill(self, columns: Mapping[str, FieldColumn], kinds: NDArray[np.uint64], bits: NDArray[np.uint64]) -> None:
        for place, name in enumerate(self._fields):
            if name in columns:
                _fill(columns[name], place, kinds, bits)

    def snapshot(self) -> Any:
        state = {"seen": self._seen.tobytes(), "kinds": self._kinds.tobytes(), "bits": self._bits.tobytes()}
        return {**super().snapshot(), **state}

    def restore(self, state: Any) -> None:
        super().restore(state)
        count = len(self._fields)
        self._seen = np.frombuffer(state["seen"], np.uint8).copy()
        self._kinds = np.frombuffer(state["kinds"], np.uint64).reshape(-1, count).copy()
        self._bits = np.frombuffer(state["bits"], np.uint64).reshape(-1, 2 * count).copy()
