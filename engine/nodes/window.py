"""`|window()`: points of a group, by time or by count, as batches (nodes.md §8).

Data and barriers drive it, never the clock. The rows wait in `Queues`; the kernels below are §8.1 and §8.2 word for
word, over arrivals. Batches of one frame leave in the order of the points that triggered them. A group that only a
barrier has announced emits nothing until a point has told its name (the reference emits empty batches named `barrier`).

Which late points a time window drops depends in the reference on the ring buffer that holds a group's points: where it
is wrapped and its last place holds a point older than the window, all points up to there are dropped unseen. The
array `ring` follows the places of that buffer, so that the same points leave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from engine.frames.jit import BOOL, I32, I32_OUT, I64, I64_OUT, INT, U8_OUT, array, helper, kernel
from engine.frames.model import BATCH, EventKind
from engine.nodes.arrivals import Arrivals
from engine.nodes.outbox import Outbox
from engine.nodes.queues import Queues, emit, fits, pop, push
from engine.nodes.times import phase, truncated
from engine.operator import Report, TaskError
from engine.slots import NO_NAME, grown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.frames.model import Event, Frame

_QUEUE = (I32_OUT, I32_OUT, I32_OUT, I32_OUT, I64, I64)
_RING = array(types.int32, writable=True, ndim=2)
_OUTPUT = (I64_OUT, I32_OUT, I32_OUT, I64_OUT, I32_OUT, I64_OUT)


_CAPACITY, _LENGTH, _START, _STOP = 0, 1, 2, 3


@helper
def _enter(node: Any, slot: Any, time: Any, link: Any, head: Any, tail: Any, size: Any, ring: Any, last: Any) -> Any:
    """Append a point to the slot's queue, and follow where the reference puts it."""
    if size[slot] == ring[slot, _CAPACITY]:
        ring[slot, _CAPACITY] = 2 * (size[slot] + 1)
        ring[slot, _LENGTH] = size[slot] + 1
        ring[slot, _START] = 0
        ring[slot, _STOP] = size[slot]
    if ring[slot, _LENGTH] == ring[slot, _CAPACITY] and ring[slot, _STOP] == ring[slot, _LENGTH]:
        ring[slot, _STOP] = 0
    if ring[slot, _STOP] == ring[slot, _LENGTH]:
        ring[slot, _LENGTH] += 1
    if ring[slot, _STOP] == ring[slot, _LENGTH] - 1:
        last[slot] = time
    ring[slot, _STOP] += 1
    push(node, slot, link, head, tail, size)


@helper
def _purge(slot: Any, oldest: Any, link: Any, head: Any, size: Any, node_time: Any, ring: Any, last: Any) -> Any:
    """Drop points older than `oldest` from the front, as the reference's ring buffer does."""
    if size[slot] > 0 and ring[slot, _START] >= ring[slot, _STOP] and last[slot] < oldest:
        for _ in range(ring[slot, _LENGTH] - ring[slot, _START]):
            pop(slot, link, head, size)
        ring[slot, _START] = 0
    while size[slot] > 0 and node_time[head[slot]] < oldest:
        pop(slot, link, head, size)
        ring[slot, _START] += 1


