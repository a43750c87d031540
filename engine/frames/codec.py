"""The wire codec: a frame as a ZeroMQ multipart message, and back (docs/wire-format.md).

Parts: a header map, an order vector if the frame has one, then one part a section. Every part is one msgpack object;
vectors and sections are `bin` objects whose buffers start 8-byte aligned within the part. Decoding copies nothing: the
arrays are read-only views over the message (a part that does not lie aligned in memory is copied once). It checks
every length, offset and code against the message, so that kernels may trust a decoded frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numba import types

from engine.frames.header import (
    MAX_SECTIONS,
    VERSION,
    Column,
    EventHeader,
    GroupHeader,
    Header,
    SectionHeader,
    WireError,
    read_header,
    vector,
)
from engine.frames.jit import I32, U16, U32, kernel
from engine.frames.model import (
    ABSENT_CODE,
    ALL_COLUMNS,
    BATCH,
    DTYPES,
    LAST,
    STREAM,
    WHOLE,
    Batches,
    Event,
    EventKind,
    FieldColumn,
    Frame,
    GroupInfo,
    Groups,
    Kind,
    Section,
    Span,
    TagColumn,
    nil_groups,
)
from engine.frames.strings import Strings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.frames.model import Columns

_BIN = 8
"""Bytes before the first buffer of a `bin` part: 0xC6, uint32 length, three bytes of padding."""

_encode = msgspec.msgpack.Encoder().encode
_PADDING = [b"\0" * k for k in range(8)]


def _codes_fit(codes: Any, size: int) -> bool:
    """Whether all codes are below `size`, or absent. A single one is not worth a kernel."""
    if len(codes) == 1:
        code: int = codes.item(0)
        return code < size or code == ABSENT_CODE
    return bool(_all_codes_fit(codes, size))


def _groups_fit(codes: Any, size: int) -> bool:
    if len(codes) == 1:
        code: int = codes.item(0)
        return code < size
    return bool(_all_groups_fit(codes, size))


def _offsets_fit(offsets: Any, size: int) -> bool:
    """Whether these are offsets into `size` bytes, in order."""
    if len(offsets) == 2:
        start, stop = offsets.tolist()
        return bool(0 <= start <= stop <= size)
    return bool(_all_offsets_fit(offsets, size))


@kernel(types.boolean, U32, types.int64)
def _all_codes_fit(codes: Any, size: Any) -> Any:
    for c in codes:
        if c >= size and c != ABSENT_CODE:
            return False
    return True


@kernel(types.boolean, U32, types.int64)
def _all_groups_fit(codes: Any, size: Any) -> Any:
    for c in codes:
        if c >= size:
            return False
    return True


@kernel(types.boolean, I32, types.int64)
def _all_offsets_fit(offsets: Any, size: Any) -> Any:
    if len(offsets) == 0 or offsets[0] < 0 or offsets[-1] > size:
        return False
    for i in range(len(offsets) - 1):
        if offsets[i + 1] < offsets[i]:
            return False
    return True


@kernel(types.boolean, U16, types.Array(types.int64, 1, "C"))
def _order_fits(order: Any, left: Any) -> Any:
    for s in order:
        if s >= len(left):
            return False
        left[s] -= 1
    for n in left:
        if n != 0:
            return False
    return True


class _Writer:
    """Lays the buffers of one section back to back."""

    __slots__ = ("_pieces", "_seen", "_size", "buffers")

    def __init__(self) -> None:
        self._pieces: list[Any] = [b""]
        self._seen: dict[int, tuple[int, Any]] = {}
        self._size = _BIN
        self.buffers: list[int] = []

    def add(self, data: Any, *, shared: bool = False) -> int:
        """The number of the buffer; a `shared` array that was added before is not written twice."""
        if shared:
            known = self._seen.get(id(data))
            if known is not None:
                return known[0]
        number = len(self.buffers) >> 1
        if shared:
            # The array is kept so that no other one can get its id.
            self._seen[id(data)] = (number, data)
        size = data.nbytes
        self.buffers.append(self._size)
        self.buffers.append(size)
        if size:
            self._pieces.append(data if data.flags.c_contiguous else np.ascontiguousarray(data))
            rest = -size & 7
            if rest:
                self._pieces.append(_PADDING[rest])
            self._size += size + rest
        return number

    def strings(self, values: Strings) -> tuple[int, int]:
        offsets = values.offsets
        return self.add(offsets, shared=True), self.add(values.data, shared=True)

    def part(self) -> bytes:
        self._pieces[0] = b"\xc6" + (self._size - 5).to_bytes(4, "big") + b"\0\0\0"
        return b"".join(self._pieces)


def _encode_mixed(data: NDArray[Any]) -> Strings:
    return Strings.of([_encode_value(v) for v in data.tolist()])


def _encode_value(value: Any) -> bytes:
    """A mixed value: [kind, value]; nil where the row has none."""
    if isinstance(value, Span):
        return _encode((int(Kind.DURATION), int(value)))
    if isinstance(value, bool):
        return _encode((int(Kind.BOOL), value))
    if isinstance(value, int):
        return _encode((int(Kind.INT), value))
    if isinstance(value, float):
        return _encode((int(Kind.FLOAT), value))
    if isinstance(value, str):
        return _encode((int(Kind.STRING), value.encode("utf-8", "surrogateescape")))
    return _encode(None)


def _encode_section(section: Section) -> tuple[SectionHeader, Any]:
    w = _Writer()
    time = w.add(section.time)
    group = -1 if section.group is None else w.add(section.group)
    groups = section.groups
    values: list[int] = []
    hashes = -1
    if groups.dims or groups.by_name:
        hashes = w.add(groups.hashes)
        for v in groups.values:
            values.extend(w.strings(v))
    batch_offsets = batch_time = batches = -1
    if section.batches is not None:
        batches = len(section.batches)
        batch_offsets = w.add(section.batches.offsets)
        batch_time = w.add(section.batches.time)
    tags = [Column(k, 0, w.add(c.codes), *w.strings(c.values)) for k, c in section.tags.items()]
    fields = []
    for k, f in section.fields.items():
        valid = -1 if f.valid is None else w.add(f.valid)
        if f.kind == Kind.STRING:
            offsets, data = w.strings(f.data)
            fields.append(Column(k, f.kind, valid, data, offsets))
        elif f.kind == Kind.MIXED:
            offsets, data = w.strings(_encode_mixed(f.data))
            fields.append(Column(k, f.kind, valid, data, offsets))
        else:
            fields.append(Column(k, f.kind, valid, w.add(f.data), -1))
    header = SectionHeader(
        section.name,
        section.rows,
        batches,
        list(groups.dims),
        groups.by_name,
        len(groups),
        time,
        group,
        hashes,
        values,
        batch_offsets,
        batch_time,
        tags,
        fields,
        w.buffers,
        0 if section.batches is None else section.batches.chunk,
    )
    return header, w.part()


def encode(frame: Frame) -> list[Any]:
    """The parts of the message: bytes, or the views that a section was decoded from."""
    headers: list[SectionHeader] = []
    parts: list[Any] = [b""]
    if frame.order is not None:
        parts.append(vector(frame.order))
    for section in frame.sections:
        header, part = section.wire or _encode_section(section)
        headers.append(header)
        parts.append(part)
    events, groups = _encode_events(frame.events) if frame.events else ([], [])
    parts[0] = _encode(
        Header(
            VERSION,
            frame.edge == BATCH,
            frame.parent,
            frame.position,
            frame.db,
            frame.rp,
            frame.order is not None,
            headers,
            events,
            groups,
        )
    )
    return parts


def _encode_events(events: Sequence[Event]) -> tuple[list[EventHeader], list[GroupHeader]]:
    table: dict[GroupInfo, int] = {}
    heads = [
        EventHeader(e.at, e.kind, e.time, -1 if e.group is None else table.setdefault(e.group, len(table)))
        for e in events
    ]
    return heads, [GroupHeader(g.name, list(g.dims), g.by_name, list(g.tags), g.hash) for g in table]


def aligned(part: Any) -> NDArray[np.uint8]:
    """The part's bytes, copied if they do not lie 8-byte aligned in memory."""
    data = np.frombuffer(part, np.uint8)
    if data.__array_interface__["data"][0] & 7:
        copy = np.empty((len(data) + 7) >> 3, np.uint64).view(np.uint8)[: len(data)]
        copy[:] = data
        copy.flags.writeable = False
        return copy
    return data


