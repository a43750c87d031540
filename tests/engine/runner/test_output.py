"""The output side of a runner: what is cut, in which order children get it, and that nothing is sent twice or lost."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.frames.chunks import Assembler
from engine.frames.codec import decode
from engine.frames.model import Batches, FieldColumn, Frame, Kind, Section, nil_groups
from engine.runner import output as output_module
from engine.runner.edges import merge
from engine.runner.loop import Positions
from engine.runner.output import Output, messages, row_cuts
from tests.engine.frames.strategies import frames, plain_events, plain_units, same


class Child:
    """A collector that has room for as many messages as it is told."""

    def __init__(self):
        self.room = 0
        self.sent = []

    def collect(self, parts, count):
        if self.room == 0:
            return False
        self.room -= 1
        self.sent.append(decode(parts))
        assert self.sent[-1].count == count
        return True


@given(frames(max_rows=20), st.integers(1, 10))
def test_cuts_keep_every_unit_and_event_and_only_the_last_has_the_position(frame, most):
    pieces = row_cuts(frame, most)
    assert same([u for p in pieces for u in plain_units(p)], plain_units(frame))
    assert sum(len(plain_events(p)) for p in pieces) == len(plain_events(frame))
    assert all(p.rows <= most or p.count == 1 for p in pieces) or frame.rows <= most or frame.count <= 1
    assert [p.position for p in pieces[:-1]] == [0] * (len(pieces) - 1)
    assert pieces[-1].position == frame.position


@given(frames(max_rows=12, events=False), st.integers(1, 6), st.integers(200, 3000))
def test_messages_carry_the_frame_whatever_the_bounds(frame, rows, size):
    sent = list(messages(frame, rows, size))
    assert same([u for parts, _ in sent for u in plain_units(decode(parts))], plain_units(frame))
    assert sum(count for _, count in sent) == frame.count


@given(st.lists(frames(edge="stream", events=False), max_size=5), st.lists(st.integers(0, 3), max_size=12))
def test_every_child_gets_everything_in_order_whoever_is_slow(produced, rooms):
    children = [Child(), Child(), Child()]
    output = Output(children, 4, 1 << 20)
    expected = []
    for frame in produced:
        output.put([frame])
        expected += plain_units(frame)
    for step, room in enumerate(rooms):
        children[step % 3].room += room
        output.flush()
    for child in children:
        child.room = 10**6
    assert output.flush()
    assert not output.pending
    for child in children:
        assert same([u for f in child.sent for u in plain_units(f)], expected)


def test_a_batch_with_very_many_rows_travels_in_pieces_and_counts_once(monkeypatch):
    monkeypatch.setattr(output_module, "CHUNK_ROWS", 10)
    fields = {"v": FieldColumn(Kind.FLOAT, np.arange(25.0))}
    batches = Batches(np.array([0, 25], np.int32), np.array([7], np.int64))
    section = Section("m", np.arange(25, dtype=np.int64), {}, fields, nil_groups(), None, batches)
    frame = Frame("batch", sections=(section,), position=3)
    sent = list(messages(frame, 10, 1 << 20))
    assert [count for _, count in sent] == [0, 0, 1]
    assembler = Assembler()
    whole = [f for parts, _ in sent if (f := assembler.take(decode(parts))) is not None]
    assert same(plain_units(whole[0]), plain_units(frame))
    assert whole[0].position == 3


@given(st.lists(frames(max_sections=2), max_size=6), st.integers(1, 20))
def test_merging_neighbours_changes_no_order_and_keeps_to_the_most_rows(many, most):
    many = [f for f in many if f.edge == "stream"]
    merged = merge(list(many), most)
    assert same([u for f in merged for u in plain_units(f)], [u for f in many for u in plain_units(f)])
    assert len(merged) <= len(many)
    assert all(f.rows <= most for f in merged if not any(f is given for given in many))
    assert [e for f in merged for e in plain_events(f)] == [e for f in many for e in plain_events(f)]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 100)), max_size=20))
def test_a_process_has_come_as_far_as_its_slowest_parent(steps):
    positions = Positions(3)
    last = [0, 0, 0]
    for parent, step in steps:
        last[parent] = max(step, last[parent])
        positions.saw(parent, last[parent])
        assert positions.contained == min(last)
    for parent in range(3):
        positions.end(parent)
    assert positions.contained == 0
