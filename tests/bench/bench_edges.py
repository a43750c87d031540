"""What an edge costs, as multiples of a plain copy of the same bytes: `python -m tests.bench.bench_edges`.

Three figures a message of three parts: `collect`, the CPU of the call in the parent; `emit`, that of the call in the child, with
the views made; `hop`, wall time a message over many from one process to another, both of which have nothing else to do. The copy
is one numpy copy of as many bytes between two buffers that the cache knows. Times are medians of several rounds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import zmq

from transports.context import new_context
from transports.errors import EdgeClosed
from transports.memory import memory_edge
from transports.paths import open_run_directory
from transports.zmq_edge import ipc_collector, ipc_emitter

if TYPE_CHECKING:
    from collections.abc import Callable

    from transports.edge import Collector, Emitter

ROOT = Path(__file__).parents[2]
SIZES = {"500 B": (100, 100, 300), "250 kB": (2_000, 120_000, 128_000)}
ROUNDS = 7


def measure() -> None:
    sys.stdout.write(f"{'':18}{'collect':>10}{'emit':>10}{'hop':>10}{'copy':>10}   collect/copy  emit/copy  hop/copy\n")
    with tempfile.TemporaryDirectory() as place:
        run = open_run_directory(Path(place), memory=())
        for name, sizes in SIZES.items():
            parts = [bytes(size) for size in sizes]
            copy = cost_of_copy(sum(sizes))
            with new_context() as context:
                path = run.new_path()
                ends = ipc_collector(context, path, "stream"), ipc_emitter(context, path, "stream")
                report(f"ipc {name}", *cost_of_calls(*ends, parts), cost_of_hop(run.new_path(), parts), copy)
                for end in ends:
                    end.close()
            report(f"memory {name}", *cost_of_calls(*memory_edge("stream"), parts), None, copy)
        run.remove()


def report(name: str, collect: float, emit: float, hop: float | None, copy: float) -> None:
    """One line; all times in nanoseconds."""
    times = "".join(f"{'-':>10}" if ns is None else f"{ns / 1000:>7.1f} µs" for ns in (collect, emit, hop, copy))
    ratios = "".join(
        f"{'-' if ns is None else format(ns / copy, '.1f'):>{width}}"
        for ns, width in ((collect, 15), (emit, 11), (hop, 10))
    )
    sys.stdout.write(f"{name:18}{times}{ratios}\n")


def cost_of_copy(size: int) -> float:
    source, target = np.ones(size, dtype=np.uint8), np.zeros(size, dtype=np.uint8)

    def copies() -> float:
        start = time.thread_time_ns()
        for _ in range(2000):
            np.copyto(target, source)
        return (time.thread_time_ns() - start) / 2000

    return median_of(copies)


def cost_of_calls(collector: Collector, emitter: Emitter, parts: list[bytes]) -> tuple[float, float]:
    """CPU nanoseconds of one `collect` and of one `emit`, both ends in this thread."""
    assert collector.collect_wait(parts, 1, timeout=10)
    assert emitter.emit_wait(10) is not None
    writable = zmq.Poller()
    if collector.writable_socket is not None:
        writable.register(collector.writable_socket, zmq.POLLOUT)
    clock = min(_clock() for _ in range(1000))
    collects, emits = [], []
    for _ in range(3000):
        if collector.writable_socket is not None:
            writable.poll()
        start = time.thread_time_ns()
        taken = collector.collect(parts, 1)
        collects.append(time.thread_time_ns() - start)
        assert taken
        if emitter.sockets:
            readable = zmq.Poller()
            readable.register(emitter.sockets[0], zmq.POLLIN)
            readable.poll()
        start = time.thread_time_ns()
        received = emitter.emit()
        emits.append(time.thread_time_ns() - start)
        assert received is not None
    return statistics.median(collects) - clock, statistics.median(emits) - clock


def _clock() -> int:
    start = time.thread_time_ns()
    return time.thread_time_ns() - start


def cost_of_hop(path: str, parts: list[bytes]) -> float:
    """Nanoseconds a message, from one process to another that takes them as fast as they come."""
    messages = 3000
    with new_context() as context, ipc_collector(context, path, "stream") as collector:
        command = [sys.executable, "-m", "tests.bench.bench_edges", path]
        with subprocess.Popen(command, cwd=ROOT) as child:
            assert collector.collect_wait(parts, 1, timeout=30)

            def hops() -> float:
                start = time.perf_counter_ns()
                for _ in range(messages):
                    if not collector.collect(parts, 1):
                        assert collector.collect_wait(parts, 1, timeout=30)
                return (time.perf_counter_ns() - start) / messages

            taken = median_of(hops)
            assert collector.drain_wait(30)
        assert child.returncode == 0
    return taken


def child(path: str) -> None:
    with new_context() as context, ipc_emitter(context, path, "stream") as emitter:
        poller = zmq.Poller()
        for item in emitter.sockets:
            poller.register(item, zmq.POLLIN)
        while True:
            try:
                while emitter.emit() is not None:
                    emitter.counted(1)
            except EdgeClosed:
                return
            poller.poll()


def median_of(measured: Callable[[], float]) -> float:
    return statistics.median(measured() for _ in range(ROUNDS))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        child(sys.argv[1])
    else:
        measure()
