"""`|window()`: points of a group, by time or by count, as batches (nodes.md §8).

Data and barriers drive it, never the clock. The rows wait in `Queues`; the kernels below are §8.1 and §8.2 word for
word, over arrivals. Batches of one frame leave in the order of the points that triggered them. A group that only a
barrier has announced emits nothing until a point has told its name (the reference emits empty batches named `barrier`).

Which late points a time window drops depends in the reference on the ring buffer that holds a group's points: where it
is wrapped and its last place holds a point older than the window, all points up to there are dropped unseen. The
state follows the places of that buffer, so that the same points leave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.jit import BOOL, I32, I32_OUT, I64, I64_OUT, INT, helper, kernel
from engine.frames.model import BATCH, EventKind
from engine.nodes.arrivals import Arrivals
from engine.nodes.outbox import Outbox
from engine.nodes.queues import HEAD, OWN, SIZE, STATE, Queues, emit, fits, pop, push
from engine.nodes.times import phase, truncated
from engine.operator import Report, TaskError
from engine.slots import NO_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.frames.model import Event, Frame

_OUTPUT = (I64_OUT, I32_OUT, I32_OUT, I64_OUT, I32_OUT, I64_OUT)
_DUE, _SEEN = OWN, OWN + 1
# Of the reference's ring buffer: capacity << 32 | length, start << 32 | stop, and the time at its last place.
_EXTENT, _ENDS, _LAST = OWN + 2, OWN + 3, OWN + 4
_LOW = 0xFFFFFFFF


@helper
def _enter(node: Any, slot: Any, time: Any, link: Any, state: Any) -> Any:
    """Append a point to the slot's queue, and follow where the reference puts it."""
    size = state[slot, SIZE]
    capacity = state[slot, _EXTENT] >> 32
    length = state[slot, _EXTENT] & _LOW
    start = state[slot, _ENDS] >> 32
    stop = state[slot, _ENDS] & _LOW
    if size == capacity:
        capacity = 2 * (size + 1)
        length = size + 1
        start = 0
        stop = size
    if length == capacity and stop == length:
        stop = 0
        if start == length:
            start = 0
    if stop == length:
        length += 1
    if stop == length - 1:
        state[slot, _LAST] = time
    state[slot, _EXTENT] = (capacity << 32) | length
    state[slot, _ENDS] = (start << 32) | (stop + 1)
    push(node, slot, link, state)


@helper
def _purge(slot: Any, oldest: Any, link: Any, node_time: Any, state: Any) -> Any:
    """Drop points older than `oldest` from the front, as the reference's ring buffer does."""
    start = state[slot, _ENDS] >> 32
    stop = state[slot, _ENDS] & _LOW
    if state[slot, SIZE] > 0 and start >= stop and state[slot, _LAST] < oldest:
        for _ in range((state[slot, _EXTENT] & _LOW) - start):
            pop(slot, link, state)
        start = 0
    while state[slot, SIZE] > 0 and node_time[state[slot, HEAD]] < oldest:
        pop(slot, link, state)
        start += 1
    state[slot, _ENDS] = (start << 32) | stop


@kernel(INT, I32, I64, INT, INT, INT, I32, STATE, I32_OUT, I64, I64, *_OUTPUT, INT, INT, INT, BOOL, BOOL)
def _by_time(
    slots: Any, times: Any, at: Any, stop: Any, base: Any, name: Any, state: Any, link: Any, place: Any,
    node_time: Any, rows: Any, offsets: Any, out_slots: Any, out_times: Any, out_names: Any, done: Any, period: Any,
    every: Any, offset: Any, align: Any, fill: Any,
) -> Any:  # fmt: skip
    """Handle points at:stop (slots and times are theirs, from 0); where it stopped: `stop`, or the output is full.

    `base` is the node of the first of them, or -1 for barriers, which trigger and are not appended.
    """
    for i in range(at, stop):
        s = slots[i]
        p = times[i]
        if state[s, _SEEN] == 0:
            first = p + (period if fill else every)
            if align:
                first = truncated(first, every, offset)
                if fill:
                    first += every
            state[s, _DUE] = first
            state[s, _SEEN] = 1
        triggers = p >= state[s, _DUE]
        if triggers and name[s] != NO_NAME and not fits(state[s, SIZE] + 1, rows, offsets, done):
            return i
        if every == 0 and base >= 0:
            _enter(base + i, s, p, link, state)
        if triggers:
            end = p if every == 0 else state[s, _DUE]
            # The window is (end - period, end] without every, else [end - period, end).
            oldest = end - period + (1 if every == 0 else 0)
            _purge(s, oldest, link, node_time, state)
            if name[s] != NO_NAME:
                emit(s, end, name[s], link, state, place, rows, offsets, out_slots, out_times, out_names, done)
            state[s, _DUE] = truncated(p + every, every, offset) if align else p + every
        if every != 0 and base >= 0:
            _enter(base + i, s, p, link, state)
    return stop


