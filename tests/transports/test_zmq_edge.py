"""Edges over ipc: the conformance suite with the ends in one process and in two, and what only sockets can get wrong."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading

import pytest
import zmq

from tests.transports.conformance import (
    BIG,
    PATIENCE,
    EdgeConformance,
    Opening,
    ProcessConformance,
    fill,
    message,
    number_of,
    take_all,
)
from tests.transports.peer import Peer
from transports import lifeline
from transports.edge import Limits
from transports.errors import EdgeAborted, EdgeClosed, PeerLost
from transports.zmq_edge import ipc_collector, ipc_emitter

DEFAULT = Limits()


def names_in(run_directory) -> list[str]:
    return sorted(entry.name for entry in run_directory.path.iterdir())


class TestInOneProcess(EdgeConformance):
    SLACK = 2

    @pytest.fixture(params=["collector first", "emitter first"])
    def open_edge(self, request, context, run_directory) -> Opening:
        with contextlib.ExitStack() as stack:

            def opening(*, kind="stream", limits=DEFAULT, watch_groups=False):
                path = run_directory.new_path()
                makers = [ipc_collector, ipc_emitter]
                order = makers if request.param == "collector first" else makers[::-1]
                made = {}
                for make in order:
                    made[make] = stack.enter_context(
                        make(context, path, kind, limits=limits, watch_groups=watch_groups)
                    )
                return made[ipc_collector], made[ipc_emitter]

            yield opening
        assert names_in(run_directory) == []


class TestWithAChildProcess(ProcessConformance):
    SLACK = 2
    LOCAL_EMITTER = False

    @pytest.fixture
    def open_edge(self, context, run_directory, peer) -> Opening:
        with contextlib.ExitStack() as stack:

            def opening(*, kind="stream", limits=DEFAULT, watch_groups=False):
                path = run_directory.new_path()
                collector = stack.enter_context(
                    ipc_collector(context, path, kind, limits=limits, watch_groups=watch_groups)
                )
                emitter = peer.open("emitter", path, kind, limits=limits, watch_groups=watch_groups)
                stack.callback(emitter.close)
                return collector, emitter

            yield opening
        assert names_in(run_directory) == []


class TestWithAParentProcess(ProcessConformance):
    SLACK = 2
    LOCAL_COLLECTOR = False

    @pytest.fixture
    def open_edge(self, context, run_directory, peer) -> Opening:
        with contextlib.ExitStack() as stack:

            def opening(*, kind="stream", limits=DEFAULT, watch_groups=False):
                path = run_directory.new_path()
                collector = peer.open("collector", path, kind, limits=limits, watch_groups=watch_groups)
                stack.callback(collector.close)
                emitter = stack.enter_context(
                    ipc_emitter(context, path, kind, limits=limits, watch_groups=watch_groups)
                )
                return collector, emitter

            yield opening
        assert names_in(run_directory) == []


@pytest.fixture
def path(run_directory):
    return run_directory.new_path()


def test_a_parent_may_collect_before_its_child_exists(context, path):
    with ipc_collector(context, path, "stream") as collector:
        taken = 0
        while taken < 2 and collector.collect(message(taken), 1):
            taken += 1
        with ipc_emitter(context, path, "stream") as emitter:
            for number in range(taken, 4):
                assert collector.collect_wait(message(number), 1, timeout=PATIENCE)
            collector.drain()
            assert take_all(emitter) == [0, 1, 2, 3]


def test_a_parent_may_drain_before_its_child_exists(context, path):
    with ipc_collector(context, path, "stream") as collector:
        collector.drain()
        with ipc_emitter(context, path, "stream") as emitter:
            assert not collector.drained
            assert take_all(emitter) == []
        assert collector.drain_wait(PATIENCE)


def test_a_child_that_comes_to_an_aborted_edge_knows(context, path, run_directory):
    with ipc_collector(context, path, "stream") as collector:
        collector.abort()
        with ipc_emitter(context, path, "stream") as emitter, pytest.raises(EdgeAborted):
            emitter.emit()
    assert names_in(run_directory) == []


def test_a_parent_that_comes_to_a_closed_edge_knows(context, path, run_directory):
    ipc_emitter(context, path, "stream").close()
    with ipc_collector(context, path, "stream") as collector:
        with pytest.raises(PeerLost):
            collector.collect(message(0), 1)
        with pytest.raises(PeerLost):
            collector.drain()
    assert names_in(run_directory) == []


def test_an_end_that_comes_after_its_peer_died_knows(context, path, peer):
    peer.open("collector", path, limits=Limits())
    peer.kill()
    with ipc_emitter(context, path, "stream") as emitter, pytest.raises(PeerLost):
        emitter.emit_wait(PATIENCE)


def test_a_peer_that_dies_between_joining_and_being_accepted_is_noticed(context, path, peer):
    with ipc_emitter(context, path, "stream") as emitter:
        peer.open("collector", path, limits=Limits())
        peer.kill()
        with pytest.raises(PeerLost):
            emitter.emit()


def test_two_ends_that_come_in_the_same_moment_meet(context, path, monkeypatch):
    with ipc_collector(context, path, "stream") as collector:
        truth = lifeline.join
        looks = []

        def join(where):
            looks.append(where)
            return None if len(looks) == 1 else truth(where)

        # The emitter looks before the collector is there and publishes after it: a course that two processes take now and then.
        monkeypatch.setattr(lifeline, "join", join)
        with ipc_emitter(context, path, "stream") as emitter:
            assert collector.collect_wait(message(7), 1, timeout=PATIENCE)
            assert number_of(emitter.emit_wait(PATIENCE)) == 7


def test_ends_opened_by_two_processes_at_once_meet(run_directory, peer):
    with Peer() as other:
        for _ in range(20):
            path = run_directory.new_path()
            collector = peer.begin_open("collector", path, "stream", limits=Limits())
            emitter = other.begin_open("emitter", path, "stream", limits=Limits())
            peer.finish()
            other.finish()
            assert collector.collect_wait(message(3), 1, timeout=PATIENCE)
            assert number_of(emitter.emit_wait(PATIENCE)) == 3
            collector.drain()
            assert take_all(emitter) == []
            assert collector.drain_wait(PATIENCE)
            collector.close()
            emitter.close()
    assert names_in(run_directory) == []


def test_an_edge_outlives_its_names(context, path, run_directory):
    with ipc_collector(context, path, "stream") as collector, ipc_emitter(context, path, "stream") as emitter:
        assert collector.collect_wait(message(0), 1, timeout=PATIENCE)
        for name in names_in(run_directory):
            (run_directory.path / name).unlink()
        assert collector.collect_wait(message(1), 1, timeout=PATIENCE)
        assert [number_of(emitter.emit_wait(PATIENCE)) for _ in range(2)] == [0, 1]


def test_one_poll_loop_serves_several_edges_and_hears_an_end_among_them(context, run_directory):
    with contextlib.ExitStack() as stack:
        pairs = []
        for _ in range(3):
            path = run_directory.new_path()
            collector = stack.enter_context(ipc_collector(context, path, "stream"))
            pairs.append((collector, stack.enter_context(ipc_emitter(context, path, "stream"))))
        poller = zmq.Poller()
        whose = {}
        for number, (_, emitter) in enumerate(pairs):
            for item in emitter.sockets:
                poller.register(item, zmq.POLLIN)
                whose[item] = number
        assert pairs[0][0].collect_wait(message(0), 1, timeout=PATIENCE)
        assert pairs[2][0].collect_wait(message(2), 1, timeout=PATIENCE)
        pairs[1][0].drain()
        heard = set()
        while len(heard) < 3:
            for item, _ in poller.poll(PATIENCE * 1000):
                number = whose[item]
                try:
                    parts = pairs[number][1].emit()
                except EdgeClosed:
                    heard.add(number)
                    for gone in pairs[number][1].sockets:
                        poller.unregister(gone)
                    break
                if parts is not None:
                    assert number_of(parts) == number
                    heard.add(number)


def test_what_a_full_edge_holds_does_not_delay_the_end_of_its_context(context, path):
    with ipc_collector(context, path, "stream") as collector, ipc_emitter(context, path, "stream"):
        fill(collector, BIG)


def test_a_path_that_is_too_long_for_a_socket_is_named(context, tmp_path):
    long = str(tmp_path / ("x" * 104))
    for make in (ipc_collector, ipc_emitter):
        with pytest.raises(OSError, match="too long") as caught:
            make(context, long, "stream")
        assert (caught.value.errno, caught.value.filename) == (errno.ENAMETOOLONG, long)


def test_a_directory_that_does_not_exist_is_an_error_that_leaves_nothing_open(context, tmp_path):
    with pytest.raises((OSError, zmq.ZMQError)):
        ipc_collector(context, str(tmp_path / "none" / "e0"), "stream")


def test_opening_an_edge_starts_no_thread_in_python(context, path):
    with ipc_collector(context, path, "stream") as collector, ipc_emitter(context, path, "stream") as emitter:
        assert collector.collect_wait([bytes(BIG)], 1, timeout=PATIENCE)
        assert emitter.emit_wait(PATIENCE) is not None
        assert threading.enumerate() == [threading.main_thread()]


def test_a_stranger_that_speaks_no_protocol_is_a_lost_peer(context, path):
    with (
        ipc_emitter(context, path, "stream") as emitter,
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger,
    ):
        stranger.connect(path)
        stranger.send(b"hello")
        with pytest.raises(PeerLost):
            emitter.emit()


def test_a_message_whose_connection_is_lost_half_way_is_a_lost_peer(context, path, monkeypatch):
    class Halfway:
        def __init__(self, real):
            self.real = real
            self.sent = 0

        def send(self, *_):
            self.sent += 1
            if self.sent == 2:
                raise zmq.Again

        def close(self, linger):
            self.real.close(linger=linger)

    with ipc_collector(context, path, "stream") as collector, ipc_emitter(context, path, "stream"):
        monkeypatch.setattr(collector, "_socket", Halfway(collector._socket))
        with pytest.raises(PeerLost):
            collector.collect(message(0), 1)
        with pytest.raises(PeerLost):
            collector.collect(message(0), 1)
        assert collector.statistics().collected == 0
