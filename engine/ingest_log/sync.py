"""The supervisor's side of the log's helper process: what is synced, paged in and removed, without ever waiting.

One loop owns it: poll `fileno()`, call `handle()` when it is readable and `turn()` after appending and when the time
that `turn` returned has come. What always holds:

- At most one sync is in flight; appends that come meanwhile are in the next one (group commit).
- `synced` is a position up to which everything is on the disk. It never goes back within a run; after a sync
  that failed it stands still for good, because the kernel forgets what it could not write.
- A helper that dies is started again (at most once a second) and given again what it had not answered.
- Bounds: one sync and one page-in a cursor are in flight; requests that the socket does not take wait in order.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from engine.ingest_log import helper
from engine.ingest_log.errors import LogError

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.ingest_log.log import IngestLog
    from engine.ingest_log.segment import NotResident

Policy: TypeAlias = Literal["always", "interval", "never"]
_RESTART_AFTER: Final = 1_000_000_000
_MAX_REPLY: Final = 256
_END_TIMEOUT: Final = 1.0


@dataclass(frozen=True, slots=True)
class Synced:
    """Everything up to `position` is on the disk."""

    position: int


@dataclass(frozen=True, slots=True)
class SyncFailed:
    """The disk refused a sync: what lies after `synced` may never reach it."""

    error: str


@dataclass(frozen=True, slots=True)
class PagedIn:
    """What a read missed is in memory (or could not be read, which reading again will say): read again."""

    asked: NotResident


@dataclass(frozen=True, slots=True)
class FileSynced:
    """A file outside the log is on the disk; `error` says why not, or is empty."""

    path: Path
    token: int
    error: str


@dataclass(frozen=True, slots=True)
class HelperDied:
    """The helper process ended by itself, or could not be started, and will be started again."""

    reason: str


Event: TypeAlias = Synced | SyncFailed | PagedIn | FileSynced | HelperDied


@dataclass(frozen=True, slots=True)
class SyncStatistics:
    """The helper at one moment, and its counters."""

    policy: Policy
    synced: int
    syncs: int
    failures: int
    pages: int
    restarts: int
    waiting: int


@dataclass(slots=True)
class _Request:
    op: bytes
    message: bytes
    event: Event | None


class LogHelper:
    """The helper process of one log, its policy and its outstanding requests."""

    def __init__(
        self, log: IngestLog, *, policy: Policy = "interval", interval: int = 1_000_000_000, clock: Callable[[], int]
    ) -> None:
        """Start the helper; `interval` is in ns. `log` gives what it drops to the helper to remove from then on."""
        self.policy = policy
        # What was there at the start may not have been synced before a crash: the first sync takes it along.
        self.synced = log.head if policy == "never" else log.oldest - 1
        self.failed = False
        self._log = log
        self._interval = interval
        self._clock = clock
        self._epoll = select.epoll()
        self._token = 0
        self._outbox: deque[int] = deque()
        self._requests: dict[int, _Request] = {}
        # Whether the socket takes no more for now, and is watched for taking more again.
        self._blocked = False
        self._syncing: tuple[int, int] | None = None
        self._last_sync = self._last_start = clock()
        self._syncs = self._failures = self._pages = self._restarts = 0
        self._channel: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._events: deque[Event] = deque()
        log.discard = self._discard
        try:
            self._start()
        except OSError as error:
            self._epoll.close()
            raise LogError(f"the ingest log's helper process cannot be started: {error.strerror}") from error

    def _start(self) -> None:
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        arguments = [str(theirs.fileno()), str(os.getpid()), os.fspath(self._log.directory.absolute())]
        self._last_start = self._clock()
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own file, no shell
                    [sys.executable, "-I", helper.__file__, *arguments],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    cwd="/",
                )
            except OSError:
                mine.close()
                raise
        mine.setblocking(False)
        self._channel = mine
        self._epoll.register(mine.fileno(), select.EPOLLIN)
        self._blocked = False
        self._outbox = deque(sorted(self._requests))

    def fileno(self) -> int:
        """A descriptor that is readable when `handle` has something to do; the same one for life."""
        return self._epoll.fileno()

    @property
    def pid(self) -> int | None:
        """The helper's process id, None while there is none."""
        return self._process.pid if self._process else None

    def turn(self) -> int | None:
        """Do what is due; returns the time (ns) at which to call again at the latest, None for no need.

        Call it after appending and after handling events.
        """
        now = self._clock()
        if self._channel is None:
            if now - self._last_start < _RESTART_AFTER:
                return self._last_start + _RESTART_AFTER
            self._restarts += 1
            try:
                self._start()
            except OSError as error:
                self._events.append(HelperDied(f"cannot be started: {error.strerror}"))
                return self._last_start + _RESTART_AFTER
        due: int | None = None
        if self.policy != "never" and not self.failed and self._syncing is None and self._log.head > self.synced:
            due = self._last_sync + (self._interval if self.policy == "interval" else 0)
            if due <= now:
                self.sync()
                due = None
        self._flush()
        return due

    def sync(self) -> None:
        """Ask for a sync up to the head now, whatever the policy; no effect while one is in flight."""
        if self._syncing is not None:
            return
        position = self._log.head
        firsts = self._log.unsynced(self.synced)
        self._last_sync = self._clock()
        token = self._ask(b"S", struct.pack(f"<{len(firsts)}Q", *firsts), Synced(position))
        self._syncing = (token, position)
        self._flush()

    def sync_file(self, path: Path, token: int) -> None:
        """Have a file outside the log synced, and its directory; `FileSynced(path, token, …)` will answer."""
        self._ask(b"F", os.fsencode(path.absolute()), FileSynced(path, token, ""))
        self._flush()

    def page_in(self, asked: NotResident) -> None:
        """Have what a read missed paged in; `PagedIn(asked)` will answer."""
        self._ask(b"P", struct.pack("<QQQ", *asked), PagedIn(asked))
        self._flush()

    def _discard(self, path: Path) -> None:
        self._ask(b"U", os.fsencode(path.absolute()), None)
        self._flush()

    def _ask(self, op: bytes, body: bytes, event: Event | None) -> int:
        self._token += 1
        message = struct.pack("<cQ", op, self._token) + body
        self._requests[self._token] = _Request(op, message, event)
        self._outbox.append(self._token)
        return self._token

    def _flush(self) -> None:
        while self._outbox and self._channel is not None:
            try:
                self._channel.send(self._requests[self._outbox[0]].message)
            except BlockingIOError:
                break
            except OSError:
                self._died()
                return
            self._outbox.popleft()
        if self._channel is not None and bool(self._outbox) != self._blocked:
            self._blocked = bool(self._outbox)
            self._epoll.modify(self._channel.fileno(), select.EPOLLIN | (select.EPOLLOUT if self._blocked else 0))

    def handle(self) -> list[Event]:
        """What has happened since the last call; never waits."""
        while self._channel is not None:
            try:
                reply = self._channel.recv(_MAX_REPLY)
            except BlockingIOError:
                break
            except OSError:
                reply = b""
            if not reply:
                self._died()
                break
            self._answered(*helper.REPLY.unpack(reply))
        self._flush()
        events = list(self._events)
        self._events.clear()
        return events

    def _answered(self, op: bytes, token: int, code: int) -> None:
        request = self._requests.pop(token, None)
        if request is None:
            return
        event = request.event
        if isinstance(event, Synced):
            self._syncing = None
            self._syncs += 1
            if code:
                self._failures += 1
                self.failed = True
                event = SyncFailed(os.strerror(code))
            elif not self.failed:
                self.synced = event.position
        elif isinstance(event, FileSynced) and code:
            self._failures += 1
            event = FileSynced(event.path, event.token, os.strerror(code))
        elif op == b"P":
            self._pages += 1
        if event is not None:
            self._events.append(event)

    def _died(self) -> None:
        channel, process = self._channel, self._process
        assert channel is not None
        assert process is not None
        self._epoll.unregister(channel.fileno())
        channel.close()
        self._channel = self._process = None
        # It closed its end, so it is about to end or has ended; the signal makes the wait short for certain.
        process.kill()
        status = process.wait()
        self._events.append(HelperDied(f"signal {-status}" if status < 0 else f"exit status {status}"))

    def statistics(self) -> SyncStatistics:
        """The helper now."""
        return SyncStatistics(
            self.policy,
            self.synced,
            self._syncs,
            self._failures,
            self._pages,
            self._restarts,
            len(self._requests),
        )

    def close(self, timeout: float = 5.0) -> None:
        """Sync what is left (unless the policy is `never`), waiting `timeout` seconds at most, and end the helper.

        The only call that waits: for the end of the server. The log is to be closed after it. Idempotent.
        """
        if self._epoll.closed:
            return
        deadline = self._clock() + int(timeout * 1e9)
        while self.policy != "never" and not self.failed and self._channel is not None and self.synced < self._log.head:
            self.sync()
            left = (deadline - self._clock()) / 1e9
            if left <= 0 or not self._epoll.poll(left):
                break
            self.handle()
        self._log.discard = _unlink
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        self._epoll.close()
        if self._process is not None:
            self._process.kill()
            # A disk that hangs holds even a killed process; it ends with ours.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_TIMEOUT)
            self._process = None
        for request in self._requests.values():
            if request.op == b"U":
                _unlink(Path(os.fsdecode(request.message[9:])))
        self._requests.clear()


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)
