"""Frames, sections, columns, groups and events: what travels between processes (DESIGN §1).

A frame holds stream points, or whole batches, of one database and retention policy in arrival order. Its rows lie in
sections, one a (measurement, schema); with more than one section an order vector says which section each row (or each
batch) comes from. Values here never change once built: an operator that changes a column builds a new section around
the columns that it keeps. Arrays may be read-only views over a received message, so state that outlives a frame copies.

Conventions: `n` rows of a section, `b` batches of a section, `g` groups of a section. Times and durations are int64
nanoseconds. A schema is what makes two sections alike: name, tag keys, field names and kinds, dimensions, by-name.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.strings import EMPTY_STRINGS, Strings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

ABSENT_CODE = 0xFFFFFFFF
"""Tag code of a row that lacks the tag; not the same as the empty string."""

ABSENT, PRESENT, NULL = 0, 1, 2
"""Validity of a field in a row: not there, there, explicitly null (join with fill null)."""


WHOLE, BEGIN, MIDDLE, LAST = 0, 1, 2, 3
"""What of its batches a batch section holds."""


class Kind(IntEnum):
    """Type of a field column and the dtype of its data."""

    FLOAT = 1  # float64
    INT = 2  # int64
    BOOL = 3  # bool
    STRING = 4  # Strings
    DURATION = 5  # int64 nanoseconds
    TIME = 6  # int64 nanoseconds since the epoch
    MIXED = 7  # object: float, int, bool, str, Span; a field whose type changes between rows


DTYPES: dict[Kind, Any] = {
    Kind.FLOAT: np.dtype(np.float64),
    Kind.INT: np.dtype(np.int64),
    Kind.BOOL: np.dtype(np.bool_),
    Kind.DURATION: np.dtype(np.int64),
    Kind.TIME: np.dtype(np.int64),
    Kind.MIXED: np.dtype(object),
}


class Span(int):
    """A duration in nanoseconds, where a value must tell itself from an int (mixed columns, rows)."""


@dataclass(frozen=True, slots=True, eq=False)
class TagColumn:
    """Dictionary-coded tag values: `codes` uint32[n] into `values`, or ABSENT_CODE.

    The dictionary may hold unused and repeated values: equal strings do not imply equal codes.
    """

    codes: NDArray[np.uint32]
    values: Strings

    def at(self, row: int) -> str | None:
        code = int(self.codes[row])
        return None if code == ABSENT_CODE else self.values[code]


@dataclass(frozen=True, slots=True, eq=False)
class FieldColumn:
    """Field values of one kind: `data` of the kind's dtype [n] (Strings for STRING), `valid` uint8[n] or None = all there.

    Where a row's validity is not PRESENT its data has no meaning.
    """

    kind: Kind
    data: Any
    valid: NDArray[np.uint8] | None = None

    def at(self, row: int) -> Any:
        """The value as Python (float, int, bool, str, Span; None where absent or null)."""
        if self.valid is not None and self.valid[row] != PRESENT:
            return None
        if self.kind == Kind.FLOAT:
            return float(self.data[row])
        if self.kind in (Kind.INT, Kind.TIME):
            return int(self.data[row])
        if self.kind == Kind.BOOL:
            return bool(self.data[row])
        if self.kind == Kind.DURATION:
            return Span(self.data[row])
        return self.data[row]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """The group table of a section: dimensions, and per group its dimension values and identity hash.

    `values[d]` holds for dimension `dims[d]` one string a group (`g` of them; "" where the tag is missing). `hashes` is
    uint64[g, 2], MurmurHash3 x64 128 of the identity bytes (docs/wire-format.md). Entries may repeat. By-name groups
    of a section share its measurement name. The nil group is a table of one entry without dimensions.
    """

    dims: tuple[str, ...]
    by_name: bool
    values: tuple[Strings, ...]
    hashes: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.hashes)

    def tags(self, g: int) -> dict[str, str]:
        return {d: v[g] for d, v in zip(self.dims, self.values, strict=True)}


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """Whole batches back to back: rows `offsets[k]:offsets[k+1]` (int32[b+1]) are batch k, with time `time[k]` (int64[b]).

    A batch's tags are its group's dimensions and values. `chunk` is WHOLE, or says which piece of one batch too large
    for a frame this is: such a section holds that one piece, alone in its frame (engine.frames.chunks).
    """

    offsets: NDArray[np.int32]
    time: NDArray[np.int64]
    chunk: int = 0

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """Rows of one (measurement, schema).

    `tags` in key order, `fields` in any order. `group` (uint32) has a code into `groups` per row (stream) or per batch
    (batch); None stands for code 0 throughout. `wire`: header and part that this very section was decoded from, so that
    a node that changes nothing sends them on as they are; whatever `with_` makes has none.
    """

    name: str
    time: NDArray[np.int64]
    tags: dict[str, TagColumn]
    fields: dict[str, FieldColumn]
    groups: Groups
    group: NDArray[np.uint32] | None = None
    batches: Batches | None = None
    wire: tuple[Any, Any] | None = field(default=None, repr=False)

    @property
    def rows(self) -> int:
        return len(self.time)

    @property
    def count(self) -> int:
        """Units that edges count: points, or batches."""
        return len(self.time) if self.batches is None else len(self.batches)

    @property
    def schema(self) -> tuple[Any, ...]:
        """Hashable; equal for sections whose rows may lie together."""
        return (
            self.name,
            tuple(self.tags),
            tuple(sorted((k, int(c.kind)) for k, c in self.fields.items())),
            self.groups.dims,
            self.groups.by_name,
            self.batches is not None,
        )

    def group_codes(self) -> NDArray[np.uint32]:
        """uint32[count], also where `group` is None."""
        return np.zeros(self.count, np.uint32) if self.group is None else self.group

    def row_groups(self) -> NDArray[np.uint32]:
        """uint32[n]: the group code of every row, of batches too."""
        codes = self.group_codes()
        return codes if self.batches is None else np.repeat(codes, np.diff(self.batches.offsets))

    def with_(self, **changes: Any) -> Section:
        return replace(self, wire=None, **changes)


class EventKind(IntEnum):
    BARRIER = 1
    DELETE_GROUP = 2
    CHECKPOINT = 3
    END = 4


@dataclass(frozen=True, slots=True)
class GroupInfo:
    """A group by itself, for events: it may have no row in the frame."""

    name: str
    dims: tuple[str, ...]
    by_name: bool
    tags: tuple[str, ...]
    hash: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that stands between rows: before row `at` (or batch `at`) of the whole frame."""

    at: int
    kind: EventKind
    time: int = 0
    group: GroupInfo | None = None


