"""`|default()` and `|delete()`: fields and tags that are set where they lack, or taken away (nodes.md §10.2, §10.3).

Groups follow the tags: a point whose dimension changes changes its group; a batch gets defaulted tags as dimensions and
loses deleted ones. Every point, and on batches every begin, counts in the statistics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.groups import make_groups
from engine.frames.model import ABSENT, ABSENT_CODE, PRESENT, FieldColumn, Kind, Section, TagColumn
from engine.frames.reshape import as_kind
from engine.frames.strings import Strings, concat_strings
from engine.nodes.regroup import by_tags
from engine.operator import Stateless

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from engine.frames.model import Frame


class DefaultOperator(Stateless):
    """`fields` by name: float, int, bool or str; `tags` by name. Counters: fields_defaulted, tags_defaulted."""

    def __init__(
        self, *, fields: Mapping[str, float | int | bool | str] | None = None, tags: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self._fields = dict(fields or {})
        self._tags = dict(tags or {})

    def collect(self, frame: Frame, parent: int) -> Sequence[Frame]:  # noqa: ARG002  (one parent)
        return (frame.with_(sections=tuple(map(self._section, frame.sections))),)

    def _section(self, section: Section) -> Section:
        fields, tags = dict(section.fields), dict(section.tags)
        changed = set()
        for name, value in self._fields.items():
            fields[name] = self._field(fields.get(name), value, section.rows)
        for name, text in self._tags.items():
            column, count = _default_tag(tags.get(name), text, section.rows)
            self.report.count("tags_defaulted", count)
            if count:
                tags[name] = column
                changed.add(name)
        out = section.with_(fields=fields, tags=dict(sorted(tags.items())))
        if section.batches is not None:
            return self._begins(out)
        if changed & set(section.groups.dims):
            return by_tags(out, section.groups.dims, section.groups.by_name)
        return out

    def _field(self, column: FieldColumn | None, value: Any, n: int) -> FieldColumn:
        made = _constant(value, n)
        if column is None:
            self.report.count("fields_defaulted", n)
            return made
        if column.valid is None:
            return column
        there = column.valid == PRESENT
        self.report.count("fields_defaulted", n - int(np.count_nonzero(there)))
        return choose(there, column, made)

    def _begins(self, section: Section) -> Section:
        """The batch section with the tags as dimensions of its groups."""
        groups = section.groups
        if not self._tags:
            return section
        values = dict(zip(groups.dims, groups.values, strict=True))
        codes = section.group_codes()
        for name, text in self._tags.items():
            known = values.get(name)
            if known is None:
                values[name] = Strings.of([text] * len(groups))
                self.report.count("tags_defaulted", section.count)
                continue
            empty = known.offsets[1:] == known.offsets[:-1]
            if text and empty.any():
                self.report.count("tags_defaulted", int(np.count_nonzero(empty[codes])))
                index = np.where(empty, len(groups), np.arange(len(groups)))
                values[name] = concat_strings([known, Strings.of([text])]).take(index)
        dims = tuple(sorted(values))
        made = make_groups(dims, groups.by_name, section.name, [values[d] for d in dims], len(groups))
        return section.with_(groups=made)


def _constant(value: Any, n: int) -> FieldColumn:
    if isinstance(value, bool):
        return FieldColumn(Kind.BOOL, np.full(n, value))
    if isinstance(value, int):
        return FieldColumn(Kind.INT, np.full(n, value, np.int64))
    if isinstance(value, float):
        return FieldColumn(Kind.FLOAT, np.full(n, value))
    return FieldColumn(Kind.STRING, Strings.of([value]).take(np.zeros(n, np.int64)))


def choose(there: NDArray[np.bool_], column: FieldColumn, made: FieldColumn) -> FieldColumn:
    """`column` where it is there, else `made`."""
    if not there.any():
        return made
    if there.all():
        return FieldColumn(column.kind, column.data)
    if column.kind != made.kind:
        column, made = as_kind(column, Kind.MIXED), as_kind(made, Kind.MIXED)
    if column.kind == Kind.STRING:
        both = concat_strings([column.data, made.data])
        n = len(there)
        return FieldColumn(Kind.STRING, both.take(np.arange(n) + np.where(there, 0, n)))
    return FieldColumn(column.kind, np.where(there, column.data, made.data))


def _default_tag(column: TagColumn | None, text: str, n: int) -> tuple[TagColumn, int]:
    """The column with `text` where it is absent or empty, and in how many rows that was."""
    if column is None:
        return TagColumn(np.zeros(n, np.uint32), Strings.of([text])), n
    size = len(column.values)
    empty = np.append(column.values.offsets[1:] == column.values.offsets[:-1], True)
    missing = empty[np.minimum(column.codes, size)]
    count = int(np.count_nonzero(missing))
    if not count:
        return column, 0
    values = concat_strings([column.values, Strings.of([text])])
    return TagColumn(np.where(missing, np.uint32(size), column.codes), values), count


class DeleteOperator(Stateless):
    """Names of fields and tags. Counters: fields_deleted, tags_deleted."""

    def __init__(self, *, fields: Sequence[str] = (), tags: Sequence[str] = ()) -> None:
        super().__init__()
        self._fields = frozenset(fields)
        self._tags = frozenset(tags)

    def collect(self, frame: Frame, parent: int) -> Sequence[Frame]:  # noqa: ARG002  (one parent)
        return (frame.with_(sections=tuple(map(self._section, frame.sections))),)

    def _section(self, section: Section) -> Section:
        for name in self._fields & section.fields.keys():
            valid = section.fields[name].valid
            count = section.rows if valid is None else int(np.count_nonzero(valid != ABSENT))
            self.report.count("fields_deleted", count)
        for name in self._tags & section.tags.keys():
            self.report.count("tags_deleted", int(np.count_nonzero(section.tags[name].codes != ABSENT_CODE)))
        out = section.with_(
            fields={k: c for k, c in section.fields.items() if k not in self._fields},
            tags={k: c for k, c in section.tags.items() if k not in self._tags},
        )
        groups = section.groups
        gone = self._tags & set(groups.dims)
        if not gone:
            return out
        dims = tuple(d for d in groups.dims if d not in gone)
        if section.batches is None:
            return by_tags(out, dims, groups.by_name)
        self.report.count("tags_deleted", section.count * len(gone))
        values = [v for d, v in zip(groups.dims, groups.values, strict=True) if d not in gone]
        if not dims:
            made = make_groups((), groups.by_name, section.name, (), 1)
            return out.with_(groups=made, group=None)
        return out.with_(groups=make_groups(dims, groups.by_name, section.name, values, len(groups)))
