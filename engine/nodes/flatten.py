"""`|flatten()`: the points of a moment as one, tag values becoming part of the names of fields (nodes.md §15).

On stream edges the moments of a frame that come to the same columns make one section; on batch edges all rows of a section
stay in one, with the union of columns. A point that lacks a tag is left out and counted. A moment of which nothing is left
vanishes, unless a barrier or the end of its batch ended it: then it is a point without fields, as in the reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from engine.frames.model import BATCH, STREAM, Batches, FieldColumn, Kind, Section
from engine.frames.reshape import concat_sections, take_field, take_rows, widen
from engine.nodes.arrivals import Arrivals, group_tags
from engine.nodes.assembly import Piece, assemble
from engine.nodes.failing import report_failures
from engine.nodes.flatten_cells import Cells, Naming, cells_of
from engine.nodes.moments import MomentOperator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from engine.frames.model import Event, Frame
    from engine.nodes.moments import Moments


class FlattenOperator(MomentOperator):
    """`bare`: `.dropOriginalFieldName()`."""

    forward: ClassVar[bool] = True
    ends_at_barriers: ClassVar[bool] = True

    def __init__(
        self, *, on: Sequence[str], delimiter: str = ".", tolerance: int = 0, bare: bool = False, stream: bool = True,
        quiet: bool = False,
    ) -> None:  # fmt: skip
        self.provides = STREAM if stream else BATCH
        super().__init__(tolerance=tolerance, stream=stream)
        self._naming = Naming(tuple(on), delimiter, bare)
        self._log = not quiet

    def _made(self, frame: Frame, moments: list[Moments], template: Frame, events: Sequence[Event]) -> list[Frame]:
        pieces: list[Piece] = []
        for each, places in zip(moments, Arrivals(frame).places, strict=True):
            cells = cells_of(each, self._naming)
            self._report(each, cells)
            parts = list(_alike(each, cells))
            if self.provides == STREAM:
                pieces += [(_points(each, which, fields), each.place.take(which)) for which, fields in parts]
            else:
                pieces.append((_batches(each, parts), places))
        return assemble(template, pieces, events)

    def _report(self, moments: Moments, cells: Cells) -> None:
        if not len(cells.missing):
            return
        row = int(cells.missing[0])
        tags = moments.section.tags
        absent = next(key for key in self._naming.on if key not in tags or tags[key].at(row) is None)
        report_failures(
            self.report, "point missing tag for flatten operation", [(row, f"tag {absent} is missing from point")],
            len(cells.missing), log=self._log,
        )  # fmt: skip


def _alike(moments: Moments, cells: Cells) -> Iterator[tuple[NDArray[np.int64], dict[str, FieldColumn]]]:
    """Moments that come to the same columns, with these: names and the fields they come from agree."""
    starts = cells.starts
    sizes = np.diff(np.append(starts, len(cells.moment)))
    of = cells.moment[starts]
    marks = cells.name * len(cells.fields) + cells.field
    left = np.arange(len(of))
    source = moments.section.fields
    while len(left):
        # All that have the columns of the first one that is left.
        size = sizes[left[0]]
        some = left[sizes[left] == size]
        table = starts[some][:, None] + np.arange(size)
        same = (marks[table] == marks[table[0]]).all(axis=1)
        table = table[same]
        yield of[some[same]], _columns(cells, table, source)
        left = np.setdiff1d(left, some[same], assume_unique=True)
    bare = np.setdiff1d(np.flatnonzero(moments.closing), of, assume_unique=True)
    if len(bare):
        yield bare, {}


def _columns(cells: Cells, table: NDArray[np.int64], source: Mapping[str, FieldColumn]) -> dict[str, FieldColumn]:
    """The fields that cells make: `table[i, j]` is the cell of row i and column j."""
    n = len(table)
    first = table[0]
    fields: dict[str, FieldColumn] = {}
    for number in np.unique(cells.field[first]).tolist():
        # All columns that come from one field in one go: they lie one after the other.
        mine = np.flatnonzero(cells.field[first] == number)
        column = take_field(source[cells.fields[number]], cells.row[table[:, mine].T].ravel())
        for i, name in enumerate(cells.name[first[mine]].tolist()):
            fields[cells.names[name]] = _part(column, i * n, (i + 1) * n)
    return fields


def _part(column: FieldColumn, start: int, stop: int) -> FieldColumn:
    valid = None if column.valid is None else column.valid[start:stop]
    data = column.data.slice(start, stop) if column.kind == Kind.STRING else column.data[start:stop]
    return FieldColumn(column.kind, data, valid)


def _points(moments: Moments, which: NDArray[np.int64], fields: dict[str, FieldColumn]) -> Section:
    section = moments.section
    codes = section.group_codes().take(moments.batch.take(which))
    tags = group_tags(section.groups, codes)
    return Section(section.name, moments.time.take(which), tags, fields, section.groups, codes)


def _batches(moments: Moments, parts: list[tuple[NDArray[np.int64], dict[str, FieldColumn]]]) -> Section:
    """All rows of the section's batches, in order."""
    section = moments.section
    assert section.batches is not None
    if not parts:
        empty = np.zeros(len(section.batches) + 1, np.int32)
        nothing = np.zeros(0, np.int64)
        tags = group_tags(section.groups, np.zeros(0, np.uint32))
        return section.with_(time=nothing, tags=tags, fields={}, batches=Batches(empty, section.batches.time))
    rows = concat_sections(widen([_points(moments, which, fields) for which, fields in parts]))
    which = np.concatenate([which for which, _ in parts])
    order = np.argsort(which, kind="stable")
    rows = take_rows(rows, order)
    counts = np.bincount(moments.batch.take(which), minlength=len(section.batches))
    offsets = np.zeros(len(section.batches) + 1, np.int32)
    np.cumsum(counts, out=offsets[1:])
    return rows.with_(group=section.group, groups=section.groups, batches=Batches(offsets, section.batches.time))
