"""How the server bears many tasks: 250 tasks of 4 nodes, a process each, and 1,000 tasks of one measurement on one stream.

    python -m tests.bench.bench_scale [--tasks 250] [--listed 1000] [--enabled 1000] [--idle 10]

Prints one JSON object a figure, with the bound that it is held to. CPU is that of every process of the server, from the kernel's accounts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil

from tests.harness import Server

_WIDE = "stream|from().measurement('m{}')|where(lambda: \"v\" > 0)|eval(lambda: \"v\" * 2).as('w')|httpOut('out')"
_ONE = "stream|from().measurement('m{}')|httpOut('out')"


def say(what: str, value: float, unit: str, bound: float | None = None) -> None:
    print(json.dumps({"figure": what, "value": round(value, 3), "unit": unit, "bound": bound}), flush=True)


def timed(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def cpu_seconds(pids: list[int]) -> float:
    total = 0.0
    for pid in pids:
        times = psutil.Process(pid).cpu_times()
        total += times.user + times.system
    return total


def many_nodes(server: Server, tasks: int, idle: float) -> None:
    """Tasks of 4 nodes: up, idle, at work, and gone."""
    names = [f"t{n}" for n in range(tasks)]
    say("define, a task", timed(lambda: [server.define(t, _WIDE.format(n)) for n, t in enumerate(names)]) / tasks, "s")
    with ThreadPoolExecutor(8) as pool:
        say(f"enable {tasks} tasks of 4 nodes", timed(lambda: list(pool.map(server.enable, names))), "s", 10)
        nodes = {title: pid for title, pid in server.processes().items() if " node " in title}
        say("node processes", len(nodes), "")
        memory = [psutil.Process(pid).memory_full_info() for pid in nodes.values()]
        say("private memory of a node, median", statistics.median(m.uss for m in memory) / 2**20, "MiB", 3)
        say("private memory of a node, highest", max(m.uss for m in memory) / 2**20, "MiB", 3)
        pids = list(server.processes().values())
        time.sleep(2)
        before = cpu_seconds(pids)
        time.sleep(idle)
        say("CPU while idle, of a core", (cpu_seconds(pids) - before) / idle * 100, "%", 2)
        body = "\n".join(f"m{n} v=1i 1" for n in range(tasks))
        server.write(body)
        started = time.perf_counter()
        for t in names:
            while not server.endpoint(t, "out")["series"]:
                pass
        say("one point for each, until all show it", time.perf_counter() - started, "s")
        say("list", timed(lambda: server.call("GET", "/tasks?limit=-1&fields=status&fields=executing")), "s")
        say(f"delete {tasks} tasks", timed(lambda: list(pool.map(server.delete, names))), "s", 10)
    left = [title for title in server.processes() if " node " in title]
    say("node processes left", len(left), "", 0)


def many_tasks(server: Server, tasks: int, enabled: int) -> None:
    """Tasks of one measurement each on one stream, `enabled` of them running."""
    names = [f"s{n}" for n in range(tasks)]
    for n, t in enumerate(names):
        server.define(t, _ONE.format(n))
    with ThreadPoolExecutor(8) as pool:
        running = names[:: max(1, tasks // enabled)][:enabled]
        say(f"enable {enabled} tasks of 2 processes", timed(lambda: list(pool.map(server.enable, running))), "s")
        fields = "&".join(f"fields={f}" for f in ("type", "status", "executing", "dbrps"))
        lists = [timed(lambda: server.call("GET", f"/tasks?limit=-1&{fields}")) for _ in range(10)]
        say(f"list {tasks} tasks, as `list tasks` asks", statistics.median(lists), "s", 0.05)
        say(f"list {tasks} tasks, every field", timed(lambda: server.call("GET", "/tasks?limit=-1")), "s")
        more = [timed(lambda n=n: server.define(f"more{n}", _ONE.format(n))) for n in range(10)]
        say("one more define", statistics.median(more), "s", 0.2)
        more = [timed(lambda n=n: server.enable(f"more{n}")) for n in range(10)]
        say("one more enable", statistics.median(more), "s", 0.2)
        say(
            "a write that one of them wants",
            statistics.median(timed(lambda: server.write("m0 v=1i")) for _ in range(50)),
            "s",
        )
        say("delete them", timed(lambda: list(pool.map(server.delete, names))), "s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=250)
    parser.add_argument("--listed", type=int, default=1000)
    parser.add_argument("--enabled", type=int, default=1000)
    parser.add_argument("--idle", type=float, default=10.0)
    arguments = parser.parse_args()
    if arguments.tasks:
        with Server(config="[tickworks]\ndrain-timeout = '30s'\n") as server:
            many_nodes(server, arguments.tasks, arguments.idle)
    if arguments.listed:
        with Server() as server:
            many_tasks(server, arguments.listed, min(arguments.listed, arguments.enabled))


if __name__ == "__main__":
    main()
