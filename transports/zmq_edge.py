"""Edges over ZeroMQ: a PUSH/PULL pair for the data, a lifeline beside it for everything that must not wait behind data.

`ipc_collector` and `ipc_emitter` open the two ends of the edge at one path, in two processes of one host, in either order; the
path is new for every incarnation of an edge. What always holds:

- the number of messages on the way is bounded: `Limits.messages` in the parent's queue, as many in the child's, and between
  them what the kernel's socket buffer holds (about 200 KiB, so it matters for small messages only) and one in transit;
- a message is on the edge whole or not at all, and one connection serves an edge for its whole life: it never reconnects;
- sending copies (ZeroMQ's way without a copy starts threads in Python), receiving does not;
- linger is 0: an edge that drained has nothing left to send, any other is aborted.
"""

from __future__ import annotations

import errno
import math
import os
import time
from typing import TYPE_CHECKING, Self

import zmq

from transports import lifeline as lifelines
from transports.counts import GroupCounter
from transports.edge import EdgeStatistics, Limits, size_of
from transports.errors import EdgeAborted, EdgeClosed, PeerLost
from transports.paths import SUN_PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from transports.context import Context
    from transports.counts import GroupCounts, GroupHashes
    from transports.edge import Buffer, EdgeKind, EdgeState, Pollable
    from transports.lifeline import Lifeline, Role

_NOW = zmq.NOBLOCK
_NOW_AND_MORE = zmq.NOBLOCK | zmq.SNDMORE
_DEFAULT_LIMITS = Limits()
_view: Callable[[zmq.Frame], memoryview] = memoryview  # type: ignore[assignment]  # pyzmq's types hide that a Frame is a buffer


def ipc_collector(
    context: Context, path: str, kind: EdgeKind, *, limits: Limits = _DEFAULT_LIMITS, watch_groups: bool = False
) -> ZmqCollector:
    """The parent's end of the edge at `path`, of `RunDirectory.new_path`. Raises OSError where no socket can be made."""
    socket, lifeline, names = _meet(context, zmq.PUSH, path, "c", limits)
    return ZmqCollector(socket, lifeline, kind, limits, names, watch_groups=watch_groups)


def ipc_emitter(
    context: Context, path: str, kind: EdgeKind, *, limits: Limits = _DEFAULT_LIMITS, watch_groups: bool = False
) -> ZmqEmitter:
    """The child's end of the edge at `path`, of `RunDirectory.new_path`. Raises OSError where no socket can be made."""
    socket, lifeline, names = _meet(context, zmq.PULL, path, "e", limits)
    return ZmqEmitter(socket, lifeline, kind, limits, names, watch_groups=watch_groups)


