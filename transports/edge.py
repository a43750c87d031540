"""The edge between one parent and one child: what every transport promises.

An edge carries opaque multipart messages from its collector (the parent's end) to its emitter (the child's end),
in order, each at most once, and never blocks. It ends in exactly one of two ways, and both ends learn which:

- *drained*: the parent said that no more comes, and the child took everything;
- *aborted*: either side said so, closed early or died. An abort overtakes what is buffered, which is lost.

Closing an end before the edge has drained aborts it, so nothing is ever lost in silence.

Bound: `Limits.messages` messages at either end, and what the transport's own buffers hold between them; no message is larger
than `Limits.message_bytes`. Policy when full: `collect` returns False, sends nothing, and the caller keeps the message
(a runner merges it with what comes next). Statistics: `EdgeStatistics`, at either end, at any time.
docs/edges.md is the long form of this contract; tests/transports/conformance.py holds every transport to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, Self, TypeAlias

from transports.errors import MessageTooLarge

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    import zmq

    from transports.counts import GroupCounts, GroupHashes

EdgeKind: TypeAlias = Literal["stream", "batch"]
EdgeState: TypeAlias = Literal["open", "draining", "ended", "aborted"]
Buffer: TypeAlias = "bytes | bytearray | memoryview"
Pollable: TypeAlias = "zmq.Socket[bytes] | int"


@dataclass(frozen=True, slots=True)
class Limits:
    """The bound of an edge: `messages` at either end, `message_bytes` the most that one message may hold (all parts)."""

    messages: int = 4
    message_bytes: int = 1 << 29

    def __post_init__(self) -> None:
        if self.messages < 1 or self.message_bytes < 1:
            raise ValueError(
                f"the limits of an edge are positive, not {self.messages} messages of {self.message_bytes} bytes"
            )


@dataclass(frozen=True, slots=True)
class EdgeStatistics:
    """What one end of an edge knows at this moment. None: this end cannot know it (yet).

    `collected` and `emitted` count points on a stream edge, batches on a batch edge; when an edge has drained both ends know
    both. `messages` and `bytes` are those that passed this end. `pending`: messages collected and not yet emitted.
    `refused`: how often `collect` found the edge full.
    """

    kind: EdgeKind
    state: EdgeState
    collected: int | None
    emitted: int | None
    messages: int
    bytes: int
    pending: int | None
    refused: int


class Ended(Protocol):
    """What both ends have in common."""

    @property
    def kind(self) -> EdgeKind: ...

    @property
    def sockets(self) -> tuple[Pollable, ...]:
        """What to register for POLLIN; the same objects for the life of this end (empty: nothing can happen while one waits).

        Level-triggered: as long as a call has something to report one of them is readable. After an end was reported they
        may stay readable; close the end, or take them out of the poller.
        """
        ...

    @property
    def messages(self) -> int:
        """How many messages have passed this end: `statistics().messages` without the rest."""
        ...

    def abort(self) -> None:
        """End the edge at once, at both sides; nothing happens when it has ended already."""
        ...

    def close(self) -> None:
        """Free everything that this end holds, without waiting; aborts an edge that has not drained. May be called again."""
        ...

    def statistics(self) -> EdgeStatistics: ...

    def group_counts(self) -> GroupCounts | None:
        """The counts by group, None when this edge is not watched for them."""
        ...

    def forget_groups(self, hashes: GroupHashes) -> None:
        """Drop the counts of groups that were deleted; nothing happens on an edge that is not watched."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Collector(Ended, Protocol):
    """The parent's end."""

    @property
    def writable_socket(self) -> Pollable | None:
        """What to register for POLLOUT while a message waits to be collected; None where waiting cannot help."""
        ...

    def collect(self, parts: Sequence[Buffer], count: int, groups: GroupCounts | None = None) -> bool:
        """Put one message on the edge; False when it is full (nothing was sent then). Never blocks.

        `parts` holds at least one C-contiguous buffer, which the caller leaves unchanged for ever after; `count` how many
        points or batches they contain; `groups` the same by group, used only by watched edges. Raises EdgeAborted, EdgeClosed
        after `drain`, MessageTooLarge.
        """
        ...

    def collect_wait(
        self, parts: Sequence[Buffer], count: int, groups: GroupCounts | None = None, *, timeout: float | None
    ) -> bool:
        """As `collect`, waiting up to `timeout` seconds (None: without end) for room."""
        ...

    def drain(self) -> None:
        """No more comes; returns at once. What was collected is still delivered, then the child sees the end.

        Keep polling `sockets` and asking `drained` until it is True, and only then close. Raises EdgeAborted.
        """
        ...

    @property
    def drained(self) -> bool:
        """Whether the child has taken everything and seen the end. Raises EdgeAborted when it never will."""
        ...

    def drain_wait(self, timeout: float | None) -> bool:
        """`drain`, then wait up to `timeout` seconds for `drained`, and return that."""
        ...


class Emitter(Ended, Protocol):
    """The child's end."""

    def emit(self) -> list[memoryview] | None:
        """The parts of the next message as read-only byte views, None when there is none now. Never blocks.

        The views keep the whole message in memory, and their alignment is whatever the transport gave. Raises EdgeClosed when
        the parent drained and everything has been taken, EdgeAborted as soon as the edge is aborted.
        """
        ...

    def emit_wait(self, timeout: float | None) -> list[memoryview] | None:
        """As `emit`, waiting up to `timeout` seconds (None: without end) for a message."""
        ...

    def counted(self, count: int, groups: GroupCounts | None = None) -> None:
        """Tell how many points or batches the last message held, which the child knows only after decoding it."""
        ...


def size_of(parts: Sequence[Buffer], limit: int) -> int:
    """The bytes of all `parts`. Raises ValueError without parts, MessageTooLarge above `limit`."""
    size = 0
    for part in parts:
        size += part.nbytes if isinstance(part, memoryview) else len(part)
    if size > limit:
        raise MessageTooLarge(size, limit)
    if not parts:
        raise ValueError("a message has at least one part")
    return size
