"""Group slots: every group its own slot, found again, given away again, through growth and restores."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.nodes.arrivals import Arrivals
from engine.slots import NO_NAME, GroupSlots, grown
from tests.engine.nodes.messages import Group, Point, frames_of, info_of

GROUPS = st.builds(
    lambda h, by_name, name: Group(("h",), (h,), by_name, name if by_name else ""),
    st.sampled_from([f"host{i}" for i in range(40)]),
    st.booleans(),
    st.sampled_from(["m", "n"]),
)


def point(group: Group, name: str = "m") -> Point:
    return Point(group.name or name, 0, {}, group.tags, group.dims, group.by_name)


class Machine(RuleBasedStateMachine):
    """Against a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.slots = GroupSlots()
        self.known: dict[Group, int] = {}
        self.names: dict[Group, str] = {}

    @rule(groups=st.lists(GROUPS, max_size=30))
    def map(self, groups: list[Group]) -> None:
        if not groups:
            return
        [frame] = frames_of([point(g) for g in groups], "stream", [])
        found = self.slots.map(Arrivals(frame), 0, len(groups)).tolist()
        fresh = list(dict.fromkeys(g for g in groups if g not in self.known))
        assert self.slots.fresh.tolist() == [found[groups.index(g)] for g in fresh]
        for group, slot in zip(groups, found, strict=True):
            assert self.known.setdefault(group, slot) == slot
            self.names.setdefault(group, point(group).name)

    @rule(group=GROUPS)
    def add(self, group: Group) -> None:
        slot = self.slots.add(info_of(group))
        assert (len(self.slots.fresh) == 1) == (group not in self.known)
        assert self.known.setdefault(group, slot) == slot

    @rule(group=GROUPS)
    def delete(self, group: Group) -> None:
        assert self.slots.delete(info_of(group)) == self.known.pop(group, -1)
        self.names.pop(group, None)

    @rule()
    def restore(self) -> None:
        state = msgpack.unpackb(msgpack.packb(self.slots.snapshot()), strict_map_key=False)
        self.slots = GroupSlots()
        self.slots.restore(state)

    @invariant()
    def agree(self) -> None:
        assert len(self.slots) == len(self.known)
        assert len(set(self.known.values())) == len(self.known)
        assert sorted(self.known.values()) == self.slots.live().tolist()
        assert all(slot < self.slots.high <= self.slots.room for slot in self.known.values())
        groups = list(self.known)
        slots = np.array([self.known[g] for g in groups], np.int64)
        for group in groups:
            info = self.slots.info(self.known[group])
            assert (info.dims, info.tags, info.by_name) == (group.dims, group.values, group.by_name)
            assert info.hash == info_of(group).hash
            assert info.name == self.names.get(group, "")
            assert (self.slots.name[self.known[group]] == NO_NAME) == (group not in self.names)
        for which, table, codes in self.slots.tables(slots) if groups else ():
            index = range(len(groups)) if which is None else which.tolist()
            for i, code in zip(index, codes.tolist(), strict=True):
                assert table.tags(code) == groups[i].tags
                assert tuple(table.hashes[code].tolist()) == info_of(groups[i]).hash


TestGroupSlots = Machine.TestCase
TestGroupSlots.settings = settings(max_examples=min(30, settings.default.max_examples), stateful_step_count=20)  # type: ignore[union-attr]


def test_ten_thousand_groups_have_ten_thousand_slots() -> None:
    slots = GroupSlots()
    groups = [Group(("h",), (str(i),)) for i in range(10_000)]
    [frame] = frames_of([point(g) for g in groups], "stream", [])
    arrivals = Arrivals(frame)
    first = slots.map(arrivals, 0, len(groups))
    assert sorted(first.tolist()) == list(range(10_000))
    assert slots.map(arrivals, 0, len(groups)).tolist() == first.tolist()
    for group in groups[:9_000]:
        slots.delete(info_of(group))
    assert len(slots) == 1_000
    assert sum(layout.size for layout in slots._layouts) < 3_000
    assert slots.map(arrivals, 9_000, 10_000).tolist() == first[9_000:].tolist()


@given(st.integers(0, 300), st.integers(0, 300), st.sampled_from([0, -1, None]))
def test_grown_arrays_keep_their_values(size: int, wanted: int, fill: Any) -> None:
    before = np.arange(size)
    after = grown(before, wanted, fill)
    assert len(after) >= wanted
    assert after[:size].tolist() == before.tolist()
    if fill is not None:
        assert (after[size:] == fill).all()