def _check_bin(data: NDArray[np.uint8], what: str) -> None:
    if len(data) < _BIN or data[:5].tobytes() != b"\xc6" + (len(data) - 5).to_bytes(4, "big"):
        raise WireError(f"{what}: not a bin 32 object of the part's length")


class _Reader:
    """Buffers of one section, checked against the part."""

    __slots__ = ("_buffers", "_data", "_size", "_strings")

    def __init__(self, part: Any, buffers: list[int]) -> None:
        self._data = aligned(part)
        _check_bin(self._data, "section")
        self._size = len(self._data)
        self._buffers = buffers
        self._strings: dict[tuple[int, int], Strings] = {}
        if len(buffers) & 1:
            raise WireError("section: odd buffer list")

    def get(self, number: int, dtype: Any, count: int, what: str) -> NDArray[Any]:
        """Buffer `number` as `count` items (-1: as many as it holds)."""
        if not 0 <= number < len(self._buffers) >> 1:
            raise WireError(f"{what}: no buffer {number}")
        offset, size = self._buffers[2 * number], self._buffers[2 * number + 1]
        if offset < _BIN or size < 0 or offset & 7 or offset + size > self._size:
            raise WireError(f"{what}: buffer {number} lies outside its part or is not aligned")
        width = dtype.itemsize
        if count < 0:
            count = size // width
        if count * width != size:
            raise WireError(f"{what}: buffer {number} has {size} bytes, {count * width} expected")
        return np.frombuffer(self._data, dtype, count, offset)

    def strings(self, offsets: int, data: int, count: int, what: str) -> Strings:
        """`count` strings (-1: as many as there are offsets)."""
        known = self._strings.get((offsets, data))
        if known is None:
            ends = self.get(offsets, _INT32, -1, what)
            raw = self.get(data, _UINT8, -1, what)
            if not _offsets_fit(ends, len(raw)):
                raise WireError(f"{what}: string offsets out of order or range")
            known = self._strings[offsets, data] = Strings(ends, raw)
        if count >= 0 and len(known) != count:
            raise WireError(f"{what}: {len(known)} strings, {count} expected")
        return known


