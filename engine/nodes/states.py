"""`|stateDuration()` and `|stateCount()`: how long, or for how many points, a lambda has been true (nodes.md §11.9).

A point for which the lambda fails is dropped and leaves the run as it is. Batch edges begin anew at every batch; the
lambda's own state does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.jit import BOOL, F64_OUT, I32, I64, I64_OUT, INT, U8, kernel
from engine.frames.model import FieldColumn, Kind
from engine.nodes.assembly import assemble
from engine.nodes.changes import RowByRow
from engine.nodes.condition import Condition
from engine.nodes.moving import kept
from engine.slots import grown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.frames.model import Frame
    from engine.operator import Context
    from tickscript import ast


@kernel(INT, I32, U8, I64, U8, BOOL, INT, I64_OUT, I64_OUT, F64_OUT, I64_OUT)
def _track(
    slots: Any, begins: Any, times: Any, truth: Any, lasting: Any, unit: Any, since: Any, count: Any, durations: Any,
    counts: Any,
) -> Any:  # fmt: skip
    """`truth` is 0, 1, or 2 where it could not be told. Per slot: the points of the run, and the first one's time."""
    for i in range(len(slots)):
        s = slots[i]
        if begins[i]:
            count[s] = 0
        if truth[i] == 2:
            continue
        if truth[i] == 0:
            count[s] = 0
            if lasting:
                durations[i] = -1.0
            else:
                counts[i] = -1
            continue
        if count[s] == 0:
            since[s] = times[i]
        count[s] += 1
        if lasting:
            durations[i] = np.float64(times[i] - since[s]) / np.float64(unit)
        else:
            counts[i] = count[s]
    return len(slots)


class StateOperator(RowByRow):
    """`unit` (ns) makes it stateDuration, a float field `as_`; without it is stateCount, an int field."""

    def __init__(
        self, *, condition: ast.Lambda, as_: str, unit: int | None = None, context: Context | None = None,
        quiet: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self._condition = Condition(condition, context, self.report, "error while evaluating expression", quiet)
        self._as = as_
        self._unit = unit
        self._since = np.zeros(1, np.int64)
        self._count = np.zeros(1, np.int64)

    def _start(self, slots: NDArray[np.int64]) -> None:
        self._since, self._count = grown(self._since, self.slots.room), grown(self._count, self.slots.room)
        self._count[slots] = 0
        self._condition.start(slots)

    def _process(self, frame: Frame) -> Sequence[Frame]:
        if not frame.sections:
            return assemble(frame, (), frame.events)
        arrivals, rows, states, begins = self._rows(frame)
        slots = states if rows is arrivals else arrivals.row_slots(self.slots.map(arrivals, 0, arrivals.n))
        masks, failures = self._condition.masks(rows, slots if self._condition.stateful else None)
        parts = [
            m.astype(np.uint8) if f is None else np.where(f, 2, m).astype(np.uint8)
            for m, f in zip(masks, failures, strict=True)
        ]
        truth = rows.gather(parts)
        lasting = self._unit is not None
        durations = np.zeros(rows.n if lasting else 1)
        counts = np.zeros(1 if lasting else rows.n, np.int64)
        _track(
            states, begins, rows.time, truth, lasting, self._unit or 1, self._since, self._count, durations, counts
        )  # fmt: skip
        values: NDArray[Any] = durations if lasting else counts
        kind = Kind.FLOAT if lasting else Kind.INT
        sections = []
        for i, section in enumerate(frame.sections):
            column = FieldColumn(kind, values if rows.single is not None else values[rows.places[i]])
            sections.append(section.with_(fields={**section.fields, self._as: column}))
        return kept(frame.with_(sections=tuple(sections)), arrivals, [part != 2 for part in parts])

    def snapshot(self) -> Any:
        state = {"since": self._since.tobytes(), "count": self._count.tobytes()}
        return {**super().snapshot(), **state, "condition": self._condition.snapshot()}

    def restore(self, state: Any) -> None:
        super().restore(state)
        self._since = np.frombuffer(state["since"], np.int64).copy()
        self._count = np.frombuffer(state["count"], np.int64).copy()
        self._condition.restore(state["condition"])
