"""The lifeline of an ipc edge: a Unix socket between the two processes, beside the data.

ZeroMQ cannot say at once that a peer aborted or died: while the receiver's queue is full its I/O thread no longer reads, so a
socket monitor reports the loss only after the queue was consumed. The kernel can: when a process dies its sockets are closed,
and the other end of the lifeline becomes readable in that moment, whatever the data is doing. So the lifeline carries what must
not wait behind data: abort, the end of the input (as the number of messages to expect), and that all was taken.

Whichever end comes first listens, the other joins it: neither has to start first, nothing is retried, and an end that meets
nobody but a dead listener knows that its peer is lost. What always holds:

- `fileno` is one descriptor for the life of the lifeline, readable as long as `turn` has something to tell;
- a record is one packet, and at most two go either way, so sending never blocks;
- the name disappears from the file system as soon as the two have met.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
from typing import Literal, TypeAlias

from transports.errors import EdgeAborted, PeerLost

Role: TypeAlias = Literal["c", "e"]

_ABORT = b"A"
_END = struct.Struct("<cQQ")
_TAKEN = struct.Struct("<cQ")
_LONGEST = 64


class Lifeline:
    """One end of a lifeline. A thin record of what the peer said; the edge decides what it means."""

    __slots__ = ("_connection", "_epoll", "_listener", "_unsent", "end", "fault", "ready", "taken")

    def __init__(self, end: socket.socket, state: Literal["met", "listening", "lost"]) -> None:
        """Take a socket that is connected, one that listens, or one that never met anybody."""
        self.end: tuple[int, int] | None = None
        """The parent's last word: (messages, points or batches) that it collected."""
        self.taken: int | None = None
        """The child's last word: points or batches that it emitted, all of them."""
        self.fault: type[EdgeAborted] | None = PeerLost if state == "lost" else None
        """Why the edge is aborted, once it is."""
        self._connection = None if state == "listening" else end
        self._listener = end if state == "listening" else None
        self._unsent: list[bytes] = []
        self._epoll = select.epoll()
        # A socket that is not connected is hung up, which an epoll always reports: a lost lifeline is readable.
        self._epoll.register(end, select.EPOLLIN)
        self.ready = self._epoll.poll
        """`ready(0)` is true when `turn` has something to tell; bound once, as every message asks it."""

    def fileno(self) -> int:
        return self._epoll.fileno()

    @property
    def met(self) -> bool:
        return self._connection is not None and self.fault is None

    def turn(self) -> None:
        """Take in what the peer did since the last turn: `end`, `taken` and `fault` say it. Never blocks."""
        if self._connection is None and not self._accept():
            return
        assert self._connection is not None
        while self.fault is None:
            try:
                record = self._connection.recv(_LONGEST)
            except BlockingIOError:
                return
            except ConnectionResetError:
                # The kernel tells that the peer closed with a record unread before it hands out what the peer had sent.
                continue
            if not record:
                if self.taken is None:
                    self.fault = PeerLost
                return
            self._hear(record)

    def say_end(self, messages: int, collected: int) -> None:
        """Tell the child that it has the end after `messages` messages."""
        self._send(_END.pack(b"E", messages, collected))

    def say_taken(self, emitted: int) -> None:
        """Tell the parent that everything was taken. The edge has ended here: `turn` is not called any more."""
        self._send(_TAKEN.pack(b"D", emitted))

    def say_abort(self) -> None:
        """Tell the peer, now or when it comes, that the edge is aborted. From now on `fileno` is readable here too."""
        self.turn()
        if self._listener is not None:
            # The name stays as a tombstone: an end that comes later is refused, and knows. One that came just now is told.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
                self._accept()
        if self._connection is not None:
            self._send(_ABORT)
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def stay_readable(self) -> None:
        """Make `fileno` readable from now on: the last message is out, and whoever polls must ask once more."""
        if self._connection is not None:
            # A socket to which at most two packets go can always be written to.
            self._epoll.modify(self._connection, select.EPOLLIN | select.EPOLLOUT)

    def close(self) -> None:
        """Free the descriptors. May be called again."""
        self._drop_listener()
        if self._connection is not None:
            # Shut down first, so that the peer notices even if a forked child still holds a copy of the descriptor.
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
            self._connection.close()
        self._epoll.close()

    def _accept(self) -> bool:
        if self._listener is None:
            return False
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        connection.setblocking(False)
        self._epoll.register(connection, select.EPOLLIN)
        self._drop_listener()
        self._connection = connection
        for record in self._unsent:
            self._send(record)
        self._unsent.clear()
        return True

    def _hear(self, record: bytes) -> None:
        if record == _ABORT:
            self.fault = EdgeAborted
        elif len(record) == _END.size:
            _, messages, collected = _END.unpack(record)
            self.end = (messages, collected)
        elif len(record) == _TAKEN.size:
            (_, self.taken) = _TAKEN.unpack(record)
        else:
            self.fault = PeerLost

    def _send(self, record: bytes) -> None:
        if self.fault is not None:
            return
        if self._connection is None:
            if self._listener is not None:
                self._unsent.append(record)
            return
        # A peer that is gone is noticed by reading, with what it said last.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._connection.send(record)

    def _drop_listener(self) -> None:
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._epoll.unregister(self._listener)
            self._listener.close()
            self._listener = None


def join(path: str) -> Lifeline | None:
    """Join the end that listens at `path`; None when nobody has been there. A listener that is dead gives a lost lifeline."""
    connection = _new_socket()
    try:
        connection.connect(path)
    except FileNotFoundError:
        connection.close()
        return None
    except ConnectionRefusedError:
        remove(path)
        return Lifeline(connection, "lost")
    except BaseException:
        connection.close()
        raise
    remove(path)
    return Lifeline(connection, "met")


def lost() -> Lifeline:
    """The lifeline of an end whose peer was there and is gone."""
    return Lifeline(_new_socket(), "lost")


def listen(path: str, role: Role) -> Lifeline | None:
    """Wait for the peer at `path`; None when the peer has been faster and waits there itself: join it, then."""
    listener = _new_socket()
    draft = f"{path}.{role}"
    try:
        listener.bind(draft)
        listener.listen(1)
        # The link makes a socket that listens already appear under the name that both know: no peer sees half of it.
        os.link(draft, path)
    except FileExistsError:
        listener.close()
        return None
    except BaseException:
        listener.close()
        raise
    finally:
        remove(draft)
    return Lifeline(listener, "listening")


def remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 -- socket paths are text all the way down to libzmq


def _new_socket() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    made.setblocking(False)
    return made