_INT32, _INT64, _UINT8 = np.dtype(np.int32), np.dtype(np.int64), np.dtype(np.uint8)
_UINT16, _UINT32, _UINT64 = np.dtype(np.uint16), np.dtype(np.uint32), np.dtype(np.uint64)


def _decode_mixed(values: Strings, valid: NDArray[np.uint8] | None) -> NDArray[Any]:
    out = np.empty(len(values), object)
    for i in range(len(values)):
        try:
            item = msgspec.msgpack.decode(values.bytes_at(i))
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
            raise WireError(f"mixed column: {error}") from error
        if item is None:
            if valid is None or valid[i] == 1:
                raise WireError("mixed column: nil in a row that has the field")
            continue
        out[i] = _mixed_value(item)
    return out


def _mixed_value(item: Any) -> Any:
    match item:
        case [int(kind), bytes(raw)] if kind == Kind.STRING:
            return raw.decode("utf-8", "surrogateescape")
        case [int(kind), bool(value)] if kind == Kind.BOOL:
            return value
        case [int(kind), float(value)] if kind == Kind.FLOAT:
            return value
        case [int(kind), int(value)] if kind in (Kind.INT, Kind.DURATION) and not isinstance(value, bool):
            if not -(1 << 63) <= value < 1 << 63:
                raise WireError("mixed column: integer out of range")
            return Span(value) if kind == Kind.DURATION else value
    raise WireError("mixed column: not a [kind, value] pair")


def _decode_section(h: SectionHeader, part: Any, columns: Columns, *, batch: bool) -> Section:
    r = _Reader(part, h.buffers)
    rows, count = h.rows, h.rows
    if rows < 0 or h.groups < 0 or batch != (h.batches >= 0):
        raise WireError("section: negative count, or batches on the wrong edge")
    batches = None
    if batch:
        count = h.batches
        offsets = r.get(h.batch_offsets, _INT32, count + 1, "batch offsets")
        if not _offsets_fit(offsets, rows) or offsets[0] != 0 or offsets[-1] != rows:
            raise WireError("batch offsets out of order or range")
        if h.chunk and (count != 1 or not WHOLE < h.chunk <= LAST):
            raise WireError("a chunk is not one piece of one batch")
        batches = Batches(offsets, r.get(h.batch_time, _INT64, count, "batch times"), h.chunk)
    groups = nil_groups()
    if h.dims or h.by_name:
        if len(h.values) != 2 * len(h.dims):
            raise WireError("groups: not one list of values a dimension")
        values = tuple(r.strings(h.values[2 * d], h.values[2 * d + 1], h.groups, "groups") for d in range(len(h.dims)))
        hashes = r.get(h.hashes, _UINT64, 2 * h.groups, "group hashes").reshape(h.groups, 2)
        groups = Groups(tuple(h.dims), h.by_name, values, hashes)
    group = None
    if h.group >= 0:
        group = r.get(h.group, _UINT32, count, "group codes")
        if not _groups_fit(group, len(groups)):
            raise WireError("group codes out of range")
    elif count and len(groups) == 0:
        raise WireError("group codes without groups")
    wanted_tags, wanted_fields = h.tags, h.fields
    if columns.tags is not None:
        wanted_tags = [t for t in h.tags if t.key in columns.tags or t.key in h.dims]
    if columns.fields is not None:
        wanted_fields = [f for f in h.fields if f.key in columns.fields]
    tags = {}
    for t in wanted_tags:
        codes = r.get(t.a, _UINT32, rows, "tag codes")
        known = r.strings(t.b, t.c, -1, "tag values")
        if not _codes_fit(codes, len(known)):
            raise WireError(f"tag {t.key!r}: codes out of range")
        tags[t.key] = TagColumn(codes, known)
    fields = {f.key: _decode_field(r, f, rows) for f in wanted_fields}
    if len(tags) != len(wanted_tags) or len(fields) != len(wanted_fields):
        raise WireError("section: a column twice")
    time = r.get(h.time, _INT64, rows, "times")
    whole = len(tags) == len(h.tags) and len(fields) == len(h.fields)
    return Section(h.name, time, tags, fields, groups, group, batches, (h, part) if whole else None)


