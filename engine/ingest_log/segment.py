"""One segment file of the ingest log: append at its end, read anywhere, recover after a crash.

What always holds:

- Only the writer's last segment grows. Every byte below `size` is complete records; a failed append leaves none.
- A sealed segment ends in a seal: its sparse index and, as the last 8 bytes of the file, where the seal starts.
- Reading with `wait=False` never waits for a disk: what the page cache does not hold is `NotResident`.
- Nothing that a file claims is believed without its CRC; what is damaged is named by segment and offset.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import zlib
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.ingest_log.errors import LogError, LogVersion
from engine.ingest_log.record import (
    HEAD_BYTES,
    KIND_FRAME,
    KIND_SEAL,
    Buffer,
    Entry,
    Head,
    decode_body,
    decode_head,
    encode,
    find_next,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

MAGIC: Final = b"\x89TWLOG\r\n"
VERSION: Final = 1
# magic, version, header length, reserved, first position, rows before, created, boot id, reserved; then a CRC
_HEADER: Final = struct.Struct("<8sHHIQQq16sI")
HEADER_BYTES: Final = _HEADER.size + 4
SUFFIX: Final = ".log"
RETENTION: Final = "retention"
_INDEX_STEP: Final = 64 * 1024
_INDEX_ENTRY: Final = struct.Struct("<QQQ")
_IOV_MAX: Final = 1024
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Damage(NamedTuple):
    """Bytes that are not what was written: in which segment file, from which offset, from which position on, and why."""

    segment: str
    offset: int
    position: int
    reason: str


class NotResident(NamedTuple):
    """What was asked for is not in memory: have `length` bytes from `offset` of this segment paged in, then ask again."""

    segment: int
    offset: int
    length: int


class Lost(NamedTuple):
    """The frames from the position asked for up to `oldest` (exclusive) cannot be read any more.

    `rows_before` is that of the frame at `oldest`, so a reader that knows its own finds how many rows it missed.
    `reason` is `retention`, `missing` (a segment file is gone) or what is damaged.
    """

    oldest: int
    rows_before: int
    reason: str


class SparseIndex:
    """Positions, offsets and rows before of about one record in 64 KiB; ascending, the segment's first among them."""

    def __init__(self) -> None:
        self.positions: array[int] = array("Q")
        self.offsets: array[int] = array("Q")
        self.rows: array[int] = array("Q")

    def add(self, position: int, offset: int, rows_before: int) -> None:
        """Note a record, if it is far enough from the last one noted."""
        if not self.offsets or offset - self.offsets[-1] >= _INDEX_STEP:
            self.positions.append(position)
            self.offsets.append(offset)
            self.rows.append(rows_before)

    def floor(self, position: int) -> tuple[int, int, int]:
        """Position, offset and rows before of the last noted record that is not after `position`."""
        at = max(0, bisect_right(self.positions, position) - 1)
        return self.positions[at], self.offsets[at], self.rows[at]

    def after(self, offset: int) -> tuple[int, int] | None:
        """Position and offset of the first noted record that starts after `offset`."""
        at = bisect_right(self.offsets, offset)
        return (self.positions[at], self.offsets[at]) if at < len(self.offsets) else None

    def to_bytes(self) -> bytes:
        """The seal's first part."""
        entries = zip(self.positions, self.offsets, self.rows, strict=True)
        return b"".join(_INDEX_ENTRY.pack(*entry) for entry in entries)

    @classmethod
    def from_bytes(cls, data: Buffer) -> SparseIndex:
        """Inverse of `to_bytes`."""
        index = cls()
        for position, offset, rows in _INDEX_ENTRY.iter_unpack(data):
            index.positions.append(position)
            index.offsets.append(offset)
            index.rows.append(rows)
        return index


