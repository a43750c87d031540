"""How the server bears what tests/chaos does to it, in figures: run on a quiet machine, `nice -n -10`.

    python -m tests.bench.bench_chaos [kills] [stall] [overload] [--kills 10] [--pairs 5] [--seconds 120]

kills: each kind of process is killed under load; seconds from the kill until points written after it have come out (of the
store and the alert service: until the API answers from them). stall: throughput of a task beside one whose node is stopped,
as a ratio to that beside one that runs, in interleaved pairs. overload: a writer that outruns the only task: memory, and what
came out. Prints one JSON object a figure.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import psutil

from tests.chaos.loads import Load, check_in_order, take_until, values
from tests.harness import API, Receiver, Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Posted

_SCRIPT = "stream|from().measurement('m')|where(lambda: \"v\" > 0)|httpPost('{}')"
_BOUNDS = {"node": 5, "front end": 5, "store": 5, "alert service": 5, "zygote": 10, "supervisor": 10}
_ASKED = {"store": "/tasks?fields=id", "alert service": "/alerts/topics"}


def say(what: str, **figures: Any) -> None:
    print(json.dumps({"figure": what, **figures}), flush=True)


def memory(server: Server) -> int:
    """Bytes of all processes, what they share counted once."""
    total = 0
    for pid in server.processes().values():
        try:
            total += psutil.Process(pid).memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total


def until_answered(server: Server, path: str) -> None:
    while True:
        try:
            answer = httpx.get(server.url + API + path, timeout=0.5, trust_env=False)
        except httpx.TransportError:
            continue
        if answer.is_success:
            return


def kills(count: int) -> None:
    for kind, bound in _BOUNDS.items():
        title = "tickworks: task t node where2" if kind == "node" else f"tickworks: {kind}"
        with Server() as server, Receiver() as receiver:
            server.define("t", _SCRIPT.format(f"{receiver.url}/t"))
            server.enable("t")
            times = []
            with Load(server, receiver) as load:
                for _ in range(count):
                    load.wait_more(10)
                    time.sleep(random.random())
                    pid = server.processes()[title]
                    started = time.perf_counter()
                    os.kill(pid, signal.SIGKILL)
                    if kind in _ASKED:
                        until_answered(server, _ASKED[kind])
                    else:
                        load.wait_seen(load.acknowledged + 60)
                    times.append(time.perf_counter() - started)
                last = load.stop()
            setbacks = check_in_order(take_until(receiver, "/t", last), last)
            say(
                f"recovery from a kill of: {kind}",
                kills=count,
                median_s=round(statistics.median(times), 2),
                highest_s=round(max(times), 2),
                bound_s=bound,
                acknowledged=last,
                lost=0,
                setbacks=setbacks,
            )


_WINDOW = (
    "stream|from().measurement('cpu').groupBy('host')|window().period(100s).every(100s)|count('n')|where(lambda: TRUE)"
    "|httpOut('out')"
)


def bodies(points: int) -> tuple[list[bytes], bytes]:
    lines = [
        b"cpu,host=server%02d,region=eu n=%di,usage=%d.25 %d"
        % (i % 20, i, i % 100, 1_600_000_000_000_000_000 + i // 20 * 10**9)
        for i in range(points)
    ]
    last = 1_600_000_000_000_000_000 + (points // 20 + 1000) * 10**9
    return [
        b"\n".join(lines[i : i + 5000]) for i in range(0, points, 5000)
    ], b"cpu,host=end n=1i %d\ncpu,host=end n=1i %d" % (
        last,
        last + 200 * 10**9,
    )


def throughput(points: int, *, stopped: bool) -> tuple[float, int]:
    """Points a second of the second of two tasks, and the memory of the server then."""
    data, end = bodies(points)
    with Server() as server:
        for task in ("first", "second"):
            server.define(task, _WINDOW)
            server.enable(task)
        if stopped:
            os.kill(server.node("first", "window2"), signal.SIGSTOP)
        started = time.perf_counter()
        for body in data:
            server.write(body)
        server.write(end)
        while not any(
            (s.get("tags") or {}).get("host") == "end" for s in server.endpoint("second", "out")["series"] or ()
        ):
            time.sleep(0.002)
        took = time.perf_counter() - started
        used = memory(server)
        if stopped:
            os.kill(server.node("first", "window2"), signal.SIGCONT)
    return points / took, used


def stall(pairs: int) -> None:
    ratios, most = [], 0
    for _ in range(pairs):
        well, _ = throughput(400_000, stopped=False)
        disturbed, used = throughput(400_000, stopped=True)
        ratios.append(disturbed / well)
        most = max(most, used)
        say("second task, points/s", undisturbed=round(well), disturbed=round(disturbed))
    say("second task beside a stopped one, ratio", median=round(statistics.median(ratios), 3), bound=0.95)
    say("memory of all processes", MB=round(most / 1e6), bound_MB=1500)


def overload(seconds: float) -> None:
    config = '[tickworks]\nretention-size = "64MiB"\nsegment-size = "4MiB"\n[http]\nwrite-timeout = "2s"\n'
    with Server(config=config) as server, Receiver() as receiver:
        server.define(
            "slow", f"stream|from().measurement('m')|where(lambda: \"v\" % 500 == 0)|httpPost('{receiver.url}/slow')"
        )
        server.enable("slow")
        receiver.before_answer = _slowly
        used: list[int] = []
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(1.0):
                used.append(memory(server))

        watcher = threading.Thread(target=watch)
        watcher.start()
        rows, number, refused, slowest = 5000, 0, 0, 0.0
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            first = number * rows + 1
            body = "\n".join(f"m,host=h{n % 50} v={n}i,w={n}.5 {n}" for n in range(first, first + rows))
            started = time.perf_counter()
            answer = server.write(body, ok=False)
            slowest = max(slowest, time.perf_counter() - started)
            if answer.status_code == 204:
                number += 1
            else:
                refused += 1
        ended.set()
        watcher.join()
        receiver.before_answer = None
        last = number * rows
        seen: list[int] = []
        while last not in seen[-1:]:
            seen += values(receiver.next("/slow"))
        check_in_order([v // 500 for v in seen], last // 500)
        say(
            "overload",
            seconds=seconds,
            acknowledged=last,
            refused_writes=refused,
            slowest_answer_s=round(slowest, 2),
            memory_after_a_quarter_MB=round(used[len(used) // 4] / 1e6),
            memory_highest_MB=round(max(used) / 1e6),
            lost=server.task("slow").get("lost", 0),
        )


def _slowly(_: Posted) -> None:
    time.sleep(0.02)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["kills", "stall", "overload"])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=120.0)
    given = parser.parse_args()
    works: dict[str, Callable[[], None]] = {
        "kills": lambda: kills(given.kills),
        "stall": lambda: stall(given.pairs),
        "overload": lambda: overload(given.seconds),
    }
    for what in given.what:
        works[what]()


if __name__ == "__main__":
    main()
