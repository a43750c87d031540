"""Rows kept across frames, in columns: what windows and same-time runs hold until they emit.

A pool has the rows of one schema (tag keys, field names and kinds; the measurement's name is not part of it), copied
from the frames that brought them. Rows are only appended; `keep` drops what is no longer wanted. Bound: the owner
compacts before it grows, so capacity is at most twice what was live at that time, and at least one frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.model import DTYPES, FieldColumn, Kind, Section, Span, TagColumn
from engine.frames.reshape import take_field, take_tag
from engine.frames.strings import Strings
from engine.nodes.interner import Interner
from engine.slots import grown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.frames.model import Groups

Schema = tuple[tuple[str, ...], tuple[tuple[str, int], ...]]


def schema_of(section: Section) -> Schema:
    """What rows must share to lie in one pool."""
    return tuple(section.tags), tuple((k, int(c.kind)) for k, c in sorted(section.fields.items()))


class _Tags:
    """One tag of a pool."""

    def __init__(self) -> None:
        self.codes = np.zeros(0, np.uint32)
        self.interner = Interner()

    def append(self, column: TagColumn, used: int) -> None:
        n = len(column.codes)
        self.codes = grown(self.codes, used + n)
        self.codes[used : used + n] = self.interner.number(column)

    def column(self) -> TagColumn:
        return TagColumn(self.codes, self.interner.values())

    def keep(self, rows: NDArray[np.int64]) -> None:
        kept = take_tag(TagColumn(self.codes, self.interner.values()), rows)
        self.interner, self.codes = Interner(), np.zeros(0, np.uint32)
        self.append(kept, 0)


class _Fields:
    """One field of a pool. Strings lie in `data` by `ends`, with `ends[0]` = 0."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.data: NDArray[Any] = np.zeros(0, np.uint8 if kind == Kind.STRING else DTYPES[kind])
        self.ends = np.zeros(1, np.int32)
        self.valid: NDArray[np.uint8] | None = None

    def append(self, column: FieldColumn, used: int, n: int) -> None:
        if self.kind == Kind.STRING:
            base = int(self.ends[used])
            more = column.data.offsets
            self.ends = grown(self.ends, used + n + 1)
            self.ends[used + 1 : used + n + 1] = more[1:] + np.int32(base)
            size = int(more[n])
            self.data = grown(self.data, base + size)
            self.data[base : base + size] = column.data.data[:size]
        else:
            self.data = grown(self.data, used + n)
            self.data[used : used + n] = column.data
        if column.valid is not None and self.valid is None:
            self.valid = np.ones(max(used + n, len(self.data)), np.uint8)
        if self.valid is not None:
            self.valid = grown(self.valid, used + n, 1)
            self.valid[used : used + n] = 1 if column.valid is None else column.valid

    def column(self, used: int) -> FieldColumn:
        valid = None if self.valid is None else self.valid[:used]
        if self.kind == Kind.STRING:
            return FieldColumn(self.kind, Strings(self.ends[: used + 1], self.data[: self.ends[used]]), valid)
        return FieldColumn(self.kind, self.data[:used], valid)

    def keep(self, rows: NDArray[np.int64], used: int) -> None:
        kept = take_field(self.column(used), rows)
        self.__init__(self.kind)  # type: ignore[misc]
        self.append(kept, 0, len(rows))


class Pool:
    """The rows of one schema. `used` rows are in, numbered from 0."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.used = 0
        self._time = np.empty(0, np.int64)
        self._tags = {k: _Tags() for k in schema[0]}
        self._fields = {k: _Fields(Kind(kind)) for k, kind in schema[1]}

    def append(self, section: Section) -> int:
        """Copy all rows of the section; the number of the first."""
        first, n = self.used, section.rows
        self._time = grown(self._time, first + n)
        self._time[first : first + n] = section.time
        for k, tag in self._tags.items():
            tag.append(section.tags[k], first)
        for k, field in self._fields.items():
            field.append(section.fields[k], first, n)
        self.used = first + n
        return first

    def take(self, rows: NDArray[Any]) -> tuple[NDArray[np.int64], dict[str, TagColumn], dict[str, FieldColumn]]:
        """Times and columns of the rows at `rows`, in that order, as copies."""
        tags = {k: take_tag(t.column(), rows) for k, t in self._tags.items()}
        fields = {k: take_field(f.column(self.used), rows) for k, f in self._fields.items()}
        return self._time.take(rows), tags, fields

    def section(self, rows: NDArray[Any], name: str, groups: Groups) -> Section:
        """The rows at `rows` as a section of the first of these groups."""
        time, tags, fields = self.take(rows)
        return Section(name, time, tags, fields, groups)

    def keep(self, rows: NDArray[np.int64]) -> None:
        """Drop all rows but these, which are numbered anew in this order; capacity follows."""
        self._time = self._time.take(rows)
        for tag in self._tags.values():
            tag.keep(rows)
        for field in self._fields.values():
            field.keep(rows, self.used)
        self.used = len(rows)

    def snapshot(self) -> dict[str, Any]:
        """Plain msgpack values."""
        time, tags, fields = self.take(np.arange(self.used))
        return {
            "schema": [list(self.schema[0]), [list(f) for f in self.schema[1]]],
            "time": time.tobytes(),
            "tags": {k: [c.codes.tobytes(), *pack_strings(c.values)] for k, c in tags.items()},
            "fields": {k: pack_field(c) for k, c in fields.items()},
        }

    @classmethod
    def restored(cls, state: dict[str, Any]) -> Pool:
        """A pool with the rows that `snapshot` gave."""
        names, kinds = state["schema"]
        pool = cls((tuple(names), tuple((k, kind) for k, kind in kinds)))
        for k, (codes, offsets, data) in state["tags"].items():
            pool._tags[k].append(TagColumn(np.frombuffer(codes, np.uint32), unpack_strings(offsets, data)), 0)
        pool._time = np.frombuffer(state["time"], np.int64).copy()
        pool.used = len(pool._time)
        for k, packed in state["fields"].items():
            pool._fields[k].append(unpack_field(packed), 0, pool.used)
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
