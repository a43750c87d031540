"""Choosing, cutting and joining: the ways in which frames and sections become smaller or larger without a change of meaning.

Everything keeps the order of rows and the place of events among them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from engine.frames.jit import I32, U8_OUT, U32, kernel
from engine.frames.model import (
    ABSENT_CODE,
    DTYPES,
    Batches,
    Event,
    FieldColumn,
    Frame,
    Groups,
    Kind,
    Section,
    TagColumn,
)
from engine.frames.strings import Strings, concat_strings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_COMPACT_ABOVE = 64


@kernel(types.int64, U32, U8_OUT)
def _mark_used(codes: Any, used: Any) -> Any:
    count = 0
    for i in range(len(codes)):
        c = codes[i]
        if c < len(used) and used[c] == 0:
            used[c] = 1
            count += 1
    return count


@kernel(types.int32[::1], I32, types.Array(types.int64, 1, "C", readonly=True))
def _row_index(offsets: Any, batches: Any) -> Any:
    """Rows of the chosen batches, as int32."""
    total = 0
    for b in batches:
        total += offsets[b + 1] - offsets[b]
    out = np.empty(total, np.int32)
    p = 0
    for b in batches:
        for r in range(offsets[b], offsets[b + 1]):
            out[p] = r
            p += 1
    return out


def _compact_codes(codes: NDArray[np.uint32], size: int) -> tuple[NDArray[np.uint32], NDArray[np.int64]] | None:
    """Renumber codes densely if most of a large dictionary is unused: new codes and the kept entries."""
    if size <= _COMPACT_ABOVE or len(codes) * 2 > size:
        return None
    used = np.zeros(size, np.uint8)
    _mark_used(codes, used)
    keep = np.flatnonzero(used)
    remap = np.empty(size + 1, np.uint32)
    remap[keep] = np.arange(len(keep), dtype=np.uint32)
    remap[size] = ABSENT_CODE
    return remap[np.minimum(codes, np.uint32(size))], keep


def take_tag(column: TagColumn, index: NDArray[Any]) -> TagColumn:
    codes = column.codes.take(index)
    smaller = _compact_codes(codes, len(column.values))
    if smaller is None:
        return TagColumn(codes, column.values)
    return TagColumn(smaller[0], column.values.take(smaller[1]))


def take_field(column: FieldColumn, index: NDArray[Any]) -> FieldColumn:
    valid = None if column.valid is None else column.valid.take(index)
    if column.kind == Kind.STRING:
        return FieldColumn(column.kind, column.data.take(np.ascontiguousarray(index, np.int64)), valid)
    return FieldColumn(column.kind, column.data.take(index), valid)


def take_groups(groups: Groups, codes: NDArray[np.uint32]) -> tuple[Groups, NDArray[np.uint32]]:
    """The codes and a table that is not much larger than what they use."""
    smaller = _compact_codes(codes, len(groups))
    if smaller is None:
        return groups, codes
    keep = smaller[1]
    values = tuple(v.take(keep) for v in groups.values)
    return Groups(groups.dims, groups.by_name, values, groups.hashes.take(keep, axis=0)), smaller[0]


def take_columns(section: Section, index: NDArray[Any]) -> tuple[dict[str, TagColumn], dict[str, FieldColumn]]:
    return (
        {k: take_tag(c, index) for k, c in section.tags.items()},
        {k: take_field(c, index) for k, c in section.fields.items()},
    )


def take_rows(section: Section, index: NDArray[Any]) -> Section:
    """The rows of a stream section at `index`, in that order."""
    tags, fields = take_columns(section, index)
    groups, group = section.groups, section.group
    if group is not None:
        groups, group = take_groups(groups, group.take(index))
    return Section(section.name, section.time.take(index), tags, fields, groups, group)


def filter_rows(section: Section, mask: NDArray[np.bool_]) -> Section:
    """The rows where `mask` (bool[n]) is true; of a batch section every batch stays, even when it becomes empty."""
    if mask.all():
        return section
    index = np.flatnonzero(mask)
    if section.batches is None:
        return take_rows(section, index)
    tags, fields = take_columns(section, index)
    kept = np.zeros(section.rows + 1, np.int32)
    np.cumsum(mask, out=kept[1:])
    batches = Batches(kept[section.batches.offsets], section.batches.time)
    return section.with_(time=section.time.take(index), tags=tags, fields=fields, batches=batches)


def take_batches(section: Section, which: NDArray[np.int64]) -> Section:
    """The batches at `which`, in that order."""
    assert section.batches is not None
    offsets = section.batches.offsets
    index = _row_index(offsets, np.ascontiguousarray(which, np.int64))
    tags, fields = take_columns(section, index)
    new = np.zeros(len(which) + 1, np.int32)
    np.cumsum(np.diff(offsets)[which], out=new[1:])
    groups, group = section.groups, section.group
    if group is not None:
        groups, group = take_groups(groups, group.take(which))
    batches = Batches(new, section.batches.time.take(which))
    return Section(section.name, section.time.take(index), tags, fields, groups, group, batches)


def take(section: Section, index: NDArray[Any]) -> Section:
    """Points, or whole batches, at `index`."""
    return take_rows(section, index) if section.batches is None else take_batches(section, index)


def slice_section(section: Section, start: int, stop: int) -> Section:
    """Points, or whole batches, `start:stop`, as views."""
    if start == 0 and stop >= section.count:
        return section
    group = None if section.group is None else section.group[start:stop]
    batches = section.batches
    if batches is not None:
        base = batches.offsets[start]
        rows = slice(int(base), int(batches.offsets[stop]))
        batches = Batches(batches.offsets[start : stop + 1] - base, batches.time[start:stop])
    else:
        rows = slice(start, stop)
    tags, fields = slice_columns(section, rows)
    groups = section.groups
    if group is not None:
        groups, group = take_groups(groups, group)
    return Section(section.name, section.time[rows], tags, fields, groups, group, batches)


def slice_columns(section: Section, rows: slice) -> tuple[dict[str, TagColumn], dict[str, FieldColumn]]:
    tags = {}
    for k, c in section.tags.items():
        codes = c.codes[rows]
        smaller = _compact_codes(codes, len(c.values))
        tags[k] = TagColumn(codes, c.values) if smaller is None else TagColumn(smaller[0], c.values.take(smaller[1]))
    fields = {}
    for k, f in section.fields.items():
        valid = None if f.valid is None else f.valid[rows]
        data = f.data.slice(rows.start, rows.stop) if f.kind == Kind.STRING else f.data[rows]
        fields[k] = FieldColumn(f.kind, data, valid)
    return tags, fields


def batch_rows(section: Section, b: int) -> Section:
    """The rows of batch `b` as a stream-like section of one group (views)."""
    assert section.batches is not None
    one = slice_section(section, b, b + 1)
    return one.with_(batches=None, group=np.repeat(one.group_codes(), one.rows))


def runs(frame: Frame) -> Iterator[tuple[int, int, int]]:
    """The frame in order as (section index, start, stop) in points or batches of that section."""
    if frame.order is None:
        if frame.sections and frame.sections[0].count:
            yield 0, 0, frame.sections[0].count
        return
    order = frame.order
    if len(order) == 0:
        return
    cuts = np.flatnonzero(order[1:] != order[:-1]) + 1
    used = [0] * len(frame.sections)
    starts = [0, *cuts.tolist()]
    stops = [*cuts.tolist(), len(order)]
    for a, z in zip(starts, stops, strict=True):
        s = int(order[a])
        yield s, used[s], used[s] + z - a
        used[s] += z - a


def select_sections(frame: Frame, wanted: Sequence[int]) -> Frame:
    """Only these sections, in order of their number; events keep their place among the rows that stay."""
    if len(wanted) == len(frame.sections):
        return frame
    sections = tuple(frame.sections[i] for i in wanted)
    if frame.order is None:
        events = frame.events if sections else tuple(Event(0, e.kind, e.time, e.group) for e in frame.events)
        return frame.with_(sections=sections, order=None, events=events)
    number = np.full(len(frame.sections), 0xFFFF, np.uint16)
    number[list(wanted)] = np.arange(len(wanted), dtype=np.uint16)
    renamed = number[frame.order]
    keep = renamed != 0xFFFF
    return frame.with_(
        sections=sections,
        order=renamed[keep] if len(sections) > 1 else None,
        events=rebase(frame.events, keep),
    )


def rebase(events: tuple[Event, ...], keep: NDArray[np.bool_]) -> tuple[Event, ...]:
    """Events at their new places when only the points (batches) with `keep` stay."""
    if not events:
        return events
    before = np.concatenate(([0], np.cumsum(keep)))
    return tuple(Event(int(before[e.at]), e.kind, e.time, e.group) for e in events)


def slice_frame(frame: Frame, start: int, stop: int) -> Frame:
    """Points (batches) `start:stop` of the whole frame; events at `start <= at < stop`, and at the end if it is the end.

    Position and parent stay; a caller that cuts a frame in pieces leaves the position on the last one only.
    """
    count = frame.count
    last = stop >= count
    events = tuple(
        Event(e.at - start, e.kind, e.time, e.group)
        for e in frame.events
        if start <= e.at < stop or (last and e.at >= stop)
    )
    if frame.order is None:
        sections = tuple(slice_section(s, start, stop) for s in frame.sections)
        return frame.with_(sections=sections, events=events)
    order = frame.order[start:stop]
    before = np.bincount(frame.order[:start], minlength=len(frame.sections))
    inside = np.bincount(order, minlength=len(frame.sections))
    wanted = np.flatnonzero(inside)
    sections = tuple(
        slice_section(frame.sections[i], int(before[i]), int(before[i] + inside[i])) for i in wanted.tolist()
    )
    if len(sections) < 2:
        return frame.with_(sections=sections, order=None, events=events)
    number = np.zeros(len(frame.sections), np.uint16)
    number[wanted] = np.arange(len(wanted), dtype=np.uint16)
    return frame.with_(sections=sections, order=number[order], events=events)


def cut(frame: Frame, most: int) -> list[Frame]:
    """Pieces of at most `most` points (batches); only the last one carries the log position."""
    count = frame.count
    if count <= most:
        return [frame]
    pieces = [slice_frame(frame, a, min(a + most, count)) for a in range(0, count, most)]
    return [p.with_(position=0) for p in pieces[:-1]] + pieces[-1:]


def _concat_tags(columns: list[TagColumn]) -> TagColumn:
    first = columns[0].values
    if all(c.values is first for c in columns):
        return TagColumn(np.concatenate([c.codes for c in columns]), first)
    codes, base = [], 0
    for c in columns:
        if base == 0:
            codes.append(c.codes)
        else:
            codes.append(np.where(c.codes == ABSENT_CODE, c.codes, c.codes + np.uint32(base)))
        base += len(c.values)
    return TagColumn(np.concatenate(codes), concat_strings([c.values for c in columns]))


def _concat_fields(columns: list[FieldColumn], rows: list[int]) -> FieldColumn:
    kind = columns[0].kind
    valid = None
    if any(c.valid is not None for c in columns):
        valid = np.concatenate(
            [np.ones(n, np.uint8) if c.valid is None else c.valid for c, n in zip(columns, rows, strict=True)]
        )
    if kind == Kind.STRING:
        return FieldColumn(kind, concat_strings([c.data for c in columns]), valid)
    return FieldColumn(kind, np.concatenate([c.data for c in columns]), valid)


def concat_sections(sections: Sequence[Section]) -> Section:
    """Sections of one schema, one after the other."""
    if len(sections) == 1:
        return sections[0]
    first = sections[0]
    rows = [s.rows for s in sections]
    groups = first.groups
    group: NDArray[np.uint32] | None = None
    if any(s.groups is not groups for s in sections) and (groups.dims or groups.by_name):
        codes, base = [], 0
        for s in sections:
            codes.append(s.group_codes() + np.uint32(base))
            base += len(s.groups)
        group = np.concatenate(codes)
        groups = Groups(
            groups.dims,
            groups.by_name,
            tuple(concat_strings([s.groups.values[d] for s in sections]) for d in range(len(groups.dims))),
            np.concatenate([s.groups.hashes for s in sections]),
        )
    elif any(s.group is not None for s in sections):
        group = np.concatenate([s.group_codes() for s in sections])
    batches = None
    if first.batches is not None:
        offsets = [np.zeros(1, np.int32)]
        base = 0
        for s in sections:
            assert s.batches is not None
            offsets.append(s.batches.offsets[1:] + np.int32(base))
            base += s.rows
        times = [s.batches.time for s in sections if s.batches is not None]
        batches = Batches(np.concatenate(offsets), np.concatenate(times))
    return Section(
        first.name,
        np.concatenate([s.time for s in sections]),
        {k: _concat_tags([s.tags[k] for s in sections]) for k in first.tags},
        {k: _concat_fields([s.fields[k] for s in sections], rows) for k in first.fields},
        groups,
        group,
        batches,
    )


def concat_frames(frames: Sequence[Frame]) -> Frame:
    """Frames of one edge, database and retention policy as one; it carries the last position that is not 0."""
    if len(frames) == 1:
        return frames[0]
    first = frames[0]
    by_schema: dict[tuple[Any, int], int] = {}
    members: list[list[Section]] = []
    orders: list[NDArray[np.uint16]] = []
    events: list[Event] = []
    at, position = 0, 0
    for f in frames:
        numbers: list[int] = []
        for s in f.sections:
            schema = s.schema
            again = 0
            while (k := by_schema.setdefault((schema, again), len(members))) in numbers:
                again += 1
            if k == len(members):
                members.append([])
            members[k].append(s)
            numbers.append(k)
        count = f.count
        if count:
            if f.order is None:
                orders.append(np.full(count, numbers[0], np.uint16))
            else:
                orders.append(np.array(numbers, np.uint16)[f.order])
        events.extend(Event(e.at + at, e.kind, e.time, e.group) for e in f.events)
        at += count
        position = f.position or position
    sections = tuple(concat_sections(m) for m in members)
    order = np.concatenate(orders) if len(sections) > 1 and orders else None
    return Frame(first.edge, first.db, first.rp, sections, order, tuple(events), position, first.parent)


def widen(sections: Sequence[Section]) -> list[Section]:
    """Sections of one name and group dimensions with the union of their columns, so that their rows may lie together.

    A field that has different kinds becomes MIXED; columns that a section lacks are absent throughout.
    """
    tag_keys = sorted({k for s in sections for k in s.tags})
    kinds: dict[str, Kind] = {}
    for s in sections:
        for k, c in s.fields.items():
            kinds[k] = c.kind if kinds.get(k, c.kind) == c.kind else Kind.MIXED
    return [_widen_one(s, tag_keys, kinds) for s in sections]


def _widen_one(s: Section, tag_keys: list[str], kinds: dict[str, Kind]) -> Section:
    if list(s.tags) == tag_keys and {k: c.kind for k, c in s.fields.items()} == kinds:
        return s
    n = s.rows
    tags = {k: s.tags.get(k) or TagColumn(np.full(n, ABSENT_CODE, np.uint32), Strings.of([])) for k in tag_keys}
    fields = {k: as_kind(s.fields[k], kind) if k in s.fields else absent_field(kind, n) for k, kind in kinds.items()}
    return s.with_(tags=tags, fields=fields)


def absent_field(kind: Kind, n: int) -> FieldColumn:
    """A column of `n` rows, none of which has the field."""
    if kind == Kind.STRING:
        data: Any = Strings(np.zeros(n + 1, np.int32), np.zeros(0, np.uint8))
    elif kind == Kind.MIXED:
        data = np.full(n, None, object)
    else:
        data = np.zeros(n, DTYPES[kind])
    return FieldColumn(kind, data, np.zeros(n, np.uint8))


def as_kind(column: FieldColumn, kind: Kind) -> FieldColumn:
    """The column as MIXED, or unchanged where it has the kind already."""
    if column.kind == kind:
        return column
    assert kind == Kind.MIXED
    n = len(column.data)
    out = np.empty(n, object)
    for i in range(n):
        out[i] = column.at(i)
    return FieldColumn(Kind.MIXED, out, column.valid)
