"""A process that holds ends of edges for the tests, and the proxy that lets a test use them as if they were its own.

`python -m tests.transports.peer` reads one JSON request a line and answers each with one line, so a test knows what the process
did and need not guess. A request is begun and finished apart when the test acts while the process waits.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import numpy as np
import zmq

from transports import errors
from transports.context import new_context
from transports.edge import EdgeStatistics, Limits
from transports.zmq_edge import ipc_collector, ipc_emitter

ROOT = Path(__file__).parents[2]
_NAMED = {error.__name__: error for error in (errors.EdgeAborted, errors.EdgeClosed, errors.PeerLost)}


class Peer:
    """The process, seen from the test."""

    def __init__(self) -> None:
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.transports.peer"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._opened = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.signal(signal.SIGCONT)
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        assert not Path(f"/proc/{self._process.pid}").exists()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def open(self, role: str, path: str, kind: str = "stream", *, limits: Limits, watch_groups: bool = False) -> Remote:
        remote = self.begin_open(role, path, kind, limits=limits, watch_groups=watch_groups)
        self.finish()
        return remote

    def begin_open(self, role: str, path: str, kind: str, *, limits: Limits, watch_groups: bool = False) -> Remote:
        self._opened += 1
        self.begin("open", self._opened, role, path, kind, dataclasses.astuple(limits), watch_groups)
        return Remote(self, self._opened)

    def begin(self, *request: Any) -> None:
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()

    def finish(self) -> Any:
        """The answer to the request that was begun, or the error that it raised."""
        line = self._process.stdout.readline()
        assert line, "the peer process ended"
        error, result = json.loads(line)
        if error is not None:
            raise _NAMED[error]
        return result

    def ask(self, *request: Any) -> Any:
        self.begin(*request)
        return self.finish()

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """End the process as a crash would; when this returns its descriptors are closed."""
        self._process.kill()
        self._process.wait()


class Remote:
    """One end of an edge in the peer process, with the methods of Collector and Emitter that the tests use."""

    def __init__(self, peer: Peer, number: int) -> None:
        self.peer = peer
        self.number = number

    def begin(self, method: str, *arguments: Any) -> None:
        self.peer.begin("call", self.number, method, arguments)

    def finish_parts(self) -> list[memoryview] | None:
        return _parts_in(self.peer.finish())

    def _call(self, method: str, *arguments: Any) -> Any:
        return self.peer.ask("call", self.number, method, arguments)

    def collect(self, parts, count, groups=None):
        return self._call("collect", _parts_out(parts), count, _groups_out(groups))

    def collect_wait(self, parts, count, groups=None, *, timeout):
        return self._call("collect_wait", _parts_out(parts), count, _groups_out(groups), timeout)

    def emit(self):
        return _parts_in(self._call("emit"))

    def emit_wait(self, timeout):
        return _parts_in(self._call("emit_wait", timeout))

    def counted(self, count, groups=None):
        self._call("counted", count, _groups_out(groups))

    def drain(self):
        self._call("drain")

    def drain_wait(self, timeout):
        return self._call("drain_wait", timeout)

    @property
    def drained(self):
        return self._call("drained")

    def abort(self):
        self._call("abort")

    def close(self):
        if self.peer.alive:
            self._call("close")

    def statistics(self):
        return EdgeStatistics(**self._call("statistics"))

    def group_counts(self):
        return _groups_in(self._call("group_counts"))

    def forget_groups(self, hashes):
        self._call("forget_groups", hashes.tolist())


def serve() -> None:
    """Answer requests until the input ends. What is left open then is closed."""
    context = new_context()
    ends: dict[int, Any] = {}
    for line in sys.stdin:
        try:
            answer = [None, _do(context, ends, json.loads(line))]
        except (errors.EdgeAborted, errors.EdgeClosed) as error:
            answer = [type(error).__name__, None]
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for end in ends.values():
        end.close()
    context.term()


def _do(context: Any, ends: dict[int, Any], request: list[Any]) -> Any:
    operation, number, *rest = request
    if operation == "open":
        role, path, kind, limits, watch_groups = rest
        make = ipc_collector if role == "collector" else ipc_emitter
        ends[number] = make(context, path, kind, limits=Limits(*limits), watch_groups=watch_groups)
        return None
    method, arguments = rest
    end = ends[number]
    if method in ("collect", "collect_wait"):
        parts, count, groups, *timeout = arguments
        waiting = {"timeout": timeout[0]} if timeout else {}
        return getattr(end, method)(_parts_in(parts), count, _groups_in(groups), **waiting)
    if method in ("emit", "emit_wait"):
        return _parts_out(getattr(end, method)(*arguments))
    if method == "counted":
        return end.counted(arguments[0], _groups_in(arguments[1]))
    if method == "forget_groups":
        return end.forget_groups(np.array(arguments[0], dtype=np.uint64).reshape(-1, 2))
    if method == "group_counts":
        return _groups_out(end.group_counts())
    if method == "drained":
        return end.drained
    if method == "statistics":
        return dataclasses.asdict(end.statistics())
    return getattr(end, method)(*arguments)


def _parts_out(parts):
    return None if parts is None else [base64.b64encode(part).decode() for part in parts]


def _parts_in(parts):
    return None if parts is None else [memoryview(base64.b64decode(part)) for part in parts]


def _groups_out(groups):
    return None if groups is None else [part.tolist() for part in groups]


def _groups_in(groups):
    if groups is None:
        return None
    return np.array(groups[0], dtype=np.uint64).reshape(-1, 2), np.array(groups[1], dtype=np.int64)


def readable(end: Any) -> bool:
    """Whether one of the end's sockets is readable now, as a poll loop would see it."""
    poller = zmq.Poller()
    for item in end.sockets:
        poller.register(item, zmq.POLLIN)
    return bool(poller.poll(0))


if __name__ == "__main__":
    serve()
