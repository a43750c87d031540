"""The points of one time in a group, as batches: what InfluxQL functions reduce on a stream edge (nodes.md §16.4).

A run of consecutive points with equal times becomes a batch when a point of another time, later or earlier, comes.
Barriers do not end it, and the last one never leaves. Its name is that of its first point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.jit import I32, I32_OUT, I64, I64_OUT, INT, kernel
from engine.nodes.queues import OWN, SIZE, STATE, Queues, emit, fits, push

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.frames.model import Section
    from engine.nodes.arrivals import Arrivals
    from engine.nodes.outbox import Outbox
    from engine.slots import GroupSlots

_CURRENT, _NAME = OWN, OWN + 1
_OUTPUT = (I64_OUT, I32_OUT, I32_OUT, I64_OUT, I32_OUT, I64_OUT)


@kernel(INT, I32, I64, I32, INT, INT, INT, STATE, I32_OUT, I64, *_OUTPUT)
def _run(
    slots: Any, times: Any, names: Any, at: Any, stop: Any, base: Any, state: Any, link: Any, place: Any, rows: Any,
    offsets: Any, out_slots: Any, out_times: Any, out_names: Any, done: Any,
) -> Any:  # fmt: skip
    """Handle points at:stop; where it stopped: `stop`, or the output is full."""
    for i in range(at, stop):
        s = slots[i]
        if state[s, SIZE] > 0 and state[s, _CURRENT] != times[i]:
            if not fits(state[s, SIZE], rows, offsets, done):
                return i
            emit(
                s, state[s, _CURRENT], state[s, _NAME], link, state, place, rows, offsets, out_slots, out_times,
                out_names, done,
            )  # fmt: skip
            state[s, SIZE] = 0
        if state[s, SIZE] == 0:
            state[s, _CURRENT] = times[i]
            state[s, _NAME] = names[i]
        push(base + i, s, link, state)
    return stop


class SameTime:
    """The points of a frame are kept, then run through. Memory: the open run of each group."""

    def __init__(self, slots: GroupSlots) -> None:
        self._queues = Queues(slots)
        self._slots = slots
        self._names = np.zeros(0, np.int32)

    def take_in(self, arrivals: Arrivals, sections: Sequence[Section]) -> int:
        """Keep the points of a frame (`sections` stand for its own, perhaps with fewer columns); the base for `run`."""
        numbers = [np.full(s.rows, self._slots.name_number(s.name), np.int32) for s in arrivals.sections]
        self._names = arrivals.gather(numbers)
        return self._queues.take_in(arrivals, sections)

    def run(
        self, arrivals: Arrivals, slots: NDArray[np.int32], base: int, start: int, stop: int, outbox: Outbox
    ) -> None:
        """Give the batches that the points `start:stop` complete to the outbox; `slots` is the slot of every point."""
        q = self._queues
        at = start
        while True:
            o = q.out
            at = _run(
                slots, arrivals.time, self._names, at, stop, base, q.state, q.link, q.place, o.rows, o.offsets, o.slots, o.times, o.names, o.done,
            )  # fmt: skip
            q.flush(outbox)
            if at == stop:
                return
            q.widen_output()

    def follow_slots(self) -> None:
        """Give the slots that the last `map` made an empty run."""
        self._queues.follow_slots()

    def forget(self, slot: int) -> None:
        self._queues.drop(slot)

    def snapshot(self) -> Any:
        return self._queues.snapshot()

    def restore(self, state: Any) -> None:
        self._queues.restore(state)
