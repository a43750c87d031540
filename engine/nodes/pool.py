"""Rows kept across frames, in columns: what windows and same-time runs hold until they emit.

A pool has the rows of one schema (tag keys, field names and kinds; the measurement's name is not part of it), copied
from the frames that brought them. Rows are only appended; `keep` drops what is no longer wanted. Bound: the owner
compacts before it grows, so capacity is at most twice what was live at that time, and at least one frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.model import DTYPES, FieldColumn, Kind, Section, Span, TagColumn, nil_groups
from engine.frames.reshape import take_field, take_tag
from engine.frames.strings import Strings
from engine.nodes.interner import Interner
from engine.operator import TaskError
from engine.slots import grown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.frames.model import Groups

Schema = tuple[tuple[str, ...], tuple[tuple[str, Kind], ...]]
_DICTIONARY = 1024
_SHRINK = 4
_MOST_TEXT = 2**31 - 1
_OBJECT_BYTES = 48


def schema_of(section: Section) -> Schema:
    """What rows must share to lie in one pool; the order of fields counts too, which only makes more pools."""
    return tuple(section.tags), tuple([(k, c.kind) for k, c in section.fields.items()])


class _Tags:
    """One tag of a pool."""

    __slots__ = ("codes", "interner")

    def __init__(self, room: int) -> None:
        self.codes = np.empty(room, np.uint32)
        self.interner = Interner()

    def grow(self, room: int) -> None:
        self.codes = grown(self.codes, room, None)

    def append(self, column: TagColumn, used: int, n: int) -> None:
        self.interner.number(column, self.codes[used : used + n])

    def column(self) -> TagColumn:
        return TagColumn(self.codes, self.interner.values())

    def keep(self, rows: NDArray[np.int64]) -> None:
        n = len(rows)
        if self.interner.count > max(_DICTIONARY, 2 * n):
            kept = take_tag(self.column(), rows)
            self.interner = Interner()
            self.interner.number(kept, self.codes[:n])
        else:
            self.codes[:n] = self.codes.take(rows)


class _Fields:
    """One field of a pool. Strings lie in `data` by `ends`, with `ends[0]` = 0."""

    __slots__ = ("data", "ends", "kind", "valid")

    def __init__(self, kind: Kind, room: int) -> None:
        self.kind = kind
        self.data: NDArray[Any] = np.empty(room, np.uint8 if kind == Kind.STRING else DTYPES[kind])
        self.ends = np.zeros(room + 1 if kind == Kind.STRING else 1, np.int32)
        self.valid: NDArray[np.uint8] | None = None

    def grow(self, room: int) -> None:
        if self.kind == Kind.STRING:
            self.ends = grown(self.ends, room + 1, None)
        else:
            self.data = grown(self.data, room, None)
        if self.valid is not None:
            self.valid = grown(self.valid, room, None)

    def append(self, column: FieldColumn, used: int, n: int, room: int) -> None:
        if self.kind == Kind.STRING:
            self._append_text(column.data, used, n)
        else:
            self.data[used : used + n] = column.data
        if column.valid is not None and self.valid is None:
            self.valid = np.ones(room, np.uint8)
        if self.valid is not None:
            self.valid[used : used + n] = 1 if column.valid is None else column.valid

    def _append_text(self, text: Strings, used: int, n: int) -> None:
        base, size = int(self.ends[used]), int(text.offsets[n])
        if base + size > _MOST_TEXT:
            raise TaskError("more than 2 GiB of text are waiting in one node")
        self.ends[used + 1 : used + n + 1] = text.offsets[1:] + np.int32(base)
        self.data = grown(self.data, base + size, None)
        self.data[base : base + size] = text.data[:size]

    def column(self, used: int) -> FieldColumn:
        valid = None if self.valid is None else self.valid[:used]
        if self.kind == Kind.STRING:
            return FieldColumn(self.kind, Strings(self.ends[: used + 1], self.data[: self.ends[used]]), valid)
        return FieldColumn(self.kind, self.data[:used], valid)

    def keep(self, rows: NDArray[np.int64], used: int) -> None:
        kept = take_field(self.column(used), rows)
        self.append(kept, 0, len(rows), len(self.ends))

    def bytes(self, used: int) -> int:
        """What the first `used` rows take up; an object counts as a small Python value."""
        mask = 0 if self.valid is None else used
        if self.kind == Kind.STRING:
            return mask + 4 * used + int(self.ends[used])
        return mask + used * (_OBJECT_BYTES if self.kind == Kind.MIXED else self.data.itemsize)

    def shrink(self, used: int, room: int) -> None:
        kept = self.column(used)
        valid, fresh = self.valid, _Fields(self.kind, room)
        fresh.append(kept, 0, used, room)
        self.data, self.ends = fresh.data, fresh.ends
        self.valid = None if valid is None else fresh.valid


class Pool:
    """The rows of one schema. `used` rows are in, numbered from 0; the pool has the columns of the section given."""

    def __init__(self, section: Section) -> None:
        self.schema = schema_of(section)
        self.used = 0
        self._room = 64
        self._time = np.empty(self._room, np.int64)
        self._tags = {k: _Tags(self._room) for k in section.tags}
        self._fields = {k: _Fields(c.kind, self._room) for k, c in section.fields.items()}

    @property
    def bytes(self) -> int:
        """What the rows take up; room kept for more, and the dictionaries of tags, not counted."""
        tags = 4 * self.used * len(self._tags)
        return 8 * self.used + tags + sum(field.bytes(self.used) for field in self._fields.values())

    def append(self, section: Section) -> int:
        """Copy all rows of the section; the number of the first."""
        first, n = self.used, len(section.time)
        if first + n > self._room:
            self._grow(first + n)
        self._time[first : first + n] = section.time
        tags, fields = section.tags, section.fields
        for k, tag in self._tags.items():
            tag.append(tags[k], first, n)
        for k, field in self._fields.items():
            field.append(fields[k], first, n, self._room)
        self.used = first + n
        return first

    def _grow(self, need: int) -> None:
        self._time = grown(self._time, need, None)
        self._room = len(self._time)
        for tag in self._tags.values():
            tag.grow(self._room)
        for field in self._fields.values():
            field.grow(self._room)

    def take(self, rows: NDArray[Any]) -> tuple[NDArray[np.int64], dict[str, TagColumn], dict[str, FieldColumn]]:
        """Times and columns of the rows at `rows`, in that order, as copies."""
        tags = {k: take_tag(t.column(), rows) for k, t in self._tags.items()}
        fields = {k: take_field(f.column(self.used), rows) for k, f in self._fields.items()}
        return self._time.take(rows), tags, fields

    def fields(self, rows: NDArray[Any]) -> dict[str, FieldColumn]:
        """The fields of the rows at `rows`, as copies."""
        return {k: take_field(f.column(self.used), rows) for k, f in self._fields.items()}

    @property
    def time(self) -> NDArray[np.int64]:
        """The times of all rows, a view."""
        return self._time[: self.used]

    def section(self, rows: NDArray[Any], name: str, groups: Groups) -> Section:
        """The rows at `rows` as a section of the first of these groups."""
        time, tags, fields = self.take(rows)
        return Section(name, time, tags, fields, groups)

    def keep(self, rows: NDArray[np.int64]) -> None:
        """Drop all rows but these, which are numbered anew in this order; a capacity far too large shrinks."""
        n = len(rows)
        self._time[:n] = self._time.take(rows)
        for tag in self._tags.values():
            tag.keep(rows)
        for field in self._fields.values():
            field.keep(rows, self.used)
        self.used = n
        room = max(64, 2 * n)
        if self._room > _SHRINK * n + 8192:
            self._room = room
            self._time = grown(self._time[:n], room, None)
            for tag in self._tags.values():
                tag.codes = grown(tag.codes[:n], room, None)
            for field in self._fields.values():
                field.shrink(n, room)

    def snapshot(self) -> dict[str, Any]:
        """Plain msgpack values."""
        time, tags, fields = self.take(np.arange(self.used))
        return {
            "time": time.tobytes(),
            "tags": {k: [c.codes.tobytes(), *pack_strings(c.values)] for k, c in tags.items()},
            "fields": {k: pack_field(c) for k, c in fields.items()},
        }

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Pool:
        """A pool with the rows that `snapshot` gave."""
        tags = {
            k: TagColumn(np.frombuffer(c, np.uint32), unpack_strings(o, d)) for k, (c, o, d) in state["tags"].items()
        }
        fields = {k: unpack_field(packed) for k, packed in state["fields"].items()}
        section = Section("", np.frombuffer(state["time"], np.int64), tags, fields, nil_groups())
        pool = cls(section)
        pool.append(section)
        return pool


def pack_strings(strings: Strings) -> list[bytes]:
    return [strings.offsets.tobytes(), strings.data[: strings.offsets[-1]].tobytes()]


def unpack_strings(offsets: bytes, data: bytes) -> Strings:
    return Strings(np.frombuffer(offsets, np.int32), np.frombuffer(data, np.uint8))


def pack_field(column: FieldColumn) -> list[Any]:
    """A field column as plain msgpack values."""
    valid = None if column.valid is None else column.valid.tobytes()
    if column.kind == Kind.STRING:
        return [int(column.kind), pack_strings(column.data), valid]
    if column.kind == Kind.MIXED:
        values = [["span", int(v)] if isinstance(v, Span) else v for v in column.data.tolist()]
        return [int(column.kind), values, valid]
    return [int(column.kind), column.data.tobytes(), valid]


def unpack_field(packed: list[Any]) -> FieldColumn:
    """The inverse of `pack_field`."""
    kind, valid = Kind(packed[0]), None if packed[2] is None else np.frombuffer(packed[2], np.uint8)
    if kind == Kind.STRING:
        return FieldColumn(kind, unpack_strings(*packed[1]), valid)
    if kind == Kind.MIXED:
        data = np.empty(len(packed[1]), object)
        data[:] = [Span(v[1]) if isinstance(v, (list, tuple)) else v for v in packed[1]]
        return FieldColumn(kind, data, valid)
    return FieldColumn(kind, np.frombuffer(packed[1], DTYPES[kind]), valid)
