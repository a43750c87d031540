"""The zygote: a process with the node code imported and the kernels loaded that forks one child a node on request.

It is single-threaded, has no ZeroMQ context, and talks to the supervisor over one Unix socket of packets, each a
msgpack array: to it `["fork", [spec, ...]]`, `["kill", id]`; from it `["ready"]`, `["forked", id, pid]`, `["refused", id,
text]`, `["exit", id, pid, status]` (a signal as a negative number). Processes that are ordered together are prepared
together before they are forked (engine.runner.prepared). It is the only process that signals a node, and
does so through the descriptor of the process, so that no reused pid is ever hit.
"""

from __future__ import annotations

import errno
import importlib
import os
import select
import signal
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from engine import heap, logs
from engine.process import fork_alike
from engine.runner import spec as specs

if TYPE_CHECKING:
    import socket

    from engine.runner.prepared import Prepared

PACKET = 1 << 22
"""The largest order: a task whose node needs more text than this is refused."""

NODE_NICE = 10

_TOGETHER = 8
"""So many processes are prepared before the first of them is forked: what they share grows, and so does that one's wait."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


@dataclass(slots=True)
class _Child:
    id: str
    pid: int
    descriptor: int


class Zygote:
    """The fork server's loop."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._children: dict[int, _Child] = {}
        self._by_id: dict[str, _Child] = {}
        self._epoll = select.epoll()
        self._outbox: deque[bytes] = deque()
        self._log = logs.get_logger(process="zygote")

    def run(self) -> int:
        """Until the supervisor closes the socket."""
        self._channel.setblocking(False)
        self._epoll.register(self._channel.fileno(), select.EPOLLIN)
        self._say("ready")
        while True:
            for descriptor, _ in self._epoll.poll():
                if descriptor != self._channel.fileno():
                    self._reap(descriptor)
                elif not self._orders():
                    return 0
            self._flush()

    def _orders(self) -> bool:
        while True:
            try:
                packet = self._channel.recv(PACKET)
            except BlockingIOError:
                return True
            if not packet:
                return False
            order, argument = _decode(packet)
            if order == "fork":
                ordered = [specs.decode(raw) for raw in argument]
                for start in range(0, len(ordered), _TOGETHER):
                    self._fork(ordered[start : start + _TOGETHER])
            else:
                self._kill(argument)

    def _fork(self, ordered: list[specs.ProcessSpec]) -> None:
        from engine.runner.prepared import prepare_early  # noqa: PLC0415 - loaded by `main`, after the fork from the supervisor

        for spec, prepared in [(spec, prepare_early(spec)) for spec in ordered]:
            self._fork_one(spec, prepared)

    def _fork_one(self, spec: specs.ProcessSpec, prepared: Prepared | None) -> None:
        try:
            pid = fork_alike(spec.title, lambda: _node(spec, prepared))
        except OSError as error:
            self._say("refused", spec.id, f"cannot start a process: {error.strerror}")
            return
        child = _Child(spec.id, pid, os.pidfd_open(pid))
        self._children[child.descriptor] = child
        self._by_id[spec.id] = child
        self._epoll.register(child.descriptor, select.EPOLLIN)
        self._say("forked", spec.id, pid)

    def _kill(self, identity: str) -> None:
        child = self._by_id.get(identity)
        if child is not None:
            signal.pidfd_send_signal(child.descriptor, signal.SIGKILL)

    def _reap(self, descriptor: int) -> None:
        child = self._children.pop(descriptor)
        del self._by_id[child.id]
        _, status = os.waitpid(child.pid, 0)
        self._epoll.unregister(descriptor)
        os.close(descriptor)
        self._say("exit", child.id, child.pid, os.waitstatus_to_exitcode(status))

    def _say(self, *what: Any) -> None:
        self._outbox.append(_encode(what))
        self._flush()

    def _flush(self) -> None:
        while self._outbox:
            try:
                self._channel.send(self._outbox[0])
            except BlockingIOError:
                self._epoll.modify(self._channel.fileno(), select.EPOLLIN | select.EPOLLOUT)
                return
            except OSError as error:
                if error.errno in (errno.EPIPE, errno.ECONNRESET):
                    return
                raise
            self._outbox.popleft()
        self._epoll.modify(self._channel.fileno(), select.EPOLLIN)


def yield_to_ingest() -> None:
    """Let front ends and the supervisor run first where processors are scarce: what is accepted waits safely in the log."""
    os.nice(NODE_NICE)
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _node(spec: specs.ProcessSpec, prepared: Prepared | None) -> int:
    from engine.runner.main import run  # noqa: PLC0415 - loaded before the first fork
    from engine.runner.prepared import prepare  # noqa: PLC0415 - as above

    yield_to_ingest()
    return run(prepared or prepare(spec))


def main(channel: socket.socket, level: str, run_dir: str) -> int:
    """The body of the zygote process: load everything that nodes need, then fork on request."""
    rehearsal = importlib.import_module("engine.runner.rehearsal")
    tasks = rehearsal.plans()
    rehearsal.rehearse(tasks)
    logs.configure(level)
    rehearsal.rehearse_processes(run_dir, tasks[0])
    importlib.import_module("engine.frames.jit").forget_sources()
    _filling = heap.settle()
    return Zygote(channel).run()
