"""The channel: how records of all processes reach those that serve readers of logs, without anybody waiting.

Each reader owns a named pipe in the run directory, `<base>.<number>`; the board says which levels it wants. A process
that writes a record puts it into the pipes of the readers that want its level, or, when a pipe is full, drops it, counts
it, and tells the number with its next record. (Datagram sockets would do the same, but the kernel lets only ten wait.)

What always holds: a record goes into the pipe in parts of at most PIPE_BUF bytes, each written whole or not at all, so
parts of several processes may mix but never tear; a record of more than `MAX_RECORD` bytes arrives without its details;
nobody ever waits. A part is: length of the part (u16), its number and the number of parts (u8 each), pid (u32), records
that this process has dropped before (u32), then bytes of the record, a msgpack map.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from engine.board import NOBODY, READERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.board import Board

MAX_RECORD: Final = 64 << 10
PIPE_BYTES: Final = 1 << 20
_READ_BYTES: Final = 32 << 10
_HEAD: Final = struct.Struct("<HBBII")
_PART: Final = select.PIPE_BUF - _HEAD.size
_KEPT: Final = ("ts", "level", "msg", "process", "task", "node")
_MAX_UNFINISHED: Final = 256

_encode = msgspec.msgpack.Encoder(enc_hook=str).encode


def pack(record: dict[str, Any]) -> bytes:
    """A record as msgpack; what cannot be said in it is said as text."""
    try:
        raw = _encode(record)
    except (UnicodeEncodeError, OverflowError, TypeError, ValueError, RecursionError):
        raw = _encode({_plain(k): v if isinstance(v, bool | float) else _plain(v) for k, v in record.items()})
    if len(raw) <= MAX_RECORD:
        return raw
    short = {k: _plain(record[k])[:1024] for k in _KEPT if k in record and k != "ts"}
    return _encode({"ts": record.get("ts", 0), **short, "left_out": f"{len(raw)} bytes of details"})


def _plain(value: Any) -> Any:
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return value
    return str(value).encode("utf-8", "backslashreplace").decode()


class Sender:
    """A process's way to the readers. It may be inherited by a fork: the child opens its own pipes."""

    def __init__(self, board: Board, base: str) -> None:
        self._board = board
        self._base = base
        self._pid = 0
        self._pipes: dict[int, int] = {}
        self._lost = [0] * READERS

    def send(self, level: int, record: dict[str, Any]) -> None:
        """Give the record to whoever wants its level."""
        readers = self._board.readers(level)
        if not readers:
            return
        if self._pid != os.getpid():
            # Descriptors of the parent are closed here, or are something else by now.
            self._pid = os.getpid()
            self._pipes = {}
            self._lost = [0] * READERS
        raw = pack(record)
        for reader in readers:
            self._put(reader, raw)

    def _put(self, reader: int, raw: bytes) -> None:
        pipe = self._pipes.get(reader)
        try:
            if pipe is None:
                path = f"{self._base}.{reader}"
                pipe = self._pipes[reader] = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            for part in _parts(raw, self._pid, self._lost[reader]):
                os.write(pipe, part)
                self._lost[reader] = 0
        except BlockingIOError:
            self._lost[reader] += 1
        except OSError:
            # There is no such reader any more: nobody misses the record.
            self._forget(reader)

    def _forget(self, reader: int) -> None:
        pipe = self._pipes.pop(reader, None)
        self._lost[reader] = 0
        if pipe is not None:
            os.close(pipe)


def _parts(raw: bytes, pid: int, lost: int) -> Iterator[bytes]:
    count = max(1, -(-len(raw) // _PART))
    for number in range(count):
        piece = raw[number * _PART : (number + 1) * _PART]
        yield _HEAD.pack(len(piece), number, count, pid, lost) + piece


class Reader:
    """The other end: takes the first free number and reads what comes for it. Raises OSError when none is free."""

    def __init__(self, board: Board, base: str) -> None:
        self._board = board
        self.number, self.descriptor = _claim(base)
        self._rest = b""
        self._unfinished: dict[int, list[bytes]] = {}
        self.lost = 0

    def want(self, level: int) -> None:
        """Ask all processes for records of this level and above."""
        self._board.want(self.number, level)

    def read(self) -> tuple[list[dict[str, Any]], int]:
        """What is there, a bounded amount: records, and how many their processes had to drop before. Never waits."""
        try:
            data = self._rest + os.read(self.descriptor, _READ_BYTES)
        except BlockingIOError:
            return [], 0
        records: list[dict[str, Any]] = []
        lost = at = 0
        while len(data) - at >= _HEAD.size:
            size, number, count, pid, dropped = _HEAD.unpack_from(data, at)
            end = at + _HEAD.size + size
            if end > len(data):
                break
            if number == 0:
                lost += dropped
            raw = self._join(pid, number, count, data[at + _HEAD.size : end])
            if raw is not None:
                with suppress(msgspec.DecodeError):
                    records.append(msgspec.msgpack.decode(raw, type=dict[str, Any]))
            at = end
        self._rest = data[at:]
        self.lost += lost
        return records, lost

    def _join(self, pid: int, number: int, count: int, piece: bytes) -> bytes | None:
        """The whole record when this was its last part. One whose process dropped the rest is given up."""
        if count == 1:
            self._unfinished.pop(pid, None)
            return piece
        if number == 0:
            if len(self._unfinished) >= _MAX_UNFINISHED:
                self._unfinished.clear()
            self._unfinished[pid] = []
        parts = self._unfinished.get(pid)
        if parts is None or len(parts) != number:
            self._unfinished.pop(pid, None)
            return None
        parts.append(piece)
        if len(parts) < count:
            return None
        del self._unfinished[pid]
        return b"".join(parts)

    def close(self) -> None:
        self._board.want(self.number, NOBODY)
        os.close(self.descriptor)


def _claim(base: str) -> tuple[int, int]:
    """The first number whose pipe nobody else has locked, and the pipe: opened to write as well, so that it never ends."""
    for number in range(READERS):
        path = f"{base}.{number}"
        with suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.flock(pipe, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(pipe)
            continue
        with suppress(OSError):  # a user's pipes together are bounded: then it stays at the system's default
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        return number, pipe
    raise OSError(errno.EBUSY, f"{READERS} front ends read logs already")
