"""`|where()`: the points for which a lambda is true (nodes.md §11.1).

A point for which it cannot be evaluated is dropped and counted. Batches stay, also when they become empty. The lambda's
state is per group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.reshape import filter_rows, take_rows
from engine.nodes.arrivals import Arrivals
from engine.nodes.assembly import Piece, assemble
from engine.nodes.condition import Condition
from engine.nodes.grouped import Grouped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.frames.model import Frame
    from engine.operator import Context
    from tickscript import ast


class WhereOperator(Grouped):
    """Raises CompileError when the lambda does not compile."""

    def __init__(self, *, condition: ast.Lambda, context: Context | None = None, quiet: bool = False) -> None:
        super().__init__()
        self._condition = Condition(condition, context, self.report, "error while evaluating expression", quiet)

    def _start(self, slots: NDArray[np.int64]) -> None:
        self._condition.start(slots)

    def _process(self, frame: Frame) -> Sequence[Frame]:
        if not frame.sections:
            return assemble(frame, (), frame.events)
        arrivals = Arrivals(frame)
        slots = self._map(arrivals)
        rows = arrivals.by_row()
        masks, _ = self._condition.masks(rows, arrivals.row_slots(slots) if self._condition.stateful else None)
        if rows is not arrivals:
            kept = tuple(filter_rows(s, m) for s, m in zip(frame.sections, masks, strict=True))
            return (frame.with_(sections=kept),)
        pieces: list[Piece] = []
        for i, (section, mask) in enumerate(zip(frame.sections, masks, strict=True)):
            places = None if arrivals.single is not None else arrivals.places[i]
            if mask.all():
                pieces.append((section, places))
                continue
            index = np.flatnonzero(mask)
            if not len(index):
                continue
            pieces.append((take_rows(section, index), index if places is None else places[index]))
        return assemble(frame, pieces, frame.events)

    def snapshot(self) -> Any:
        return {**super().snapshot(), "condition": self._condition.snapshot()}

    def restore(self, state: Any) -> None:
        super().restore(state)
        self._condition.restore(state["condition"])
