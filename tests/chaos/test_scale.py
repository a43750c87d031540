"""Many tasks, a process a node: all of them run, each gets its own, and nothing is left of them when they are deleted.

Smaller than what the server is held to; `python -m tests.bench.bench_scale` has the real numbers and their times.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.harness import Server

_TASKS = 20
_LISTED = 150
_SCRIPT = "stream|from().measurement('m{}')|where(lambda: \"v\" > 0)|eval(lambda: \"v\" * 2).as('w')|httpOut('out')"


def _nodes(server: Server) -> list[str]:
    return [title for title in server.processes() if " node " in title]


def _edges(server: Server) -> list[str]:
    """What is in the run directory beside the server's own five."""
    return [path.name for path in server.run_dir.iterdir() if path.name.startswith("e")]


def test_many_tasks_come_run_and_go_without_a_trace(server: Server) -> None:
    names = [f"t{n}" for n in range(_TASKS)]
    for n, task in enumerate(names):
        server.define(task, _SCRIPT.format(n))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(server.enable, names))
        assert len(_nodes(server)) == _TASKS * 4
        server.write("\n".join(f"m{n} v={n + 1}i 1" for n in range(_TASKS)))
        for n, task in enumerate(names):
            shown = server.wait_endpoint(task, "out", lambda out: out["series"])
            assert [(s["name"], s["values"][0][1]) for s in shown["series"]] == [(f"m{n}", 2 * (n + 1))]
        list(pool.map(server.delete, names))
    assert _nodes(server) == []
    assert _edges(server) == []
    assert server.call("GET", "/tasks") == {"tasks": []}


def test_tasks_that_are_deleted_while_they_start_leave_nothing(server: Server) -> None:
    names = [f"t{n}" for n in range(8)]
    for n, task in enumerate(names):
        server.define(task, _SCRIPT.format(n))
    with ThreadPoolExecutor(16) as pool:
        enabling = [pool.submit(server.call, "PATCH", f"/tasks/{t}", {"status": "enabled"}, ok=False) for t in names]
        deleting = [pool.submit(server.delete, t) for t in names]
        for each in [*enabling, *deleting]:
            each.result()
    for task in names:
        server.delete(task)
    assert _nodes(server) == []
    assert _edges(server) == []


def test_a_long_list_shows_every_task_once(server: Server) -> None:
    names = [f"s{n:04d}" for n in range(_LISTED)]
    for n, task in enumerate(names):
        server.define(task, _SCRIPT.format(n))
    server.enable(names[7])
    found = server.call("GET", "/tasks?limit=-1&fields=executing&fields=status")["tasks"]
    assert [t["id"] for t in found] == names
    assert [t["id"] for t in found if t["executing"]] == [names[7]]
    whole = server.call("GET", "/tasks?pattern=s0007")["tasks"]
    assert whole[0]["stats"]["node-stats"].keys() == {"stream0", "from1", "where2", "eval3", "http_out4"}
    assert "processed" in whole[0]["dot"]
    for task in names:
        server.delete(task)
