"""A task that is disabled and cannot work off what it was given is ended, and what it leaves behind is counted to the point."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.harness import Receiver, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

_STOPPED = ("task stopped while it waits to restart", "task stopped while it restarts")
_TASK = "stream|from().measurement('m')|where(lambda: \"v\" >= 0)|httpPost('{}/t')"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(config='[tickworks]\ndrain-timeout = "100ms"\n') as started:
        yield started


def _body(first: int, rows: int, *, value: int = 1) -> str:
    """As many points of `m`, which the task wants, and of `x`, which it does not."""
    return "\n".join(f"m v={value}i {n}\nx v={value}i {n}" for n in range(first, first + rows))


def _wait_idle(server: Server) -> None:
    """Wait until no node has anything in hand."""
    server.wait_until(
        lambda: [p["busy"] for p in server.call("GET", "/tickworks/processes")["tasks"][0]["processes"]],
        lambda busy: not any(busy),
    )


def _begin(server: Server, receiver: Receiver, points: int) -> None:
    """A task that has dealt with so many points."""
    server.define("t", _TASK.format(receiver.url))
    server.enable("t")
    server.write(_body(1, points))
    for _ in range(points):
        receiver.next("/t")
    _wait_idle(server)


def _left(server: Server, *why: str) -> int:
    record = server.wait_log(lambda r: r["msg"] in (why or ("drain timeout, task aborted",)))
    assert record["task"] == "t"
    assert not [title for title in server.processes() if "task t" in title]
    return record["points_left"]


@pytest.mark.parametrize(
    ("bodies", "rows"), [(1, 1), (5, 200), (30, 5000)], ids=["one", "some", "more than edges hold"]
)
def test_points_that_a_stopped_node_did_not_get_are_counted(
    server: Server, receiver: Receiver, bodies: int, rows: int
) -> None:
    _begin(server, receiver, 3)
    os.kill(server.node("t", "where2"), signal.SIGSTOP)
    for number in range(bodies):
        server.write(_body(number * rows, rows))
    server.disable("t")
    assert _left(server) == bodies * rows
    assert receiver.take("/t") == []


def test_a_frame_that_waits_for_the_answer_of_another_system_counts_whole(server: Server) -> None:
    answer = threading.Event()
    with Receiver(before_answer=lambda _: answer.wait()) as receiver:
        server.define("t", _TASK.format(receiver.url))
        server.enable("t")
        server.write(_body(1, 10))
        receiver.next("/t")
        server.disable("t")
        assert _left(server) == 10
        answer.set()


def test_points_that_nobody_wanted_further_down_are_not_left(server: Server, receiver: Receiver) -> None:
    _begin(server, receiver, 1)
    os.kill(server.node("t", "http_post3"), signal.SIGSTOP)
    server.write(_body(1, 1000, value=-1))
    server.wait_until(
        lambda: server.task("t")["stats"]["node-stats"]["where2"]["collected"], lambda collected: collected == 1001
    )
    _wait_idle(server)
    server.disable("t")
    assert _left(server) == 0


def _state(server: Server) -> str:
    return str(server.call("GET", "/tickworks/processes")["tasks"][0]["state"])


def test_a_crash_during_the_drain_ends_it_and_what_is_left_is_counted(receiver: Receiver) -> None:
    with Server() as server, ThreadPoolExecutor(1) as aside:
        _begin(server, receiver, 3)
        stopped = server.node("t", "where2")
        os.kill(stopped, signal.SIGSTOP)
        server.write(_body(4, 100))
        disabled = aside.submit(server.disable, "t")
        server.wait_until(lambda: _state(server), lambda state: state == "draining")
        os.kill(stopped, signal.SIGKILL)
        disabled.result()
        assert _left(server, "node process died, task aborted") == 100
        assert receiver.take("/t") == []


def test_points_of_a_task_that_is_disabled_before_it_has_restarted_are_counted(receiver: Receiver) -> None:
    with Server() as server, ThreadPoolExecutor(1) as aside:
        _begin(server, receiver, 3)
        zygote = server.processes()["tickworks: zygote"]
        while True:
            dead = server.count_log(lambda r: r["msg"] == "node process died")
            os.kill(server.node("t", "where2"), signal.SIGKILL)
            server.wait_log(lambda r: r["msg"] == "node process died", after=dead)
            # Without the zygote it starts nothing; should it have restarted already, the next time it waits longer.
            os.kill(zygote, signal.SIGSTOP)
            if _state(server) != "running":
                break
            os.kill(zygote, signal.SIGCONT)
        server.write(_body(4, 100))
        disabled = aside.submit(server.disable, "t")
        server.wait_log(lambda r: r["msg"] in _STOPPED)
        os.kill(zygote, signal.SIGCONT)
        disabled.result()
        # While a task waits to restart, what is left of its processes is killed, and not waited for by who disables it.
        server.wait_until(server.processes, lambda found: not [title for title in found if "task t" in title])
        assert _left(server, *_STOPPED) == 100
        assert receiver.take("/t") == []