class _ZmqEnd:
    """What both ends share: the sockets, how they end, the counts."""

    __slots__ = (
        "_bytes",
        "_closed",
        "_count",
        "_groups",
        "_kind",
        "_lifeline",
        "_limits",
        "_live",
        "_messages",
        "_names",
        "_ready",
        "_refused",
        "_socket",
        "_sockets",
        "_state",
    )

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        lifeline: Lifeline,
        kind: EdgeKind,
        limits: Limits,
        names: tuple[str, ...],
        *,
        watch_groups: bool = False,
    ) -> None:
        """Take a socket and a lifeline that have met or will meet the same peer; `names` are removed on closing."""
        self._socket = socket
        self._lifeline = lifeline
        self._sockets: tuple[Pollable, ...] = (lifeline.fileno(),)
        self._kind = kind
        self._limits = limits
        self._names = names
        self._groups = GroupCounter() if watch_groups else None
        self._ready = lifeline.ready
        self._live = lifeline.fault is None
        self._state: EdgeState = "open" if self._live else "aborted"
        self._closed = False
        self._count = 0
        self._messages = 0
        self._bytes = 0
        self._refused = 0

    @property
    def kind(self) -> EdgeKind:
        return self._kind

    @property
    def sockets(self) -> tuple[Pollable, ...]:
        return self._sockets

    @property
    def messages(self) -> int:
        return self._messages

    def group_counts(self) -> GroupCounts | None:
        return None if self._groups is None else self._groups.snapshot()

    def forget_groups(self, hashes: GroupHashes) -> None:
        if self._groups is not None:
            self._groups.delete(hashes)

    def abort(self) -> None:
        if self._state in ("ended", "aborted"):
            return
        self._lifeline.turn()
        if self._lifeline.taken is not None:
            self._state = "ended"
            return
        self._lifeline.say_abort()
        self._fail(self._lifeline.fault or EdgeAborted)

    def close(self) -> None:
        if self._closed:
            return
        self.abort()
        self._closed = True
        self._lifeline.close()
        self._socket.close(linger=0)
        for name in self._names:
            lifelines.remove(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _look(self) -> None:
        """Take in what the peer said. Raises EdgeAborted when that was the last thing it did."""
        self._lifeline.turn()
        if self._lifeline.fault is not None:
            self._fail(self._lifeline.fault)
            raise self._lifeline.fault

    def _fail(self, fault: type[EdgeAborted]) -> None:
        self._lifeline.fault = fault
        self._live = False
        self._state = "aborted"

    def _over(self) -> EdgeAborted | EdgeClosed:
        """Why nothing more can be asked of this end."""
        return EdgeClosed() if self._lifeline.fault is None else self._lifeline.fault()


class ZmqCollector(_ZmqEnd):
    """The parent's end of an edge over ZeroMQ; the contract is `transports.edge.Collector`'s."""

    __slots__ = ()

    @property
    def writable_socket(self) -> Pollable | None:
        return self._socket

    def collect(self, parts: Sequence[Buffer], count: int, groups: GroupCounts | None = None) -> bool:
        if not self._live:
            self._refresh()
            raise self._over()
        if self._ready(0):
            self._look()
        size = size_of(parts, self._limits.message_bytes)
        send = self._socket.send
        last = len(parts) - 1
        begun = False
        try:
            for part in parts[:last]:
                send(part, _NOW_AND_MORE)
                begun = True
            send(parts[last], _NOW)
        except zmq.Again:
            if begun:
                # A queue never fills up within a message: its connection is gone, and the message with it.
                self._fail(PeerLost)
                raise PeerLost from None
            self._refused += 1
            return False
        self._messages += 1
        self._bytes += size
        self._count += count
        if groups is not None and self._groups is not None:
            self._groups.add(groups)
        return True

    def collect_wait(
        self, parts: Sequence[Buffer], count: int, groups: GroupCounts | None = None, *, timeout: float | None
    ) -> bool:
        if self.collect(parts, count, groups):
            return True
        waiting = _Waiting(timeout, *((item, zmq.POLLIN) for item in self._sockets), (self._socket, zmq.POLLOUT))
        while waiting.wait():
            if self.collect(parts, count, groups):
                return True
        return False

    def drain(self) -> None:
        self._refresh()
        if self._state == "open":
            self._live = False
            self._state = "draining"
            self._lifeline.say_end(self._messages, self._count)
        elif self._state == "aborted":
            raise self._over()

    @property
    def drained(self) -> bool:
        self._refresh()
        if self._state == "aborted":
            raise self._over()
        return self._state == "ended"

    def drain_wait(self, timeout: float | None) -> bool:
        self.drain()
        if self.drained:
            return True
        waiting = _Waiting(timeout, *((item, zmq.POLLIN) for item in self._sockets))
        while waiting.wait():
            if self.drained:
                return True
        return False

    def _refresh(self) -> None:
        """Take in what the child said, off the path of the data. Raises EdgeAborted when it is news."""
        if self._state in ("open", "draining") and self._ready(0):
            self._look()
            if self._lifeline.taken is not None:
                self._state = "ended"

    def statistics(self) -> EdgeStatistics:
        return EdgeStatistics(
            kind=self._kind,
            state=self._state,
            collected=self._count,
            emitted=self._lifeline.taken,
            messages=self._messages,
            bytes=self._bytes,
            pending=0 if self._state == "ended" else None,
            refused=self._refused,
        )


class ZmqEmitter(_ZmqEnd):
    """The child's end of an edge over ZeroMQ; the contract is `transports.edge.Emitter`'s."""

    __slots__ = ("_last",)

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        lifeline: Lifeline,
        kind: EdgeKind,
        limits: Limits,
        names: tuple[str, ...],
        *,
        watch_groups: bool = False,
    ) -> None:
        super().__init__(socket, lifeline, kind, limits, names, watch_groups=watch_groups)
        self._sockets = (socket, lifeline.fileno())
        self._last = -1

    def emit(self) -> list[memoryview] | None:
        if not self._live:
            raise self._over()
        if self._ready(0):
            self._look()
            if self._lifeline.end is not None:
                self._last = self._lifeline.end[0]
        if self._messages == self._last:
            self._live = False
            self._state = "ended"
            self._lifeline.say_taken(self._count)
            raise EdgeClosed
        receive = self._socket.recv
        try:
            frame = receive(_NOW, copy=False)
        except zmq.Again:
            return None
        parts = [_view(frame).toreadonly()]
        size = len(frame)
        while frame.more:
            frame = receive(_NOW, copy=False)
            parts.append(_view(frame).toreadonly())
            size += len(frame)
        self._messages += 1
        self._bytes += size
        if self._messages == self._last:
            self._lifeline.stay_readable()
        return parts

    def emit_wait(self, timeout: float | None) -> list[memoryview] | None:
        if (parts := self.emit()) is not None:
            return parts
        waiting = _Waiting(timeout, *((item, zmq.POLLIN) for item in self._sockets))
        while waiting.wait():
            if (parts := self.emit()) is not None:
                return parts
        return None

    def counted(self, count: int, groups: GroupCounts | None = None) -> None:
        self._count += count
        if groups is not None and self._groups is not None:
            self._groups.add(groups)

    def statistics(self) -> EdgeStatistics:
        end = self._lifeline.end
        return EdgeStatistics(
            kind=self._kind,
            state="draining" if self._state == "open" and end is not None else self._state,
            collected=None if end is None else end[1],
            emitted=self._count,
            messages=self._messages,
            bytes=self._bytes,
            pending=None if end is None else end[0] - self._messages,
            refused=0,
        )


