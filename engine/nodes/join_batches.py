"""From the sets that leave a join to batches (nodes.md §12.4).

The rows of a set's batches meet by rounded time: round by round, the smallest time among the next unread rows is taken, and
every batch whose next row has it gives that row. A gap is filled with the field names of the set's first row (of its first
batch that has any), for all rows of the set; without a fill the row is left out, so that a batch may become empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from engine.frames.jit import BOOL, I32_OUT, I64, I64_OUT, INT, array, kernel
from engine.frames.model import ABSENT, DTYPES, NULL, PRESENT, Batches, FieldColumn, Kind, Section
from engine.frames.reshape import as_kind
from engine.frames.strings import Strings, concat_strings
from engine.nodes.arrivals import group_tags
from engine.nodes.held import MASK, ranges
from engine.nodes.join_output import NULL_FILL, Fields, alike, groups_of, name_of, order_of, put_all
from engine.nodes.join_sets import MEMBERS, SLOT, WHEN
from engine.nodes.times import round_half_up

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.nodes.held import Held
    from engine.nodes.join_output import Naming
    from engine.slots import GroupSlots

_LINES = array(types.int64, writable=True, ndim=2)


@kernel(INT, I64, I64, INT, INT, BOOL, _LINES, I64_OUT, I64_OUT, I32_OUT)
def _merge(
    bounds: Any, times: Any, sets: Any, sources: Any, fills: Any, picked: Any, looked: Any, when: Any, offsets: Any
) -> Any:
    """Rows of source s in set k are `bounds[k * sources + s]` up to the next bound. How many rows there are.

    `picked[s, r]` is the row of source s in output row r, or -1; `looked[k]` the first row of set k, or -1; set k has the
    output rows `offsets[k]` up to the next.
    """
    at = np.zeros(sources, np.int64)
    row = 0
    offsets[0] = 0
    for k in range(sets):
        base = k * sources
        looked[k] = -1
        for s in range(sources):
            at[s] = bounds[base + s]
            if looked[k] < 0 and at[s] < bounds[base + s + 1]:
                looked[k] = at[s]
        while True:
            found = False
            least = np.int64(0)
            for s in range(sources):
                if at[s] < bounds[base + s + 1] and (not found or times[at[s]] < least):
                    least = times[at[s]]
                    found = True
            if not found:
                break
            whole = True
            for s in range(sources):
                if at[s] < bounds[base + s + 1] and times[at[s]] == least:
                    picked[s, row] = at[s]
                    at[s] += 1
                else:
                    picked[s, row] = -1
                    whole = False
            if whole or fills:
                when[row] = least
                row += 1
        offsets[k + 1] = row
    return row


def batches(
    lines: NDArray[np.int64], held: Held, slots: GroupSlots, naming: Naming, tolerance: int
) -> tuple[list[Section], NDArray[np.uint16] | None]:
    """The sections of the batches that sets make, and their order. `lines` as `join_sets` writes them."""
    kinds = list(alike(lines, held, slots))
    sections = []
    for pools, which in kinds:
        mine = lines if which is None else lines[which]
        sections.append(_section(mine, pools, held, slots, naming, tolerance))
    return sections, order_of(kinds, len(lines))


def _section(
    lines: NDArray[np.int64], pools: list[int], held: Held, slots: GroupSlots, naming: Naming, tolerance: int
) -> Section:
    """One section of the sets whose batches lie in these pools."""
    n, sources = len(lines), len(pools)
    units = lines[:, MEMBERS:]
    sizes = np.where(units >= 0, held.size.take(units, mode="clip"), 0).astype(np.int64)
    bounds = np.zeros(n * sources + 1, np.int64)
    np.cumsum(sizes.ravel(), out=bounds[1:])
    starts = held.place.take(units, mode="clip") & MASK
    rows = ranges(starts.ravel(), sizes.ravel())
    owner = np.repeat(np.tile(np.arange(sources), n), sizes.ravel())
    times = np.empty(len(rows), np.int64)
    for s, pool in enumerate(pools):
        if pool >= 0:
            mine = np.flatnonzero(owner == s)
            times[mine] = held.pools[pool].time.take(rows[mine])
    times = round_half_up(times, tolerance)
    picked = np.empty((sources, len(rows)), np.int64)
    looked, when, offsets = np.empty(n, np.int64), np.empty(len(rows), np.int64), np.empty(n + 1, np.int32)
    count = _merge(bounds, times, n, sources, naming.fills, picked, looked, when, offsets)
    picked = picked[:, :count]
    name = name_of(pools, held, naming)
    groups, group = groups_of(slots, lines[:, SLOT].copy(), name, naming)
    gaps = _Gaps(pools, held, rows, owner, looked, np.repeat(np.arange(n), np.diff(offsets)), naming.fill)
    fields: Fields = {}
    for s, prefix in enumerate(naming.prefixes):
        there = picked[s] >= 0
        given = {} if pools[s] < 0 else held.pools[pools[s]].fields(rows.take(picked[s][there]))
        own = {k: spread(c, there) for k, c in given.items()}
        if naming.fills and not there.all():
            gaps.fill(own, ~there)
        put_all(fields, prefix, own)
    tags = group_tags(groups, np.repeat(group, np.diff(offsets)))
    made = Batches(offsets, lines[:, WHEN].copy())
    return Section(name, when[:count], tags, fields, groups, group, made)


class _Gaps:
    """Fills what misses from rows; `batch` is the set of each output row."""

    def __init__(
        self, pools: list[int], held: Held, rows: NDArray[np.int64], owner: NDArray[np.int64],
        looked: NDArray[np.int64], batch: NDArray[np.int64], fill: str | float,
    ) -> None:  # fmt: skip
        self._batch = batch
        self._fill = fill
        # Per field name: the sets whose first row has it.
        self._names: dict[str, NDArray[np.bool_]] = {}
        if fill == "none":
            return
        source = np.where(looked >= 0, owner.take(np.maximum(looked, 0), mode="clip"), -1) if len(owner) else looked
        for s, pool in enumerate(pools):
            mine = np.flatnonzero(source == s)
            if not len(mine):
                continue
            for key, column in held.pools[pool].fields(rows.take(looked[mine])).items():
                has = self._names.setdefault(key, np.zeros(len(looked), np.bool_))
                has[mine] = True if column.valid is None else column.valid != ABSENT

    def fill(self, own: Fields, missing: NDArray[np.bool_]) -> None:
        """Put the fill into the rows where the source misses."""
        for key, has in self._names.items():
            where = missing & has[self._batch]
            if where.any():
                own[key] = _put(own.get(key), where, self._fill)


def _put(column: FieldColumn | None, where: NDArray[np.bool_], fill: str | float) -> FieldColumn:
    """The column with the fill in these rows."""
    null = fill == NULL_FILL
    kind = Kind.INT if isinstance(fill, int) else Kind.FLOAT
    if column is None:
        column = FieldColumn(kind, np.zeros(len(where), DTYPES[kind]), np.zeros(len(where), np.uint8))
    elif not null and column.kind != kind:
        column = as_kind(column, Kind.MIXED)
    valid = np.ones(len(where), np.uint8) if column.valid is None else column.valid.copy()
    valid[where] = NULL if null else PRESENT
    data = column.data
    if not null:
        data = data.copy()
        data[where] = fill
    return FieldColumn(column.kind, data, valid)


def spread(column: FieldColumn, there: NDArray[np.bool_]) -> FieldColumn:
    """The values in the rows where `there` is true, one after the other; the other rows lack the field."""
    if there.all():
        return column
    valid = np.zeros(len(there), np.uint8)
    valid[there] = PRESENT if column.valid is None else column.valid
    if column.kind == Kind.STRING:
        index = np.full(len(there), len(column.data), np.int64)
        index[there] = np.arange(len(column.data))
        return FieldColumn(column.kind, concat_strings([column.data, Strings.of([""])]).take(index), valid)
    data = np.full(len(there), None, object) if column.kind == Kind.MIXED else np.zeros(len(there), DTYPES[column.kind])
    data[there] = column.data
    return FieldColumn(column.kind, data, valid)
