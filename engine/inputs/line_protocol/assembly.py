"""From parsed rows to frames: the kernel's rows as columns, the exact parser's points beside them, in one order.

Every column is made anew, so the parser's arrays can be used again. A frame has at most `MOST_SECTIONS` sections, of
which no two have one schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.model import DTYPES, FieldColumn, Frame, Kind, Section, TagColumn, nil_groups
from engine.frames.reshape import concat_sections, take_rows
from engine.frames.strings import Strings
from engine.inputs.line_protocol import columns, layout
from engine.inputs.line_protocol.tables import KINDS, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.inputs.line_protocol.exact import Point
    from engine.inputs.line_protocol.tables import Tables

MOST_SECTIONS = 256

_KIND_OF = {float: Kind.FLOAT, int: Kind.INT, bool: Kind.BOOL, str: Kind.STRING}


class Block:
    """The rows of one block of lines: room for `room` of them, and what of it is used."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.rows = np.empty((room, layout.ROW_COLUMNS), np.int64)
        self.values = np.empty(16 * room, np.uint64)
        self._all = np.arange(room)
        self._index = np.empty(room, np.int64)
        self._used = np.empty(room, np.int64)
        self._numbers = np.empty(room, np.uint16)
        self._cuts = np.empty(MOST_SECTIONS + 1, np.int64)
        self._sections = np.empty((MOST_SECTIONS, 2), np.int64)
        self._slots = np.empty(4 * MOST_SECTIONS, np.int32)
        self._points: list[Point] = []
        self._schemas: dict[Any, int] = {}

    def clear(self) -> None:
        self._points.clear()
        self._schemas.clear()

    def make_room(self) -> None:
        """A single line has more fields than there is room for."""
        self.values = np.empty(2 * len(self.values), np.uint64)

    def add(self, row: int, point: Point) -> None:
        """Row number `row` is a point of the exact parser."""
        key = (point.name, tuple(k for k, _ in point.tags), frozenset((k, type(v)) for k, v in point.fields.items()))
        schema = self._schemas.setdefault(key, len(self._schemas))
        self.rows[row] = (point.time, layout.EXACT_ONLY, schema, len(self._points))
        self._points.append(point)

    def frames(self, db: str, rp: str, count: int, data: NDArray[np.uint8], tables: Tables) -> list[Frame]:
        """The first `count` rows as frames; `data` is the text that their strings refer to."""
        out = []
        first = 0
        while first < count:
            size, sections = columns.divide(
                self.rows, first, count, tables.series, self._slots, self._sections, self._numbers
            )
            out.append(self._frame(db, rp, first, size, sections, data, tables))
            first += size
        return out

    def _frame(
        self, db: str, rp: str, first: int, size: int, sections: int, data: NDArray[np.uint8], tables: Tables
    ) -> Frame:
        if sections == 1:
            index = self._all[first : first + size]
            return Frame("stream", db, rp, (self._section(0, index, data, tables),))
        numbers = self._numbers[:size].copy()
        cuts, index = self._cuts[: sections + 1], self._index[:size]
        columns.sort_rows(numbers, first, cuts, index)
        ends = cuts.tolist()
        members = [index[ends[k] : ends[k + 1]] for k in range(sections)]
        made = [self._section(k, rows, data, tables) for k, rows in enumerate(members)]
        return Frame("stream", db, rp, *_merged(made, members, numbers))

    def _section(self, k: int, index: NDArray[np.int64], data: NDArray[np.uint8], tables: Tables) -> Section:
        family, shape = self._sections[k].tolist()
        if family == layout.EXACT_ONLY:
            return _section_of_points([self._points[p] for p in self.rows[index, layout.VALUES].tolist()])
        known, fields = tables.families[family], tables.shapes[shape]
        n = len(index)
        times = np.empty(n, np.int64)
        picked = np.empty((len(fields.names), n), np.uint64)
        columns.pick_values(self.rows, index, self.values, times, picked)
        return Section(
            known.name,
            times,
            {key: self._tag(index, number, tables) for number, key in enumerate(known.keys)},
            {name: _column(picked[f], fields.types[f], data) for f, name in enumerate(fields.names)},
            nil_groups(),
        )

    def _tag(self, index: NDArray[np.int64], number: int, tables: Tables) -> TagColumn:
        codes = np.empty(len(index), np.uint32)
        used = self._used
        found = columns.encode_tag(
            self.rows, index, tables.series, tables.tags, tables.texts, number, codes, used
        )  # fmt: skip
        return TagColumn(codes, Strings(*columns.take_texts(tables.texts, tables.arena, used[:found])))


def _merged(
    sections: list[Section], members: list[NDArray[np.int64]], numbers: NDArray[np.uint16]
) -> tuple[tuple[Section, ...], NDArray[np.uint16] | None]:
    """Sections of one schema (fields in another order, a line for the exact parser) become one: sections and order."""
    schemas: dict[Any, list[int]] = {}
    for k, section in enumerate(sections):
        schemas.setdefault(section.schema, []).append(k)
    if len(schemas) == len(sections):
        return tuple(sections), numbers
    new = np.empty(len(sections), np.uint16)
    out = []
    for number, alike in enumerate(schemas.values()):
        new[alike] = number
        whole = concat_sections([sections[k] for k in alike])
        if len(alike) > 1:
            whole = take_rows(whole, np.argsort(np.concatenate([members[k] for k in alike])))
        out.append(whole)
    return tuple(out), new[numbers] if len(out) > 1 else None


def _column(picked: NDArray[np.uint64], kind: int, data: NDArray[np.uint8]) -> FieldColumn:
    if kind == layout.STRING:
        return FieldColumn(Kind.STRING, Strings(*columns.pick_strings(data, picked)))
    if kind == layout.BOOLEAN:
        return FieldColumn(Kind.BOOL, picked.astype(np.bool_))
    return FieldColumn(KINDS[kind], picked.view(DTYPES[KINDS[kind]]))


def _section_of_points(points: Sequence[Point]) -> Section:
    first = points[0]
    tags = {}
    for k, (key, _) in enumerate(first.tags):
        distinct = dict.fromkeys(p.tags[k][1] for p in points)
        values = {value: number for number, value in enumerate(distinct)}
        codes = np.array([values[p.tags[k][1]] for p in points], np.uint32)
        tags[text(key)] = TagColumn(codes, Strings.of(values))
    fields = {}
    for key, value in first.fields.items():
        kind = _KIND_OF[type(value)]
        column = [p.fields[key] for p in points]
        content: Any = Strings.of(column) if kind == Kind.STRING else np.array(column, DTYPES[kind])
        fields[text(key)] = FieldColumn(kind, content)
    return Section(text(first.name), np.array([p.time for p in points], np.int64), tags, fields, nil_groups())
