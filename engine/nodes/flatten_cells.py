"""The cells of flattened points: which value of which row stands under which new name (nodes.md §15).

A *cell* is a field of a row. Its new name is made of the row's tag values, so names are data: they are made once for each
distinct combination of values, and what follows works on numbers. Always: of the cells of a moment with equal names the
one of the last row is left (in a row, that of the last field); rows that lack a tag have no cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.frames.model import ABSENT, ABSENT_CODE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.nodes.moments import Moments


@dataclass(frozen=True, slots=True)
class Naming:
    """`on`: the tags; `bare`: the field's own name is left out."""

    on: tuple[str, ...]
    delimiter: str
    bare: bool

    def name(self, values: Sequence[str], field: str) -> str:
        prefix = self.delimiter.join(values)
        if self.bare:
            return prefix
        return f"{prefix}{self.delimiter}{field}" if prefix else field


@dataclass(frozen=True, slots=True)
class Cells:
    """Sorted by moment, then by name: `moment`, `name` (a number in `names`), `field` (a number in `fields`), `row`.

    `starts` are the cells with which moments begin, `of` these moments. `missing` are the rows that lack a tag.
    """

    names: list[str]
    fields: list[str]
    moment: NDArray[np.int64]
    name: NDArray[np.int64]
    field: NDArray[np.int64]
    row: NDArray[np.int64]
    missing: NDArray[np.int64]

    @property
    def starts(self) -> NDArray[np.int64]:
        new = np.ones(len(self.moment), np.bool_)
        new[1:] = self.moment[1:] != self.moment[:-1]
        return np.flatnonzero(new)


def cells_of(moments: Moments, naming: Naming) -> Cells:
    """The cells of the rows that lie in moments."""
    section = moments.section
    first, stop = int(moments.offsets[0]), int(moments.offsets[-1])
    rows = np.arange(first, stop)
    moment = np.repeat(np.arange(len(moments)), np.diff(moments.offsets))
    complete, prefix, combinations = _prefixes(moments, naming, rows)
    missing = rows[~complete]
    rows, moment, prefix = rows[complete], moment[complete], prefix[complete]
    fields = sorted(section.fields)
    numbers: dict[str, int] = {}
    table = np.array(
        [[numbers.setdefault(naming.name(values, f), len(numbers)) for f in fields] for values in combinations],
        np.int64,
    ).reshape(len(combinations), len(fields))
    parts = []
    for i, key in enumerate(fields):
        valid = section.fields[key].valid
        there = np.arange(len(rows)) if valid is None else np.flatnonzero(valid[rows] != ABSENT)
        at = rows[there]
        parts.append((moment[there], table[prefix[there], i], np.full(len(there), i, np.int64), at))
    if not parts:
        nothing = np.zeros(0, np.int64)
        return Cells(list(numbers), fields, nothing, nothing, nothing, nothing, missing)
    m, n, f, r = (np.concatenate([part[i] for part in parts]) for i in range(4))
    order = np.lexsort((f, r, n, m))
    m, n, f, r = m[order], n[order], f[order], r[order]
    last = np.ones(len(m), np.bool_)
    last[:-1] = (m[1:] != m[:-1]) | (n[1:] != n[:-1])
    return Cells(list(numbers), fields, m[last], n[last], f[last], r[last], missing)


def _prefixes(
    moments: Moments, naming: Naming, rows: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64], list[tuple[str, ...]]]:
    """Which rows have all tags, the number of each row's combination of tag values, and the combinations."""
    tags = moments.section.tags
    complete = np.ones(len(rows), np.bool_)
    number = np.zeros(len(rows), np.int64)
    for key in naming.on:
        column = tags.get(key)
        if column is None:
            return np.zeros(len(rows), np.bool_), number, []
        codes = column.codes[rows]
        complete &= codes != ABSENT_CODE
        number = number * (len(column.values) + 1) + np.minimum(codes, np.uint32(len(column.values)))
        number = np.unique(number, return_inverse=True)[1].astype(np.int64)
    used, first, number = np.unique(number[complete], return_index=True, return_inverse=True)
    examples = rows[complete][first]
    values = [tags[key].values.take(tags[key].codes[examples].astype(np.int64)).to_list() for key in naming.on]
    combinations: list[tuple[str, ...]] = [tuple(column[i] for column in values) for i in range(len(used))]
    out = np.zeros(len(rows), np.int64)
    out[complete] = number
    return complete, out, combinations
