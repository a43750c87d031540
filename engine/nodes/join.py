"""`|join()`: messages of several sources brought together by group and time (nodes.md §12).

The parents' slots are the sources. Messages wait in `Held`; which of them meet, and when they leave, is decided by the
kernels of `join_sets`, behind those of `join_pairs` where there is an `.on()`; `join_output` and `join_batches` make of it
what leaves. A group is known from its first message or barrier until its delete-group; a barrier without a bucket of its
time finds an empty one. What waits only for a partner of its key (`.on()`) when the data ends is dropped, as in the reference.
Which parent's process is ahead changes nothing of what meets.

Bound: see `skew`. Nothing waits for a clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.groups import make_groups
from engine.frames.model import STREAM, EventKind
from engine.frames.strings import Strings
from engine.nodes import join_pairs, join_sets
from engine.nodes.arrivals import Arrivals
from engine.nodes.held import Held
from engine.nodes.join_batches import batches
from engine.nodes.join_output import NO_FILL, NULL_FILL, Naming, points
from engine.nodes.join_sets import GROUP, MEMBERS, NEVER
from engine.nodes.outbox import Outbox
from engine.nodes.skew import DEFAULT_BYTES, Skew
from engine.nodes.times import round_half_up
from engine.operator import Report, TaskError
from engine.slots import GroupSlots, grown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.frames.model import Event, Frame, Groups, Section

_FIRST_LINES = 16384
_SHRINK = 4
_END = 1 << 62


class JoinOperator:
    """`parents` are the names of the sources, `as_` their prefixes; `tolerance` is int64 ns.

    `fill`: "null", an int or a float; anything else is no fill. Raises TaskError for another text than "null" and "none".
    """

    def __init__(
        self, *, parents: Sequence[str], as_: Sequence[str], on: Sequence[str] = (), delimiter: str = ".",
        tolerance: int = 0, fill: object = None, stream_name: str = "", delete_all: bool = False, batch: bool = False,
        most: int = DEFAULT_BYTES,
    ) -> None:  # fmt: skip
        self.report = Report()
        self._sources = len(parents)
        self._naming = Naming(tuple(p + delimiter for p in as_), _fill(fill), stream_name)
        self._on = tuple(on)
        self._tolerance = tolerance
        self._delete_all = delete_all
        self._batch = batch
        self._skew = Skew(parents, most)
        self._held = Held()
        self._slots = GroupSlots()
        self._fresh_group = np.full(GROUP + 2 * self._sources, -1, np.int64)
        self._fresh_group[GROUP : GROUP + self._sources] = NEVER
        self._fresh_group[2:GROUP] = 0
        self._groups = np.empty((0, len(self._fresh_group)), np.int64)
        self._sets = np.empty((_FIRST_LINES, join_sets.UNITS + self._sources), np.int64)
        self._counts = np.array([-1, 0, 0, 0], np.int64)
        self._out = np.empty((_FIRST_LINES, MEMBERS + self._sources), np.int64)
        self._done = np.zeros(3, np.int64)
        # For `.on()`: the keys, and what units bring with them.
        self._key_slots = GroupSlots()
        self._fresh_key = np.full(join_pairs.MARKS + self._sources, NEVER, np.int64)
        self._fresh_key[: join_pairs.MARKS] = 0
        self._keys = np.empty((0, len(self._fresh_key)), np.int64)
        self._own = np.empty((0, join_pairs.WIDTH), np.int64)
        self._heard = np.zeros(self._sources + 1, np.int64)
        self._sends = np.empty((_FIRST_LINES if self._on else 0, 4), np.int64)
        self._sent = np.zeros(3, np.int64)
        self._reached = np.zeros(self._sources, np.int64)

    @property
    def cardinality(self) -> int:
        return int(self._counts[join_sets.GROUPS])

    def collect(self, frame: Frame, parent: int) -> Sequence[Frame]:
        arrivals = Arrivals(frame)
        outbox = Outbox(frame.edge)
        base, position, times, keyed, specific = 0, 0, arrivals.time, arrivals, np.zeros(0, np.uint8)
        if arrivals.n:
            base = self._take_in(arrivals)
            times = round_half_up(times, self._tolerance)
            self._skew.saw(parent, int(arrivals.time.max()))
            if self._on:
                keyed, specific = self._by_key(frame, arrivals)
                position = self._position(frame)
        for start, stop, event in arrivals.segments():
            if stop > start:
                slots = self._map(arrivals, start, stop)
                when = times[start:stop]
                if self._on:
                    places = self._key_slots.map(keyed, start, stop)
                    self._keys = _follow(self._keys, self._key_slots, self._fresh_key)
                    self._run_pairs(slots, places, when, specific[start:stop], base + start, parent, position, outbox)
                else:
                    sources = np.full(stop - start, parent, np.int32)
                    self._run_sets(slots, sources, when, np.arange(base + start, base + stop), outbox)
            if event is not None:
                self._event(event, parent, outbox)
        if frame.position:
            self._reached[parent] = frame.position
            self._catch_up(outbox)
        self._flush(outbox)
        if self._skew.over(self._bytes()):
            self._compact()
            if self._skew.over(self._bytes()):
                error = self._skew.fail()
                raise TaskError(str(error), outbox.frames(0))
        return outbox.frames(frame.position)

    def _map(self, arrivals: Arrivals, start: int, stop: int) -> NDArray[np.int32]:
        slots = self._slots.map(arrivals, start, stop)
        self._groups = _follow(self._groups, self._slots, self._fresh_group)
        return slots

    def _take_in(self, arrivals: Arrivals) -> int:
        held = self._held
        if held.full(arrivals.n):
            if 2 * int(np.count_nonzero(self._used())) <= held.used:
                self._compact()
            if held.full(arrivals.n):
                held.make_room(arrivals.n)
        if self._on and len(self._own) < len(held.place):
            self._own = grown(self._own, len(held.place), None)
        return held.take_in(arrivals)

    def _run_sets(self, slots: Any, sources: Any, times: Any, units: Any, outbox: Outbox) -> None:
        """Let messages (or barriers, which have no unit) into their groups."""
        at = 0
        while True:
            at = join_sets.collect(slots, sources, times, units, at, self._sources, *self._store())
            if at == len(slots):
                return
            self._give_room(outbox)

    def _position(self, frame: Frame) -> int:
        """How far in the log others must be to have seen all that stands before the frame; 0 where there is no log."""
        furthest = int(self._reached.max())
        return frame.position or (furthest + 1 if furthest else 0)

    def _run_pairs(
        self, slots: Any, places: Any, times: Any, specific: Any, base: int, parent: int, position: int, outbox: Outbox
    ) -> None:
        """Let what follows from the messages of some keys into the groups of specific ones."""
        at, stop = 0, len(slots)
        while True:
            at = join_pairs.collect(
                slots, places, times, specific, at, stop, base, parent, self._sources, self._reached, position, self._keys,
                self._heard, self._own, self._sends, self._sent,
            )  # fmt: skip
            self._send(outbox)
            if at == stop:
                return

    def _catch_up(self, outbox: Outbox) -> None:
        """Let go what has waited for a source to come as far in the log."""
        if not self._sent[join_pairs.AWAITING]:
            return
        live = self._key_slots.live()
        at = 0
        while at < len(live):
            at = join_pairs.catch_up(
                live, at, self._sources, self._reached, self._keys, self._heard, self._own, self._sends, self._sent
            )
            self._send(outbox)

    def _send(self, outbox: Outbox) -> None:
        """Let what a kernel of pairs has sent into its groups, and make room where it stopped for want of it."""
        sends = np.array(self._sends[: self._sent[join_pairs.SENDS]].T, order="C")
        self._sent[join_pairs.SENDS] = 0
        self._run_sets(sends[0].astype(np.int32), sends[1].astype(np.int32), sends[2], sends[3], outbox)
        need = int(self._sent[join_pairs.NEED])
        if need > len(self._sends):
            self._sends = np.empty((2 * need, 4), np.int64)

    def _store(self) -> tuple[Any, ...]:
        return self._groups, self._sets, self._counts, self._out, self._done

    def _give_room(self, outbox: Outbox) -> None:
        """A kernel has stopped: empty the output, and make what is too small larger."""
        self._flush(outbox)
        self._sets = grown(self._sets, int(self._done[join_sets.NEED_SETS]), None)
        need = int(self._done[join_sets.NEED_ROWS])
        if need > len(self._out):
            self._out = np.empty((2 * need, self._out.shape[1]), np.int64)

    def _flush(self, outbox: Outbox) -> None:
        """Build what kernels have let leave."""
        count = int(self._done[join_sets.ROWS])
        if not count:
            return
        self._done[join_sets.ROWS] = 0
        lines = self._out[:count]
        if self._batch:
            outbox.add(*batches(lines, self._held, self._slots, self._naming, self._tolerance))
        else:
            outbox.add(*points(lines, self._held, self._slots, self._naming))

    def _by_key(self, frame: Frame, arrivals: Arrivals) -> tuple[Arrivals, NDArray[np.uint8]]:
        """The arrivals with their keys for groups, and which of them are specific."""
        keyed = tuple(s.with_(groups=self._key_groups(s)) for s in frame.sections)
        finer = [np.full(s.count, len(s.groups.dims) > len(self._on), np.uint8) for s in frame.sections]
        return Arrivals(frame.with_(sections=keyed)), arrivals.gather(finer)

    def _key_groups(self, section: Section) -> Groups:
        groups = section.groups
        of = dict(zip(groups.dims, groups.values, strict=True))
        nothing = Strings(np.zeros(len(groups) + 1, np.int32), np.zeros(0, np.uint8))
        values = [of.get(d, nothing) for d in self._on]
        return make_groups(self._on, groups.by_name, section.name, values, len(groups))

    def _event(self, event: Event, parent: int, outbox: Outbox) -> None:
        if event.group is not None and event.kind == EventKind.BARRIER:
            slot = self._slots.add(event.group)
            self._groups = _follow(self._groups, self._slots, self._fresh_group)
            self._skew.saw(parent, event.time)
            time = round_half_up(np.array([event.time], np.int64), self._tolerance)
            source = np.array([parent], np.int32)
            self._run_sets(np.array([slot], np.int32), source, time, np.array([-1], np.int64), outbox)
        # What left so far stands before the event, and refers to groups that it may end.
        self._flush(outbox)
        if event.group is not None and event.kind == EventKind.DELETE_GROUP:
            self._delete(event, parent)
        outbox.event(event)

    def _delete(self, event: Event, parent: int) -> None:
        assert event.group is not None
        slot = self._slots.delete(event.group)
        if slot >= 0:
            join_sets.drain(
                np.array([slot], np.int64), self._sources, self._groups, self._sets, self._counts, self._out[:0], self._done
            )  # fmt: skip
        if not self._on:
            return
        key = self._key_slots.find(event.group)
        if key >= 0:
            self._sent[join_pairs.AWAITING] -= self._keys[key, join_pairs.AWAITED] != 0
            self._keys[key, : join_pairs.MARKS] = 0
            self._keys[key, join_pairs.MARKS + parent] = NEVER
        if self._delete_all:
            self._keys[:, join_pairs.MARKS :] = NEVER
        if slot >= 0 and join_pairs.waits(self._key_slots.live(), slot, self._keys, self._own):
            # A specific message of the group waits for its partner still: its slot must stay the group's.
            self._slots.add(event.group)
            assert self._slots.fresh.tolist() == [slot]

    def finish(self) -> Sequence[Frame]:
        """All sets, group by group, oldest first."""
        outbox = Outbox(STREAM if not self._batch else "batch")
        self._reached[:] = _END
        self._catch_up(outbox)
        need = int(self._counts[join_sets.LIVE])
        if need:
            if need > len(self._out):
                self._out = np.empty((need, self._out.shape[1]), np.int64)
            join_sets.drain(self._slots.live(), self._sources, *self._store())
            self._flush(outbox)
        return outbox.frames(0)

    def _bytes(self) -> int:
        sets = int(self._counts[join_sets.LIVE]) * self._sets.shape[1]
        own = self._held.used * join_pairs.WIDTH if self._on else 0
        return self._held.bytes + 8 * (sets + own)

    def _used(self) -> NDArray[np.uint8]:
        """A flag for each unit: whether something refers to it."""
        used = np.zeros(self._held.used, np.uint8)
        join_sets.mark_units(self._slots.live(), self._sources, self._groups, self._sets, used)
        if self._on:
            join_pairs.mark_units(self._key_slots.live(), self._keys, self._own, used)
        return used

    def _compact(self) -> None:
        """Drop the units that nothing refers to, and room for sets that is far too large."""
        used = self._used()
        units = np.flatnonzero(used)
        numbers = np.cumsum(used, dtype=np.int64) - 1
        join_sets.renumber_units(self._slots.live(), self._sources, self._groups, self._sets, numbers)
        if self._on:
            join_pairs.renumber_units(self._key_slots.live(), self._keys, self._own, numbers)
            self._own[: len(units)] = self._own.take(units, axis=0)
        self._held.keep(units)
        if self._on and len(self._own) > len(self._held.place):
            self._own = self._own[: len(self._held.place)].copy()
        live = int(self._counts[join_sets.LIVE])
        if len(self._sets) > _SHRINK * live + _FIRST_LINES:
            packed = np.empty((max(2 * live, _FIRST_LINES), self._sets.shape[1]), np.int64)
            join_sets.repack(self._slots.live(), self._sources, self._groups, self._sets, self._counts, packed)
            self._sets = packed
            self._out = np.empty((_FIRST_LINES, self._out.shape[1]), np.int64)

    def snapshot(self) -> Any:
        """Plain msgpack values; slot, set and unit numbers are kept."""
        self._compact()
        return {
            "held": self._held.snapshot(),
            "slots": self._slots.snapshot(),
            "groups": self._groups[: self._slots.high].tobytes(),
            "sets": self._sets[: self._counts[join_sets.HIGH]].tobytes(),
            "counts": self._counts.tobytes(),
            "key_slots": self._key_slots.snapshot(),
            "keys": self._keys[: self._key_slots.high].tobytes(),
            "own": self._own[: self._held.used].tobytes(),
            "heard": self._heard.tobytes(),
            "awaiting": int(self._sent[join_pairs.AWAITING]),
            "reached": self._reached.tobytes(),
            "skew": self._skew.snapshot(),
        }

    def restore(self, state: Any) -> None:
        self._held.restore(state["held"])
        self._slots.restore(state["slots"])
        self._groups = grown(_lines(state["groups"], self._groups), self._slots.room, None)
        self._sets = grown(_lines(state["sets"], self._sets), _FIRST_LINES, None)
        self._counts = np.frombuffer(state["counts"], np.int64).copy()
        self._key_slots.restore(state["key_slots"])
        self._keys = grown(_lines(state["keys"], self._keys), self._key_slots.room, None)
        self._own = _lines(state["own"], self._own)
        self._heard = np.frombuffer(state["heard"], np.int64).copy()
        self._sent[join_pairs.AWAITING] = state["awaiting"]
        self._reached = np.frombuffer(state["reached"], np.int64).copy()
        self._skew.restore(state["skew"])


def _fill(fill: object) -> str | int | float:
    if fill == NULL_FILL or type(fill) is int or type(fill) is float:
        return fill
    if isinstance(fill, str) and fill != NO_FILL:
        raise TaskError(f"unexpected fill option {fill}")
    return NO_FILL


def _follow(lines: NDArray[np.int64], slots: GroupSlots, fresh: NDArray[np.int64]) -> NDArray[np.int64]:
    """The lines with room for all slots; those of new slots begin as `fresh`."""
    if slots.room > len(lines):
        lines = grown(lines, slots.room, None)
    if len(slots.fresh):
        lines[slots.fresh] = fresh
    return lines


def _lines(raw: bytes, like: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.frombuffer(raw, np.int64).reshape(-1, like.shape[1]).copy()