STREAM, BATCH = "stream", "batch"


@dataclass(frozen=True, slots=True)
class Columns:
    """The fields and the tags that somebody can refer to; None stands for all. Dimensions are kept without being listed."""

    fields: frozenset[str] | None = None
    tags: frozenset[str] | None = None

    @classmethod
    def of(cls, fields: Iterable[str] | None, tags: Iterable[str] | None) -> Columns:
        return cls(None if fields is None else frozenset(fields), None if tags is None else frozenset(tags))


ALL_COLUMNS = Columns()


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What one message carries.

    `edge` is "stream" or "batch". `order` (uint16[count]) is None when there is at most one section. `position`: all
    input up to this log position is contained in what was sent so far (0: says nothing). `parent` is the slot of the
    parent that sent it.
    """

    edge: str
    db: str = ""
    rp: str = ""
    sections: tuple[Section, ...] = ()
    order: NDArray[np.uint16] | None = None
    events: tuple[Event, ...] = field(default=())
    position: int = 0
    parent: int = 0

    @property
    def count(self) -> int:
        """Points, or batches."""
        sections = self.sections
        return sections[0].count if len(sections) == 1 else sum([s.count for s in sections])

    @property
    def rows(self) -> int:
        sections = self.sections
        return len(sections[0].time) if len(sections) == 1 else sum([len(s.time) for s in sections])

    def at(self, position: int) -> Frame:
        """The frame with this log position."""
        if position == self.position:
            return self
        return Frame(self.edge, self.db, self.rp, self.sections, self.order, self.events, position, self.parent)

    def with_(self, **changes: Any) -> Frame:
        return replace(self, **changes)


def nil_groups() -> Groups:
    """The table with the nil group alone."""
    return _NIL


_NIL_HASHES = np.zeros((1, 2), np.uint64)
_NIL = Groups((), False, (), _NIL_HASHES)
NO_STRINGS = EMPTY_STRINGS
