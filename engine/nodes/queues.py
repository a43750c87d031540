"""Rows waiting per group, in order of arrival: the memory of windows and of same-time runs.

The rows of a frame are copied into pools (one a schema) and numbered as *nodes*; a group's queue is a linked list of
nodes. Kernels append nodes at the tail, drop them at the front and write what a batch holds into the output arrays of
`Emission`. Always: a node belongs to at most one queue; nodes in no queue are garbage, which `take_in` removes when it
outweighs the living before it would have to grow. So memory is bounded by four times the rows in queues, or one frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.jit import I32, I32_OUT, I64, I64_OUT, INT, array, helper, kernel
from engine.frames.model import Batches, Groups, Section
from engine.frames.reshape import concat_sections, take_columns, take_groups, widen
from engine.nodes.pool import Pool, Schema, schema_of
from engine.slots import GroupSlots, grown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.nodes.arrivals import Arrivals
    from engine.nodes.outbox import Outbox

STATE = array(I64_OUT.dtype, writable=True, ndim=2)
_FIRST_ROWS = 8192
_SHRINK = 4
ROWS, BATCHES, NEED = 0, 1, 2
HEAD, TAIL, SIZE = 0, 1, 2
OWN = 3
"""Columns of `Queues.state` from here on are the operator's."""
WIDTH = 8


@helper
def push(node: Any, slot: Any, link: Any, state: Any) -> Any:
    """Append the node to the slot's queue."""
    link[node] = -1
    if state[slot, SIZE] == 0:
        state[slot, HEAD] = node
    else:
        link[state[slot, TAIL]] = node
    state[slot, TAIL] = node
    state[slot, SIZE] += 1


@helper
def pop(slot: Any, link: Any, state: Any) -> Any:
    """Drop the front of the slot's queue."""
    state[slot, HEAD] = link[state[slot, HEAD]]
    state[slot, SIZE] -= 1


@helper
def fits(count: Any, rows: Any, offsets: Any, done: Any) -> Any:
    """Whether a batch of `count` rows fits into the output; if not even an empty output has room, says how much is needed."""
    if done[BATCHES] + 1 < len(offsets) and done[ROWS] + count <= len(rows):
        return True
    done[NEED] = count
    return False


@helper
def emit(
    slot: Any, time: Any, name: Any, link: Any, state: Any, place: Any, rows: Any, offsets: Any, slots: Any, times: Any,
    names: Any, done: Any,
) -> Any:  # fmt: skip
    """Write the slot's whole queue as one batch; `fits` was asked before."""
    at = done[ROWS]
    node = state[slot, HEAD]
    for _ in range(state[slot, SIZE]):
        rows[at] = place[node]
        node = np.int64(link[node])
        at += 1
    b = done[BATCHES]
    slots[b] = slot
    times[b] = time
    names[b] = name
    offsets[b + 1] = at
    done[ROWS] = at
    done[BATCHES] = b + 1


@kernel(INT, I64, STATE, I32, I64_OUT, I32_OUT)
def _line_up(slots: Any, state: Any, link: Any, nodes: Any, new_link: Any) -> Any:
    """Renumber all nodes in queues, queue by queue: `nodes` are their old numbers; how many."""
    at = 0
    for slot in slots:
        n = state[slot, SIZE]
        if n == 0:
            continue
        node = state[slot, HEAD]
        state[slot, HEAD] = at
        for _ in range(n):
            nodes[at] = node
            new_link[at] = at + 1
            node = np.int64(link[node])
            at += 1
        state[slot, TAIL] = at - 1
        new_link[at - 1] = -1
    return at


class Emission:
    """Output arrays that kernels fill: batches with their slots, times, names and row places, until they are taken."""

    def __init__(self) -> None:
        self.rows = np.empty(_FIRST_ROWS, np.int64)
        self.offsets = np.zeros(_FIRST_ROWS + 1, np.int32)
        self.slots = np.empty(_FIRST_ROWS, np.int32)
        self.times = np.empty(_FIRST_ROWS, np.int64)
        self.names = np.empty(_FIRST_ROWS, np.int32)
        self.done = np.zeros(3, np.int64)


