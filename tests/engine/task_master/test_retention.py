"""What retention takes is counted exactly, whoever wanted it, however far each task was, crashes included."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from engine.frames.codec import encode
from engine.frames.header import read_header
from engine.ingest_log.log import IngestLog
from engine.task_master.forks import Forks
from engine.task_master.retention import Loss, Need, Retention
from tests.engine.task_master.test_forks import Edge, append, frame

_WANTS = {"a": ["cpu"], "b": ["mem"], "c": ["", "cpu"]}


def picked(task, names):
    """The frame's sections, by name, that a task is given: a measurement wanted by name and by "" comes twice."""
    return [n for n in names for w in _WANTS[task] if w in (n, "")]


class Tasks:
    """Three tasks on one log of two small segments; each has dealt with what the test says."""

    def __init__(self, *, refuse=False):
        self.directory = tempfile.TemporaryDirectory(prefix="retention-")
        self.log = IngestLog.open(
            Path(self.directory.name) / "log",
            clock=lambda: 0,
            segment_bytes=1500,
            retention_bytes=3000,
            tail_bytes=1000,
        )
        self.forks = Forks(self.log)
        self.retention = Retention(self.log, self.forks.wanted, self.needs, refuse=refuse)
        self.dealt = dict.fromkeys(_WANTS, 0)
        self.edges = {}
        self.number = 0
        self.wanted = {task: {} for task in _WANTS}
        self.done = {task: set() for task in _WANTS}
        for task in _WANTS:
            self.open(task)

    def close(self):
        self.log.close()
        self.directory.cleanup()

    def needs(self):
        found = {}
        for task in _WANTS:
            fork = self.forks.get(task)
            found[task] = Need(self.dealt[task], max(self.dealt[task], fork.given if fork else 0))
        return found

    def open(self, task):
        self.edges[task] = Edge()
        self.forks.open(task, self.edges[task], [("d", "r")], _WANTS[task], self.dealt[task])
        return self.retention.reopened(task, self.dealt[task])

    def write(self, names):
        self.number += 1
        position = append(self.log, self.forks, frame(self.number, names))
        for task in _WANTS:
            if count := len(picked(task, names)):
                self.wanted[task][position] = count

    def pump(self, task):
        if task in self.forks.waiting:
            self.forks.pump(self.forks.get(task))

    def deal(self, task):
        """Everything that the task was given is dealt with."""
        fork = self.forks.get(task)
        if fork is not None:
            self.done[task] |= {f.position for f, _ in self.edges[task].sent}
            self.dealt[task] = max(self.dealt[task], fork.given)

    def retain(self):
        losses = []
        while True:
            dropped, found = self.retention.turn()
            losses += found
            if self.retention.asked is not None:
                self.retention.asked = None  # a small file is always in memory by the next turn
            elif not dropped and not self.retention.counting:
                return losses


class Machine(RuleBasedStateMachine):
    """Any order of writes, reads, crashes and retention: given and dealt with, or lost, and nothing in between."""

    @initialize()
    def start(self):
        self.tasks = Tasks()

    @rule(names=st.lists(st.sampled_from(["cpu", "mem"]), min_size=1, max_size=2, unique=True), times=st.integers(1, 8))
    def write(self, names, times):
        for _ in range(times):
            self.tasks.write(names)

    @rule(task=st.sampled_from(sorted(_WANTS)), room=st.integers(1, 6))
    def read(self, task, room):
        self.tasks.edges[task].room += room
        self.tasks.pump(task)

    @rule(task=st.sampled_from(sorted(_WANTS)))
    def deal(self, task):
        self.tasks.deal(task)

    @rule(task=st.sampled_from(sorted(_WANTS)))
    def crash(self, task):
        self.tasks.forks.close(task)

    @rule(task=st.sampled_from(sorted(_WANTS)))
    def restart(self, task):
        if self.tasks.forks.get(task) is None:
            self.tasks.open(task)

    @rule()
    def retain(self):
        self.tasks.retain()

    def teardown(self):
        if not hasattr(self, "tasks"):
            return
        tasks = self.tasks
        for task in _WANTS:
            if tasks.forks.get(task) is None:
                tasks.open(task)
            tasks.edges[task].room = 10**6
            while task in tasks.forks.waiting:
                tasks.pump(task)
            tasks.deal(task)
            missing = [n for position, n in tasks.wanted[task].items() if position not in tasks.done[task]]
            assert tasks.retention.lost(task) == sum(missing)
        tasks.close()


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestRetention = Machine.TestCase


def test_an_episode_is_told_once_and_ends_when_the_task_has_caught_up():
    tasks = Tasks()
    for task in "bc":
        tasks.edges[task].room = 10**6
    told = []
    for _ in range(60):
        tasks.write(["cpu"])
        tasks.deal("c")
        told += tasks.retain()
    assert {loss.task for loss in told} == {"a"}
    assert [loss.first for loss in told] == [True, *[False] * (len(told) - 1)]
    assert told[-1].total == tasks.retention.lost("a") == sum(loss.rows for loss in told)
    assert tasks.retention.behind == {"a"}
    assert tasks.retention.caught_up("a")
    assert not tasks.retention.caught_up("a")
    tasks.retention.forget("a")
    assert tasks.retention.lost("a") == 0
    tasks.close()


def test_a_task_that_lost_nothing_costs_no_reading():
    tasks = Tasks()
    for task in _WANTS:
        tasks.edges[task].room = 10**6
    for _ in range(60):
        tasks.write(["cpu"])
        for task in _WANTS:
            tasks.deal(task)
        # The one that wants nothing of it has passed over it.
        tasks.dealt["b"] = tasks.log.head
        assert tasks.retain() == []
    statistics = tasks.log.statistics()
    assert statistics.dropped_segments > 0
    assert statistics.tail_reads + statistics.segment_reads == 0
    tasks.close()


def test_writes_are_refused_while_a_task_needs_what_would_go():
    tasks = Tasks(refuse=True)
    for task in "bc":
        tasks.edges[task].room = 10**6
    while not tasks.retention.refusing:
        tasks.write(["cpu"])
        tasks.deal("c")
        tasks.dealt["b"] = tasks.log.head
        tasks.retain()
    assert tasks.retention.refusing == "the ingest log is full: task a is behind by all of it"
    assert tasks.log.statistics().dropped_segments == 0
    tasks.edges["a"].room = 10**6
    while "a" in tasks.forks.waiting:
        tasks.pump("a")
    tasks.deal("a")
    tasks.retain()
    assert tasks.retention.refusing == ""
    assert tasks.log.statistics().dropped_segments > 0
    assert [f.position for f, _ in tasks.edges["a"].sent] == list(range(1, tasks.number + 1))
    tasks.close()


def test_what_was_given_and_not_dealt_with_is_lost_only_by_a_crash():
    tasks = Tasks()
    tasks.edges["a"].room = 3
    for task in "bc":
        tasks.edges[task].room = 10**6
    for _ in range(60):
        tasks.write(["cpu"])
        tasks.deal("c")
        tasks.dealt["b"] = tasks.log.head
        tasks.retain()
    lost = tasks.retention.lost("a")
    assert lost > 0
    tasks.dealt["a"] = 1
    tasks.forks.close("a")
    assert tasks.open("a") == [Loss("a", 2, lost + 2, first=False)]
    tasks.close()


def test_frames_carry_what_the_model_needs():
    header = read_header(encode(frame(1, ["cpu", "mem"]))[0])
    assert [s.name for s in header.sections] == ["cpu", "mem"]
