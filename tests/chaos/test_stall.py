"""A node that stands still is shown, holds up no writer and no other task, and loses nothing."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import psutil

from tests.harness import Processes, Receiver, Server

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.harness import Posted

_POINTS = 400_000
_HOSTS = 20
_BODY = 10_000
_MOST_MEMORY = 1_500_000_000
_WINDOW = """
stream|from().measurement('cpu').groupBy('host')
    |window().period(1000s).every(1000s)
    |sum('n')
    |httpPost('{}')
"""


def _bodies() -> list[bytes]:
    """Every host reports once a second; n counts the points."""
    lines = [
        b"cpu,host=server%02d,region=eu n=%di,usage=%d.25 %d"
        % (i % _HOSTS, i, i % 100, 1_600_000_000_000_000_000 + i // _HOSTS * 10**9)
        for i in range(_POINTS)
    ]
    return [b"\n".join(lines[i : i + _BODY]) for i in range(0, _POINTS, _BODY)]


def _expected() -> list[tuple[str, int]]:
    """Host and sum of each window of 1,000 points a host that is followed by another, in the order of their ends."""
    windows = _POINTS // _HOSTS // 1000 - 1
    return [
        (f"server{h:02d}", sum(range(w * 1000 * _HOSTS + h, (w + 1) * 1000 * _HOSTS, _HOSTS)))
        for w in range(windows)
        for h in range(_HOSTS)
    ]


def _rows(posted: Sequence[Posted]) -> list[tuple[str, int]]:
    found = []
    for p in posted:
        for series in p.json["series"]:
            at = series["columns"].index("sum")
            found += [(series["tags"]["host"], int(row[at])) for row in series["values"]]
    return found


def _memory(server: Server) -> int:
    """Bytes of all processes, what they share counted once."""
    return sum(psutil.Process(pid).memory_full_info().pss for pid in server.processes().values())


def test_a_stopped_node_stalls_its_own_task_alone_and_nothing_is_lost(server: Server, receiver: Receiver) -> None:
    expected = _expected()
    for task in ("stopped", "well"):
        server.define(task, _WINDOW.format(f"{receiver.url}/{task}"))
        server.enable(task)
    pid = server.node("stopped", "window2")
    os.kill(pid, signal.SIGSTOP)
    bodies = _bodies()
    for body in bodies:
        server.write(body)  # fails unless it is acknowledged
    assert _rows([receiver.next("/well") for _ in expected]) == expected
    assert _memory(server) < _MOST_MEMORY
    assert receiver.take("/stopped") == []

    server.wait_log(lambda r: r["msg"] == "node stalled" and (r["task"], r["node"]) == ("stopped", "window2"))
    shown = server.task("stopped")
    assert (shown["executing"], shown["stalled"]) == (True, ["window2"])
    assert "stalled" not in server.task("well")

    os.kill(pid, signal.SIGCONT)
    assert _rows([receiver.next("/stopped") for _ in expected]) == expected
    server.wait_log(lambda r: r["msg"] == "node goes on" and r["task"] == "stopped")
    server.wait_until(lambda: server.task("stopped"), lambda task: "stalled" not in task)
    stalls = [r for r in server.records if r["msg"] == "node stalled"]
    assert [(r["task"], r["node"]) for r in stalls] == [("stopped", "window2")]
    for task in ("stopped", "well"):
        server.disable(task)
        assert receiver.take(f"/{task}") == []
        server.delete(task)


def test_a_task_with_a_stopped_node_can_be_disabled() -> None:
    with Server(config='[tickworks]\ndrain-timeout = "100ms"\n') as server, Receiver() as receiver:
        server.define("t", f"stream|from().measurement('m')|where(lambda: TRUE)|httpPost('{receiver.url}/t')")
        server.enable("t")
        os.kill(server.node("t", "where2"), signal.SIGSTOP)
        server.write("m v=1 1")
        server.disable("t")
        assert not [title for title in server.processes() if "task t" in title]
        left = server.wait_log(lambda r: r["msg"] == "drain timeout, task aborted")
        assert "where2" in left["nodes"]


def test_with_a_time_out_a_stalled_node_is_killed_and_its_task_goes_on() -> None:
    config = '[tickworks]\nstall-after = "100ms"\nstall-timeout = "200ms"\n'
    with Server(config=config) as server, Receiver() as receiver:
        server.define("t", f"stream|from().measurement('m')|where(lambda: TRUE)|httpPost('{receiver.url}/t')")
        server.enable("t")
        server.write("m v=1 1")
        assert receiver.next("/t").json["series"][0]["values"][0][1] == 1
        pid = server.node("t", "where2")
        stopped = Processes()
        stopped.add_tree(pid)
        os.kill(pid, signal.SIGSTOP)
        server.write("m v=2 2")
        stopped.wait_gone()
        assert receiver.next("/t").json["series"][0]["values"][0][1] in (1, 2)
        assert server.wait_log(lambda r: r["msg"] == "node process died")["node"] == "where2"