@dataclass(slots=True)
class Segment:
    """An open segment file. `first` is its lowest possible position, `last` its highest (first - 1 while empty)."""

    path: Path
    fd: int
    first: int
    rows_before: int
    created: int
    boot: bytes
    size: int
    last: int
    rows_end: int
    last_time: int
    sealed: bool = False
    seal_bytes: int = 0
    index: SparseIndex = field(default_factory=SparseIndex)
    # Where a failed append could not be cut off: the segment takes no more then.
    broken: bool = False
    # Bytes behind the last readable record when the segment was opened: torn where it is the log's last, else damaged.
    unread: int = 0

    @property
    def empty(self) -> bool:
        """Whether no frame is in it."""
        return self.last < self.first

    @property
    def length(self) -> int:
        """The file's length, the seal included."""
        return self.size + self.seal_bytes

    @property
    def name(self) -> str:
        """The file's name, which is how damage is reported."""
        return self.path.name

    @classmethod
    def create(cls, directory: Path, first: int, *, rows_before: int, now: int, boot: bytes) -> Segment:
        """A new, empty segment. Raises OSError; then no file is left."""
        path = directory / file_name(first)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        header = _HEADER.pack(MAGIC, VERSION, HEADER_BYTES, 0, first, rows_before, now, boot, 0)
        header += zlib.crc32(header).to_bytes(4, "little")
        try:
            _write_all(fd, [header], 0)
        except OSError:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise
        return cls(path, fd, first, rows_before, now, boot, HEADER_BYTES, first - 1, rows_before, now)

    @classmethod
    def open(cls, path: Path, *, rows_before: int, thorough: bool = False) -> tuple[Segment, list[Damage]]:
        """Open an existing file and learn what is in it, and the damage that stays; nothing is changed yet (`cut_torn` does).

        A sealed segment costs two small reads unless `thorough`, any other one is read whole. `rows_before` stands in
        where the file's own header is damaged. Raises LogVersion, LogError (the disk fails).
        """
        first = first_of(path)
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            size = os.fstat(fd).st_size
            segment = cls(path, fd, first, rows_before, 0, bytes(16), size, first - 1, rows_before, 0)
            damages: list[Damage] = []
            segment._read_header(size, damages)
            if thorough or not segment._read_seal(size):
                segment._scan(size, damages)
        except OSError as error:
            os.close(fd)
            raise LogError(f"{path}: {error.strerror}: the segment cannot be read") from error
        except BaseException:
            os.close(fd)
            raise
        return segment, damages

    def _read_header(self, size: int, damages: list[Damage]) -> None:
        if size < HEADER_BYTES:
            # A crash came between making the file and its header: there was never a frame in it.
            return
        header = os.pread(self.fd, HEADER_BYTES, 0)
        if zlib.crc32(header[:-4]) == int.from_bytes(header[-4:], "little"):
            magic, version, _, _, first, self.rows_before, self.created, self.boot, _ = _HEADER.unpack_from(header)
            if magic == MAGIC and version != VERSION:
                raise LogVersion(
                    f"{self.path}: written in version {version} of the log's format, this program reads version "
                    f"{VERSION}: start the newer program, or move the directory away"
                )
            if magic == MAGIC and first == self.first:
                self.rows_end, self.last_time = self.rows_before, self.created
                return
        damages.append(Damage(self.name, 0, self.first, "the segment's header is damaged"))

    def _read_seal(self, size: int) -> bool:
        trailer = os.pread(self.fd, 8, size - 8) if size >= HEADER_BYTES + HEAD_BYTES else b""
        at = int.from_bytes(trailer, "little")
        if len(trailer) < 8 or not HEADER_BYTES <= at <= size - HEAD_BYTES:
            return False
        record = memoryview(os.pread(self.fd, size - at, at))
        head = decode_head(record, 0)
        if head is None or head.kind != KIND_SEAL or head.total != len(record):
            return False
        parts = decode_body(record, 0, head)
        if parts is None or len(parts) != 2 or len(parts[0]) % _INDEX_ENTRY.size:
            return False
        self.index = SparseIndex.from_bytes(parts[0])
        self.size, self.last, self.rows_end, self.last_time = at, head.position - 1, head.rows_before, head.time
        self.sealed, self.seal_bytes = True, size - at
        return True

    def _scan(self, size: int, damages: list[Damage]) -> None:
        buffer = bytearray(size)
        if os.preadv(self.fd, [buffer], 0) != size:
            raise LogError(f"{self.path}: shorter than its length says")
        view = memoryview(buffer)
        at, expected = HEADER_BYTES, self.first
        while at < size:
            head = decode_head(buffer, at)
            if head is None or head.position != expected:
                beyond = find_next(buffer, at, expected)
                if beyond is None:
                    break
                damages.append(Damage(self.name, at, expected, "the head of a record is damaged"))
                at, head = beyond
                expected = head.position
            if at + head.total > size:
                break
            intact = decode_body(view, at, head) is not None
            if not intact:
                what = "the body of a record" if head.kind == KIND_FRAME else "the seal"
                damages.append(Damage(self.name, at, expected, f"{what} is damaged"))
            if head.kind == KIND_SEAL:
                self.sealed = intact and at + head.total == size
                break
            self._note(head, at)
            at += head.total
            expected += 1
        self.size = min(at, size)
        self.seal_bytes = size - self.size if self.sealed else 0
        self.unread = size - self.size - self.seal_bytes

    def _note(self, head: Head, at: int) -> None:
        self.index.add(head.position, at, head.rows_before)
        self.last = head.position
        self.rows_end = head.rows_before + head.rows
        self.last_time = head.time

    def cut_torn(self) -> None:
        """Cut off everything after the last complete record, the seal included: the segment can be appended to."""
        os.ftruncate(self.fd, self.size)
        self.sealed, self.seal_bytes, self.unread = False, 0, 0

    def append(self, parts: Sequence[Buffer], rows: int, now: int) -> int:
        """Append one frame at position `last + 1`; returns the bytes that it takes.

        Raises OSError (disk full, disk broken) after cutting off what had been written; ValueError from `encode`.
        """
        position = self.last + 1
        buffers, total = encode(parts, position=position, rows_before=self.rows_end, time=now, rows=rows)
        self._write(buffers)
        self.index.add(position, self.size, self.rows_end)
        self.size += total
        self.last = position
        self.rows_end += rows
        self.last_time = now
        return total

    def seal(self) -> bool:
        """End the segment with its index, so that opening it need not read it. False when there is no room for that."""
        if self.sealed or self.broken:
            return self.sealed
        trailer = self.size.to_bytes(8, "little")
        buffers, total = encode(
            [self.index.to_bytes(), trailer],
            position=self.last + 1,
            rows_before=self.rows_end,
            time=self.last_time,
            rows=0,
            kind=KIND_SEAL,
        )
        try:
            self._write(buffers)
        except OSError:
            return False
        self.sealed, self.seal_bytes = True, total
        return True

    def _write(self, buffers: list[Buffer]) -> None:
        try:
            _write_all(self.fd, buffers, self.size)
        except OSError:
            try:
                os.ftruncate(self.fd, self.size)
            except OSError:
                self.broken = True
            raise

    def locate(self, position: int, *, wait: bool) -> tuple[int, int] | NotResident | Lost:
        """Offset and rows before of the record at `position`, which must lie between `first` and `last`."""
        expected, at, rows_before = self.index.floor(position)
        if expected > position:
            return Lost(expected, rows_before, f"{self.name}: the records before it are damaged")
        while expected < position:
            want = min(_INDEX_STEP + HEAD_BYTES, self.size - at)
            block = self._pread(at, want, wait=wait) or b""
            start = at
            while expected < position:
                head = decode_head(block, at - start)
                if head is None or head.position != expected:
                    break
                at += head.total
                expected += 1
                rows_before = head.rows_before + head.rows
            if at == start:
                if len(block) < want:
                    return NotResident(self.first, at, want)
                beyond = self._resync(at, expected, wait=wait)
                if isinstance(beyond, NotResident):
                    return beyond
                at, expected, rows_before = beyond
        if expected > position:
            return Lost(expected, rows_before, f"{self.name}: the head of a record is damaged")
        return at, rows_before

    def read(
        self, position: int, at: int, max_bytes: int, *, wait: bool
    ) -> tuple[list[Entry], int] | NotResident | tuple[Lost, Damage]:
        """Frames from `position`, whose record starts at offset `at`, and the offset after them.

        At least one frame, and no more than `max_bytes` bytes of records unless the first alone is longer.
        Damage ends the list, or is the answer when it is at `position` itself.
        """
        want = min(max(max_bytes, HEAD_BYTES), self.size - at)
        block = self._pread(at, want, wait=wait)
        head = None if block is None else decode_head(block, 0)
        if block is not None and head is not None and head.total > want:
            want = min(head.total, self.size - at)
            block = self._pread(at, want, wait=wait)
        if block is None:
            return NotResident(self.first, at, want)
        view = memoryview(block).toreadonly()
        entries: list[Entry] = []
        offset = 0
        while (head := decode_head(block, offset)) is not None and head.position == position:
            if head.kind != KIND_FRAME or offset + head.total > len(block):
                break
            parts = decode_body(view, offset, head)
            if parts is None:
                if entries:
                    break
                why = "the body of a record is damaged"
                lost = Lost(position + 1, head.rows_before + head.rows, f"{self.name} at {at}: {why}")
                return lost, Damage(self.name, at, position, why)
            entries.append(Entry(position, head.rows, parts, head.rows_before, head.time))
            offset += head.total
            position += 1
        if entries:
            return entries, at + offset
        if len(block) < want:
            return NotResident(self.first, at, want)
        beyond = self._resync(at, position, wait=wait)
        if isinstance(beyond, NotResident):
            return beyond
        why = "the head of a record is damaged"
        return Lost(beyond[1], beyond[2], f"{self.name} at {at}: {why}"), Damage(self.name, at, position, why)

    def _resync(self, at: int, expected: int, *, wait: bool) -> tuple[int, int, int] | NotResident:
        """Offset, position and rows before of the next readable record after a broken head at `at`."""
        noted = self.index.after(at)
        stop = noted[1] + HEAD_BYTES if noted else self.size
        block = self._pread(at, stop - at, wait=wait)
        if block is None or len(block) < stop - at:
            return NotResident(self.first, at, stop - at)
        found = find_next(block, 0, expected)
        if found is not None and found[1].kind == KIND_FRAME:
            return at + found[0], found[1].position, found[1].rows_before
        if noted is not None:
            return noted[1], *self.index.floor(noted[0])[::2]
        return self.size, self.last + 1, self.rows_end

    def _pread(self, at: int, length: int, *, wait: bool) -> bytearray | None:
        """Up to `length` bytes from `at`, fewer when the rest is not in memory; None when nothing is."""
        block = bytearray(length)
        try:
            got = os.preadv(self.fd, [block], at, 0 if wait else os.RWF_NOWAIT)
        except BlockingIOError:
            return None
        except OSError as error:
            if wait or error.errno != errno.EOPNOTSUPP:
                raise LogError(f"{self.path} at {at}: {error.strerror}: the segment cannot be read") from error
            # File systems without RWF_NOWAIT are those in memory (tmpfs before 6.x) and network ones.
            got = os.preadv(self.fd, [block], at)
        if got < length:
            del block[got:]
        return block or None

    def close(self) -> None:
        """Close the file; idempotent."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def file_name(first: int) -> str:
    """The name of the segment whose first position is `first`: 20 digits, so that names sort as positions do."""
    return f"{first:020d}{SUFFIX}"


def first_of(path: Path) -> int:
    """The first position of the segment at `path`. Raises ValueError for a file that is no segment."""
    digits = path.name.removesuffix(SUFFIX)
    if len(digits) != 20 or not digits.isascii() or not digits.isdigit() or not path.name.endswith(SUFFIX):
        raise ValueError(f"{path} is not named as a segment is")
    return int(digits)


def boot_id() -> bytes:
    """What tells one run of the machine's kernel from another: 16 bytes, zeros where the kernel does not say."""
    with contextlib.suppress(OSError, ValueError):
        return bytes.fromhex(_BOOT_ID.read_text(encoding="ascii").strip().replace("-", ""))
    return bytes(16)


def _write_all(fd: int, buffers: list[Buffer], offset: int) -> None:
    pending = buffers
    while pending:
        group = pending[:_IOV_MAX]
        written = os.pwritev(fd, group, offset)
        offset += written
        done = 0
        for buffer in group:
            length = memoryview(buffer).nbytes
            if written < length:
                break
            written -= length
            done += 1
        pending = pending[done:]
        if written:
            pending = [memoryview(pending[0]).cast("B")[written:], *pending[1:]]
        elif done == 0:
            raise OSError(errno.EIO, "the file takes no more bytes")
