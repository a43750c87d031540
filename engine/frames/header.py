"""The header of a frame on the wire, for those who route frames without looking into them (docs/wire-format.md).

Loads no kernel: the supervisor lives on this module alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERSION = 1
MAX_SECTIONS = 0xFFFF


class WireError(ValueError):
    """A message is not a frame: malformed, truncated, or of a version that this reader does not know."""


class Column(msgspec.Struct, array_like=True, frozen=True):
    """A tag: `key`, then the buffers of codes, offsets, bytes. A field: kind; validity or -1; data; offsets or -1."""

    key: str
    kind: int
    a: int
    b: int
    c: int


class SectionHeader(msgspec.Struct, array_like=True, frozen=True):
    """`buffers`: offset and length of each buffer within the part, flat. Everything else names buffers by number."""

    name: str
    rows: int
    batches: int
    dims: list[str]
    by_name: bool
    groups: int
    time: int
    group: int
    hashes: int
    values: list[int]
    batch_offsets: int
    batch_time: int
    tags: list[Column]
    fields: list[Column]
    buffers: list[int]
    chunk: int = 0


class EventHeader(msgspec.Struct, array_like=True, frozen=True):
    """An event; `group` is an index into the header's group list, or -1."""

    at: int
    kind: int
    time: int
    group: int


class GroupHeader(msgspec.Struct, array_like=True, frozen=True):
    name: str
    dims: list[str]
    by_name: bool
    tags: list[str]
    hash: tuple[int, int]


class Header(msgspec.Struct, frozen=True):
    """The first part. `order` tells that the second part is the order vector; `want` holds section marks of the fork."""

    v: int
    batch: bool
    parent: int
    position: int
    db: str
    rp: str
    order: bool
    sections: list[SectionHeader]
    events: list[EventHeader] = []
    groups: list[GroupHeader] = []
    twice: list[int] = []


_encode = msgspec.msgpack.Encoder().encode
_decode_header = msgspec.msgpack.Decoder(Header).decode


def read_header(part: Any) -> Header:
    """The header alone, for routing. Raises WireError."""
    try:
        header = _decode_header(part)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise WireError(f"frame header: {error}") from error
    if header.v != VERSION:
        raise WireError(f"frame header: version {header.v}, this reader knows {VERSION}")
    return header


def write_header(header: Header) -> bytes:
    return _encode(header)


def vector(values: NDArray[Any]) -> bytes:
    """The order vector as a part."""
    data = np.ascontiguousarray(values)
    return b"\xc6" + (data.nbytes + 3).to_bytes(4, "big") + b"\0\0\0" + data.tobytes()
