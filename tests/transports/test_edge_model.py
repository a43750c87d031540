"""Every transport against one model: a list of messages, a flag for the end, a flag for the abort.

The model is exact in what arrives, in which order and how an edge ends; when an edge is full it asks only what every transport
promises: room while fewer messages are on the way than either end may hold, none beyond the bound.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.transports.conformance import PATIENCE
from transports.context import new_context
from transports.edge import Limits
from transports.errors import EdgeAborted, EdgeClosed
from transports.memory import memory_edge
from transports.paths import open_run_directory
from transports.zmq_edge import ipc_collector, ipc_emitter

LIMITS = Limits(messages=3, message_bytes=5_000)
MESSAGES = st.lists(st.binary(max_size=200) | st.integers(0, 1500).map(bytes), min_size=1, max_size=3)
SELDOM = st.integers(0, 9).map(lambda dice: dice == 9)


class EdgeMachine(RuleBasedStateMachine):
    """`most`: how many messages the edge holds at most; None where kernel buffers share the bound in bytes."""

    most: int | None = None

    def __init__(self) -> None:
        super().__init__()
        self.collector, self.emitter = self.open_edge()
        self.waiting: list[tuple[list[bytes], int]] = []
        self.collected = self.emitted = 0
        self.draining = self.ended = self.aborted = False

    def open_edge(self):
        raise NotImplementedError

    def free(self) -> None:
        """Free what `open_edge` made besides the ends."""

    @rule(parts=MESSAGES, count=st.integers(0, 8192))
    def collect(self, parts, count):
        if self.aborted or self.draining:
            with pytest.raises(EdgeAborted if self.aborted else EdgeClosed):
                self.collector.collect(parts, count)
            return
        room = len(self.waiting) < LIMITS.messages
        taken = self.collector.collect_wait(parts, count, timeout=PATIENCE if room else 0)
        assert taken or not room
        if taken:
            self.waiting.append((parts, count))
            self.collected += count

    @rule()
    def emit(self):
        if self.aborted:
            with pytest.raises(EdgeAborted):
                self.emitter.emit()
        elif self.waiting:
            expected, count = self.waiting.pop(0)
            assert [bytes(part) for part in self.emitter.emit_wait(PATIENCE)] == expected
            self.emitter.counted(count)
            self.emitted += count
        elif self.draining:
            with pytest.raises(EdgeClosed):
                self.emitter.emit_wait(PATIENCE)
            self.ended = True
        else:
            assert self.emitter.emit() is None

    @rule(really=SELDOM)
    def drain(self, really):
        if not really:
            return
        if self.aborted:
            with pytest.raises(EdgeAborted):
                self.collector.drain()
        else:
            self.collector.drain()
            self.draining = True

    @rule()
    def ask_whether_drained(self):
        if self.aborted:
            with pytest.raises(EdgeAborted):
                self.collector.drained  # noqa: B018 -- asking is what raises
        else:
            assert self.collector.drained == self.ended

    @rule(really=SELDOM, by_parent=st.booleans(), closing=st.booleans())
    def end_early(self, really, by_parent, closing):
        if not really:
            return
        end = self.collector if by_parent else self.emitter
        (end.close if closing else end.abort)()
        if not self.ended:
            self.aborted = True
            self.waiting.clear()

    @invariant()
    def counts_agree(self):
        parent, child = self.collector.statistics(), self.emitter.statistics()
        assert parent.collected == self.collected
        assert child.emitted == self.emitted
        assert parent.messages - child.messages == len(self.waiting) or self.aborted
        for known, truth in ((parent.emitted, self.emitted), (child.collected, self.collected)):
            assert known in (None, truth)
        if child.pending is not None and not self.aborted:
            assert child.pending == len(self.waiting)
        assert self.most is None or len(self.waiting) <= self.most

    def teardown(self):
        try:
            self.finish()
        finally:
            self.collector.close()
            self.emitter.close()
            self.free()

    def finish(self):
        """Every course of an edge that nobody aborted ends with all delivered and the counts of both ends equal."""
        if self.aborted:
            return
        self.drain(really=True)
        for _ in range(len(self.waiting) + 1):
            self.emit()
        assert self.collector.drain_wait(PATIENCE)
        assert (
            self.collector.statistics().emitted == self.emitter.statistics().collected == self.collected == self.emitted
        )


class MemoryMachine(EdgeMachine):
    most = 2 * LIMITS.messages

    def open_edge(self):
        return memory_edge("stream", limits=LIMITS)


class IpcMachine(EdgeMachine):
    def open_edge(self):
        self.place = tempfile.TemporaryDirectory()
        self.context = new_context()
        path = open_run_directory(Path(self.place.name), memory=()).new_path()
        collector = ipc_collector(self.context, path, "stream", limits=LIMITS)
        return collector, ipc_emitter(self.context, path, "stream", limits=LIMITS)

    def free(self):
        self.context.term()
        self.place.cleanup()


class IpcMachineWithTheChildFirst(IpcMachine):
    def open_edge(self):
        self.place = tempfile.TemporaryDirectory()
        self.context = new_context()
        path = open_run_directory(Path(self.place.name), memory=()).new_path()
        emitter = ipc_emitter(self.context, path, "stream", limits=LIMITS)
        return ipc_collector(self.context, path, "stream", limits=LIMITS), emitter


COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}

TestMemoryEdge = MemoryMachine.TestCase
TestMemoryEdge.settings = settings(max_examples=100, stateful_step_count=40, **COMMON)
TestIpcEdge = IpcMachine.TestCase
TestIpcEdge.settings = settings(max_examples=20, stateful_step_count=40, **COMMON)
TestIpcEdgeWithTheChildFirst = IpcMachineWithTheChildFirst.TestCase
TestIpcEdgeWithTheChildFirst.settings = settings(max_examples=20, stateful_step_count=40, **COMMON)