@kernel(INT, I32, I64, INT, INT, INT, I32, STATE, I32_OUT, I64, I64, *_OUTPUT, INT, INT)
def _by_count(
    slots: Any, times: Any, at: Any, stop: Any, base: Any, name: Any, state: Any, link: Any, place: Any,
    _node_time: Any, rows: Any, offsets: Any, out_slots: Any, out_times: Any, out_names: Any, done: Any, period: Any,
    every: Any,
) -> Any:  # fmt: skip
    """As `_by_time`, for windows of the newest `period` points, every `every` points. `_SEEN` counts the points."""
    for i in range(at, stop):
        s = slots[i]
        triggers = state[s, _SEEN] + 1 == state[s, _DUE]
        if triggers and not fits(state[s, SIZE] + 1, rows, offsets, done):
            return i
        push(base + i, s, link, state)
        if state[s, SIZE] > period:
            pop(s, link, state)
        state[s, _SEEN] += 1
        if triggers:
            state[s, _DUE] += every
            emit(s, times[i], name[s], link, state, place, rows, offsets, out_slots, out_times, out_names, done)
    return stop


class WindowOperator:
    """Durations are int64 ns. `period_count` > 0 makes it a window by count.

    Raises TaskError (at start) when neither a period nor a period count is given.
    """

    def __init__(
        self, *, period: int = 0, every: int = 0, align: bool = False, fill_period: bool = False, period_count: int = 0,
        every_count: int = 0,
    ) -> None:  # fmt: skip
        if period == 0 and period_count == 0:
            raise TaskError("window node must have either a non zero period or non zero period count")
        self.report = Report()
        self._by_count = period_count != 0
        if self._by_count:
            self._settings: tuple[Any, ...] = (period_count, every_count)
        else:
            self._settings = (period, every, phase(every), align, fill_period)
        self._first_due = period_count if fill_period else every_count
        self._queues = Queues()

    @property
    def cardinality(self) -> int:
        return len(self._queues.slots)

    def collect(self, frame: Frame, parent: int) -> Sequence[Frame]:  # noqa: ARG002  (one parent)
        arrivals = Arrivals(frame)
        queues = self._queues
        outbox = Outbox(BATCH)
        base = queues.take_in(arrivals, frame.sections) if arrivals.n else 0
        for start, stop, event in arrivals.segments():
            if stop > start:
                slots = queues.slots.map(arrivals, start, stop)
                self._follow_slots()
                self._run(slots, arrivals.time[start:stop], base + start, outbox)
            if event is not None:
                self._event(event, outbox)
        queues.flush(outbox)
        return outbox.frames(frame.position)

    def _follow_slots(self) -> None:
        queues = self._queues
        queues.follow_slots()
        if len(queues.slots.fresh):
            queues.state[queues.slots.fresh, _DUE] = self._first_due

    def _run(self, slots: Any, times: Any, base: int, outbox: Outbox) -> None:
        q = self._queues
        run = _by_count if self._by_count else _by_time
        at, stop = 0, len(slots)
        while True:
            o = q.out
            at = run(
                slots, times, at, stop, base, q.slots.name, q.state, q.link, q.place, q.time, o.rows, o.offsets,
                o.slots, o.times, o.names, o.done, *self._settings,
            )  # fmt: skip
            if at == stop:
                return
            q.flush(outbox)
            q.widen_output()

    def _event(self, event: Event, outbox: Outbox) -> None:
        q = self._queues
        if event.kind == EventKind.BARRIER and not self._by_count and event.group is not None:
            slot = q.slots.add(event.group)
            self._follow_slots()
            self._run(np.array([slot], np.int32), np.array([event.time], np.int64), -1, outbox)
            return
        # What was triggered so far stands before the event, and refers to groups that it may end.
        q.flush(outbox)
        if event.kind == EventKind.DELETE_GROUP and event.group is not None:
            slot = q.slots.delete(event.group)
            if slot < 0:
                return
            q.drop(slot)
        outbox.event(event)

    def finish(self) -> Sequence[Frame]:
        """Nothing: what waits in windows is discarded (nodes.md §2.4)."""
        return ()

    def snapshot(self) -> Any:
        return self._queues.snapshot()

    def restore(self, state: Any) -> None:
        self._queues.restore(state)
