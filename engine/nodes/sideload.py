"""`|sideload()`: fields and tags looked up in a source by the tags of each point (nodes.md §11.10).

The keys to look at are templates over the point's tags; for each field and tag the first key that has it wins, else its
default stands. Points with the same tags get the same values, so a lookup is made once for each set of tags that a frame
has, and remembered until the source is loaded anew. Bound: `MOST` sets of tags; beyond, all are forgotten.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from engine.frames.model import ABSENT, ABSENT_CODE, PRESENT, FieldColumn, Kind, Section, Span, TagColumn
from engine.frames.strings import Strings, concat_strings
from engine.nodes.defaults import choose
from engine.nodes.regroup import by_tags
from engine.operator import Reloading, Stateless, TaskError
from engine.templates import ExecutionError, ParseError, TextMap, parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from engine.frames.model import Frame

MOST: Final = 10_000

_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_WHOLE = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_INTS = range(-(1 << 63), 1 << 63)
_FAILED, _NO_ORDER = "failed to load key", "failed to evaluate order template"


class Values(Protocol):
    """What is loaded; `generation` changes with it."""

    generation: int

    def get(self, key: str) -> Mapping[str, Any]: ...

    def reload(self) -> None: ...


class CannotConvertError(Exception):
    """A value cannot be of the type of its default."""


def convert(value: Any, default: Any) -> Any:
    """The value as the type of its default. Raises CannotConvertError."""
    make = next(make for sort, make in _MAKERS if isinstance(default, sort))
    made = make(value)
    if made is None:
        raise CannotConvertError(f"cannot convert {_go_type(value)} to {_go_type(default)}")
    return made


def _truth(value: Any) -> bool | None:
    return _BOOLEANS.get(value) if isinstance(value, str) else value if isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return np.format_float_positional(value, trim="-")
    return value if isinstance(value, str) else None


def _whole(value: Any) -> int | None:
    made = None
    if (isinstance(value, float) and value.is_integer()) or (isinstance(value, str) and _WHOLE.fullmatch(value)):
        made = int(value)
    # A range looks for what is no int by going through all of it.
    return made if made is not None and made in _INTS else None


def _float(value: Any) -> float | None:
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value) else None
    return value if isinstance(value, float) else None


_MAKERS = ((bool, _truth), (str, _text), (int, _whole), (float, _float))
"""What makes a value of a default's type, or None. A bool is an int too, so it comes first."""


def _go_type(value: Any) -> str:
    if value is None:
        return "<nil>"
    names = {bool: "bool", int: "int64", float: "float64", str: "string", dict: "map[string]interface {}"}
    return names.get(type(value), "[]interface {}")


@dataclass(frozen=True, slots=True)
class _Found:
    """What the points with one set of tags get, fields before tags; and what went wrong, a line each."""

    values: tuple[Any, ...]
    errors: tuple[tuple[str, str, str], ...] = ()
    untouched: bool = False


