"""What every transport must do: one suite, run by each of them in each arrangement of its ends.

A test class derives from `EdgeConformance` (`ProcessConformance` where the ends lie in two processes), gives the fixture
`open_edge`, which opens edges and closes them afterwards, and says which ends are in this process. Time-outs only bound a hang; no test waits for time to pass.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.transports.peer import readable
from transports.edge import Limits
from transports.errors import EdgeAborted, EdgeClosed, MessageTooLarge, PeerLost

PATIENCE = 20.0
"""Seconds after which a wait counts as a hang."""

BIG = 300_000
"""Bytes of a message that no socket buffer holds whole, so that only the queues of the edge can hold it."""

Opening = Callable[..., tuple[Any, Any]]


def fill(collector: Any, size: int, patience: float = 0.0) -> int:
    """Collect numbered messages of `size` bytes until the edge is full (for `patience` seconds); how many it took."""
    assert collector.collect_wait(message(0, size), 1, timeout=PATIENCE)
    number = 1
    while collector.collect_wait(message(number, size), 1, timeout=patience):
        number += 1
    return number


def message(number: int, size: int = 100) -> list[bytes]:
    return [number.to_bytes(8, "little"), b"", bytes(size)]


def number_of(parts: list[memoryview]) -> int:
    assert len(parts) == 3
    assert parts[1].nbytes == 0
    return int.from_bytes(parts[0], "little")


def take_all(emitter: Any) -> list[int]:
    """Take messages until the end, counting one point each; their numbers."""
    numbers = []
    while True:
        try:
            parts = emitter.emit_wait(PATIENCE)
        except EdgeClosed:
            return numbers
        assert parts is not None
        numbers.append(number_of(parts))
        emitter.counted(1)


class EdgeConformance:
    """The suite. `SLACK`: messages of `BIG` bytes that may be on the way beside those in the two queues."""

    SLACK = 0
    LOCAL_COLLECTOR = True
    LOCAL_EMITTER = True

    @pytest.fixture
    def open_edge(self) -> Opening:
        raise NotImplementedError

    def collect(self, collector: Any, number: int, size: int = 100) -> None:
        assert collector.collect_wait(message(number, size), 1, timeout=PATIENCE)

    def test_a_message_arrives_whole_with_its_parts_and_bytes(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        sent = [b"header", b"", bytes(range(256)), np.arange(5.0).tobytes(), bytes(70_000)]
        assert collector.collect_wait(sent, 5, timeout=PATIENCE)
        assert [bytes(part) for part in emitter.emit_wait(PATIENCE)] == sent

    def test_a_message_of_one_byte_is_no_other_than_any(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        for sent in ([b"A"], [b"E"], [b""], [b"D", b""]):
            assert collector.collect_wait(sent, 0, timeout=PATIENCE)
            assert [bytes(part) for part in emitter.emit_wait(PATIENCE)] == sent

    def test_views_of_arrays_arrive_as_their_bytes(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        arrays = [np.arange(6.0).reshape(2, 3), np.zeros(0, dtype=np.int64), np.zeros((0, 2), dtype=np.uint64)]
        assert collector.collect_wait([memoryview(array) for array in arrays], 1, timeout=PATIENCE)
        assert [bytes(part) for part in emitter.emit_wait(PATIENCE)] == [array.tobytes() for array in arrays]

    def test_what_comes_out_cannot_be_written_to(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        assert collector.collect_wait([bytearray(b"abc"), bytes(100_000)], 1, timeout=PATIENCE)
        if self.LOCAL_EMITTER:
            assert [part.readonly for part in emitter.emit_wait(PATIENCE)] == [True, True]
            assert emitter.emit() is None

    def test_what_was_taken_stays_valid_after_the_edge_is_closed(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        assert collector.collect_wait([b"x" * 100_000], 1, timeout=PATIENCE)
        parts = emitter.emit_wait(PATIENCE)
        emitter.close()
        collector.close()
        assert bytes(parts[0]) == b"x" * 100_000

    def test_order_is_kept(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        taken = []
        for number in range(300):
            while not collector.collect(message(number), 1):
                if (parts := emitter.emit()) is not None:
                    taken.append(number_of(parts))
        collector.drain()
        assert taken + take_all(emitter) == list(range(300))

    def test_an_empty_edge_has_nothing_to_emit(self, open_edge: Opening) -> None:
        _, emitter = open_edge()
        assert emitter.emit() is None

    def test_a_message_without_parts_is_refused(self, open_edge: Opening) -> None:
        collector, _ = open_edge()
        if self.LOCAL_COLLECTOR:
            with pytest.raises(ValueError, match="at least one part"):
                collector.collect([], 0)
            assert collector.statistics().messages == 0

    def test_a_message_above_the_limit_is_refused_and_the_edge_goes_on(self, open_edge: Opening) -> None:
        collector, emitter = open_edge(limits=Limits(message_bytes=1000))
        if self.LOCAL_COLLECTOR:
            with pytest.raises(MessageTooLarge, match="1001 bytes exceeds the edge's maximum of 1000"):
                collector.collect([bytes(500), bytes(501)], 1)
        assert collector.collect_wait([bytes(500), bytes(500)], 1, timeout=PATIENCE)
        assert [len(part) for part in emitter.emit_wait(PATIENCE)] == [500, 500]

    @pytest.mark.parametrize("messages", [1, 4, 7])
    def test_the_messages_on_an_edge_are_bounded(self, open_edge: Opening, messages: int) -> None:
        collector, emitter = open_edge(limits=Limits(messages=messages))
        number = fill(collector, BIG, patience=0.05)
        assert number <= 2 * messages + self.SLACK
        collector_says = collector.statistics()
        assert (collector_says.messages, collector_says.collected, collector_says.refused >= 1) == (
            number,
            number,
            True,
        )
        assert number_of(emitter.emit_wait(PATIENCE)) == 0

    def test_the_bytes_on_an_edge_are_bounded_for_small_messages_too(self, open_edge: Opening) -> None:
        collector, _ = open_edge()
        number = fill(collector, 100, patience=0.05)
        # 108 bytes a message: two queues, and between them at most a socket buffer that the kernel bounds.
        assert number * 108 <= 8 * 108 + self.SLACK * 1_000_000

    def test_a_full_edge_takes_more_after_the_child_took_some(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        number = fill(collector, BIG)
        taken = [number_of(emitter.emit_wait(PATIENCE)) for _ in range(min(number, 4))]
        self.collect(collector, number, BIG)
        collector.drain()
        assert taken + take_all(emitter) == list(range(number + 1))

    def test_drain_delivers_everything_and_then_the_end(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        for number in range(3):
            self.collect(collector, number)
        collector.drain()
        assert not collector.drained
        assert take_all(emitter) == [0, 1, 2]
        assert collector.drain_wait(PATIENCE)
        assert collector.drained

    def test_draining_a_full_edge_returns_and_delivers_everything(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        number = fill(collector, BIG)
        collector.drain()
        assert take_all(emitter) == list(range(number))
        assert collector.drain_wait(PATIENCE)

    def test_draining_an_edge_that_carried_nothing_ends_it(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        collector.drain()
        assert take_all(emitter) == []
        assert collector.drain_wait(PATIENCE)

    def test_draining_twice_is_draining_once(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        self.collect(collector, 0)
        collector.drain()
        collector.drain()
        assert take_all(emitter) == [0]
        assert collector.drain_wait(PATIENCE)
        collector.drain()
        assert collector.drained

    def test_nothing_is_collected_after_drain(self, open_edge: Opening) -> None:
        collector, _ = open_edge()
        collector.drain()
        with pytest.raises(EdgeClosed, match="edge closed"):
            collector.collect(message(0), 1)

    def test_an_edge_is_not_drained_before_the_child_saw_the_end(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        self.collect(collector, 0)
        collector.drain()
        assert number_of(emitter.emit_wait(PATIENCE)) == 0
        assert not collector.drained
        assert take_all(emitter) == []
        assert collector.drain_wait(PATIENCE)

    def test_the_end_stays_the_end(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        collector.drain()
        assert take_all(emitter) == []
        for _ in range(2):
            with pytest.raises(EdgeClosed, match="edge closed"):
                emitter.emit()
        assert collector.drain_wait(PATIENCE)
        collector.close()
        assert collector.drained
        with pytest.raises(EdgeClosed):
            emitter.emit()

    def test_a_drained_edge_cannot_be_aborted(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        self.collect(collector, 0)
        collector.drain()
        assert take_all(emitter) == [0]
        emitter.abort()
        collector.abort()
        assert collector.drained
        with pytest.raises(EdgeClosed):
            emitter.emit()

    def test_an_abort_by_the_parent_overtakes_what_is_buffered(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        for number in range(3):
            self.collect(collector, number)
        assert number_of(emitter.emit_wait(PATIENCE)) == 0
        collector.abort()
        for _ in range(2):
            with pytest.raises(EdgeAborted, match="edge aborted"):
                emitter.emit()
            with pytest.raises(EdgeAborted, match="edge aborted"):
                collector.collect(message(3), 1)
        assert (collector.statistics().state, emitter.statistics().state) == ("aborted", "aborted")

    def test_an_abort_by_the_child_reaches_the_parent(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        self.collect(collector, 0)
        emitter.abort()
        for _ in range(2):
            with pytest.raises(EdgeAborted, match="edge aborted"):
                collector.collect(message(1), 1)
            with pytest.raises(EdgeAborted, match="edge aborted"):
                emitter.emit()

    def test_an_abort_of_a_full_edge_reaches_both_ends(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        fill(collector, BIG)
        collector.abort()
        with pytest.raises(EdgeAborted):
            emitter.emit()

    def test_an_abort_while_draining_reaches_both_ends(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        for number in range(2):
            self.collect(collector, number)
        collector.drain()
        assert number_of(emitter.emit_wait(PATIENCE)) == 0
        collector.abort()
        with pytest.raises(EdgeAborted):
            emitter.emit()
        with pytest.raises(EdgeAborted):
            collector.drained  # noqa: B018 -- asking is what raises

    def test_a_child_that_aborts_instead_of_taking_the_rest_is_no_drained_edge(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        self.collect(collector, 0)
        collector.drain()
        emitter.abort()
        with pytest.raises(EdgeAborted):
            collector.drain_wait(PATIENCE)

    def test_both_ends_may_abort(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        self.collect(collector, 0)
        collector.abort()
        emitter.abort()
        collector.abort()
        with pytest.raises(EdgeAborted):
            collector.drain()
        with pytest.raises(EdgeAborted):
            emitter.emit()

    def test_closing_an_open_end_aborts_the_edge(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        self.collect(collector, 0)
        collector.close()
        with pytest.raises(EdgeAborted):
            emitter.emit()
        with pytest.raises(EdgeAborted):
            collector.collect(message(1), 1)

    def test_a_child_that_closes_early_aborts_the_edge(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        self.collect(collector, 0)
        emitter.close()
        with pytest.raises(EdgeAborted):
            collector.collect(message(1), 1)

    def test_a_parent_that_only_asks_whether_all_was_taken_hears_of_an_abort(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        emitter.abort()
        with pytest.raises(EdgeAborted):
            collector.drained  # noqa: B018 -- asking is what raises
        collector, emitter = open_edge()
        collector.drain()
        emitter.abort()
        with pytest.raises(EdgeAborted):
            collector.collect(message(0), 1)

    def test_closing_and_aborting_may_be_repeated(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        for _ in range(3):
            emitter.close()
            collector.close()
            collector.abort()
            emitter.abort()

    def test_a_closed_end_says_how_it_ended_to_whoever_waits(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        collector.drain()
        assert take_all(emitter) == []
        assert collector.drain_wait(PATIENCE)
        aborted_collector, aborted_emitter = open_edge()
        for end in (collector, emitter, aborted_collector, aborted_emitter):
            end.close()
        assert collector.drain_wait(PATIENCE)
        with pytest.raises(EdgeClosed):
            emitter.emit_wait(PATIENCE)
        with pytest.raises(EdgeAborted):
            aborted_emitter.emit_wait(PATIENCE)
        for waiting in (
            lambda: aborted_collector.drain_wait(PATIENCE),
            lambda: aborted_collector.collect_wait(message(0), 1, timeout=PATIENCE),
        ):
            with pytest.raises(EdgeAborted):
                waiting()

    def test_statistics_and_counts_can_be_read_after_closing(self, open_edge: Opening) -> None:
        collector, emitter = open_edge(kind="batch")
        self.collect(collector, 0)
        collector.drain()
        assert take_all(emitter) == [0]
        assert collector.drain_wait(PATIENCE)
        collector.close()
        emitter.close()
        for end in (collector, emitter):
            found = end.statistics()
            assert (found.kind, found.state, found.collected, found.emitted) == ("batch", "ended", 1, 1)
            assert (found.messages, found.bytes, found.pending) == (1, 108, 0)

    def test_counts_agree_at_both_ends_of_a_drained_edge(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        counts = [3, 0, 8192, 1]
        for count in counts:
            assert collector.collect_wait([count.to_bytes(8, "little"), b"", b""], count, timeout=PATIENCE)
        collector.drain()
        for count in counts:
            assert number_of(emitter.emit_wait(PATIENCE)) == count
            emitter.counted(count)
        assert take_all(emitter) == []
        assert collector.drain_wait(PATIENCE)
        for end in (collector, emitter):
            found = end.statistics()
            assert (found.collected, found.emitted, found.messages, found.pending) == (8196, 8196, 4, 0)

    def test_counts_by_group_agree_and_a_deleted_group_is_forgotten(self, open_edge: Opening) -> None:
        collector, emitter = open_edge(watch_groups=True)
        hashes = np.array([[1, 2], [2**64 - 1, 0], [0, 0]], dtype=np.uint64)
        counts = np.array([5, 7, 11], dtype=np.int64)
        for _ in range(2):
            assert collector.collect_wait(message(0), 23, (hashes, counts), timeout=PATIENCE)
            assert emitter.emit_wait(PATIENCE) is not None
            emitter.counted(23, (hashes, counts))
        for end in (collector, emitter):
            end.forget_groups(hashes[1:2])
            found, sums = end.group_counts()
            assert dict(zip(map(tuple, found.tolist()), sums.tolist(), strict=True)) == {(1, 2): 10, (0, 0): 22}

    def test_an_edge_that_nobody_watches_keeps_no_groups(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        groups = (np.array([[1, 2]], dtype=np.uint64), np.array([1], dtype=np.int64))
        assert collector.collect_wait(message(0), 1, groups, timeout=PATIENCE)
        emitter.counted(1, groups)
        assert (collector.group_counts(), emitter.group_counts()) == (None, None)

    def test_waiting_ends_with_its_time(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        assert emitter.emit_wait(0) is None
        assert not collector.drain_wait(0)

    def test_an_end_is_level_triggered(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        self.collect(collector, 0)
        collector.drain()
        assert number_of(emitter.emit_wait(PATIENCE)) == 0
        if self.LOCAL_EMITTER and emitter.sockets:
            # The end was noticed together with the last message; whoever polls again must still be woken for it.
            assert readable(emitter)
        assert take_all(emitter) == []
        assert collector.drain_wait(PATIENCE)


class ProcessConformance(EdgeConformance):
    """More for transports whose ends lie in different processes: `open_edge` gives one end here and a `Remote` one."""

    def test_an_abort_here_wakes_the_other_end(self, open_edge: Opening) -> None:
        here, there, request = self.sides(*open_edge())
        there.begin(*request)
        here.abort()
        with pytest.raises(EdgeAborted, match="edge aborted"):
            there.peer.finish()

    def test_an_abort_there_wakes_this_end(self, open_edge: Opening) -> None:
        here, there, _ = self.sides(*open_edge())
        there.begin("abort")
        with pytest.raises(EdgeAborted, match="edge aborted"):
            wait_for_the_end(here)
        there.peer.finish()
        assert readable(here)

    def test_the_death_of_the_peer_wakes_this_end(self, open_edge: Opening) -> None:
        here, there, _ = self.sides(*open_edge())
        there.peer.signal(signal.SIGKILL)
        with pytest.raises(PeerLost, match="edge aborted: the other end is gone"):
            wait_for_the_end(here)
        there.peer.kill()

    def test_the_death_of_the_peer_is_known_at_once_whatever_is_buffered(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        here, there, _ = self.sides(collector, emitter)
        fill(collector, BIG)
        there.peer.kill()
        assert readable(here)
        for _ in range(2):
            with pytest.raises(PeerLost):
                here.collect(message(0), 1) if here is collector else here.emit()
        assert here.statistics().state == "aborted"

    def test_the_death_of_the_peer_while_draining_is_no_end(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        here, there, _ = self.sides(collector, emitter)
        self.collect(collector, 0)
        self.collect(collector, 1)
        assert number_of(emitter.emit_wait(PATIENCE)) == 0
        collector.drain()
        there.peer.kill()
        with pytest.raises(PeerLost):
            collector.drain_wait(PATIENCE) if here is collector else emitter.emit()

    def test_a_stopped_peer_holds_nobody_up(self, open_edge: Opening) -> None:
        collector, emitter = open_edge()
        here, there, _ = self.sides(collector, emitter)
        fill(collector, BIG)
        there.peer.signal(signal.SIGSTOP)
        here.abort()
        here.close()
        there.peer.signal(signal.SIGCONT)
        with pytest.raises(EdgeAborted):
            there.emit() if there is emitter else there.collect(message(0), 1)

    def sides(self, collector: Any, emitter: Any) -> tuple[Any, Any, tuple[Any, ...]]:
        """The end here, the end there, and a request that makes the other wait without end."""
        if self.LOCAL_COLLECTOR:
            return collector, emitter, ("emit_wait", None)
        return emitter, collector, ("drain_wait", None)


def wait_for_the_end(end: Any) -> None:
    if hasattr(end, "emit_wait"):
        end.emit_wait(PATIENCE)
    else:
        end.drain_wait(PATIENCE)
