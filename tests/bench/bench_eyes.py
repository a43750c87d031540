"""What looking costs: the window workload with nobody looking, and with `logs -f` and `top` running beside it.

    nice -n -10 .venv/bin/python -m tests.bench.bench_eyes [--points 400000] [--pairs 5]

Runs are interleaved in pairs on one server, because machines are not the same from minute to minute; what counts are the
medians of the pairs' ratios: of points a second, and, on a machine that others use as well, of processor time. The lookers run at ordinary priority whatever that of this program.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.harness import ROOT, Server, clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOAD = Path(__file__).parent / "load.py"
_RUNS = 3
_LOOKERS = (("logs", "-f"), ("top", "--json", "--interval", "1s"))


def _measure(server: Server, points: int) -> tuple[float, float]:
    """The window workload: points a second of the best of a few runs, because what others do only ever slows one; and
    processor seconds that the server took for all of them, which others hardly change."""
    before = _processor_seconds(server)
    ended = subprocess.run(
        [
            sys.executable,
            str(_LOAD),
            "--url",
            server.url,
            "-w",
            "window",
            "--points",
            str(points),
            "--runs",
            str(_RUNS),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    rate = max(float(json.loads(line)["points_per_s"]) for line in ended.stdout.splitlines())
    return rate, _processor_seconds(server) - before


def _processor_seconds(server: Server) -> float:
    """Of all processes that the server has, and of the nodes that it had: they were children of the zygote."""
    total = 0.0
    for pid in server.processes().values():
        times = psutil.Process(pid).cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


@contextlib.contextmanager
def _looking(server: Server) -> Iterator[None]:
    """The lookers run, each having shown something already."""
    with contextlib.ExitStack() as stack:
        for arguments in _LOOKERS:
            looker = subprocess.Popen(
                ["nice", "-n", str(-os.nice(0)), sys.executable, "-m", "cli", *arguments],
                cwd=ROOT,
                env=clean_environment(KAPACITOR_URL=server.url),
                stdout=subprocess.PIPE,
            )
            stack.callback(looker.wait)
            stack.callback(looker.terminate)
            stack.enter_context(_drained(looker, first=arguments[0] == "top"))
        server.wait_until(lambda: server.call("GET", "/tickworks/logs/readers")["sessions"], lambda n: n == 1)
        yield


@contextlib.contextmanager
def _drained(looker: subprocess.Popen[bytes], *, first: bool) -> Iterator[None]:
    """Somebody reads what a looker shows; with `first`, its first line has been read."""
    assert looker.stdout is not None
    with looker.stdout as shown:
        if first:
            shown.readline()
        reading = threading.Thread(target=shown.read)
        reading.start()
        try:
            yield
        finally:
            looker.terminate()
            reading.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=400_000)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    with Server() as server:
        _measure(server, options.points)
        pairs = []
        for pair in range(options.pairs):
            found = {}
            for looked_at in (False, True) if pair % 2 == 0 else (True, False):
                with _looking(server) if looked_at else contextlib.nullcontext():
                    found[looked_at] = _measure(server, options.points)
            (alone, alone_s), (seen, seen_s) = found[False], found[True]
            pairs.append((seen / alone, alone_s / seen_s))
            print(
                json.dumps(
                    {
                        "alone": alone,
                        "looked_at": seen,
                        "ratio": round(seen / alone, 3),
                        "cpu_s_alone": round(alone_s, 2),
                        "cpu_s_looked_at": round(seen_s, 2),
                        "cpu_ratio": round(alone_s / seen_s, 3),
                    }
                ),
                flush=True,
            )
        wall, cpu = (round(statistics.median(values), 3) for values in zip(*pairs, strict=True))
        print(json.dumps({"median_ratio": wall, "median_cpu_ratio": cpu, "pairs": len(pairs)}))


if __name__ == "__main__":
    main()