class _Waiting:
    """A wait for any of some events, up to a time that all its turns share."""

    __slots__ = ("_deadline", "_poller")

    def __init__(self, timeout: float | None, *events: tuple[Pollable, int]) -> None:
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._poller = zmq.Poller()
        for what, flags in events:
            self._poller.register(what, flags)

    def wait(self) -> bool:
        """Wait for an event; False when the time is over."""
        if self._deadline is None:
            return bool(self._poller.poll())
        left = self._deadline - time.monotonic()
        return left > 0 and bool(self._poller.poll(math.ceil(left * 1000)))


def _meet(
    context: Context, kind: int, path: str, role: Role, limits: Limits
) -> tuple[zmq.Socket[bytes], Lifeline, tuple[str, ...]]:
    """The data socket and the lifeline of one end, and the names to remove in the end. Who comes first binds."""
    mine, theirs = (f"{path}.{side}.z" for side in (("c", "e") if role == "c" else ("e", "c")))
    if len(os.fsencode(mine)) > SUN_PATH:
        raise OSError(errno.ENAMETOOLONG, "the path of an edge is too long for a socket", path)
    socket = context.socket(kind)
    try:
        # Called by their numbers: pyzmq's attributes look the option up in each class, and touch pages that nodes share.
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDHWM, limits.messages)
        socket.setsockopt(zmq.RCVHWM, limits.messages)
        socket.setsockopt(zmq.RECONNECT_IVL, -1)
        # A peer that is stopped during the handshake is slow, not gone.
        socket.setsockopt(zmq.HANDSHAKE_IVL, 0)
        lifeline = lifelines.join(path)
        if lifeline is None:
            socket.bind(f"ipc://{mine}")
            lifeline = lifelines.listen(path, role)
            if lifeline is not None:
                return socket, lifeline, (mine,)
            socket.unbind(f"ipc://{mine}")
            lifelines.remove(mine)
            lifeline = lifelines.join(path) or lifelines.lost()
        if lifeline.met:
            # The peer bound before it listened, so this connects at the first attempt.
            socket.connect(f"ipc://{theirs}")
    except BaseException:
        socket.close(linger=0)
        raise
    return socket, lifeline, (theirs,)
