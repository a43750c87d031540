"""The group slot table: dense numbers for the groups that a node has seen, so that their state lies in arrays.

A group's identity is its 128-bit hash; its slot is an index into the operator's state arrays. A deleted group's number
is used again, so an operator resets the state of every slot in `fresh` before it uses it. What output needs of a group
(dimensions, values, the name it was first seen with) is kept in columns too, so that the group table of thousands of
batches is one gather.

Always: `len(self)` slots are live, all below `high`; a live slot is found by its hash and by nothing else. Bound: as
many slots as live groups; the tables shrink with deletions by at most a factor of two behind. There is no expiry but
delete-group (spec "Pipeline nodes" §2.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from engine.frames.jit import HASHES, HASHES_OUT, I32_OUT, I64_OUT, INT, U32, array, helper, kernel
from engine.frames.model import GroupInfo, Groups, nil_groups
from engine.frames.strings import Strings, concat_strings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from engine.nodes.arrivals import Arrivals

_PAIRS = array(types.int64, writable=True, ndim=2)
_EMPTY, _GONE = -1, -2
_LIVE, _FILLED, _HIGH, _FREE = 0, 1, 2, 3
_LEAST = 64
_NONE = np.zeros(0, np.int64)
NO_NAME = -1
"""Name number of a group of which only a barrier was seen."""


@helper
def _home(h0: Any, size: Any) -> Any:
    return np.int64(h0 & np.uint64(size - 1))


@helper
def _find(keys: Any, table: Any, h0: Any, h1: Any) -> Any:
    """The place of the key, or -1 - (the place where it belongs)."""
    size = len(table)
    i = _home(h0, size)
    gap = np.int64(-1)
    while table[i] != _EMPTY:
        if table[i] == _GONE:
            if gap < 0:
                gap = i
        elif keys[i, 0] == h0 and keys[i, 1] == h1:
            return i
        i = (i + 1) & (size - 1)
    if gap < 0:
        gap = i
    return -1 - gap


@helper
def _insert(keys: Any, table: Any, place: Any, h0: Any, h1: Any, free: Any, counts: Any) -> Any:
    """Give the key a slot at its place (which `_find` gave)."""
    if table[place] == _EMPTY:
        counts[_FILLED] += 1
    if counts[_FREE] > 0:
        counts[_FREE] -= 1
        slot = free[counts[_FREE]]
    else:
        slot = counts[_HIGH]
        counts[_HIGH] += 1
    counts[_LIVE] += 1
    keys[place, 0] = h0
    keys[place, 1] = h1
    table[place] = slot
    return slot


@kernel(INT, U32, INT, INT, HASHES, I32_OUT, HASHES_OUT, I32_OUT, I64_OUT, I64_OUT, I32_OUT, _PAIRS)
def _assign(
    codes: Any, start: Any, stop: Any, hashes: Any, known: Any, keys: Any, table: Any, free: Any, counts: Any,
    out: Any, new: Any,
) -> Any:  # fmt: skip
    """Slots of codes[start:stop]; `known` (int32 a group, all -1) saves look-ups. Room for all groups is the caller's care.

    New slots and the codes that they are for go to `new`; how many.
    """
    fresh = 0
    for i in range(start, stop):
        c = codes[i]
        slot = np.int64(known[c])
        if slot < 0:
            place = _find(keys, table, hashes[c, 0], hashes[c, 1])
            if place < 0:
                slot = _insert(keys, table, -1 - place, hashes[c, 0], hashes[c, 1], free, counts)
                new[fresh, 0] = slot
                new[fresh, 1] = c
                fresh += 1
            else:
                slot = np.int64(table[place])
            known[c] = slot
        out[i - start] = slot
    for i in range(start, stop):
        known[codes[i]] = -1
    return fresh


_ONE_KEY = (array(types.uint64), HASHES_OUT, I32_OUT, I64_OUT, I64_OUT)


@kernel(INT, array(types.uint64), HASHES_OUT, I32_OUT)
def _lookup(key: Any, keys: Any, table: Any) -> Any:
    place = _find(keys, table, key[0], key[1])
    return np.int64(table[place]) if place >= 0 else np.int64(-1)


@kernel(INT, *_ONE_KEY)
def _put(key: Any, keys: Any, table: Any, free: Any, counts: Any) -> Any:
    place = _find(keys, table, key[0], key[1])
    return _insert(keys, table, -1 - place, key[0], key[1], free, counts)


@kernel(INT, *_ONE_KEY)
def _remove(key: Any, keys: Any, table: Any, free: Any, counts: Any) -> Any:
    place = _find(keys, table, key[0], key[1])
    if place < 0:
        return np.int64(-1)
    slot = np.int64(table[place])
    table[place] = _GONE
    free[counts[_FREE]] = slot
    counts[_FREE] += 1
    counts[_LIVE] -= 1
    return slot


@kernel(types.void, HASHES, I32_OUT, INT, HASHES_OUT, I32_OUT, I64_OUT)
def _fill(hashes: Any, live: Any, high: Any, keys: Any, table: Any, counts: Any) -> Any:
    """Enter all live slots into an empty table."""
    for slot in range(high):
        if live[slot]:
            place = -1 - _find(keys, table, hashes[slot, 0], hashes[slot, 1])
            keys[place, 0] = hashes[slot, 0]
            keys[place, 1] = hashes[slot, 1]
            table[place] = slot
            counts[_FILLED] += 1


def grown(values: NDArray[Any], size: int, fill: Any = 0) -> NDArray[Any]:
    """The array with room for at least `size`: itself, or a copy of twice the length.

    New places hold `fill`; None: anything.
    """
    if len(values) >= size:
        return values
    shape = (max(size, 2 * len(values), _LEAST), *values.shape[1:])
    out = np.empty(shape, values.dtype) if fill is None else np.full(shape, fill, values.dtype)
    out[: len(values)] = values
    return out


class _Layout:
    """The groups of one set of dimensions, in columns; entries of deleted groups stay until they are half."""

    def __init__(self, dims: tuple[str, ...], by_name: bool) -> None:
        self.dims = dims
        self.by_name = by_name
        self.parts: list[Groups] = []
        self.size = 0
        self.garbage = 0

    def append(self, groups: Groups) -> int:
        """Add entries; the number of the first."""
        first = self.size
        self.parts.append(groups)
        self.size += len(groups)
        return first

    def table(self) -> Groups:
        if len(self.parts) > 1:
            values = tuple(concat_strings([p.values[d] for p in self.parts]) for d in range(len(self.dims)))
            hashes = np.concatenate([p.hashes for p in self.parts])
            self.parts = [Groups(self.dims, self.by_name, values, hashes)]
        return self.parts[0]


class GroupSlots:
    """Slots for groups. `high` bounds the slot numbers; `fresh` are the slots that the last `map` or `add` made."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._name_numbers: dict[str, int] = {}
        self._layouts: list[_Layout] = []
        self._layout_numbers: dict[tuple[tuple[str, ...], bool], int] = {}
        self._counts = np.zeros(4, np.int64)
        self._keys = np.zeros((_LEAST, 2), np.uint64)
        self._table = np.full(_LEAST, _EMPTY, np.int32)
        self._free = np.zeros(_LEAST, np.int64)
        self._live = np.zeros(_LEAST, np.int32)
        self._hashes = np.zeros((_LEAST, 2), np.uint64)
        self._layout = np.zeros(_LEAST, np.int32)
        self._entry = np.zeros(_LEAST, np.int64)
        self.name = np.full(_LEAST, NO_NAME, np.int32)
        self._nameless = 0
        self.fresh: NDArray[np.int64] = _NONE
        # Scratch of `map`: slots by group code, all -1 between calls; new slots and their codes.
        self._known = np.full(_LEAST, -1, np.int32)
        self._new = np.empty((_LEAST, 2), np.int64)

    def __len__(self) -> int:
        return int(self._counts[_LIVE])

    @property
    def high(self) -> int:
        """One more than the highest slot number ever used."""
        return int(self._counts[_HIGH])

    def map(self, arrivals: Arrivals, start: int, stop: int) -> NDArray[np.int32]:
        """The slots of the points (batches) `start:stop` of a frame, int32[stop - start]; unknown groups get one."""
        hashes = arrivals.hashes
        most = min(len(hashes), stop - start)
        self._reserve(most)
        if len(hashes) > len(self._known):
            self._known = np.full(2 * len(hashes), -1, np.int32)
        if most > len(self._new):
            self._new = np.empty((2 * most, 2), np.int64)
        out = np.empty(stop - start, np.int32)
        found = _assign(
            arrivals.groups, start, stop, hashes, self._known, self._keys, self._table, self._free, self._counts, out,
            self._new,
        )  # fmt: skip
        self.fresh = _NONE
        if found:
            self.fresh = self._new[:found, 0].copy()
            for section, where, local in arrivals.sections_of_groups(self._new[:found, 1].copy()):
                chosen = self.fresh if where is None else self.fresh[where]
                self._record(chosen, section.groups, local, self.name_number(section.name))
        if self._nameless:
            self._name_them(out, arrivals, start)
        return out

    def _name_them(self, slots: NDArray[np.int32], arrivals: Arrivals, start: int) -> None:
        """Groups that only barriers had announced take their name from the first point."""
        for i in np.flatnonzero(self.name[slots] == NO_NAME).tolist():
            slot = slots[i]
            if self.name[slot] == NO_NAME:
                self.name[slot] = self.name_number(arrivals.section_at(start + i).name)
                self._nameless -= 1

    def _record(self, slots: NDArray[np.int64], groups: Groups, codes: NDArray[np.int64], name: int) -> None:
        number = self._layout_number(groups.dims, groups.by_name)
        hashes = groups.hashes.take(codes, axis=0)
        values = tuple(v.take(codes) for v in groups.values)
        first = self._layouts[number].append(Groups(groups.dims, groups.by_name, values, hashes))
        self._live[slots] = 1
        self._hashes[slots] = hashes
        self._layout[slots] = number
        self._entry[slots] = np.arange(first, first + len(slots))
        self.name[slots] = name

    def _layout_number(self, dims: tuple[str, ...], by_name: bool) -> int:
        number = self._layout_numbers.get((dims, by_name))
        if number is None:
            number = len(self._layouts)
            self._layout_numbers[dims, by_name] = number
            self._layouts.append(_Layout(dims, by_name))
        return number

    def name_number(self, name: str) -> int:
        """The number by which `names` has the measurement."""
        number = self._name_numbers.get(name)
        if number is None:
            number = len(self.names)
            self._name_numbers[name] = number
            self.names.append(name)
        return number

    def find(self, info: GroupInfo) -> int:
        """The group's slot, or -1."""
        return int(_lookup(np.array(info.hash, np.uint64), self._keys, self._table))

    def add(self, info: GroupInfo) -> int:
        """The group's slot, made if it has none; its name stays open until a point tells it."""
        slot = self.find(info)
        self.fresh = _NONE
        if slot < 0:
            self._reserve(1)
            key = np.array(info.hash, np.uint64)
            slot = int(_put(key, self._keys, self._table, self._free, self._counts))
            self.fresh = np.array([slot], np.int64)
            values = tuple(Strings.of([v]) for v in info.tags)
            groups = Groups(info.dims, info.by_name, values, key.reshape(1, 2))
            self._record(self.fresh, groups, np.zeros(1, np.int64), NO_NAME)
            self._nameless += 1
        return slot

    def delete(self, info: GroupInfo) -> int:
        """Forget the group; the slot that it had, or -1."""
        key = np.array(info.hash, np.uint64)
        slot = int(_remove(key, self._keys, self._table, self._free, self._counts))
        if slot >= 0:
            self._live[slot] = 0
            self._nameless -= int(self.name[slot] == NO_NAME)
            layout = self._layouts[self._layout[slot]]
            layout.garbage += 1
            if layout.garbage > max(_LEAST, layout.size // 2):
                self._compact(int(self._layout[slot]))
        return slot

    def _compact(self, number: int) -> None:
        layout = self._layouts[number]
        high = self.high
        keep = np.flatnonzero((self._live[:high] != 0) & (self._layout[:high] == number))
        table, entries = layout.table(), self._entry[keep]
        values = tuple(v.take(entries) for v in table.values)
        layout.parts = [Groups(table.dims, table.by_name, values, table.hashes.take(entries, axis=0))]
        layout.size, layout.garbage = len(keep), 0
        self._entry[keep] = np.arange(len(keep))

    def _reserve(self, more: int) -> None:
        """Room for `more` further groups: in the table (at most half full) and in the columns."""
        counts = self._counts
        filled, high = int(counts[_FILLED]), int(counts[_HIGH])
        if 2 * (filled + more) <= len(self._table) and high + more <= len(self._live):
            return
        if 2 * (filled + more) > len(self._table):
            size = _LEAST
            while size < 2 * (len(self) + more):
                size *= 2
            self._keys = np.zeros((2 * size, 2), np.uint64)
            self._table = np.full(2 * size, _EMPTY, np.int32)
            counts[_FILLED] = 0
            _fill(self._hashes, self._live, self.high, self._keys, self._table, counts)
        need = high + more
        if need > len(self._live):
            self._free = grown(self._free, need)
            self._live = grown(self._live, need)
            self._hashes = grown(self._hashes, need)
            self._layout = grown(self._layout, need)
            self._entry = grown(self._entry, need)
            self.name = grown(self.name, need, NO_NAME)

    @property
    def room(self) -> int:
        """A size of state arrays that holds all slots and grows by doubling."""
        return len(self._live)

    def live(self) -> NDArray[np.int64]:
        """The live slots, ascending."""
        return np.flatnonzero(self._live[: self.high])

    def tables(self, slots: NDArray[Any]) -> Iterator[tuple[NDArray[np.int64] | None, Groups, NDArray[np.uint32]]]:
        """Group tables for these slots: which of them (None: all), the table, and their codes in it (uint32)."""
        if len(self._layouts) == 1:
            yield None, *self._table_of(0, slots)
            return
        numbers = self._layout.take(slots)
        for number in np.unique(numbers).tolist():
            which = np.flatnonzero(numbers == number)
            yield which, *self._table_of(number, slots[which])

    def _table_of(self, number: int, slots: NDArray[Any]) -> tuple[Groups, NDArray[np.uint32]]:
        layout = self._layouts[number]
        if not layout.dims and not layout.by_name:
            return nil_groups(), np.zeros(len(slots), np.uint32)
        return layout.table(), self._entry.take(slots).astype(np.uint32)

    def layout_numbers(self, slots: NDArray[Any]) -> NDArray[np.int32] | None:
        """Numbers that are equal for groups of equal dimensions, int32 a slot; None where all are equal."""
        return None if len(self._layouts) == 1 else self._layout.take(slots)

    def info(self, slot: int) -> GroupInfo:
        """The group by itself, with the name it was first seen with ("" where that is open)."""
        layout = self._layouts[self._layout[slot]]
        table, entry = layout.table(), int(self._entry[slot])
        name = int(self.name[slot])
        tags = tuple(v[entry] for v in table.values)
        h = self._hashes[slot]
        text = "" if name < 0 else self.names[name]
        return GroupInfo(text, layout.dims, layout.by_name, tags, (int(h[0]), int(h[1])))

    def snapshot(self) -> dict[str, Any]:
        """Plain msgpack values; slot numbers are kept."""
        high = self.high
        layouts = []
        for layout in self._layouts:
            table = layout.table()
            values = [[v.offsets.tobytes(), v.data[: v.offsets[-1]].tobytes()] for v in table.values]
            layouts.append([list(layout.dims), layout.by_name, layout.garbage, values, table.hashes.tobytes()])
        return {
            "names": self.names,
            "counts": self._counts.tobytes(),
            "free": self._free[: self._counts[_FREE]].tobytes(),
            "live": self._live[:high].tobytes(),
            "hashes": self._hashes[:high].tobytes(),
            "layout": self._layout[:high].tobytes(),
            "entry": self._entry[:high].tobytes(),
            "name": self.name[:high].tobytes(),
            "layouts": layouts,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `snapshot` gave."""
        self.__init__()  # type: ignore[misc]
        for name in state["names"]:
            self.name_number(name)
        counts = np.frombuffer(state["counts"], np.int64)
        for dims, by_name, garbage, values, hashes in state["layouts"]:
            layout = self._layouts[self._layout_number(tuple(dims), by_name)]
            strings = tuple(
                Strings(np.frombuffer(o, np.int32).copy(), np.frombuffer(d, np.uint8).copy()) for o, d in values
            )
            layout.append(Groups(layout.dims, by_name, strings, np.frombuffer(hashes, np.uint64).reshape(-1, 2).copy()))
            layout.garbage = garbage
        high = int(counts[_HIGH])
        self._reserve(high)
        free = np.frombuffer(state["free"], np.int64)
        self._free[: len(free)] = free
        self._live[:high] = np.frombuffer(state["live"], np.int32)
        self._hashes[:high] = np.frombuffer(state["hashes"], np.uint64).reshape(-1, 2)
        self._layout[:high] = np.frombuffer(state["layout"], np.int32)
        self._entry[:high] = np.frombuffer(state["entry"], np.int64)
        self.name[:high] = np.frombuffer(state["name"], np.int32)
        self._nameless = int(np.count_nonzero(self._live[:high] * (self.name[:high] == NO_NAME)))
        self._counts[:] = counts
        self._counts[_FILLED] = 0
        _fill(self._hashes, self._live, high, self._keys, self._table, self._counts)
