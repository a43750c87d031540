"""Forks as cursors: whatever the edge refuses, every wanted frame arrives once, in order."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.frames.codec import decode, encode
from engine.frames.header import read_header, write_header
from engine.frames.model import FieldColumn, Frame, Kind, Section, nil_groups
from engine.frames.reshape import select_sections
from engine.ingest_log.log import IngestLog
from engine.task_master.forks import Forks
from tests.engine.frames.strategies import plain_units
from transports.errors import EdgeAborted


class Edge:
    """A collector with room for what the test says; it keeps what was sent."""

    writable_socket = None

    def __init__(self):
        self.room = 0
        self.sent = []
        self.drained_called = False
        self.closed = False
        self.broken = False

    def collect(self, parts, count):
        if self.broken:
            raise EdgeAborted
        if self.room == 0:
            return False
        self.room -= 1
        self.sent.append((decode([bytes(p) for p in parts]), count))
        return True

    def drain(self):
        self.drained_called = True

    def close(self):
        self.closed = True


def section(name, values):
    n = len(values)
    fields = {"v": FieldColumn(Kind.INT, np.array(values, np.int64))}
    return Section(name, np.arange(n, dtype=np.int64), {}, fields, nil_groups())


def frame(number, names):
    sections = [section(n, [number * 10 + i]) for i, n in enumerate(names)]
    order = np.arange(len(names), dtype=np.uint16) if len(names) > 1 else None
    return Frame("stream", "d", "r", tuple(sections), order)


def append(log, forks, f):
    parts = encode(f)
    header = read_header(parts[0])
    wanted = forks.wanted(header)
    position = log.next_position
    header = type(header)(**{**{k: getattr(header, k) for k in header.__struct_fields__}, "position": position})
    parts[0] = write_header(header)
    log.append(parts, f.rows)
    forks.appended(position, header, parts, wanted)
    return position


def open_log(tmp_path, tail=1 << 20):
    return IngestLog.open(tmp_path / "log", clock=lambda: 0, tail_bytes=tail)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.lists(st.sampled_from(["cpu", "mem"]), min_size=1, max_size=2, unique=True)),
        st.tuples(st.just("room"), st.integers(1, 3)),
        st.tuples(st.just("pump"), st.none()),
    ),
    max_size=40,
)


@given(STEPS, st.sampled_from([["cpu"], ["mem"], [""], ["cpu", ""]]), st.sampled_from([200, 1 << 20]))
@settings(max_examples=60, deadline=None)
def test_a_fork_gets_what_it_wants_once_and_in_order(tmp_path_factory, steps, wants, tail):
    with open_log(tmp_path_factory.mktemp("forks"), tail) as log:
        forks = Forks(log)
        edge = Edge()
        fork = forks.open("t", edge, [("d", "r")], wants, None)
        expected, number = [], 0
        for what, argument in steps:
            if what == "write":
                number += 1
                f = frame(number, argument)
                append(log, forks, f)
                picked = [i for i, n in enumerate(argument) if n in wants or "" in wants]
                units = plain_units(select_sections(f, picked))
                if len(wants) == 2:
                    units = [u for u in units for _ in range(2 if u["name"] == "cpu" else 1)]
                expected += units
            elif what == "room":
                edge.room += argument
            elif "t" in forks.waiting:
                forks.pump(fork)
        forks.drain("t")
        edge.room = 10**6
        while "t" in forks.waiting:
            forks.pump(fork)
        assert [u for f, _ in edge.sent for u in plain_units(f)] == expected
        assert fork.delivered == len(expected)
        assert edge.drained_called


def test_a_fork_that_does_not_want_a_frame_stays_live_at_no_cost(tmp_path):
    with open_log(tmp_path) as log:
        forks = Forks(log)
        fork = forks.open("t", Edge(), [("d", "r")], ["cpu"], None)
        append(log, forks, frame(1, ["mem"]))
        assert fork.live
        assert not forks.waiting


def test_a_resumed_fork_starts_behind_its_position(tmp_path):
    with open_log(tmp_path) as log:
        forks = Forks(log)
        positions = [append(log, forks, frame(k, ["cpu"])) for k in range(1, 6)]
        edge = Edge()
        edge.room = 100
        fork = forks.open("t", edge, [("d", "r")], ["cpu"], positions[1])
        forks.pump(fork)
        assert [f.position for f, _ in edge.sent] == positions[2:]
        assert fork.live


def test_an_aborted_edge_kills_the_fork_and_nothing_else(tmp_path):
    with open_log(tmp_path) as log:
        forks = Forks(log)
        broken, well = Edge(), Edge()
        broken.broken, well.room = True, 10
        forks.open("a", broken, [("d", "r")], ["cpu"], None)
        forks.open("b", well, [("d", "r")], ["cpu"], None)
        append(log, forks, frame(1, ["cpu"]))
        append(log, forks, frame(2, ["cpu"]))
        assert forks.get("a").dead
        assert len(well.sent) == 2
        forks.close("a")
        # Without a fork it still wants what comes, to find it in the log later.
        append(log, forks, frame(3, ["cpu"]))
        assert [task for task, _ in forks.wanted(read_header(encode(frame(4, ["cpu"]))[0]))] == ["a", "b"]
        forks.unwant("a")
        assert [task for task, _ in forks.wanted(read_header(encode(frame(4, ["cpu"]))[0]))] == ["b"]
        assert broken.closed
        assert forks.get("a") is None


def test_below_its_fence_a_fork_gives_the_next_frame_when_the_one_before_is_dealt_with(tmp_path):
    dealt = 0
    with open_log(tmp_path) as log:
        forks = Forks(log, lambda _: dealt)
        for k in range(1, 7):
            append(log, forks, frame(k, ["cpu"]))
        edge = Edge()
        edge.room = 100
        fork = forks.open("t", edge, [("d", "r")], ["cpu"], 1, fence=4)
        for expected in (2, 3, 4):
            dealt = expected - 1
            forks.pump(fork)
            forks.pump(fork)
            assert [f.position for f, _ in edge.sent] == list(range(2, expected + 1))
            assert fork.held
            assert forks.patience is not None
        dealt = 4
        forks.pump(fork)
        assert [f.position for f, _ in edge.sent] == [2, 3, 4, 5, 6]
        assert fork.live
        assert forks.patience is None
        append(log, forks, frame(7, ["cpu"]))
        assert fork.given == 7


def test_a_live_fork_whose_edge_breaks_keeps_its_place(tmp_path):
    with open_log(tmp_path) as log:
        forks = Forks(log)
        edge = Edge()
        edge.room = 10
        fork = forks.open("t", edge, [("d", "r")], ["cpu"], None)
        append(log, forks, frame(1, ["cpu"]))
        edge.broken = True
        append(log, forks, frame(2, ["cpu"]))
        append(log, forks, frame(3, ["cpu"]))
        assert (fork.dead, fork.live, fork.given, fork.cursor) == (True, False, 1, 1)
