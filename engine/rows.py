"""The row form of points and batches, and its JSON: what httpOut, httpPost and alerts show (nodes.md §1.4).

A row is `name`, `tags`, `columns` and `values`; empty members are left out. Columns are `time` and the sorted field
names; for a batch, the fields of its first point and those tags of that point that are not tags of the batch. Numbers
print as Go's encoding/json prints them: the shortest text that reads back the same, `1` for 1.0, an exponent below 1e-6
and from 1e21. Times are RFC 3339 in UTC with the fraction trimmed. NaN and infinities have no JSON.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from engine.frames.model import ABSENT, ABSENT_CODE, PRESENT, FieldColumn, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from engine.frames.model import Section

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000_000
_NULL = "null"
_PLAIN_FROM, _PLAIN_TO = 1e-4, 1e15


class UnsupportedValueError(ValueError):
    """A value that JSON does not have; the text is the reference's."""

    def __init__(self, value: float) -> None:
        text = "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
        super().__init__(f"json: unsupported value: {text}")


@lru_cache(4096)
def _seconds_text(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


def time_text(time: int) -> str:
    """Nanoseconds since the epoch as RFC 3339 in UTC, the fraction without trailing zeros."""
    seconds, rest = divmod(time, _SECOND)
    text = _seconds_text(seconds)
    return f"{text}.{rest:09d}".rstrip("0") + "Z" if rest else f"{text}Z"


def float_text(value: float) -> str:
    """A float as Go's encoding/json prints it. Raises UnsupportedValueError."""
    text = repr(value)
    if text[-2:] == ".0":
        return text[:-2]
    if not math.isfinite(value):
        raise UnsupportedValueError(value)
    mantissa, mark, exponent = text.partition("e")
    if not mark:
        return text
    power = int(exponent)
    return f"{Decimal(text):f}" if -7 < power < 21 else f"{mantissa}e{power:+d}"


def string_text(value: str) -> str:
    """A string in JSON; bytes that are not UTF-8 become the replacement character."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        clean = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return msgspec.json.encode(clean).decode()


def value_text(value: Any) -> str:
    """A field value in JSON. Durations are their nanoseconds, None is null. Raises UnsupportedValueError."""
    if value is None:
        return _NULL
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    return float_text(value) if isinstance(value, float) else string_text(value)


_RENDERERS: dict[Kind, Callable[[Any], str]] = {
    Kind.FLOAT: float_text,
    Kind.INT: str,
    Kind.BOOL: lambda v: "true" if v else "false",
    Kind.STRING: string_text,
    Kind.DURATION: str,
    Kind.TIME: lambda v: f'"{time_text(v)}"',
    Kind.MIXED: value_text,
}


def _values(column: FieldColumn) -> list[Any]:
    values: list[Any] = column.data.to_list() if column.kind == Kind.STRING else column.data.tolist()
    return values


def _states(column: FieldColumn) -> list[int] | None:
    return None if column.valid is None else column.valid.tolist()


def _are_plain(values: NDArray[np.float64]) -> bool:
    """Whether all of some floats print without an exponent, however they are printed."""
    sizes = np.abs(values)
    return bool(len(sizes) > 1 and np.all((sizes == 0.0) | ((sizes >= _PLAIN_FROM) & (sizes < _PLAIN_TO))))


def _texts(column: FieldColumn) -> list[str | None]:
    """The JSON of every row's value; None where the field is absent. Raises UnsupportedValueError."""
    render = _RENDERERS[column.kind]
    values, states = _values(column), _states(column)
    if states is None:
        if column.kind == Kind.FLOAT and _are_plain(column.data):
            texts = msgspec.json.encode(values)[1:-1].decode().split(",")
            return [t[:-2] if t[-2:] == ".0" else t for t in texts]
        return [render(v) for v in values]
    return [render(v) if s == PRESENT else None if s == ABSENT else _NULL for v, s in zip(values, states, strict=True)]


def field_texts(column: FieldColumn) -> list[str | UnsupportedValueError | None]:
    """As `_texts`, with the error in the place of a value that JSON does not have."""
    try:
        return list(_texts(column))
    except UnsupportedValueError:
        out: list[str | UnsupportedValueError | None] = []
        for i in range(len(_values(column))):
            try:
                out.append(value_text(column.at(i)) if _there(column, i) else None)
            except UnsupportedValueError as error:
                out.append(error)
        return out


def _there(column: FieldColumn, i: int) -> bool:
    return column.valid is None or bool(column.valid[i] != ABSENT)


def _tag_texts(column: Any) -> list[str | None]:
    """The JSON of every row's tag value; None where it is absent. Rendered once a distinct value."""
    codes = column.codes.tolist()
    known: dict[int, str] = {}
    out: list[str | None] = []
    for c in codes:
        if c == ABSENT_CODE:
            out.append(None)
            continue
        text = known.get(c)
        if text is None:
            text = known[c] = string_text(column.values[c])
        out.append(text)
    return out


def _head(name: str, tags: Sequence[tuple[str, str]]) -> str:
    """The members before the columns; tags as pairs of JSON texts."""
    text = f'{{"name":{string_text(name)}' if name else "{"
    if tags:
        inner = ",".join(f"{k}:{v}" for k, v in tags)
        text += f'{"," if name else ""}"tags":{{{inner}}}'
    return text


def _body(head: str, columns: str, values: str) -> str:
    return f'{head}{"" if head == "{" else ","}"columns":{columns},"values":[{values}]}}'


Rendered = "str | UnsupportedValueError"


def point_rows(section: Section, names: Sequence[str] | None = None) -> list[str | UnsupportedValueError]:
    """The row of every point of a stream section as JSON text, or the error where a value has no JSON.

    `names` are the points' names where they differ from the section's.
    """
    times = [f'"{time_text(t)}"' for t in section.time.tolist()]
    keys = sorted(section.fields)
    fields = [field_texts(section.fields[k]) for k in keys]
    quoted = [string_text(k) for k in keys]
    tag_names = [string_text(k) for k in section.tags]
    tags = [_tag_texts(c) for c in section.tags.values()]
    full = '["time"' + "".join(f",{k}" for k in quoted) + "]"
    out: list[str | UnsupportedValueError] = []
    for i, time in enumerate(times):
        cells = [f[i] for f in fields]
        error = next((c for c in cells if isinstance(c, UnsupportedValueError)), None)
        if error is not None:
            out.append(error)
            continue
        mine = [(k, t) for k, column in zip(tag_names, tags, strict=True) if (t := column[i]) is not None]
        head = _head(section.name if names is None else names[i], mine)
        if None in cells:
            there = [(k, c) for k, c in zip(quoted, cells, strict=True) if c is not None]
            columns = '["time"' + "".join(f",{k}" for k, _ in there) + "]"
            cells = [c for _, c in there]
        else:
            columns = full
        out.append(_body(head, columns, f"[{','.join([time, *cells])}]"))  # type: ignore[list-item]
    return out


def batch_rows(section: Section, names: Sequence[str] | None = None) -> list[str | UnsupportedValueError]:
    """The row of every batch of a batch section; see `point_rows`."""
    assert section.batches is not None
    times = [f'"{time_text(t)}"' for t in section.time.tolist()]
    fields = {k: field_texts(c) for k, c in section.fields.items()}
    tags = {k: _tag_texts(c) for k, c in section.tags.items()}
    groups = section.groups
    dims = [string_text(d) for d in groups.dims]
    codes = section.group_codes().tolist()
    ends = section.batches.offsets.tolist()
    out: list[str | UnsupportedValueError] = []
    for b, code in enumerate(codes):
        group = [(d, string_text(v[code])) for d, v in zip(dims, groups.values, strict=True)]
        head = _head(section.name if names is None else names[b], group)
        start, stop = ends[b], ends[b + 1]
        if start == stop:
            out.append(head + "}")
            continue
        columns = [k for k in fields if fields[k][start] is not None]
        columns += [k for k in tags if tags[k][start] is not None and k not in groups.dims and k not in columns]
        columns.sort()
        cells = [_cells(fields.get(k), tags.get(k), start, stop) for k in columns]
        error = next((c for column in cells for c in column if isinstance(c, UnsupportedValueError)), None)
        if error is not None:
            out.append(error)
            continue
        rows = [f"[{','.join(row)}]" for row in zip(times[start:stop], *cells, strict=True)]
        listed = '["time"' + "".join(f",{string_text(k)}" for k in columns) + "]"
        out.append(_body(head, listed, ",".join(rows)))
    return out


def _cells(field: list[Any] | None, tag: list[str | None] | None, start: int, stop: int) -> list[Any]:
    """A column of a batch: the field, else the tag, else null."""
    if field is None:
        assert tag is not None
        return [_NULL if t is None else t for t in tag[start:stop]]
    if tag is None:
        return [_NULL if c is None else c for c in field[start:stop]]
    return [
        c if c is not None else _NULL if t is None else t
        for c, t in zip(field[start:stop], tag[start:stop], strict=True)
    ]


def rows_of(section: Section) -> list[str | UnsupportedValueError]:
    """The rows of a section's points, or of its batches."""
    return point_rows(section) if section.batches is None else batch_rows(section)


def document(rows: Sequence[str]) -> str:
    """Rows as the document that is served and posted."""
    return f'{{"series":[{",".join(rows)}]}}'
