"""Which rows of a batch an InfluxQL function can use, and what is said of the others (nodes.md §16.5).

The first row of a run with the field in a supported type fixes the run's type. Rows before it without the field, or of
an unsupported type, and rows after it of any other type are left out and counted. A run is a batch, or on streams the
points of one time, which come here as a batch too. A null counts as the wrong type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.model import NULL, PRESENT, FieldColumn, Kind, Span
from engine.frames.reshape import take_field
from engine.frames.strings import Strings

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from engine.frames.model import Section
    from engine.operator import Report

WORDS = {
    Kind.FLOAT: "float64", Kind.INT: "int64", Kind.BOOL: "bool", Kind.STRING: "string", Kind.DURATION: "time.Duration",
    Kind.TIME: "time.Time",
}  # fmt: skip
MISSING, NIL = 0, 100
REALIZE = "failed to realize reduce context from fields"


@dataclass(frozen=True, slots=True)
class Usable:
    """The usable rows of those runs whose type is `kind`.

    `runs` are the runs (int64[k], ascending; None: all); `rows` their rows in the section (None: all rows), run by run:
    `offsets[i]:offsets[i+1]` (int32[k+1]) are those of `runs[i]`. `data` are the values of these rows: an array of the
    kind's dtype, or Strings.
    """

    kind: Kind
    runs: NDArray[np.int64] | None
    rows: NDArray[np.int64] | None
    offsets: NDArray[np.int32]
    data: Any

    def section_rows(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Numbers among the usable rows as rows of the section."""
        return chosen if self.rows is None else self.rows.take(chosen)

    def of_runs(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Numbers among the runs as runs of the section."""
        return chosen if self.runs is None else self.runs.take(chosen)


@dataclass(frozen=True, slots=True)
class Rule:
    """The function's name, its field, the kinds it takes, and the message for rows that come after the type is known."""

    function: str
    field: str
    kinds: Collection[Kind]
    aggregate: str

    def usable(self, section: Section, offsets: NDArray[np.int32], report: Report, *, log: bool) -> list[Usable]:
        """The usable rows by type; rows left out are counted and told."""
        column = section.fields.get(self.field)
        if column is not None and column.valid is None and column.kind in self.kinds:
            return [Usable(column.kind, None, None, offsets, column.data)]
        kinds = row_kinds(column, section.rows)
        good = np.isin(kinds, [int(k) for k in self.kinds])
        seen = np.zeros(len(kinds) + 1, np.int64)
        np.cumsum(good, out=seen[1:])
        sizes = np.diff(offsets)
        known = seen[:-1] > np.repeat(seen[offsets[:-1]], sizes)
        firsts = _first_good(good, seen, offsets)
        run_kind = np.where(firsts >= 0, kinds[np.maximum(firsts, 0)] if len(kinds) else 0, 0)
        fits = good & (kinds == np.repeat(run_kind, sizes))
        expected = np.where(known, np.repeat(run_kind, sizes), 0)
        self.tell(kinds, expected, ~fits, report, log=log)
        out = []
        for kind in sorted({int(k) for k in run_kind[firsts >= 0].tolist()}):
            runs = np.flatnonzero((run_kind == kind) & (firsts >= 0))
            rows = np.flatnonzero(fits & (kinds == kind))
            picked = np.zeros(len(kinds) + 1, np.int64)
            np.cumsum(fits & (kinds == kind), out=picked[1:])
            counts = picked[offsets[1:]] - picked[offsets[:-1]]
            own = np.zeros(len(runs) + 1, np.int32)
            np.cumsum(counts[runs], out=own[1:])
            every = None if len(runs) == len(sizes) else runs
            out.append(Usable(Kind(kind), every, rows, own, values_of(column, Kind(kind), rows)))
        return out

    def tell(
        self, kinds: NDArray[np.uint8], expected: NDArray[Any], bad: NDArray[np.bool_], report: Report, *, log: bool
    ) -> None:
        """Count and tell the rows left out (`bad`); `expected` is the run's type at each row, 0 before it is known."""
        if not bad.any():
            return
        codes = kinds.astype(np.int64) * 256 + expected
        for code, times in zip(*np.unique(codes[bad], return_counts=True), strict=True):
            message, text = self._words(int(code) // 256, int(code) % 256)
            more: dict[str, Any] = {"points": int(times)} if times > 1 else {}
            report.error(message, text, times=int(times), log=log, **more)

    def _words(self, kind: int, expected: int) -> tuple[str, str]:
        x = self.field
        got = "nil" if kind == NIL else WORDS[Kind(kind)] if kind else ""
        if not expected:
            if kind == MISSING:
                return REALIZE, f'field "{x}" missing from point'
            return (
                REALIZE,
                f"invalid influxql func {self.function} with field {x}: cannot apply {self.function} to {got} field",
            )
        if kind == MISSING:
            return self.aggregate, f"field {x} missing from point cannot aggregate"
        return self.aggregate, f"field {x} has wrong type: got {got} exp {WORDS[Kind(expected)]}"


def _first_good(good: NDArray[np.bool_], seen: NDArray[np.int64], offsets: NDArray[np.int32]) -> NDArray[np.int64]:
    """The first good row of each run, or -1."""
    rows = np.flatnonzero(good)
    before, until = seen[offsets[:-1]], seen[offsets[1:]]
    found = np.full(len(before), -1, np.int64)
    some = until > before
    found[some] = rows[before[some]]
    return found


def kind_of_value(value: Any) -> int:
    """The kind of a value of a mixed column."""
    if isinstance(value, bool):
        return Kind.BOOL
    if isinstance(value, Span):
        return Kind.DURATION
    if isinstance(value, int):
        return Kind.INT
    return Kind.FLOAT if isinstance(value, float) else Kind.STRING


def row_kinds(column: FieldColumn | None, n: int) -> NDArray[np.uint8]:
    """The kind of each row's value; MISSING where it is absent, NIL where it is null."""
    if column is None:
        return np.zeros(n, np.uint8)
    if column.kind == Kind.MIXED:
        kinds = np.array([0 if v is None else kind_of_value(v) for v in column.data.tolist()], np.uint8)
    else:
        kinds = np.full(n, int(column.kind), np.uint8)
    if column.valid is not None:
        kinds[column.valid != PRESENT] = MISSING
        kinds[column.valid == NULL] = NIL
    return kinds


def values_of(column: FieldColumn | None, kind: Kind, rows: NDArray[np.int64]) -> Any:
    """The values at `rows`, all of this kind: an array, or Strings."""
    assert column is not None
    if column.kind == Kind.MIXED:
        picked = column.data.take(rows).tolist()
        if kind == Kind.STRING:
            return Strings.of(picked)
        return np.array(picked, {Kind.FLOAT: np.float64, Kind.BOOL: np.bool_}.get(kind, np.int64))
    return take_field(FieldColumn(column.kind, column.data), rows).data
