"""The supervisor's end of the socket to its zygote: orders out, what became of them in; never a wait.

Orders lie in a queue until the socket takes them. When the zygote dies, all nodes have died with it and orders that were
not sent are void: `restart` makes another. Bound: an order a process that is wanted, so what the tasks' nodes come to.
"""

from __future__ import annotations

import os
import signal
import socket
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec
import zmq

from engine import logs
from engine.process import fork_into
from engine.zygote import PACKET

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_SLACK = 64
"""Bytes that a packet needs beside the specs, and beside each of them."""


class ZygoteDied(Exception):
    """The zygote is gone; `status` is its exit status, negative for a signal."""

    def __init__(self, status: int) -> None:
        super().__init__(f"exit status {status}")
        self.status = status


class ZygoteLink:
    """One zygote after the other. Made before the process has a ZeroMQ context, so that the first has none either."""

    def __init__(self, level: str, run_dir: str) -> None:
        self._level = level
        self._run_dir = run_dir
        self._poller: zmq.Poller | None = None
        self._queue: deque[bytes] = deque()
        self._socket, self._pid = self._start()

    def _start(self) -> tuple[socket.socket, int]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for s in (ours, theirs):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PACKET)
        level, run_dir = self._level, self._run_dir

        def body() -> int:
            from engine import zygote  # noqa: PLC0415 - what it loads belongs to the zygote

            return zygote.main(theirs, level, run_dir)

        pid = fork_into("zygote", body, keep=[theirs.fileno()])
        logs.board().started("zygote", pid)
        theirs.close()
        ours.setblocking(False)
        return ours, pid

    @property
    def pid(self) -> int:
        return self._pid

    def fileno(self) -> int:
        return self._socket.fileno()

    def watch(self, poller: zmq.Poller) -> None:
        """Have the poller tell when there is something for `events`."""
        self._poller = poller
        poller.register(self.fileno(), zmq.POLLIN)

    def restart(self) -> None:
        """Start another zygote in place of one that died."""
        self._socket, self._pid = self._start()
        if self._poller is not None:
            self.watch(self._poller)

    def fork(self, specs: Sequence[bytes]) -> None:
        """Order the processes of a task, together where a packet has room for them."""
        together: list[bytes] = []
        room = PACKET - _SLACK
        for spec in specs:
            if together and room < len(spec) + _SLACK:
                self.order("fork", together)
                together, room = [], PACKET - _SLACK
            together.append(spec)
            room -= len(spec) + _SLACK
        self.order("fork", together)

    def order(self, *what: Any) -> None:
        self._queue.append(msgspec.msgpack.encode(what))
        self._send()

    def _send(self) -> None:
        wanted = zmq.POLLIN
        while self._queue:
            try:
                self._socket.send(self._queue[0])
            except BlockingIOError:
                wanted |= zmq.POLLOUT
                break
            except OSError:
                return
            self._queue.popleft()
        if self._poller is not None:
            self._poller.modify(self.fileno(), wanted)

    def events(self) -> Iterator[list[Any]]:
        """What the zygote has said. Raises ZygoteDied when it is gone."""
        self._send()
        while True:
            try:
                packet = self._socket.recv(PACKET)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                raise ZygoteDied(self._bury())
            yield msgspec.msgpack.decode(packet)

    def _bury(self) -> int:
        if self._poller is not None:
            self._poller.unregister(self.fileno())
        self._socket.close()
        self._queue.clear()
        _, status = os.waitpid(self._pid, 0)
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """End the zygote, and with it every node, at once."""
        self._socket.close()
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
