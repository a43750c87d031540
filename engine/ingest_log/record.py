"""One record of the ingest log: the bytes around a frame, and how they are found again after damage.

docs/ingest-log.md fixes the layout. What always holds:

- A record is a head of 48 bytes, the part lengths, the parts back to back, and zeros up to a multiple of 8.
- The head has a CRC of its own, so a flipped byte in a body never hides where the next record starts.
- Positions of records in one segment are consecutive; the seal that ends a segment carries the next one.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Buffer: TypeAlias = bytes | bytearray | memoryview

ALIGNMENT: Final = 8
# head CRC, body length, position, rows before, time, rows, number of parts, body CRC, kind
_HEAD: Final = struct.Struct("<IIQQqIIII")
HEAD_BYTES: Final = _HEAD.size
_POSITION_AT: Final = 8
MAX_BODY_BYTES: Final = 1 << 30
MAX_PARTS: Final = 1 << 16
MAX_ROWS: Final = (1 << 32) - 1
KIND_FRAME: Final = 0
KIND_SEAL: Final = 1
# How many consecutive broken heads are stepped over before the rest counts as unreadable.
_RESYNC_TRIES: Final = 16


class Head(NamedTuple):
    """A verified record head. `length` counts the body (part lengths and parts) without head and padding."""

    length: int
    position: int
    rows_before: int
    time: int
    rows: int
    parts: int
    body_crc: int
    kind: int

    @property
    def total(self) -> int:
        """Bytes from this record to the next."""
        return padded(HEAD_BYTES + self.length)


class Entry(NamedTuple):
    """One frame of the log.

    `rows_before` counts the rows of all frames ever appended before this one, so that two entries tell exactly how
    many rows lie between them; `time` is when it was appended (ns since 1970).
    """

    position: int
    rows: int
    parts: Sequence[Buffer]
    rows_before: int
    time: int


def padded(length: int) -> int:
    """`length` rounded up to the alignment of records."""
    return (length + ALIGNMENT - 1) & ~(ALIGNMENT - 1)


def encode(
    parts: Sequence[Buffer], *, position: int, rows_before: int, time: int, rows: int, kind: int = KIND_FRAME
) -> tuple[list[Buffer], int]:
    """The buffers of one record (the parts themselves among them, not copied) and their total length in bytes.

    Raises ValueError for a part that is not contiguous, for more than MAX_PARTS parts, MAX_BODY_BYTES or MAX_ROWS.
    """
    lengths = [len(part) if type(part) is bytes else memoryview(part).nbytes for part in parts]
    table = struct.pack(f"<{len(lengths)}I", *lengths) if max(lengths, default=0) <= MAX_BODY_BYTES else b""
    length = len(table) + sum(lengths)
    if length > MAX_BODY_BYTES or len(lengths) > MAX_PARTS or rows > MAX_ROWS:
        raise ValueError(
            f"a record holds at most {MAX_PARTS} parts, {MAX_BODY_BYTES} bytes and {MAX_ROWS} rows, "
            f"got {len(lengths)}, {sum(lengths)} and {rows}"
        )
    crc = zlib.crc32(table)
    for part in parts:
        crc = zlib.crc32(part, crc)
    head = _HEAD.pack(0, length, position, rows_before, time, rows, len(lengths), crc, kind)[4:]
    total = padded(HEAD_BYTES + length)
    buffers: list[Buffer] = [zlib.crc32(head).to_bytes(4, "little") + head + table, *parts]
    if total > HEAD_BYTES + length:
        buffers.append(bytes(total - HEAD_BYTES - length))
    return buffers, total


def decode_head(buffer: Buffer, at: int) -> Head | None:
    """The head at offset `at`, or None when there is none: too few bytes, a wrong CRC, or impossible counts."""
    if len(buffer) - at < HEAD_BYTES:
        return None
    crc, *fields = _HEAD.unpack_from(buffer, at)
    if zlib.crc32(memoryview(buffer)[at + 4 : at + HEAD_BYTES]) != crc:
        return None
    head = Head(*fields)
    if head.parts * 4 > head.length or head.length > MAX_BODY_BYTES or head.kind > KIND_SEAL:
        return None
    return head


def decode_body(buffer: memoryview, at: int, head: Head) -> list[memoryview] | None:
    """The parts of the record at `at`, as views of `buffer`, or None when the body does not match its CRC."""
    start = at + HEAD_BYTES
    if zlib.crc32(buffer[start : start + head.length]) != head.body_crc:
        return None
    lengths = struct.unpack_from(f"<{head.parts}I", buffer, start)
    start += 4 * head.parts
    if 4 * head.parts + sum(lengths) != head.length:
        return None
    parts = []
    for length in lengths:
        parts.append(buffer[start : start + length])
        start += length
    return parts


def find_next(buffer: bytes | bytearray, start: int, expected: int) -> tuple[int, Head] | None:
    """The first readable head after a broken one at `start`, where position `expected` should have been.

    Positions are consecutive, so the next head holds a known number: it is looked for as bytes, and counts only
    where records can start and its CRC is right. Returns None when nothing readable follows.
    """
    for position in range(expected + 1, expected + 1 + _RESYNC_TRIES):
        pattern = position.to_bytes(8, "little")
        found = buffer.find(pattern, start + _POSITION_AT + ALIGNMENT)
        while found >= 0:
            at = found - _POSITION_AT
            if at % ALIGNMENT == 0:
                head = decode_head(buffer, at)
                if head is not None and head.position == position:
                    return at, head
            found = buffer.find(pattern, found + 1)
    return None
