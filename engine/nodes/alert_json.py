"""The JSON of the points that trigger an alert, made column by column: the series of an event, and what its details show.

A text is made once a distinct tag value and once a field value; a point's texts are put together from those. They are what
Go's JSON has: `<`, `>`, `&` and the two line separators of JavaScript are escaped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.alerts.events import go_safe
from engine.frames.model import ABSENT_CODE, Kind
from engine.rows import UnsupportedValueError, field_texts, string_text, time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.frames.model import FieldColumn, Section, TagColumn


@dataclass(frozen=True, slots=True)
class PointTexts:
    """Of each point: `tags` and `fields` as JSON objects, `rows` as rows of a series.

    A value that JSON does not have leaves None in `fields` and its error in `rows`.
    """

    tags: list[str]
    fields: list[str | None]
    rows: list[str | UnsupportedValueError]


def point_texts(section: Section) -> PointTexts:
    """The texts of all points of a stream section."""
    tags = _joined([_members(k, c) for k, c in section.tags.items()], section.count)
    keys = sorted(section.fields)
    quoted = [go_safe(string_text(k)) for k in keys]
    cells = [_cells(section.fields[k]) for k in keys]
    times = [f'"{time_text(t)}"' for t in section.time.tolist()]
    start = f'{{"name":{go_safe(string_text(section.name))},' if section.name else "{"
    full = '["time"' + "".join(f",{k}" for k in quoted) + "]"
    shape = "{" + ",".join(f"{k.replace('%', '%%')}:%s" for k in quoted) + "}"
    line = '%s"columns":' + full.replace("%", "%%") + ',"values":[[%s' + ",%s" * len(keys) + "]]}"
    plain = all(set(map(type, c)) == {str} for c in cells)
    fields: list[str | None] = []
    rows: list[str | UnsupportedValueError] = []
    by_row = zip(*cells, strict=True) if cells else [()] * section.count
    for time, mine, row in zip(times, tags, by_row, strict=True):
        head = start if mine == "{}" else f'{start}"tags":{mine},'
        if plain:
            fields.append(shape % row)
            rows.append(line % (head, time, *row))
            continue
        there = [(k, c) for k, c in zip(quoted, row, strict=True) if c is not None]
        error = next((c for _, c in there if isinstance(c, UnsupportedValueError)), None)
        if error is not None:
            fields.append(None)
            rows.append(error)
            continue
        columns = "".join(f",{k}" for k, _ in there)
        fields.append("{" + ",".join(f"{k}:{c}" for k, c in there) + "}")
        rows.append(f'{head}"columns":["time"{columns}],"values":[[{",".join([time, *(c for _, c in there)])}]]}}')
    return PointTexts(tags, fields, rows)


def _cells(column: FieldColumn) -> list[Any]:
    """The JSON of every row's value, the error of one that has none; None where the field is absent."""
    texts = field_texts(column)
    if column.kind not in (Kind.STRING, Kind.MIXED):
        return texts
    return [go_safe(t) if type(t) is str else t for t in texts]


def _members(key: str, column: TagColumn) -> list[str | None]:
    """Key and value of every row's tag; None where it is absent."""
    codes = column.codes.tolist()
    known: dict[int, str | None] = {ABSENT_CODE: None}
    start = go_safe(string_text(key))
    for code in set(codes) - {ABSENT_CODE}:
        known[code] = f"{start}:{go_safe(string_text(column.values[code]))}"
    return [known[c] for c in codes]


def _joined(members: Sequence[Sequence[str | None]], count: int) -> list[str]:
    """Members as objects, a row each."""
    if not members:
        return ["{}"] * count
    return ["{" + ",".join([m for m in row if m is not None]) + "}" for row in zip(*members, strict=True)]
