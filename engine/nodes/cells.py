"""The values of one field in order of arrival, as kernels read them: a kind a row, and its number.

Kinds are those of `usable.row_kinds`: MISSING where the field is absent, NIL where it is null. Floats stand in `floats`,
ints, booleans, durations and times in `ints`; an array that no row needs has length 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.model import FieldColumn, Kind
from engine.nodes.usable import row_kinds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.nodes.arrivals import Arrivals

_NO_FLOATS, _NO_INTS = np.zeros(1), np.zeros(1, np.int64)


@dataclass(frozen=True, slots=True)
class Cells:
    """`kinds` uint8[n]; see the module's text for the others."""

    kinds: NDArray[np.uint8]
    floats: NDArray[np.float64]
    ints: NDArray[np.int64]


def cells_of(column: FieldColumn | None, n: int) -> Cells:
    """The cells of one section's column, or of none."""
    kinds = row_kinds(column, n)
    floats, ints = _NO_FLOATS, _NO_INTS
    if column is None or column.kind == Kind.STRING:
        return Cells(kinds, floats, ints)
    if column.kind == Kind.FLOAT:
        floats = column.data
    elif column.kind == Kind.MIXED:
        floats, ints = _split(column.data.tolist())
    elif column.kind == Kind.BOOL:
        ints = column.data.astype(np.int64)
    else:
        ints = column.data
    return Cells(kinds, floats, ints)


def _split(values: list[Any]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    floats = np.array([v if isinstance(v, float) else 0.0 for v in values])
    return floats, np.array([int(v) if isinstance(v, int) else 0 for v in values], np.int64)


def cells(arrivals: Arrivals, name: str) -> Cells:
    """The cells of a field of a stream frame (or of `Arrivals.by_row`), in order of arrival."""
    parts = [cells_of(s.fields.get(name), s.rows) for s in arrivals.sections]
    if len(parts) == 1:
        return parts[0]
    floats, ints = np.zeros(arrivals.n), np.zeros(arrivals.n, np.int64)
    for place, part in zip(arrivals.places, parts, strict=True):
        if part.floats is not _NO_FLOATS:
            floats[place] = part.floats
        if part.ints is not _NO_INTS:
            ints[place] = part.ints
    return Cells(arrivals.gather([part.kinds for part in parts]), floats, ints)
