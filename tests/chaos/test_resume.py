"""Where tasks begin: behind what they have dealt with after any crash, at the head when they are enabled."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from engine import clock
from engine.ingest_log.positions import ResumePositions
from tests.chaos.loads import check_in_order, take_until, values
from tests.harness import Receiver, Server

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SCRIPT = "stream|from().measurement('m')|where(lambda: \"v\" > 0)|httpPost('{}')"


def _kept(server: Server) -> Mapping[str, int]:
    return ResumePositions(server.data_dir / "positions", clock=clock.now).items()


def _write(server: Server, first: int, last: int, measurement: str = "m") -> None:
    """A frame for each."""
    for n in range(first, last + 1):
        server.write(f"{measurement} v={n}i {n}")


def test_positions_follow_the_head_whether_anything_comes_out_or_not(server: Server, receiver: Receiver) -> None:
    server.define("posts", _SCRIPT.format(f"{receiver.url}/t"))
    # Nothing passes, so only progress frames tell the last node of the positions.
    server.define("drops", "stream|from().measurement('m')|where(lambda: \"v\" < 0)|where(lambda: TRUE)|httpOut('o')")
    server.define("other", _SCRIPT.format(f"{receiver.url}/x").replace("'m'", "'x'"))
    for task in ("posts", "drops", "other"):
        server.enable(task)
    # On disk before the answer.
    assert set(_kept(server)) == {"posts", "drops", "other"}
    head = max(_kept(server).values())
    _write(server, 1, 20)
    head += 20
    server.wait_until(lambda: _kept(server), lambda kept: kept == {"posts": head, "drops": head, "other": head})
    server.disable("posts")
    server.wait_until(lambda: set(_kept(server)), lambda tasks: tasks == {"drops", "other"})
    for task in ("posts", "drops", "other"):
        server.delete(task)
    server.wait_until(lambda: _kept(server), lambda kept: kept == {})


def test_a_task_that_is_enabled_again_begins_at_the_head(server: Server, receiver: Receiver) -> None:
    server.define("t", _SCRIPT.format(f"{receiver.url}/t"))
    server.define("keeper", _SCRIPT.format(f"{receiver.url}/keeper"))
    for task in ("t", "keeper"):
        server.enable(task)
    _write(server, 1, 3)
    server.disable("t")
    _write(server, 4, 6)
    server.enable("t")
    _write(server, 7, 9)
    server.disable("t")
    assert [v for p in receiver.take("/t") for v in values(p)] == [1, 2, 3, 7, 8, 9]
    server.delete("t")
    server.delete("keeper")


def test_after_a_kill_of_everything_tasks_go_on_where_they_were(tmp_path: Path, receiver: Receiver) -> None:
    with Server(data_dir=tmp_path) as killed:
        killed.define("t", _SCRIPT.format(f"{receiver.url}/t"))
        killed.enable("t")
        _write(killed, 1, 30)
        take_until(receiver, "/t", 30)
        killed.wait_until(lambda: _kept(killed), lambda kept: kept == {"t": 30})
        os.kill(killed.node("t", "where2"), signal.SIGSTOP)
        _write(killed, 31, 60)
        killed.kill()
    assert receiver.take("/t") == []
    with Server(data_dir=tmp_path) as server:
        # Nothing that was dealt with comes again, and nothing is missing, also of what is written meanwhile.
        _write(server, 61, 70)
        assert take_until(receiver, "/t", 70) == list(range(31, 71))


def test_a_clean_stop_keeps_what_was_not_dealt_with(tmp_path: Path, receiver: Receiver) -> None:
    with Server(data_dir=tmp_path) as first:
        first.define("t", _SCRIPT.format(f"{receiver.url}/t"))
        first.enable("t")
        _write(first, 1, 10)
        take_until(receiver, "/t", 10)
        os.kill(first.node("t", "where2"), signal.SIGSTOP)
        _write(first, 11, 20)
    with Server(data_dir=tmp_path) as server:
        seen = take_until(receiver, "/t", 20)
        assert seen[0] > 1
        assert check_in_order([*range(1, seen[0]), *seen], 20) <= 1
        assert server.task("t")["executing"]
