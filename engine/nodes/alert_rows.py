"""The points, or batches, that trigger an alert, in the forms in which the alert tells of them.

One reader serves the units of one section that were taken out of a frame: it has their tags, fields and JSON rows, each
column turned into Python values once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.alerts.events import go_safe
from engine.alerts.texts import group_text
from engine.frames.model import ABSENT_CODE, PRESENT, Kind
from engine.frames.reshape import take
from engine.rows import UnsupportedValueError, rows_of
from engine.templates import TextMap

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.frames.model import FieldColumn, Section, TagColumn


class Triggers:
    """Units `index` of a section. `rows` (int64, a unit each) are the deciding rows of batches, within the section."""

    def __init__(self, section: Section, index: NDArray[np.int64], rows: NDArray[np.int64] | None) -> None:
        self.taken = take(section, index)
        self.name = section.name
        self._batches = section.batches is not None
        groups = self.taken.groups
        self._dims = groups.dims
        self._by_name = groups.by_name
        self._codes: list[int] = self.taken.group_codes().tolist()
        self._known: dict[int, tuple[dict[str, str], str]] = {}
        self._tags: list[tuple[str, list[str | None]]] = []
        if not self._batches:
            self._tags = [(k, tag_values(c)) for k, c in self.taken.tags.items()]
        self._fields: list[tuple[str, list[Any]]] | None = None
        self._section = section
        self._rows = rows

    def _group(self, unit: int) -> tuple[dict[str, str], str]:
        """The group's values by dimension, and how templates name it."""
        code = self._codes[unit]
        known = self._known.get(code)
        if known is None:
            values = self.taken.groups.tags(code)
            plain = bool(self._dims) or self._by_name
            text = group_text(self.name, values, by_name=self._by_name) if plain else ""
            known = self._known[code] = (values, text)
        return known

    def group(self, unit: int) -> str:
        """The group as the reference names it; "" for none."""
        return self._group(unit)[1]

    def dimensions(self, unit: int) -> dict[str, str]:
        """The group's values by dimension."""
        return self._group(unit)[0]

    def tags(self, unit: int) -> TextMap:
        """All tags of a point; those of a batch's header."""
        if self._batches:
            return TextMap(self._group(unit)[0])
        return TextMap({k: v for k, values in self._tags if (v := values[unit]) is not None})

    def fields(self, unit: int) -> dict[str, Any]:
        """The fields of the point, or of the batch's deciding point."""
        if self._fields is None:
            columns = self._section.fields if self._rows is not None else self.taken.fields
            self._fields = []
            for key in sorted(columns):
                self._fields.append((key, field_values(columns[key], self._rows)))
        return {k: v for k, values in self._fields if (v := values[unit]) is not _NO_FIELD}

    def series(self) -> list[str | UnsupportedValueError]:
        """The JSON of every unit."""
        return [row if isinstance(row, UnsupportedValueError) else go_safe(row) for row in rows_of(self.taken)]


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
