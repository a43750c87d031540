"""The points, or batches, that trigger an alert, in the forms in which the alert tells of them.

One reader serves the units of one section that were taken out of a frame: it has their tags, fields and JSON rows, each
column turned into Python values once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.alerts.events import go_safe
from engine.alerts.texts import group_text
from engine.frames.model import ABSENT_CODE, PRESENT, Kind
from engine.frames.reshape import take
from engine.nodes.alert_json import point_texts
from engine.rows import UnsupportedValueError, rows_of
from engine.templates import TextMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from engine.frames.model import FieldColumn, Section, TagColumn
    from engine.nodes.alert_json import PointTexts


_NO_GROUP = "nil"
"""How templates name the group of what is in none."""


class Triggers:
    """Units `index` of a section. `rows` (int64, a unit each) are the deciding rows of batches, within the section."""

    def __init__(self, section: Section, index: NDArray[np.int64], rows: NDArray[np.int64] | None) -> None:
        self.taken = take(section, index)
        self.name = section.name
        self._batches = section.batches is not None
        self._codes: list[int] = self.taken.group_codes().tolist()
        self._known = self._groups()
        self.groups = [self._known[code][1] for code in self._codes]
        """Each unit's group as the reference names it; "" for none."""
        self.group_names: Sequence[str] = [g or _NO_GROUP for g in self.groups]
        self._fields: _Table | None = None
        self._tags: _Table | None = None
        self._texts: PointTexts | None = None
        self._section = section
        self._rows = rows

    def _groups(self) -> dict[int, tuple[dict[str, str], str]]:
        """By code, a group's values by dimension, and how the reference names it."""
        codes, groups = sorted(set(self._codes)), self.taken.groups
        columns = [v.take(np.array(codes, np.int64)).to_list() for v in groups.values]
        rows = zip(*columns, strict=True) if columns else [()] * len(codes)
        values = [dict(zip(groups.dims, row, strict=True)) for row in rows]
        if not groups.dims and not groups.by_name:
            return {code: (v, "") for code, v in zip(codes, values, strict=True)}
        return {
            code: (v, group_text(self.name, v, by_name=groups.by_name)) for code, v in zip(codes, values, strict=True)
        }

    def dimensions(self, unit: int) -> dict[str, str]:
        """The group's values by dimension."""
        return self._known[self._codes[unit]][0]

    def tags(self, unit: int) -> TextMap:
        """All tags of a point; those of a batch's header."""
        if self._batches:
            return TextMap(self.dimensions(unit))
        return TextMap(self._tag_table().row(unit))

    def _tag_table(self) -> _Table:
        if self._tags is None:
            self._tags = _Table(self.taken.count, {k: tag_values(c) for k, c in self.taken.tags.items()}, None)
        return self._tags

    def tag_column(self, key: str) -> Sequence[str | None]:
        """The tag of each unit, of a batch that of its header; None where it is absent."""
        if self._batches:
            return [self._known[code][0].get(key) for code in self._codes]
        return self._tag_table().column(key)

    def fields(self, unit: int) -> dict[str, Any]:
        """The fields of the point, or of the batch's deciding point."""
        return dict(self._field_table().row(unit))

    def _field_table(self) -> _Table:
        if self._fields is None:
            columns = self._section.fields if self._rows is not None else self.taken.fields
            self._fields = _Table(
                self.taken.count, {k: field_values(columns[k], self._rows) for k in sorted(columns)}, _NO_FIELD
            )
        return self._fields

    def field_column(self, key: str) -> Sequence[Any]:
        """The field of each unit; None where it is absent."""
        return [None if v is _NO_FIELD else v for v in self._field_table().column(key)]

    def json_columns(self) -> tuple[Sequence[str], Sequence[str]] | None:
        """Tags and fields of each point as JSON, where `series` has been asked for and all have it."""
        if self._texts is None:
            return None
        fields = [f for f in self._texts.fields if f is not None]
        return (self._texts.tags, fields) if len(fields) == len(self._texts.fields) else None

    def texts(self, unit: int) -> tuple[str, str] | None:
        """Tags and fields of a point as JSON, None where there is none or it is not at hand."""
        found = None if self._texts is None else self._texts.fields[unit]
        return None if self._texts is None or found is None else (self._texts.tags[unit], found)

    def series(self) -> list[str | UnsupportedValueError]:
        """The JSON of every unit."""
        if not self._batches:
            self._texts = point_texts(self.taken)
            return self._texts.rows
        return [row if isinstance(row, UnsupportedValueError) else go_safe(row) for row in rows_of(self.taken)]


class _Table:
    """Columns of equal length by key, some of whose entries may be `missing`."""

    def __init__(self, count: int, columns: dict[str, list[Any]], missing: Any) -> None:
        self._count = count
        self._keys = list(columns)
        self._rows = list(zip(*columns.values(), strict=True))
        self._columns = columns
        self._missing = missing
        self._full = not any(any(v is missing for v in c) for c in columns.values())

    def column(self, key: str) -> list[Any]:
        """A column, with `missing` where nothing is there."""
        found = self._columns.get(key)
        return [self._missing] * self._count if found is None else found

    def row(self, at: int) -> Iterable[tuple[str, Any]]:
        """The entries of a row that are there."""
        pairs = zip(self._keys, self._rows[at] if self._rows else (), strict=True)
        return pairs if self._full else [(k, v) for k, v in pairs if v is not self._missing]


class _NoField:
    """Marks a field that a point does not have."""


_NO_FIELD = _NoField()


def field_values(column: FieldColumn, rows: NDArray[np.int64] | None) -> list[Any]:
    """The values at these rows (None: all) as Python; `_NO_FIELD` where there is none."""
    index = range(len(column.data)) if rows is None else rows.tolist()
    if column.kind in (Kind.FLOAT, Kind.INT, Kind.BOOL) and rows is None and column.valid is None:
        plain: list[Any] = column.data.tolist()
        return plain
    if column.valid is None:
        return [column.at(i) for i in index]
    valid = column.valid
    return [column.at(i) if valid[i] == PRESENT else None if valid[i] else _NO_FIELD for i in index]


def tag_values(column: TagColumn) -> list[str | None]:
    """The values as Python; each distinct one decoded once."""
    known: dict[int, str | None] = {ABSENT_CODE: None}
    codes: list[int] = column.codes.tolist()
    for code in set(codes) - {ABSENT_CODE}:
        known[code] = column.values[code]
    return [known[code] for code in codes]
