"""From the sets that leave a join to points (nodes.md §12.4).

A set is a line of units, one a source or -1. Lines whose present units lie in the same pools, and whose groups have the
same dimensions, make one section; a source that misses from all of them is filled with what the first present one has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.frames.groups import make_groups
from engine.frames.model import ABSENT, DTYPES, NULL, PRESENT, FieldColumn, Kind, Section
from engine.frames.reshape import as_kind, take_groups
from engine.nodes.arrivals import group_tags
from engine.nodes.held import MASK
from engine.nodes.join_sets import MEMBERS, SLOT, WHEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from engine.frames.model import Groups
    from engine.nodes.held import Held
    from engine.slots import GroupSlots

Fields = dict[str, FieldColumn]
NO_FILL, NULL_FILL = "none", "null"
_CODES_BELOW = 1 << 31


@dataclass(frozen=True, slots=True)
class Naming:
    """What the output's names and gaps are made of. `fill`: "none", "null", or the number (int or float)."""

    prefixes: tuple[str, ...]
    fill: str | int | float
    stream_name: str

    @property
    def fills(self) -> bool:
        return self.fill != NO_FILL


def points(
    lines: NDArray[np.int64], held: Held, slots: GroupSlots, naming: Naming
) -> tuple[list[Section], NDArray[np.uint16] | None]:
    """The sections of the points that sets make, and their order. `lines` as `join_sets` writes them."""
    if not naming.fills:
        whole = (lines[:, MEMBERS:] >= 0).all(axis=1)
        if not whole.all():
            lines = lines[whole]
    sections = []
    kinds = list(alike(lines, held, slots))
    for pools, which in kinds:
        mine = lines if which is None else lines[which]
        sections.append(_section(np.array(mine.T, order="C"), pools, held, slots, naming))
    return sections, order_of(kinds, len(lines))


def alike(
    lines: NDArray[np.int64], held: Held, slots: GroupSlots
) -> Iterator[tuple[list[int], NDArray[np.int64] | None]]:
    """Which lines may lie in one section (None: all), with the pool of each source (-1: it misses)."""
    if not len(lines):
        return
    members = lines[:, MEMBERS:]
    pools = held.place.take(members, mode="clip") >> 32
    pools[members < 0] = -1
    layouts = slots.layout_numbers(lines[:, SLOT])
    if (pools == pools[0]).all() and (layouts is None or (layouts == layouts[0]).all()):
        yield pools[0].tolist(), None
        return
    codes = np.zeros(len(lines), np.int64) if layouts is None else layouts.astype(np.int64)
    for column in pools.T:
        if int(codes.max()) * (len(held.pools) + 1) >= _CODES_BELOW:
            codes = np.unique(codes, return_inverse=True)[1].astype(np.int64)
        codes = codes * (len(held.pools) + 1) + column + 1
    for code in np.unique(codes).tolist():
        which = np.flatnonzero(codes == code)
        yield pools[which[0]].tolist(), which


def order_of(kinds: list[tuple[list[int], NDArray[np.int64] | None]], n: int) -> NDArray[np.uint16] | None:
    """The order vector of sections made of these lines."""
    if len(kinds) < 2:
        return None
    order = np.empty(n, np.uint16)
    for i, (_, which) in enumerate(kinds):
        order[which] = i
    return order


def groups_of(
    slots: GroupSlots, chosen: NDArray[np.int64], name: str, naming: Naming
) -> tuple[Groups, NDArray[np.uint32]]:
    """The group table of these slots, of equal dimensions, and their codes in it."""
    _, table, codes = next(iter(slots.tables(chosen)))
    groups, codes = take_groups(table, codes)
    if groups.by_name and naming.stream_name:
        groups = make_groups(groups.dims, True, name, groups.values, len(groups))
    return groups, codes


def name_of(pools: list[int], held: Held, naming: Naming) -> str:
    """That of the first source present, unless the join gives one."""
    return naming.stream_name or held.names[next(p for p in pools if p >= 0)]


def _section(columns: NDArray[np.int64], pools: list[int], held: Held, slots: GroupSlots, naming: Naming) -> Section:
    """One section of the lines (as columns) whose units lie in these pools."""
    n = columns.shape[1]
    name = name_of(pools, held, naming)
    groups, group = groups_of(slots, columns[SLOT], name, naming)
    own: list[Fields | None] = []
    for src, pool in enumerate(pools):
        units = columns[MEMBERS + src]
        own.append(None if pool < 0 else held.pools[pool].fields(held.place.take(units) & MASK))
    first = next(fields for fields in own if fields is not None)
    fields: Fields = {}
    for prefix, mine in zip(naming.prefixes, own, strict=True):
        if mine is not None:
            put_all(fields, prefix, mine)
        else:
            put_all(fields, prefix, {k: filled(c.valid, n, naming.fill) for k, c in first.items()})
    return Section(name, columns[WHEN], group_tags(groups, group), fields, groups, group)


def filled(valid: NDArray[np.uint8] | None, n: int, fill: str | float) -> FieldColumn:
    """What stands for a field of a source that misses, where another source has the field."""
    kind = Kind.INT if isinstance(fill, int) else Kind.FLOAT
    mark = NULL if fill == NULL_FILL else PRESENT
    if valid is not None:
        valid = np.where(valid == ABSENT, np.uint8(ABSENT), np.uint8(mark))
    elif mark == NULL:
        valid = np.full(n, NULL, np.uint8)
    data = np.full(n, 0 if mark == NULL else fill, DTYPES[kind])
    return FieldColumn(kind, data, valid)


def put_all(fields: Fields, prefix: str, more: Fields) -> None:
    """Add a source's fields under their new names; where two become the same, the later source's value stands."""
    for key, column in more.items():
        name = prefix + key
        there = fields.get(name)
        fields[name] = column if there is None else over(there, column)


def over(below: FieldColumn, above: FieldColumn) -> FieldColumn:
    """`above`, and `below` where that is absent."""
    above_valid = above.valid
    if above_valid is None:
        return above
    missing = above_valid == ABSENT
    if below.kind != above.kind or below.kind in {Kind.STRING, Kind.MIXED}:
        below, above = as_kind(below, Kind.MIXED), as_kind(above, Kind.MIXED)
    valid = np.where(missing, np.uint8(PRESENT) if below.valid is None else below.valid, above_valid)
    return FieldColumn(above.kind, np.where(missing, below.data, above.data), valid)
