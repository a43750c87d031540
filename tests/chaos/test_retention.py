"""A task that is behind by more than the ingest log may hold: counted, told once, shown; or writes are refused instead."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

import psutil

from tests.chaos.loads import check_in_order, values
from tests.harness import Receiver, Server

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SMALL = '[tickworks]\nsegment-size = "256KiB"\nretention-size = "1MiB"\ntail-size = "128KiB"\nstall-after = "1s"\n'
_ROWS = 2000
# Each task gets every hundredth point, so that what comes out is little and what is logged is much.
_SCRIPT = "stream|from().measurement('m')|where(lambda: \"v\" % 100 == 0)|httpPost('{}')"


def _sizes(data_dir: Path) -> list[int]:
    """The sizes of the log's segments; one may go while they are looked at."""
    found = []
    for segment in (data_dir / "log").glob("*.log"):
        with contextlib.suppress(FileNotFoundError):
            found.append(segment.stat().st_size)
    return found


def _body(number: int, rows: int = _ROWS, measurement: str = "m") -> str:
    first = number * rows + 1
    return "\n".join(f'{measurement} v={n}i,text="{n:060d}" {n}' for n in range(first, first + rows))


def _posted(receiver: Receiver, path: str, last: int) -> list[int]:
    seen: list[int] = []
    while last not in seen[-1:]:
        seen += values(receiver.next(path))
    return seen