@kernel(
    INT, I32, I64, INT, INT, INT, I32, U8_OUT, I64_OUT, *_QUEUE, *_OUTPUT, _RING, I64_OUT, INT, INT, INT, BOOL, BOOL
)  # fmt: skip
def _by_time(
    slots: Any, times: Any, at: Any, stop: Any, base: Any, name: Any, seen: Any, due: Any, link: Any, head: Any,
    tail: Any, size: Any, place: Any, node_time: Any, rows: Any, offsets: Any, out_slots: Any, out_times: Any,
    out_names: Any, done: Any, ring: Any, last: Any, period: Any, every: Any, offset: Any, align: Any, fill: Any,
) -> Any:  # fmt: skip
    """Handle points at:stop (slots and times are theirs, from 0); where it stopped: `stop`, or the output is full.

    `base` is the node of the first of them, or -1 for barriers, which trigger and are not appended.
    """
    for i in range(at, stop):
        s = slots[i]
        p = times[i]
        if not seen[s]:
            first = p + (period if fill else every)
            if align:
                first = truncated(first, every, offset)
                if fill:
                    first += every
            due[s] = first
            seen[s] = 1
        triggers = p >= due[s]
        named = name[s] != NO_NAME
        if triggers and named and not fits(size[s] + 1, rows, offsets, done):
            return i
        if every == 0 and base >= 0:
            _enter(base + i, s, p, link, head, tail, size, ring, last)
        if triggers:
            end = p if every == 0 else due[s]
            # The window is (end - period, end] without every, else [end - period, end).
            oldest = end - period + (1 if every == 0 else 0)
            _purge(s, oldest, link, head, size, node_time, ring, last)
            if named:
                emit(s, end, name[s], link, head, size, place, rows, offsets, out_slots, out_times, out_names, done)
            due[s] = truncated(p + every, every, offset) if align else p + every
        if every != 0 and base >= 0:
            _enter(base + i, s, p, link, head, tail, size, ring, last)
    return stop


@kernel(INT, I32, I64, INT, INT, INT, I32, I64_OUT, I64_OUT, *_QUEUE, *_OUTPUT, INT, INT)
def _by_count(
    slots: Any, times: Any, at: Any, stop: Any, base: Any, name: Any, count: Any, due: Any, link: Any, head: Any,
    tail: Any, size: Any, place: Any, _node_time: Any, rows: Any, offsets: Any, out_slots: Any, out_times: Any,
    out_names: Any, done: Any, period: Any, every: Any,
) -> Any:  # fmt: skip
    """As `_by_time`, for windows of the newest `period` points, every `every` points."""
    for i in range(at, stop):
        s = slots[i]
        triggers = count[s] + 1 == due[s]
        if triggers and not fits(size[s] + 1, rows, offsets, done):
            return i
        push(base + i, s, link, head, tail, size)
        if size[s] > period:
            pop(s, link, head, size)
        count[s] += 1
        if triggers:
            due[s] += every
            emit(s, times[i], name[s], link, head, size, place, rows, offsets, out_slots, out_times, out_names, done)
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
        # By time: whether `due` is set. By count: points received.
        self._seen: Any = np.zeros(0, np.int64 if self._by_count else np.uint8)
        self._due = np.zeros(0, np.int64)
        self._ring = np.zeros((0, 4), np.int32)
        self._last = np.zeros(0, np.int64)

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
        self._queues.follow_slots()
        slots = self._queues.slots
        if slots.room > len(self._seen):
            self._seen, self._due = grown(self._seen, slots.room), grown(self._due, slots.room)
            self._ring, self._last = grown(self._ring, slots.room), grown(self._last, slots.room)
        if len(slots.fresh):
            self._seen[slots.fresh] = 0
            self._due[slots.fresh] = self._first_due
            self._ring[slots.fresh] = 0

    def _run(self, slots: Any, times: Any, base: int, outbox: Outbox) -> None:
        q = self._queues
        run, ring = (_by_count, ()) if self._by_count else (_by_time, (self._ring, self._last))
        at, stop = 0, len(slots)
        while True:
            o = q.out
            at = run(
                slots, times, at, stop, base, q.slots.name, self._seen, self._due, q.link, q.head, q.tail, q.size,
                q.place, q.time, o.rows, o.offsets, o.slots, o.times, o.names, o.done, *ring, *self._settings,
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
        high = self._queues.slots.high
        return {
            "queues": self._queues.snapshot(),
            "seen": self._seen[:high].tobytes(),
            "due": self._due[:high].tobytes(),
            "ring": self._ring[:high].tobytes(),
            "last": self._last[:high].tobytes(),
        }

    def restore(self, state: Any) -> None:
        self._queues.restore(state["queues"])
        self._follow_slots()
        high = self._queues.slots.high
        self._seen[:high] = np.frombuffer(state["seen"], self._seen.dtype)
        self._due[:high] = np.frombuffer(state["due"], np.int64)
        self._ring[:high] = np.frombuffer(state["ring"], np.int32).reshape(-1, 4)
        self._last[:high] = np.frombuffer(state["last"], np.int64)