class Queues:
    """The queues of all groups of an operator.

    `state` is int64[room, WIDTH], a line a slot: the queue's head, tail and size, then what the operator keeps there.
    Per node: `link`, the next node; `place`, its row as pool << 32 | row of the pool; `time`.
    """

    def __init__(self, slots: GroupSlots | None = None, *, compacts: bool = True) -> None:
        """`slots` where the operator has some already. `compacts=False`: rows in no queue are kept too."""
        self._compacts = compacts
        self.slots = GroupSlots() if slots is None else slots
        self.used = 0
        self.link = np.empty(0, np.int32)
        self.place = np.empty(0, np.int64)
        self.time = np.empty(0, np.int64)
        self.state = np.zeros((0, WIDTH), np.int64)
        self.out = Emission()
        self._pools: list[Pool] = []
        self._numbers: dict[Schema, int] = {}

    def take_in(self, arrivals: Arrivals, sections: Sequence[Section]) -> int:
        """Copy the rows of a stream frame (`sections` stand for the frame's, perhaps with fewer columns).

        Gives the node of the first arrival; the others follow in order. Nodes are in no queue yet.
        """
        n = arrivals.n
        if self.used + n > len(self.link):
            self._make_room(n)
        base = self.used
        stop = base + n
        self.time[base:stop] = arrivals.time
        if arrivals.single is not None:
            first = self._append(sections[0])
            self.place[base:stop] = np.arange(first, first + n)
        else:
            starts = [self._append(s) for s in sections]
            columns = [np.arange(a, a + s.rows) for a, s in zip(starts, sections, strict=True)]
            self.place[base:stop] = arrivals.gather(columns)
        self.used = stop
        return base

    def _append(self, section: Section) -> int:
        schema = schema_of(section)
        number = self._numbers.get(schema)
        if number is None:
            number = len(self._pools)
            self._numbers[schema] = number
            self._pools.append(Pool(section))
        return (number << 32) + self._pools[number].append(section)

    def follow_slots(self) -> None:
        """Give the slots that the last `map` or `add` made an empty line of `state`."""
        if self.slots.room > len(self.state):
            self.state = grown(self.state, self.slots.room)
        if len(self.slots.fresh):
            self.state[self.slots.fresh] = 0

    def _live(self) -> int:
        return int(self.state[: self.slots.high, SIZE].sum())

    def _make_room(self, more: int) -> None:
        if self._compacts:
            live = self._live()
            if 2 * live <= self.used:
                self._compact(live)
        if self.used + more > len(self.link):
            need = self.used + more
            self.link, self.place = grown(self.link, need, None), grown(self.place, need, None)
            self.time = grown(self.time, need, None)

    def _compact(self, live: int) -> None:
        """Drop the nodes in no queue, and their rows; arrays stay as they are, unless they are far too large."""
        nodes, link = np.empty(live, np.int64), np.empty(live, np.int32)
        _line_up(self.slots.live(), self.state, self.link, nodes, link)
        place = self.place.take(nodes)
        if len(self._pools) == 1 and live:
            self._pools[0].keep(place)
            place = np.arange(live)
        else:
            place = self._compact_pools(place)
        time = self.time.take(nodes)
        if len(self.link) > _SHRINK * live + _FIRST_ROWS:
            self.link, self.place, self.time = link, place, time
        else:
            self.link[:live], self.place[:live], self.time[:live] = link, place, time
        self.used = live

    def _compact_pools(self, place: NDArray[np.int64]) -> NDArray[np.int64]:
        """Keep the rows at these places, in this order; their new places. Pools without rows go."""
        numbers = place >> 32
        kept: list[Pool] = []
        for number, pool in enumerate(self._pools):
            mine = np.flatnonzero(numbers == number)
            if len(mine):
                pool.keep(place[mine] & 0xFFFFFFFF)
                place[mine] = np.arange(len(mine)) + (len(kept) << 32)
                kept.append(pool)
        self._pools = kept
        self._numbers = {pool.schema: i for i, pool in enumerate(kept)}
        return place

    def drop(self, slot: int) -> None:
        """Forget the slot's rows."""
        self.state[slot, SIZE] = 0

    def widen_output(self) -> None:
        """Make the output large enough for the one batch that did not fit."""
        need = int(self.out.done[NEED])
        if need > len(self.out.rows):
            self.out.rows = np.empty(need, np.int64)

    def flush(self, outbox: Outbox) -> None:
        """Build the batches that kernels have written, and empty the output."""
        out = self.out
        count = int(out.done[BATCHES])
        if not count:
            return
        rows = out.rows[: out.done[ROWS]]
        offsets = out.offsets[: count + 1].copy()
        slots, names = out.slots[:count], out.names[:count]
        sections, order = self.build(rows, offsets, out.times[:count].copy(), slots, names)
        out.done[ROWS] = out.done[BATCHES] = 0
        if len(out.rows) > _FIRST_ROWS:
            out.rows = np.empty(_FIRST_ROWS, np.int64)
        outbox.add(sections, order)

    def build(
        self, rows: NDArray[np.int64], offsets: NDArray[np.int32], times: NDArray[np.int64], slots: NDArray[np.int32],
        names: NDArray[np.int32],
    ) -> tuple[list[Section], NDArray[np.uint16] | None]:  # fmt: skip
        """Batches of the rows at these places, with slot, time and name each, as sections and their order."""
        layouts = self.slots.layout_numbers(slots)
        if len(self._pools) == 1 and layouts is None and (names[0] == names).all():
            return [self._batches(rows, offsets, times, slots, int(names[0]))], None
        kinds = self._kinds(rows, offsets, names, layouts)
        distinct, first, order = np.unique(kinds, return_index=True, return_inverse=True)
        sections = []
        for k in range(len(distinct)):
            which = np.flatnonzero(order == k)
            size = np.diff(offsets)[which]
            mine = np.zeros(len(which) + 1, np.int32)
            np.cumsum(size, out=mine[1:])
            index = np.repeat(offsets[:-1][which] - mine[:-1], size) + np.arange(mine[-1])
            name = int(names[first[k]])
            sections.append(self._batches(rows.take(index), mine, times[which], slots[which], name))
        return sections, None if len(sections) == 1 else order.astype(np.uint16)

    def _kinds(
        self, rows: NDArray[np.int64], offsets: NDArray[np.int32], names: NDArray[np.int32],
        layouts: NDArray[np.int32] | None,
    ) -> NDArray[np.int64]:  # fmt: skip
        """Numbers that are equal for batches that may lie in one section: same pools, name and dimensions."""
        pools = np.zeros(len(names), np.int64)
        filled = np.flatnonzero(np.diff(offsets))
        if len(filled):
            numbers = rows >> 32
            starts = offsets[:-1][filled]
            low, high = np.minimum.reduceat(numbers, starts), np.maximum.reduceat(numbers, starts)
            pools[filled] = np.where(low == high, low, len(self._pools))
        kinds = pools * len(self.slots.names) + names
        return kinds if layouts is None else kinds * (int(layouts.max()) + 1) + layouts

    def _batches(
        self, rows: NDArray[np.int64], offsets: NDArray[np.int32], times: NDArray[np.int64], slots: NDArray[np.int32],
        name: int,
    ) -> Section:  # fmt: skip
        _, table, codes = next(iter(self.slots.tables(slots)))
        groups, group = take_groups(table, codes)
        bare = self._take(rows, self.slots.names[name], groups)
        return bare.with_(group=group, batches=Batches(offsets, times))

    def _take(self, rows: NDArray[np.int64], name: str, groups: Groups) -> Section:
        """The rows at these places, of any pools, as a section without groups."""
        numbers = rows >> 32
        inside = rows & 0xFFFFFFFF
        if not self._pools:
            return Section(name, np.empty(0, np.int64), {}, {}, groups)
        if len(numbers) == 0 or len(self._pools) == 1 or (numbers == numbers[0]).all():
            return self._pools[int(numbers[0]) if len(numbers) else 0].section(inside, name, groups)
        pieces, places = [], []
        for number in np.unique(numbers).tolist():
            mine = np.flatnonzero(numbers == number)
            pieces.append(self._pools[number].section(inside[mine], name, groups))
            places.append(mine)
        joined = concat_sections(widen(pieces))
        back = np.empty(len(rows), np.int64)
        back[np.concatenate(places)] = np.arange(len(rows))
        tags, fields = take_columns(joined, back)
        return Section(name, joined.time.take(back), tags, fields, groups)

    def snapshot_rows(self) -> dict[str, Any]:
        """The rows and slots as plain msgpack values, without the queues."""
        return {
            "slots": self.slots.snapshot(),
            "place": self.place[: self.used].tobytes(),
            "pools": [pool.snapshot() for pool in self._pools],
        }

    def restore_rows(self, state: dict[str, Any]) -> None:
        """Take over what `snapshot_rows` gave."""
        self.slots.restore(state["slots"])
        self._pools = [Pool.restored(s) for s in state["pools"]]
        self._numbers = {pool.schema: i for i, pool in enumerate(self._pools)}
        self.place = np.frombuffer(state["place"], np.int64).copy()
        self.used = len(self.place)
        self.time = np.empty(self.used, np.int64)
        self.link = np.full(self.used, -1, np.int32)
        for number, pool in enumerate(self._pools):
            mine = np.flatnonzero(self.place >> 32 == number)
            self.time[mine] = pool.take(self.place[mine] & 0xFFFFFFFF)[0]
        self.follow_slots()

    def snapshot(self) -> dict[str, Any]:
        """Plain msgpack values; only the living rows, queue by queue."""
        self._compact(self._live())
        return {**self.snapshot_rows(), "state": self.state[: self.slots.high].tobytes()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `snapshot` gave."""
        self.restore_rows(state)
        high = self.slots.high
        self.state[:high] = np.frombuffer(state["state"], np.int64).reshape(-1, WIDTH)
        # The snapshot lined the nodes up queue by queue.
        self.link = np.arange(1, self.used + 1, dtype=np.int32)
        live = self.slots.live()
        self.link[self.state[live[self.state[live, SIZE] > 0], TAIL]] = -1