def _hundreds(seen: Sequence[int]) -> list[int]:
    return [v // 100 for v in seen]


def _start(server: Server, receiver: Receiver, *tasks: str) -> None:
    for task in tasks:
        server.define(task, _SCRIPT.format(f"{receiver.url}/{task}"))
        server.enable(task)


def test_a_loss_is_counted_exactly_told_once_and_touches_no_other_task() -> None:
    with Server(config=_SMALL) as server, Receiver() as receiver:
        _start(server, receiver, "stopped", "well")
        # Who wants another measurement has lost nothing of this one.
        server.define("other", f"stream|from().measurement('x')|httpPost('{receiver.url}/other')")
        server.enable("other")
        pid = server.node("stopped", "where2")
        os.kill(pid, signal.SIGSTOP)
        bodies = 40
        for number in range(bodies):
            server.write(_body(number))
            server.write(_body(number, 3, "x"))
            # Nobody but the stopped one is behind.
            _posted(receiver, "/well", (number + 1) * _ROWS)
        lost = server.wait_log(lambda r: r["msg"] == "points lost")
        assert (lost["task"], lost["level"]) == ("stopped", "error")
        while_stopped = server.task("stopped")
        assert while_stopped["executing"]
        assert while_stopped["lost"] > 0
        os.kill(pid, signal.SIGCONT)
        seen = _posted(receiver, "/stopped", bodies * _ROWS)
        caught_up = server.wait_log(lambda r: r["msg"] == "task has caught up")
        total = server.task("stopped")["lost"]
        assert caught_up["lost"] == total
        # What came out began at the beginning, has one gap or more, and is complete but for what was counted.
        taken = server.task("stopped")["stats"]["node-stats"]["stream0"]["collected"]
        assert taken + total == bodies * _ROWS
        hundreds = _hundreds(seen)
        assert hundreds == sorted(set(hundreds))
        assert bodies * _ROWS // 100 - len(hundreds) in (total // 100, total // 100 + 1)
        assert [r["task"] for r in server.records if r["msg"] == "points lost"] == ["stopped"]
        for task in ("well", "other"):
            assert "lost" not in server.task(task)
        server.disable("other")
        assert [v for p in receiver.take("/other") for v in values(p)] == list(range(1, bodies * 3 + 1))


def test_writes_are_refused_instead_where_that_is_configured() -> None:
    with Server(config=_SMALL + 'on-retention = "refuse-writes"\n') as server, Receiver() as receiver:
        _start(server, receiver, "stopped", "well")
        pid = server.node("stopped", "where2")
        os.kill(pid, signal.SIGSTOP)
        taken = 0
        while True:
            answer = server.write(_body(taken), ok=False)
            if answer.status_code != 204:
                break
            taken += 1
        assert answer.status_code == 503
        assert answer.text == "the ingest log is full: task stopped is behind by all of it\n"
        assert answer.headers["retry-after"] == "1"
        os.kill(pid, signal.SIGCONT)
        server.wait_until(lambda: server.write(_body(taken), ok=False).status_code, lambda status: status == 204)
        taken += 1
        for task in ("stopped", "well"):
            seen = _hundreds(_posted(receiver, f"/{task}", taken * _ROWS))
            check_in_order(seen, taken * _ROWS // 100)
            assert "lost" not in server.task(task)


def test_a_writer_that_outruns_the_only_task_is_slowed_and_loses_nothing() -> None:
    # Slow is not stalled, however long the test takes.
    config = _SMALL.replace("1MiB", "4MiB").replace('"1s"', '"1h"') + "[http]\nwrite-timeout = '500ms'\n"
    with Server(config=config) as server, Receiver() as receiver:
        _start(server, receiver, "slow")
        # Until then the task waits for its first answer; from then on it is as fast as it can be, and the writer faster.
        receiver.before_answer = lambda _: server.wait_log(lambda r: r["msg"].startswith("writers are slowed"))
        bodies, more = 0, 20
        # The edges take in a good deal of what is small before the task is behind at all.
        while more:
            more -= bool(server.count_log(lambda r: r["msg"].startswith("writers are slowed")))
            answer = server.write(_body(bodies), ok=False)
            if answer.status_code == 204:
                bodies += 1
            else:
                assert answer.status_code == 503
                assert answer.headers["retry-after"] == "1"
        # The bound of docs/ingest-log.md: the retention, the segment in use, and one while it is counted.
        assert sum(_sizes(server.data_dir)) <= (4 << 20) + 2 * (256 << 10)
        seen = _hundreds(_posted(receiver, "/slow", bodies * _ROWS))
        check_in_order(seen, bodies * _ROWS // 100)
        assert "lost" not in server.task("slow")
        server.wait_log(lambda r: r["msg"] == "writers are not slowed any more")


def test_beside_a_healthy_task_a_slow_one_slows_no_writer(receiver: Receiver) -> None:
    with Server(config=_SMALL + 'drain-timeout = "100ms"\n') as server:
        _start(server, receiver, "stopped", "well")
        os.kill(server.node("stopped", "where2"), signal.SIGSTOP)
        for number in range(30):
            server.write(_body(number))
            _posted(receiver, "/well", (number + 1) * _ROWS)
        assert not server.count_log(lambda r: r["msg"].startswith("writers are slowed"))
        server.delete("stopped")


def test_a_full_disk_is_503_and_over_when_there_is_room(server: Server, receiver: Receiver) -> None:
    server.define("t", f"stream|from().measurement('m')|httpPost('{receiver.url}/t')")
    server.enable("t")
    server.write("m v=1i 1")
    supervisor = psutil.Process(server.processes()["tickworks: supervisor"])
    limits = supervisor.rlimit(psutil.RLIMIT_FSIZE)
    size = max(_sizes(server.data_dir))
    supervisor.rlimit(psutil.RLIMIT_FSIZE, (size + 10, limits[1]))
    answer = server.write("m v=2i 2", ok=False)
    assert answer.status_code == 503
    assert "the ingest log has no room for a frame" in answer.text
    assert server.task("t")["executing"]
    supervisor.rlimit(psutil.RLIMIT_FSIZE, limits)
    server.write("m v=3i 3")
    server.disable("t")
    assert [v for p in receiver.take("/t") for v in values(p)] == [1, 3]
    assert server.count_log(lambda r: r["msg"] == "writes are refused") == 1
    server.delete("t")
