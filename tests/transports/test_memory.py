"""Edges in memory: the conformance suite, and what is exact only within one process."""

from __future__ import annotations

import pytest

from tests.transports.conformance import EdgeConformance, Opening, fill, message
from transports.edge import Limits
from transports.memory import memory_edge

DEFAULT = Limits()


class TestMemory(EdgeConformance):
    @pytest.fixture
    def open_edge(self) -> Opening:
        def opening(*, kind="stream", limits=DEFAULT, watch_groups=False):
            return memory_edge(kind, limits=limits, watch_groups=watch_groups)

        return opening


@pytest.mark.parametrize("messages", [1, 4])
def test_the_queue_holds_twice_the_limit_and_one_place_is_free_after_one_message(messages):
    collector, emitter = memory_edge("stream", limits=Limits(messages=messages))
    assert fill(collector, 10) == 2 * messages
    assert collector.statistics().pending == 2 * messages
    assert emitter.emit() is not None
    assert collector.collect(message(0), 1)
    assert not collector.collect(message(0), 1)


def test_nothing_is_copied():
    collector, emitter = memory_edge("stream")
    sent = bytearray(b"abc")
    assert collector.collect([sent], 1)
    (received,) = emitter.emit()
    assert received.obj is sent


def test_an_abort_lets_go_of_what_was_buffered():
    collector, emitter = memory_edge("batch")
    fill(collector, 10)
    emitter.abort()
    assert collector.statistics().pending == 0


def test_there_is_nothing_to_poll():
    collector, emitter = memory_edge("stream")
    assert (collector.sockets, emitter.sockets, collector.writable_socket) == ((), (), None)
