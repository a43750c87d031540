"""`|sample()`, `|shift()` and `|trickle()`: which points pass, when they are, and on what edge (nodes.md §10.4, §11.3, §11.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from engine.frames.jit import I32, I64_OUT, INT, U8_OUT, kernel
from engine.frames.model import STREAM, Batches, Frame
from engine.frames.reshape import filter_rows, take_rows
from engine.nodes.arrivals import Arrivals
from engine.nodes.assembly import Piece, assemble
from engine.nodes.grouped import Grouped
from engine.nodes.regroup import by_tags
from engine.nodes.times import truncate
from engine.operator import Stateless, TaskError
from engine.slots import grown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@kernel(types.void, I32, I64_OUT, INT, U8_OUT)
def _every(slots: Any, count: Any, n: Any, keep: Any) -> Any:
    """Mark the points number 0, n, 2n… of each slot."""
    for i in range(len(slots)):
        s = slots[i]
        keep[i] = count[s] == 0
        count[s] += 1
        if count[s] == n:
            count[s] = 0


def kept(frame: Frame, arrivals: Arrivals, masks: Sequence[NDArray[np.bool_]]) -> list[Frame]:
    """The frame with the rows where the mask of their section is true; batches stay, also when they become empty."""
    if frame.edge != STREAM:
        return [frame.with_(sections=tuple(filter_rows(s, m) for s, m in zip(frame.sections, masks, strict=True)))]
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


class SampleOperator(Grouped):
    """`n` > 0: one of so many points of a group (of a batch). Else `duration` (ns): points at its multiples.

    Raises TaskError where neither is positive.
    """

    def __init__(self, *, n: int = 0, duration: int = 0) -> None:
        super().__init__()
        if n <= 0 and duration <= 0:
            raise TaskError("invalid sample rate: must be positive integer or duration")
        self._n = n
        self._duration = duration
        self._count = np.zeros(0, np.int64)

    def _start(self, slots: NDArray[np.int64]) -> None:
        self._count = grown(self._count, self.slots.room)
        self._count[slots] = 0

    def _process(self, frame: Frame) -> Sequence[Frame]:
        if not frame.sections:
            return assemble(frame, (), frame.events)
        arrivals = Arrivals(frame)
        slots = self._map(arrivals)
        if self._n <= 0:
            return kept(frame, arrivals, [truncate(s.time, self._duration) == s.time for s in frame.sections])
        if frame.edge != STREAM:
            return kept(frame, arrivals, [_inside(s.batches, self._n) for s in frame.sections if s.batches is not None])
        keep = np.empty(arrivals.n, np.uint8)
        _every(slots, self._count, self._n, keep)
        mask = keep.astype(np.bool_)
        return kept(frame, arrivals, [mask] if arrivals.single is not None else [mask[p] for p in arrivals.places])

    def snapshot(self) -> Any:
        return {**super().snapshot(), "count": self._count.tobytes()}

    def restore(self, state: Any) -> None:
        super().restore(state)
        self._count = np.frombuffer(state["count"], np.int64).copy()


def _inside(batches: Batches, n: int) -> NDArray[np.bool_]:
    """The rows number 0, n, 2n… of their batch."""
    size = np.diff(batches.offsets)
    mask: NDArray[np.bool_] = (np.arange(batches.offsets[-1]) - np.repeat(batches.offsets[:-1], size)) % n == 0
    return mask


class ShiftOperator(Stateless):
    """`shift` in ns, not 0. Barriers keep their times."""

    def __init__(self, *, shift: int) -> None:
        super().__init__()
        if not shift:
            raise TaskError("invalid shift value: must be non zero duration")
        self._shift = np.int64(shift)

    def collect(self, frame: Frame, parent: int) -> Sequence[Frame]:  # noqa: ARG002  (one parent)
        sections = []
        for s in frame.sections:
            batches = None if s.batches is None else Batches(s.batches.offsets, s.batches.time + self._shift)
            sections.append(s.with_(time=s.time + self._shift, batches=batches))
        return (frame.with_(sections=tuple(sections)),)


class TrickleOperator(Stateless):
    """The points of batches as a stream, with the batch's name and dimensions and no database."""

    def collect(self, frame: Frame, parent: int) -> Sequence[Frame]:  # noqa: ARG002  (one parent)
        template = Frame(STREAM, position=frame.position, parent=frame.parent)
        arrivals = Arrivals(frame)
        if not arrivals.n:
            return assemble(template, (), frame.events)
        rows = arrivals.by_row()
        pieces: list[Piece] = []
        for i, section in enumerate(rows.sections):
            places = None if rows.single is not None else rows.places[i]
            pieces.append((by_tags(section, section.groups.dims, section.groups.by_name), places))
        ends = np.append(0, np.cumsum(arrivals.sizes))
        events = [type(e)(int(ends[e.at]), e.kind, e.time, e.group) for e in frame.events]
        return assemble(template, pieces, events)
