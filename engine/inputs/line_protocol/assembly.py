"""From parsed rows to a frame: columns picked out of the kernel's output, the exact parser's points beside them.

Every column is made anew, so the kernel's arrays can be used again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.model import DTYPES, FieldColumn, Frame, Kind, Section, TagColumn, nil_groups
from engine.frames.strings import Strings
from engine.inputs.line_protocol import kernel
from engine.inputs.line_protocol.tables import KINDS, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.inputs.line_protocol.exact import Point
    from engine.inputs.line_protocol.tables import SeriesTable, Shape, ShapeTable

_KIND_OF = {float: Kind.FLOAT, int: Kind.INT, bool: Kind.BOOL, str: Kind.STRING}


class Rows:
    """The kernel's output for up to `room` rows, and what of it is used."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.times = np.empty(room, np.int64)
        self.series = np.empty(room, np.int32)
        self.shapes = np.empty(room, np.int32)
        self.starts = np.empty(room, np.int64)
        self.sequences = np.empty(room, np.int64)
        self.values = np.empty(16 * room, np.uint64)
        self.fixups = np.empty((4 * room + 1, 3), np.int64)
        self.clear()

    def make_room(self) -> None:
        """A single line has more fields than there is room for."""
        self.values = np.empty(2 * len(self.values), np.uint64)
        self.fixups = np.empty((2 * len(self.fixups), 3), np.int64)

    def clear(self) -> None:
        self.count = 0
        self.used = 0
        self.exact: list[tuple[int, Point]] = []

    @property
    def total(self) -> int:
        return self.count + len(self.exact)


def build_frame(
    db: str, rp: str, rows: Rows, data: NDArray[np.uint8], series: SeriesTable, shapes: ShapeTable
) -> Frame:
    """The frame of these rows, numbered 0..total-1 by `sequences`, in that order."""
    sections: list[Section] = []
    order = np.empty(rows.total, np.uint16) if rows.exact or not _alike(rows, series) else None
    n = rows.count
    if n:
        for index, family, shape in _kernel_sections(rows, series, len(shapes.known)):
            if order is not None:
                order[rows.sequences[:n] if index is None else rows.sequences[:n][index]] = len(sections)
            known = shapes.known[shape]
            sections.append(_section(rows, index, data, series, family, known))
    for members in _alike_points(rows.exact):
        if order is not None:
            order[[number for number, _ in members]] = len(sections)
        sections.append(_section_of_points([p for _, p in members]))
    return Frame("stream", db, rp, tuple(sections), order if len(sections) > 1 else None)


def _alike(rows: Rows, series: SeriesTable) -> bool:
    """Whether all kernel rows are of one family and one shape."""
    n = rows.count
    if n == 0:
        return True
    shapes = rows.shapes[:n]
    if int(shapes.min()) != int(shapes.max()):
        return False
    families = series.families[rows.series[:n]]
    return int(families.min()) == int(families.max())


def _kernel_sections(rows: Rows, series: SeriesTable, shapes: int) -> list[tuple[Any, int, int]]:
    """(row index or None for all, family, shape) of every section among the kernel's rows."""
    n = rows.count
    if _alike(rows, series):
        return [(None, int(series.families[rows.series[0]]), int(rows.shapes[0]))]
    both = series.families[rows.series[:n]].astype(np.int64) * shapes + rows.shapes[:n]
    distinct, inverse = np.unique(both, return_inverse=True)
    by_section = np.argsort(inverse, kind="stable")
    cuts = np.searchsorted(inverse[by_section], np.arange(len(distinct) + 1))
    return [
        (by_section[cuts[k] : cuts[k + 1]], int(d) // shapes, int(d) % shapes) for k, d in enumerate(distinct.tolist())
    ]


def _section(
    rows: Rows, index: Any, data: NDArray[np.uint8], series: SeriesTable, family: int, shape: Shape
) -> Section:
    n = rows.count
    if index is None:
        times, numbers, starts = rows.times[:n].copy(), rows.series[:n], rows.starts[:n]
    else:
        times, numbers, starts = rows.times[index], rows.series[index], rows.starts[index]
    known = series.known[family]
    members = series.member.take(numbers)
    tags = {}
    for key, codes, values in zip(known.keys, known.codes, known.values, strict=True):
        renamed = np.empty(len(numbers), np.int32)
        used = np.empty(len(values), np.int64)
        count = kernel.number_by_first_use(codes.take(members), renamed, used, len(values))
        strings = values.strings.take(used[:count])
        tags[key] = TagColumn(renamed.view(np.uint32), strings)
    fields = {}
    for k, (name, kind) in enumerate(zip(shape.names, shape.types, strict=True)):
        picked = np.empty(len(numbers), np.uint64)
        kernel.pick_values(rows.values, starts, k, picked)
        fields[name] = _column(picked, kind, data)
    return Section(known.name, times, tags, fields, nil_groups())


def _column(picked: NDArray[np.uint64], kind: int, data: NDArray[np.uint8]) -> FieldColumn:
    if kind == kernel.STRING:
        offsets, raw = kernel.pick_strings(data, picked)
        return FieldColumn(Kind.STRING, Strings(offsets, raw))
    if kind == kernel.BOOLEAN:
        return FieldColumn(Kind.BOOL, picked.astype(np.bool_))
    return FieldColumn(KINDS[kind], picked.view(DTYPES[KINDS[kind]]))


def _alike_points(points: Sequence[tuple[int, Point]]) -> list[list[tuple[int, Point]]]:
    """The exact parser's points by schema."""
    found: dict[Any, list[tuple[int, Point]]] = {}
    for number, p in points:
        key = (p.name, tuple(k for k, _ in p.tags), frozenset((k, type(v)) for k, v in p.fields.items()))
        found.setdefault(key, []).append((number, p))
    return list(found.values())


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
