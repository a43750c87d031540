"""What the kernel knows: series, texts, patterns and shapes. It survives from body to body.

Bounds: `Bounds`. Policy when full: the tables are given up and new ones begin empty (learning is cheap); a body that is
under way keeps the old ones until its block of rows is done. `Tables.statistics` counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.model import Kind
from engine.inputs.line_protocol import layout
from engine.inputs.line_protocol.exact import parse_key, split
from engine.inputs.line_protocol.interning import fill_slots, put_row

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TYPES = {float: layout.FLOAT, int: layout.INTEGER, bool: layout.BOOLEAN, str: layout.STRING}
KINDS = {
    layout.FLOAT: Kind.FLOAT,
    layout.INTEGER: Kind.INT,
    layout.BOOLEAN: Kind.BOOL,
    layout.STRING: Kind.STRING,
}
_MOST_FIELDS = 16_384
_KEY_ROOM = 2 * layout.LONGEST_KEY


@dataclass(frozen=True, slots=True)
class Bounds:
    """Numbers at which tables count as full; a little more may fit."""

    series: int = 200_000
    texts: int = 500_000
    tags: int = 2_000_000
    arena: int = 32 << 20
    patterns: int = 4096
    shapes: int = 4096
    fields: int = 65_536


@dataclass(frozen=True, slots=True)
class Statistics:
    """How much the tables hold: rows of each kind, and bytes of text."""

    series: int
    texts: int
    patterns: int
    shapes: int
    fields: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Family:
    """The series of one measurement with one set of tag keys (sorted)."""

    name: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """A field set in the order of the line: names and kinds of `layout`."""

    names: tuple[str, ...]
    types: tuple[int, ...]


def text(raw: bytes) -> str:
    """A name of a measurement, tag or field. Names travel as text, so what is no UTF-8 is replaced, as JSON would do."""
    return raw.decode("utf-8", "replace")


def _grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    """The array with room for `size` items at least, doubling."""
    if size <= len(array):
        return array
    out = np.zeros((max(size, 2 * len(array)), *array.shape[1:]), array.dtype)
    out[: len(array)] = array
    return out


class Tables:
    """The arrays of `layout`, and what their numbers mean."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self.counts = np.zeros(layout.COUNTS, np.int64)
        self.arena = np.zeros(1 << 16, np.uint8)
        self.series = np.zeros((1024, layout.SERIES_COLUMNS), np.int64)
        self.texts = np.zeros((1024, layout.TEXT_COLUMNS), np.int64)
        self.tags = np.zeros(4096, np.int64)
        self._series_slots = _slots(2048)
        self._text_slots = _slots(2048)
        self._patterns = np.zeros((64, layout.PATTERN_COLUMNS), np.int64)
        self._pattern_slots = _slots(128)
        self._orders = np.zeros(256, np.int64)
        self._shapes = np.zeros((64, layout.SHAPE_COLUMNS), np.int64)
        self._shape_slots = _slots(128)
        self._fields = np.zeros((512, layout.FIELD_COLUMNS), np.int64)
        self._pattern_count = self._order_count = self._field_count = 0
        self.families: list[Family] = []
        self._family_numbers: dict[Family, int] = {}
        self.shapes: list[Shape] = []
        self.counts[layout.SERIES] = 1
        self.series[0] = (-1, 0, 0, layout.EXACT_ONLY, 0, -1, -1, 0)
        self._gather()

    def _gather(self) -> None:
        self.arguments: tuple[NDArray[Any], ...] = (
            self.counts, self.arena, self.series, self._series_slots, self.texts, self._text_slots, self.tags,
            self._patterns, self._pattern_slots, self._orders, self._shapes, self._shape_slots, self._fields,
        )  # fmt: skip

    @property
    def full(self) -> bool:
        counts, most = self.counts, self._bounds
        return bool(
            counts[layout.SERIES] > most.series
            or counts[layout.TEXTS] >= most.texts
            or counts[layout.TAG_ROOM] >= most.tags
            or counts[layout.ARENA] >= most.arena
            or self._pattern_count >= most.patterns
            or len(self.shapes) >= most.shapes
            or self._field_count >= most.fields
        )

    def statistics(self) -> Statistics:
        counts = self.counts
        return Statistics(
            series=int(counts[layout.SERIES]) - 1,
            texts=int(counts[layout.TEXTS]),
            patterns=self._pattern_count,
            shapes=len(self.shapes),
            fields=self._field_count,
            bytes=int(counts[layout.ARENA]),
        )

    def grow(self) -> None:
        """Make room for a further series of any size, and for as many again as there are."""
        counts = self.counts
        series, texts = int(counts[layout.SERIES]), int(counts[layout.TEXTS])
        self.series = _grown(self.series, series + 1)
        self.texts = _grown(self.texts, texts + layout.MOST_TAGS)
        self.tags = _grown(self.tags, int(counts[layout.TAG_ROOM]) + layout.MOST_TAGS)
        self.arena = _grown(self.arena, int(counts[layout.ARENA]) + _KEY_ROOM)
        self._series_slots = _slots_for(self._series_slots, self.series, series, series + 1)
        self._text_slots = _slots_for(self._text_slots, self.texts, texts, texts + layout.MOST_TAGS)
        self._gather()

    def learn_pattern(self, key: bytes, h: int) -> None:
        """Learn the pattern of a series with these bytes; `h` is the kernel's hash of the pattern."""
        first, *rest = split(key, b",")
        raw = [split(item, b"=")[0] for item in rest]
        pattern = first + b"".join(b"," + k + b"=" for k in raw)
        try:
            name, tags = parse_key(key)
        except ValueError:
            family = layout.EXACT_ONLY
            order = [0] * len(raw)
        else:
            keys = [k for k, _ in tags]
            family = self._family(Family(text(name), tuple(text(k) for k in keys)))
            unsorted = [parse_key(b"m," + item)[1][0][0] for item in rest]
            order = [keys.index(k) for k in unsorted]
        row = self._pattern_count
        self._pattern_count += 1
        self._patterns = _grown(self._patterns, row + 1)
        self._orders = _grown(self._orders, self._order_count + len(order))
        self._patterns[row] = (h, self._write(pattern), len(pattern), family, len(order), self._order_count)
        self._orders[self._order_count : self._order_count + len(order)] = order
        self._order_count += len(order)
        self._pattern_slots = _slots_for(self._pattern_slots, self._patterns, row, row + 1)
        put_row(self._pattern_slots, h, row)
        self._gather()

    def learn_shape(self, fields: dict[bytes, Any], count: int, h: int) -> None:
        """Learn the shape of these fields; `h` is the kernel's hash of it, `count` the number of fields in the line."""
        row = len(self.shapes)
        self._shapes = _grown(self._shapes, row + 1)
        if len(fields) != count or count > _MOST_FIELDS:  # a repeated key, or beyond reason
            self.shapes.append(Shape((), ()))
            self._shapes[row] = (h, self._field_count, layout.EXACT_ONLY)
        else:
            self._fields = _grown(self._fields, self._field_count + count)
            types = tuple(_TYPES[type(v)] for v in fields.values())
            for k, (key, kind) in enumerate(zip(fields, types, strict=True)):
                raw = (b"," if k else b"") + key + b"="
                self._fields[self._field_count + k] = (self._write(raw), len(raw), kind)
            self.shapes.append(Shape(tuple(text(key) for key in fields), types))
            self._shapes[row] = (h, self._field_count, count)
            self._field_count += count
        self._shape_slots = _slots_for(self._shape_slots, self._shapes, row, row + 1)
        put_row(self._shape_slots, h, row)
        self._gather()

    def _family(self, family: Family) -> int:
        number = self._family_numbers.setdefault(family, len(self.families))
        if number == len(self.families):
            self.families.append(family)
        return number

    def _write(self, raw: bytes) -> int:
        """Append bytes to the arena; where they begin."""
        start = int(self.counts[layout.ARENA])
        self.arena = _grown(self.arena, start + len(raw))
        self.arena[start : start + len(raw)] = np.frombuffer(raw, np.uint8)
        self.counts[layout.ARENA] = start + len(raw)
        return start


def _slots(size: int) -> NDArray[np.int32]:
    return np.full(size, -1, np.int32)


def _slots_for(slots: NDArray[np.int32], table: NDArray[np.int64], count: int, wanted: int) -> NDArray[np.int32]:
    """The slots of a table of `count` rows with room for `wanted`."""
    if 2 * wanted <= len(slots):
        return slots
    size = 2 * len(slots)
    while 2 * wanted > size:
        size *= 2
    slots = _slots(size)
    fill_slots(slots, table, count)
    return slots


class Memory:
    """The tables that the parsers of one process share."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self.tables = Tables(self._bounds)
        self.renewals = 0

    def renewed(self, full: Tables) -> Tables:
        """Tables to go on with in place of full ones."""
        if self.tables is full:
            self.tables = Tables(self._bounds)
            self.renewals += 1
        return self.tables
