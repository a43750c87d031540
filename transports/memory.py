"""Edges within one process: a bounded queue, for nodes that share a process.

The same contract as between processes, without a copy: the views that come out are those of the buffers that went in. Both ends
belong to one thread, so there is nothing to poll: while one waits nothing can happen, and the waiting calls return at once.
Bound: `Limits.messages` at either end, as between processes, so twice as many in the one queue.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Self

from transports.counts import GroupCounter
from transports.edge import EdgeStatistics, Limits, size_of
from transports.errors import EdgeAborted, EdgeClosed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from transports.counts import GroupCounts, GroupHashes
    from transports.edge import Buffer, EdgeKind, EdgeState, Pollable

_DEFAULT_LIMITS = Limits()


def memory_edge(
    kind: EdgeKind, *, limits: Limits = _DEFAULT_LIMITS, watch_groups: bool = False
) -> tuple[MemoryCollector, MemoryEmitter]:
    """Both ends of a new edge within this process, for use by one thread."""
    queue = _Queue(limits)
    return MemoryCollector(queue, kind, watch_groups=watch_groups), MemoryEmitter(
        queue, kind, watch_groups=watch_groups
    )


class _Queue:
    """What both ends see: the messages with their bytes, the state of the edge, and the counts of either end."""

    __slots__ = ("collected", "emitted", "limits", "messages", "state")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.messages: deque[tuple[list[memoryview], int]] = deque()
        self.state: EdgeState = "open"
        self.collected = 0
        self.emitted = 0


class _MemoryEnd:
    """What both ends share."""

    __slots__ = ("_bytes", "_groups", "_kind", "_messages", "_queue", "_refused")

    def __init__(self, queue: _Queue, kind: EdgeKind, *, watch_groups: bool) -> None:
        self._queue = queue
        self._kind = kind
        self._groups = GroupCounter() if watch_groups else None
        self._messages = 0
        self._bytes = 0
        self._refused = 0

    @property
    def kind(self) -> EdgeKind:
        return self._kind

    @property
    def sockets(self) -> tuple[Pollable, ...]:
        return ()

    @property
    def messages(self) -> int:
        return self._messages

    def group_counts(self) -> GroupCounts | None:
        return None if self._groups is None else self._groups.snapshot()

    def forget_groups(self, hashes: GroupHashes) -> None:
        if self._groups is not None:
            self._groups.delete(hashes)

    def abort(self) -> None:
        if self._queue.state in ("open", "draining"):
            self._queue.state = "aborted"
            self._queue.messages.clear()

    def close(self) -> None:
        self.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def statistics(self) -> EdgeStatistics:
        queue = self._queue
        return EdgeStatistics(
            kind=self._kind,
            state=queue.state,
            collected=queue.collected,
            emitted=queue.emitted,
            messages=self._messages,
            bytes=self._bytes,
            pending=len(queue.messages),
            refused=self._refused,
        )

    def _over(self) -> EdgeAborted | EdgeClosed:
        """Why nothing more can be asked of this edge."""
        return EdgeAborted() if self._queue.state == "aborted" else EdgeClosed()


class MemoryCollector(_MemoryEnd):
    """The parent's end of an edge in memory; the contract is `transports.edge.Collector`'s."""

    __slots__ = ()

    @property
    def writable_socket(self) -> Pollable | None:
        return None

    def collect(self, parts: Sequence[Buffer], count: int, groups: GroupCounts | None = None) -> bool:
        queue = self._queue
        if queue.state != "open":
            raise self._over()
        size = size_of(parts, queue.limits.message_bytes)
        if len(queue.messages) >= 2 * queue.limits.messages:
            self._refused += 1
            return False
        queue.messages.append(([_view(part) for part in parts], size))
        queue.collected += count
        self._messages += 1
        self._bytes += size
        if groups is not None and self._groups is not None:
            self._groups.add(groups)
        return True

    def collect_wait(
        self,
        parts: Sequence[Buffer],
        count: int,
        groups: GroupCounts | None = None,
        *,
        timeout: float | None,  # noqa: ARG002 -- one thread: what is full now is full when the time is over
    ) -> bool:
        return self.collect(parts, count, groups)

    def drain(self) -> None:
        if self._queue.state == "open":
            self._queue.state = "draining"
        elif self._queue.state == "aborted":
            raise self._over()

    @property
    def drained(self) -> bool:
        if self._queue.state == "aborted":
            raise self._over()
        return self._queue.state == "ended"

    def drain_wait(self, timeout: float | None) -> bool:  # noqa: ARG002 -- one thread: nobody takes while we wait
        self.drain()
        return self.drained


def _view(part: Buffer) -> memoryview:
    view = memoryview(part)
    # A view of no bytes cannot be cast where its shape has a zero.
    return view.cast("B").toreadonly() if view.nbytes else memoryview(b"")


class MemoryEmitter(_MemoryEnd):
    """The child's end of an edge in memory; the contract is `transports.edge.Emitter`'s."""

    __slots__ = ()

    def emit(self) -> list[memoryview] | None:
        queue = self._queue
        if queue.messages:
            parts, size = queue.messages.popleft()
            self._messages += 1
            self._bytes += size
            return parts
        if queue.state == "open":
            return None
        if queue.state == "draining":
            queue.state = "ended"
        raise self._over()

    def emit_wait(self, timeout: float | None) -> list[memoryview] | None:  # noqa: ARG002 -- one thread: nothing comes while we wait
        return self.emit()

    def counted(self, count: int, groups: GroupCounts | None = None) -> None:
        self._queue.emitted += count
        if groups is not None and self._groups is not None:
            self._groups.add(groups)