class SideloadOperator(Stateless, Reloading):
    """`order` are template texts; `fields` (float, int, bool or str) and `tags` are defaults by name."""

    def __init__(
        self, *, source: Values, order: Sequence[str] = (), fields: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None, quiet: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        for name, default in (fields or {}).items():
            if not isinstance(default, float | int | str) or isinstance(default, Span):
                raise TaskError(
                    f'unsupported type of the default of field "{name}", it must be float,int,string or bool'
                )
        self._source = source
        self._log = not quiet
        try:
            self._order = [parse(text, "") for text in order]
        except ParseError as error:
            raise TaskError(f"failed to parse order template: {error}") from error
        self._fields = dict(fields or {})
        self._tags = dict(tags or {})
        self._known: dict[tuple[tuple[str, str], ...], _Found] = {}
        self._generation = source.generation

    def reload(self) -> None:
        """Load the source anew. Raises SourceError."""
        self._source.reload()

    def collect(self, frame: Frame, parent: int) -> Sequence[Frame]:  # noqa: ARG002  (one parent)
        if self._generation != self._source.generation or len(self._known) > MOST:
            self._generation = self._source.generation
            self._known.clear()
        return (frame.with_(sections=tuple(map(self._section, frame.sections))),)

    def _section(self, section: Section) -> Section:
        if not section.rows:
            return section
        which, firsts = tag_sets(section)
        found = [self._found(section, row) for row in firsts.tolist()]
        self._tell(found, which)
        touched = np.array([not f.untouched for f in found])[which]
        if not touched.any():
            return section
        fields, tags = dict(section.fields), dict(section.tags)
        for i, (name, default) in enumerate(self._fields.items()):
            made = _column([f.values[i] for f in found], default, which)
            fields[name] = made if touched.all() else _overlaid(fields.get(name), made, touched)
        for i, name in enumerate(self._tags, len(self._fields)):
            tags[name] = _tag_column(tags.get(name), [f.values[i] for f in found], which, touched)
        out = section.with_(fields=fields, tags=dict(sorted(tags.items())))
        if section.batches is None and self._tags.keys() & set(section.groups.dims):
            return by_tags(out, section.groups.dims, section.groups.by_name)
        return out

    def _found(self, section: Section, row: int) -> _Found:
        tags = {k: v for k, c in section.tags.items() if (v := c.at(row)) is not None}
        key = tuple(tags.items())
        if key not in self._known:
            self._known[key] = self._look_up(tags)
        return self._known[key]

    def _look_up(self, tags: Mapping[str, str]) -> _Found:
        defaults = {
            **{("field", k): v for k, v in self._fields.items()},
            **{("tag", k): v for k, v in self._tags.items()},
        }
        try:
            places = [self._source.get(template.render(TextMap(tags))) for template in self._order]
        except ExecutionError as error:
            return _Found(tuple(defaults.values()), ((_NO_ORDER, str(error), ""),), untouched=True)
        values, errors = [], []
        for (_, name), default in defaults.items():
            value = default
            for place in places:
                if name in place:
                    try:
                        value = convert(place[name], default)
                    except CannotConvertError as error:
                        errors.append((_FAILED, str(error), name))
                    break
            values.append(value)
        return _Found(tuple(values), tuple(errors))

    def _tell(self, found: Sequence[_Found], which: NDArray[np.int64]) -> None:
        counts = np.bincount(which, minlength=len(found)).tolist()
        for one, count in zip(found, counts, strict=True):
            for message, text, name in one.errors:
                more: dict[str, Any] = {"key": name} if name else {}
                self.report.error(message, text, times=count, log=self._log, **more)


def tag_sets(section: Section) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The number of each row's set of tags, and a row that has it for each set."""
    which = np.zeros(section.rows, np.int64)
    for column in section.tags.values():
        size = len(column.values)
        codes = np.minimum(column.codes, np.uint32(size)).astype(np.int64)
        _, which = np.unique(which * (size + 1) + codes, return_inverse=True)
    _, firsts = np.unique(which, return_index=True)
    return which, firsts


def _column(values: Sequence[Any], default: Any, which: NDArray[np.int64]) -> FieldColumn:
    if isinstance(default, bool):
        return FieldColumn(Kind.BOOL, np.array(values, np.bool_).take(which))
    if isinstance(default, str):
        return FieldColumn(Kind.STRING, Strings.of(values).take(which))
    if isinstance(default, int):
        return FieldColumn(Kind.INT, np.array(values, np.int64).take(which))
    return FieldColumn(Kind.FLOAT, np.array(values, np.float64).take(which))


def _overlaid(column: FieldColumn | None, made: FieldColumn, touched: NDArray[np.bool_]) -> FieldColumn:
    """`made` where the row is touched, else what was there."""
    if column is None:
        return FieldColumn(made.kind, made.data, np.where(touched, PRESENT, ABSENT).astype(np.uint8))
    valid = None if column.valid is None else np.where(touched, PRESENT, column.valid).astype(np.uint8)
    both = choose(~touched, FieldColumn(column.kind, column.data), made)
    return FieldColumn(both.kind, both.data, valid)


def _tag_column(
    column: TagColumn | None, values: Sequence[str], which: NDArray[np.int64], touched: NDArray[np.bool_]
) -> TagColumn:
    distinct = sorted(set(values))
    numbers = np.array([distinct.index(v) for v in values], np.uint32).take(which)
    new = Strings.of(distinct)
    if column is None:
        return TagColumn(np.where(touched, numbers, np.uint32(ABSENT_CODE)), new)
    if touched.all():
        return TagColumn(numbers, new)
    codes = np.where(touched, numbers + np.uint32(len(column.values)), column.codes)
    return TagColumn(codes.astype(np.uint32), concat_strings([column.values, new]))
