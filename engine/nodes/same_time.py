"""The points of one time in a group, as batches: what InfluxQL functions, combine and flatten treat as one (nodes.md
§14, §15, §16.4).

A run of consecutive points with equal (rounded) times becomes a batch when a point of another time, later or earlier,
comes. Barriers end it only where the owner asks for it, and the last one never leaves. Its name is that of its first point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.jit import BOOL, I32, I32_OUT, I64, I64_OUT, INT, kernel
from engine.nodes.queues import OWN, SIZE, STATE, Queues, emit, fits, push
from engine.nodes.times import round_half_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.frames.model import Section
    from engine.nodes.arrivals import Arrivals
    from engine.nodes.outbox import Outbox
    from engine.slots import GroupSlots

_CURRENT, _NAME = OWN, OWN + 1
_NEVER = -(2**63)
_OUTPUT = (I64_OUT, I32_OUT, I32_OUT, I64_OUT, I32_OUT, I64_OUT)


@kernel(INT, I32, I64, I32, INT, INT, INT, BOOL, STATE, I32_OUT, I64, *_OUTPUT)
def _run(
    slots: Any, times: Any, names: Any, at: Any, stop: Any, base: Any, forward: Any, state: Any, link: Any, place: Any,
    rows: Any, offsets: Any, out_slots: Any, out_times: Any, out_names: Any, done: Any,
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
            if not forward or times[i] > state[s, _CURRENT]:
                state[s, _CURRENT] = times[i]
            state[s, _NAME] = names[i]
        push(base + i, s, link, state)
    return stop


@kernel(BOOL, INT, INT, STATE, I32, I64, *_OUTPUT)
def _end(
    slot: Any, time: Any, state: Any, link: Any, place: Any, rows: Any, offsets: Any, out_slots: Any, out_times: Any,
    out_names: Any, done: Any,
) -> Any:  # fmt: skip
    """End the slot's run if its time is before `time`; False if the output is full."""
    if state[slot, SIZE] == 0 or time <= state[slot, _CURRENT]:
        return True
    if not fits(state[slot, SIZE], rows, offsets, done):
        return False
    emit(
        slot, state[slot, _CURRENT], state[slot, _NAME], link, state, place, rows, offsets, out_slots, out_times,
        out_names, done,
    )  # fmt: skip
    state[slot, SIZE] = 0
    return True


class SameTime:
    """The points of a frame are kept, then run through. Memory: the open run of each group.

    Times are rounded to `tolerance` ns. With `forward` the time of a group never falls: what comes late has the latest.
    With `group_names` a run has the name that its group was first seen with.
    """

    def __init__(
        self, slots: GroupSlots, tolerance: int = 0, *, forward: bool = False, group_names: bool = False
    ) -> None:
        self._queues = Queues(slots)
        self._slots = slots
        self._tolerance = tolerance
        self._forward = forward
        self._group_names = group_names
        self._names = np.zeros(0, np.int32)
        self._times = np.zeros(0, np.int64)

    def take_in(self, arrivals: Arrivals, sections: Sequence[Section]) -> int:
        """Keep the points of a frame (`sections` stand for its own, perhaps with fewer columns); the base for `run`."""
        numbers = [np.full(s.rows, self._slots.name_number(s.name), np.int32) for s in arrivals.sections]
        self._names = arrivals.gather(numbers)
        self._times = round_half_up(arrivals.time, self._tolerance)
        return self._queues.take_in(arrivals, sections)

    def run(self, slots: NDArray[np.int32], base: int, start: int, stop: int, outbox: Outbox) -> None:
        """Give the batches that the points `start:stop` complete to the outbox; `slots` is the slot of every point."""
        q = self._queues
        names = self._slots.name.take(slots) if self._group_names else self._names
        at = start
        while True:
            o = q.out
            at = _run(
                slots, self._times, names, at, stop, base, self._forward, q.state, q.link, q.place, o.rows, o.offsets,
                o.slots, o.times, o.names, o.done,
            )  # fmt: skip
            q.flush(outbox)
            if at == stop:
                return
            q.widen_output()

    def end(self, slot: int, time: int, outbox: Outbox) -> None:
        """End the run of one group if it is of a time before `time`."""
        q = self._queues
        while True:
            o = q.out
            fitted = _end(
                slot, time, q.state, q.link, q.place, o.rows, o.offsets, o.slots, o.times, o.names, o.done
            )  # fmt: skip
            q.flush(outbox)
            if fitted:
                return
            q.widen_output()

    def follow_slots(self) -> None:
        """Give the slots that the last `map` or `add` made an empty run."""
        self._queues.follow_slots()
        self._queues.state[self._slots.fresh, _CURRENT] = _NEVER

    def forget(self, slot: int) -> None:
        self._queues.drop(slot)

    def snapshot(self) -> Any:
        return self._queues.snapshot()

    def restore(self, state: Any) -> None:
        self._queues.restore(state)
