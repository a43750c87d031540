"""The log's helper process: it waits for the disk, so that the supervisor's loop never does.

Run by file name with only the standard library to import, so it starts fast and stays small. Requests and replies
are datagrams over a socket pair (`sync.py` is the other end):

    request  op (1 byte), token (u64), then for
             S  sync: the segments' first positions (u64 each): fdatasync them, and the directory for a new one
             F  sync a file outside the log: its path: fsync it and its directory
             P  page in: first position, offset, length (u64 each): read that part of the segment
             U  unlink: the path
    reply    op, token, errno (i32, 0 when done)

What always holds: one reply a request; syncs are done in order, and so are pages and unlinks, but neither waits for
the other. The process ends when the socket closes or its parent dies, and takes no other signal to end.
"""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import socket
import struct
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

_PDEATHSIG: Final = 1
_REQUEST: Final = struct.Struct("<cQ")
REPLY: Final = struct.Struct("<cQi")
_MAX_REQUEST: Final = 64 * 1024
_CHUNK: Final = 1 << 20
_OPEN_SEGMENTS: Final = 4


class Disk:
    """The operations on the log's directory that wait for the disk."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._synced_names: dict[int, int] = {}

    def sync(self, body: bytes) -> None:
        """Sync the data of the segments; of one seen for the first time, its directory entry as well."""
        for (first,) in struct.iter_unpack("<Q", body):
            if first not in self._synced_names:
                # The descriptor stays open: an error of a write-back in between is then reported to it.
                with suppress(FileNotFoundError):
                    self._synced_names[first] = os.open(self._segment(first), os.O_RDONLY | os.O_CLOEXEC)
                    os.fdatasync(self._synced_names[first])
                    _sync_directory(self.directory)
            else:
                os.fdatasync(self._synced_names[first])
        while len(self._synced_names) > _OPEN_SEGMENTS:
            os.close(self._synced_names.pop(min(self._synced_names)))

    def sync_file(self, body: bytes) -> None:
        """Sync a file that was renamed into place, and its directory."""
        descriptor = os.open(body, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _sync_directory(Path(os.fsdecode(body)).parent)

    def page_in(self, body: bytes) -> None:
        """Read a part of a segment, so that the page cache has it."""
        first, offset, length = struct.unpack("<QQQ", body)
        descriptor = os.open(self._segment(first), os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_WILLNEED)
            scratch = bytearray(min(length, _CHUNK))
            end = offset + length
            while offset < end and (got := os.preadv(descriptor, [scratch], offset)):
                offset += got
        finally:
            os.close(descriptor)

    def unlink(self, body: bytes) -> None:
        """Remove a segment that retention dropped."""
        Path(os.fsdecode(body)).unlink(missing_ok=True)

    def _segment(self, first: int) -> str:
        return f"{self.directory}/{first:020d}.log"


def _sync_directory(path: str | Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Worker(threading.Thread):
    """Does requests one by one and answers each."""

    def __init__(self, disk: Disk, channel: socket.socket) -> None:
        super().__init__(daemon=True)
        self.requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._channel = channel
        self._operations = {b"S": disk.sync, b"F": disk.sync_file, b"P": disk.page_in, b"U": disk.unlink}

    def run(self) -> None:
        """Until the process ends."""
        while True:
            request = self.requests.get()
            op, token = _REQUEST.unpack_from(request)
            code = 0
            try:
                self._operations[op](request[_REQUEST.size :])
            except OSError as error:
                code = error.errno or 0
            with suppress(OSError):
                self._channel.send(REPLY.pack(op, token, code))


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent` dies; ends it at once when that has happened already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != parent:
        os._exit(1)


def main(arguments: list[str]) -> None:
    """Arguments: the socket's descriptor, the parent's process id, the log's directory."""
    end_with_parent(int(arguments[1]))
    # The terminal's and the service manager's signals go to every process; the parent says when this one ends.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with suppress(ImportError):
        from setproctitle import setproctitle  # noqa: PLC0415 - optional here: the helper must start without packages

        setproctitle("tickworks: ingest log helper")
    channel = socket.socket(fileno=int(arguments[0]))
    disk = Disk(arguments[2])
    syncer, pager = Worker(disk, channel), Worker(disk, channel)
    syncer.start()
    pager.start()
    while request := channel.recv(_MAX_REQUEST):
        worker = syncer if request[:1] in b"SF" else pager
        worker.requests.put(request)
    # Whatever a thread is waiting for, nobody is left to be told.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
