"""Where the names of an expression lead in a section: a field, else a tag, else an earlier result (nodes §4, §11.2).

A name is looked up for each row, because a column may lack it in some rows. What is found is a *class* a row: the kind
of the value and where it lies. Rows of one class are evaluated together; in most frames there is one class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from engine.frames.model import ABSENT_CODE, NULL, PRESENT, FieldColumn, Span
from engine.frames.model import Kind as FieldKind
from engine.lambdas.texts import Texts
from tickscript.lambdas import values
from tickscript.lambdas.values import Duration, Kind, Time, Value

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from numpy.typing import NDArray

    from engine.frames.model import Section, TagColumn

KINDS: Final = {
    FieldKind.FLOAT: Kind.FLOAT,
    FieldKind.INT: Kind.INT,
    FieldKind.BOOL: Kind.BOOL,
    FieldKind.STRING: Kind.STRING,
    FieldKind.DURATION: Kind.DURATION,
    FieldKind.TIME: Kind.TIME,
}
FIELD_KINDS: Final = {kind: field for field, kind in KINDS.items()}

# A class: the kind in the low half, where the value lies in the high one.
KIND_BITS: Final = 4
KIND_MASK: Final = 15
IN_FIELD, IN_TAG, IN_EXTRA = 0, 1 << KIND_BITS, 2 << KIND_BITS
CONFLICT: Final = 15
"""The name is a field and a tag of the row: an error, whatever the expression."""


class MixedColumn(Exception):  # a finding, not a failure
    """A column whose kind changes between rows: the expression goes row by row."""


class Source:
    """What a name stands for in a section. `field` is set for `"time"` too, as a time column."""

    __slots__ = ("extra", "field", "name", "tag")

    def __init__(self, name: str, section: Section, extra: Mapping[str, FieldColumn]) -> None:
        self.name = name
        self.tag: TagColumn | None = None
        self.extra: FieldColumn | None = None
        if name == "time":
            self.field: FieldColumn | None = FieldColumn(FieldKind.TIME, section.time)
        else:
            self.field = section.fields.get(name)
            self.tag = section.tags.get(name)
            if extra:
                self.extra = extra.get(name)

    def classes(self) -> int | NDArray[np.uint8]:
        """The class of all rows, or that of each. Raises `MixedColumn`."""
        field, tag, extra = self.field, self.tag, self.extra
        if field is not None and field.kind == FieldKind.MIXED:
            raise MixedColumn
        if extra is None:
            if tag is None:
                return int(Kind.MISSING) if field is None else _field_classes(field)
            if field is None:
                present = _present(tag)
                if isinstance(present, bool):
                    return IN_TAG | Kind.STRING if present else int(Kind.MISSING)
                return np.where(present, np.uint8(IN_TAG | Kind.STRING), np.uint8(Kind.MISSING))
        elif extra.kind == FieldKind.MIXED:
            raise MixedColumn
        return self._row_classes()

    def _row_classes(self) -> NDArray[np.uint8]:
        columns = [c for c in (self.field, self.extra) if c is not None]
        n = len(self.tag.codes) if self.tag is not None else len(columns[0].data)
        missing = np.uint8(Kind.MISSING)
        classes = np.full(n, missing)
        if self.extra is not None:
            found = np.broadcast_to(np.asarray(_field_classes(self.extra), np.uint8), n)
            classes = np.where(found == missing, missing, found | np.uint8(IN_EXTRA))
        if self.tag is not None:
            tagged = self.tag.codes != ABSENT_CODE
            classes = np.where(tagged, np.uint8(IN_TAG | Kind.STRING), classes)
        if self.field is not None:
            found = np.broadcast_to(np.asarray(_field_classes(self.field), np.uint8), n)
            there = found != missing
            if self.tag is not None:
                classes = np.where(there & tagged, np.uint8(CONFLICT), np.where(there, found, classes))
            else:
                classes = np.where(there, found, classes)
        return classes

    def load(self, code: int, rows: NDArray[np.int64] | None) -> Any:
        """The column of the rows of one class: an array of the kind's dtype, `Texts`, or None where there is no value."""
        kind = code & KIND_MASK
        if kind in (Kind.MISSING, Kind.NULL):
            return None
        if code & IN_TAG:
            assert self.tag is not None
            return Texts(self.tag.values, self.tag.codes if rows is None else self.tag.codes[rows])
        column = self.extra if code & IN_EXTRA else self.field
        assert column is not None
        if kind == Kind.STRING:
            texts = Texts(column.data)
            return texts if rows is None else texts.take(rows)
        return np.ascontiguousarray(column.data) if rows is None else column.data[rows]

    def values(self, n: int, zone: tzinfo) -> list[Value | None]:
        """The value of each row as the interpreter takes it; None where field and tag conflict."""
        found: list[Value | None] = [values.MISSING] * n
        if self.extra is not None:
            _fill(found, self.extra, zone)
        if self.tag is not None:
            texts = [value.encode("utf-8", "surrogateescape") for value in self.tag.values.to_list()]
            for row, code in enumerate(self.tag.codes.tolist()):
                if code != ABSENT_CODE:
                    found[row] = texts[code]
        if self.field is not None:
            tagged = None if self.tag is None else self.tag.codes != ABSENT_CODE
            _fill(found, self.field, zone)
            if tagged is not None:
                valid = self.field.valid
                conflicts = tagged if valid is None else tagged & (valid != 0)
                for row in np.flatnonzero(conflicts).tolist():
                    found[row] = None
        return found


def _present(tag: TagColumn) -> bool | NDArray[np.bool_]:
    codes = tag.codes
    if len(codes) == 1:
        return bool(codes[0] != ABSENT_CODE)
    # The absent code is the largest there is.
    if not len(codes) or codes.max() != ABSENT_CODE:
        return True
    absent: NDArray[np.bool_] = codes != ABSENT_CODE
    return absent


_CLASS_OF_VALIDITY: Final = {
    kind: np.array([Kind.MISSING, kind, Kind.NULL], np.uint8) for kind in (*KINDS.values(), Kind.NULL)
}


def _field_classes(column: FieldColumn) -> int | NDArray[np.uint8]:
    kind = KINDS[column.kind]
    valid = column.valid
    if valid is None:
        return int(kind)
    table = _CLASS_OF_VALIDITY[kind]
    if len(valid) and (valid == valid[0]).all():
        return int(table[valid[0]])
    return table[valid]


def _fill(found: list[Value | None], column: FieldColumn, zone: tzinfo) -> None:
    content = python_values(column, zone)
    if column.valid is None:
        found[:] = content
        return
    for row, validity in enumerate(column.valid.tolist()):
        if validity == PRESENT:
            found[row] = content[row]
        elif validity == NULL:
            found[row] = values.NULL


def python_values(column: FieldColumn, zone: tzinfo) -> list[Any]:
    """The data of a column as values of the language; where the row is not valid they have no meaning."""
    data = column.data
    if column.kind == FieldKind.STRING:
        return data.to_list()  # type: ignore[no-any-return]
    if column.kind == FieldKind.DURATION:
        return [Duration(ns) for ns in data.tolist()]
    if column.kind == FieldKind.TIME:
        return [Time(ns, zone) for ns in data.tolist()]
    if column.kind == FieldKind.MIXED:
        return [Duration(v) if isinstance(v, Span) else v for v in data.tolist()]
    return data.tolist()  # type: ignore[no-any-return]
