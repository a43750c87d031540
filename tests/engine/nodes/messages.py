"""Points, batches, barriers and delete-groups as plain Python, and the way from them to frames and back.

The reference models of these tests speak this language: one message at a time, as the spec does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.frames.groups import make_groups
from engine.frames.model import (
    BATCH,
    NULL,
    PRESENT,
    STREAM,
    Batches,
    Event,
    EventKind,
    FieldColumn,
    Frame,
    GroupInfo,
    Kind,
    Section,
    Span,
    TagColumn,
)
from engine.frames.reshape import concat_frames, concat_sections, runs, widen
from engine.frames.strings import Strings

NIL = "the explicit null"
SECOND = 1_000_000_000


@dataclass(frozen=True)
class Group:
    """Identity of a group; `name` is that of the measurement where it counts, else ""."""

    dims: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    by_name: bool = False
    name: str = ""

    @property
    def tags(self) -> dict[str, str]:
        return dict(zip(self.dims, self.values, strict=True))


@dataclass(frozen=True)
class Point:
    name: str
    time: int
    fields: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)
    dims: tuple[str, ...] = ()
    by_name: bool = False

    @property
    def group(self) -> Group:
        values = tuple(self.tags.get(d, "") for d in self.dims)
        return Group(self.dims, values, self.by_name, self.name if self.by_name else "")


@dataclass(frozen=True)
class Row:
    """A batch-point."""

    time: int
    fields: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Batch:
    name: str
    time: int
    rows: tuple[Row, ...]
    group: Group = Group()


@dataclass(frozen=True)
class Barrier:
    group: Group
    time: int


@dataclass(frozen=True)
class Delete:
    group: Group


Message = Point | Batch | Barrier | Delete


def groups_of(group: Group) -> Any:
    return make_groups(group.dims, group.by_name, group.name, [Strings.of([v]) for v in group.values], 1)


def info_of(group: Group) -> GroupInfo:
    hashes = groups_of(group).hashes[0]
    return GroupInfo(group.name, group.dims, group.by_name, group.values, (int(hashes[0]), int(hashes[1])))


def column_of(value: Any) -> FieldColumn:
    if value == NIL:
        return FieldColumn(Kind.FLOAT, np.zeros(1), np.array([NULL], np.uint8))
    if isinstance(value, bool):
        return FieldColumn(Kind.BOOL, np.array([value]))
    if isinstance(value, Span):
        return FieldColumn(Kind.DURATION, np.array([int(value)], np.int64))
    if isinstance(value, int):
        return FieldColumn(Kind.INT, np.array([value], np.int64))
    if isinstance(value, float):
        return FieldColumn(Kind.FLOAT, np.array([value]))
    return FieldColumn(Kind.STRING, Strings.of([value]))


def row_section(name: str, time: int, tags: dict[str, str], fields: dict[str, Any], group: Group) -> Section:
    coded = {k: TagColumn(np.zeros(1, np.uint32), Strings.of([tags[k]])) for k in sorted(tags)}
    columns = {k: column_of(v) for k, v in fields.items()}
    return Section(name, np.array([time], np.int64), coded, columns, groups_of(group))


def frame_of(message: Message, edge: str) -> Frame:
    """One message as a frame."""
    if isinstance(message, Point):
        return Frame(
            edge, sections=(row_section(message.name, message.time, message.tags, message.fields, message.group),)
        )
    if isinstance(message, Batch):
        rows = [row_section(message.name, r.time, r.tags, r.fields, message.group) for r in message.rows]
        if rows:
            section = concat_sections([s.with_(groups=rows[0].groups) for s in widen(rows)])
        else:
            section = Section(message.name, np.zeros(0, np.int64), {}, {}, groups_of(message.group))
        batches = Batches(np.array([0, len(rows)], np.int32), np.array([message.time], np.int64))
        return Frame(edge, sections=(section.with_(batches=batches, group=np.zeros(1, np.uint32)),))
    if isinstance(message, Barrier):
        return Frame(edge, events=(Event(0, EventKind.BARRIER, message.time, info_of(message.group)),))
    return Frame(edge, events=(Event(0, EventKind.DELETE_GROUP, 0, info_of(message.group)),))


def frames_of(messages: list[Message], edge: str, cuts: list[int]) -> list[Frame]:
    """The messages as frames that end before the messages numbered in `cuts`."""
    ends = [*sorted({c for c in cuts if 0 < c < len(messages)}), len(messages)]
    frames, start = [], 0
    for end in ends:
        if end > start:
            frames.append(concat_frames([frame_of(m, edge) for m in messages[start:end]]))
        start = end
    return frames


def _fields(section: Section, i: int) -> dict[str, Any]:
    out = {}
    for k, c in section.fields.items():
        if c.valid is None or c.valid[i] == PRESENT:
            out[k] = c.at(i)
        elif c.valid[i] == NULL:
            out[k] = NIL
    return out


def _tags(section: Section, i: int) -> dict[str, str]:
    return {k: v for k, c in section.tags.items() if (v := c.at(i)) is not None}


def _group(section: Section, code: int) -> Group:
    g = section.groups
    group = Group(g.dims, tuple(v[code] for v in g.values), g.by_name, section.name if g.by_name else "")
    assert np.array_equal(groups_of(group).hashes[0], g.hashes[code]), "the hash is that of the group"
    return group


def messages_of(frames: Any) -> list[Message]:
    """What frames say, one message at a time."""
    out: list[Message] = []
    for frame in frames:
        units: list[Message] = []
        assert frame.order is None or len(frame.sections) > 1
        for s, start, stop in runs(frame):
            section = frame.sections[s]
            assert (section.batches is not None) == (frame.edge == BATCH)
            for i in range(start, stop):
                code = int(section.group_codes()[i])
                group = _group(section, code)
                if frame.edge == STREAM:
                    point = Point(
                        section.name,
                        int(section.time[i]),
                        _fields(section, i),
                        _tags(section, i),
                        group.dims,
                        group.by_name,
                    )
                    assert point.group == group, "the group is that of the tags"
                    units.append(point)
                else:
                    a, z = section.batches.offsets[i : i + 2].tolist()
                    rows = tuple(Row(int(section.time[r]), _fields(section, r), _tags(section, r)) for r in range(a, z))
                    units.append(Batch(section.name, int(section.batches.time[i]), rows, group))
        at = 0
        for event in frame.events:
            out += units[at : event.at]
            at = event.at
            assert event.group is not None
            info = event.group
            group = Group(info.dims, info.tags, info.by_name, info.name if info.by_name else "")
            out.append(Barrier(group, event.time) if event.kind == EventKind.BARRIER else Delete(group))
        out += units[at:]
    return out


def run(operator: Any, frames: list[Frame]) -> list[Message]:
    """What the operator emits for the frames."""
    out: list[Frame] = []
    for frame in frames:
        out += operator.collect(frame, 0)
    return messages_of(out)


def through(operator: Any, messages: list[Message], edge: str = STREAM, cuts: Any = None) -> list[Message]:
    """What the operator emits for messages: cut before those in `cuts` (None: each a frame of its own)."""
    return run(operator, frames_of(messages, edge, list(range(len(messages))) if cuts is None else cuts))