def _decode_field(r: _Reader, f: Column, rows: int) -> FieldColumn:
    try:
        kind = Kind(f.kind)
    except ValueError:
        raise WireError(f"field {f.key!r}: unknown kind {f.kind}") from None
    valid = None if f.a < 0 else r.get(f.a, _UINT8, rows, "validity")
    data: Any
    if kind == Kind.STRING:
        data = r.strings(f.c, f.b, rows, "field strings")
    elif kind == Kind.MIXED:
        data = _decode_mixed(r.strings(f.c, f.b, rows, "mixed values"), valid)
    else:
        data = r.get(f.b, DTYPES[kind], rows, "field values")
        if kind == Kind.BOOL and rows and data.view(np.uint8).max() > 1:
            raise WireError(f"field {f.key!r}: a boolean is neither 0 nor 1")
    return FieldColumn(kind, data, valid)


def decode(parts: Sequence[Any], columns: Columns = ALL_COLUMNS) -> Frame:
    """The frame of a message, with the columns that are wanted.

    Raises WireError for anything that is not one; columns that are left out are not looked at.
    """
    if not parts:
        raise WireError("empty message")
    header = read_header(parts[0])
    return decode_sections(header, parts, columns)


def decode_sections(header: Header, parts: Sequence[Any], columns: Columns = ALL_COLUMNS) -> Frame:
    """The frame of a message whose header is known."""
    first = 2 if header.order else 1
    if len(parts) != first + len(header.sections) or len(header.sections) > MAX_SECTIONS:
        raise WireError(f"{len(parts)} parts for {len(header.sections)} sections")
    sections = tuple(
        _decode_section(h, part, columns, batch=header.batch)
        for h, part in zip(header.sections, parts[first:], strict=True)
    )
    order = None
    if header.order:
        raw = aligned(parts[1])
        _check_bin(raw, "order")
        if len(raw) & 1:
            raise WireError("order: odd length")
        order = raw[_BIN:].view(_UINT16)
        if not _order_fits(order, np.array([s.count for s in sections], np.int64)):
            raise WireError("order does not name each section's rows once")
    elif len(sections) > 1:
        raise WireError("several sections and no order")
    if len(sections) > 1 and any(h.chunk for h in header.sections):
        raise WireError("a chunk beside other sections")
    edge = BATCH if header.batch else STREAM
    events = _decode_events(header, sum(s.count for s in sections)) if header.events else ()
    frame = Frame(edge, header.db, header.rp, sections, order, events, header.position, header.parent)
    return _repeat(frame, header.twice) if header.twice else frame


def _decode_events(header: Header, count: int) -> tuple[Event, ...]:
    groups = [GroupInfo(g.name, tuple(g.dims), g.by_name, tuple(g.tags), g.hash) for g in header.groups]
    events, before = [], 0
    for e in header.events:
        if not before <= e.at <= count or not -1 <= e.group < len(groups):
            raise WireError("event out of order or range")
        before = e.at
        try:
            kind = EventKind(e.kind)
        except ValueError:
            raise WireError(f"unknown event kind {e.kind}") from None
        events.append(Event(e.at, kind, e.time, None if e.group < 0 else groups[e.group]))
    return tuple(events)


def _repeat(frame: Frame, twice: Sequence[int]) -> Frame:
    """Rows of the marked sections two times in place (a fork that is wanted by name and by "")."""
    from engine.frames.reshape import take_rows  # noqa: PLC0415 - reshape needs nothing of the codec

    if any(not 0 <= i < len(frame.sections) for i in twice) or frame.edge == BATCH:
        raise WireError("repetition mark out of range")
    sections = list(frame.sections)
    for i in twice:
        sections[i] = take_rows(sections[i], np.repeat(np.arange(sections[i].rows), 2))
    order = frame.order
    if order is not None:
        times = np.ones(len(sections), np.int64)
        times[list(twice)] = 2
        order = np.repeat(order, times[order])
    return frame.with_(sections=tuple(sections), order=order)
