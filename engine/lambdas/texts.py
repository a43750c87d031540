"""Columns of strings while an expression is evaluated: a dictionary of values and a code for each row.

A flat column is one whose rows are the dictionary. So whatever depends on one column alone is computed once for each
distinct value and spread over the rows by code; and what was computed for a dictionary is kept until another comes,
because consecutive frames carry the same tags.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from engine.frames.strings import EMPTY_STRINGS, Strings, concat_strings
from engine.lambdas import kernels

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_SPARSE: Final = 4
"""A dictionary of more than this many values a row is first cut to the values in use."""

_FEW: Final = 32
"""Below so many rows looking for repetitions costs more than it saves."""


class Texts:
    """`n` strings. `codes` uint32[n] into `values`, or None: row i is value i."""

    __slots__ = ("codes", "values")

    def __init__(self, values: Strings, codes: NDArray[np.uint32] | None = None) -> None:
        self.values = values
        self.codes = codes

    def __len__(self) -> int:
        return len(self.values) if self.codes is None else len(self.codes)

    def coded(self) -> NDArray[np.uint32]:
        """uint32[n], for flat columns too."""
        return np.arange(len(self.values), dtype=np.uint32) if self.codes is None else self.codes

    def flat(self) -> Strings:
        """The strings row by row."""
        return self.values if self.codes is None else self.values.take(self.codes.astype(np.int64))

    def take(self, rows: NDArray[np.int64]) -> Texts:
        """The strings of these rows."""
        return Texts(self.values, rows.astype(np.uint32) if self.codes is None else self.codes[rows])

    def compact(self) -> Texts:
        """The same strings over a dictionary that is not much larger than the rows."""
        if self.codes is None or len(self.values) <= _SPARSE * len(self.codes) + _SPARSE:
            return self
        used, codes = np.unique(self.codes, return_inverse=True)
        return Texts(self.values.take(used.astype(np.int64)), codes.astype(np.uint32))

    def distinct(self, rows: NDArray[np.int64] | None) -> Texts:
        """The strings of these rows (None: all) over a dictionary of what occurs, as far as that pays."""
        if self.codes is not None:
            return (self if rows is None else self.take(rows)).compact()
        values = self.values if rows is None else self.values.take(rows)
        if len(values) < _FEW:
            return Texts(values)
        codes, first = kernels.intern(values.offsets, values.data)
        return Texts(values.take(first), codes)

    def spread(self, table: NDArray[Any]) -> NDArray[Any]:
        """A value a row from one a dictionary entry."""
        if self.codes is None:
            return table
        if table.dtype == np.bool_:
            spread: NDArray[Any] = kernels.spread_bools(table, np.ascontiguousarray(self.codes))
            return spread
        return table[self.codes]

    def raw(self) -> list[bytes]:
        """The strings row by row, as bytes."""
        values = raw_values(self.values)
        return values if self.codes is None else [values[c] for c in self.codes.tolist()]


def raw_values(values: Strings) -> list[bytes]:
    """All strings of a vector, as bytes."""
    data = values.data.tobytes()
    ends = values.offsets.tolist()
    return [data[a:b] for a, b in pairwise(ends)]


def constant(text: bytes, n: int) -> Texts:
    """The same string in every row."""
    return Texts(Strings.of((text,)), np.zeros(n, np.uint32))


def empty(n: int) -> Texts:
    """Rows whose strings have no meaning."""
    return constant(b"", n) if n else Texts(EMPTY_STRINGS)


def choose(condition: NDArray[np.bool_], yes: Texts, no: Texts) -> Texts:
    """The left string where the condition holds, else the right one; the dictionaries are laid side by side."""
    base = np.uint32(len(yes.values))
    codes = np.where(condition, yes.coded(), no.coded() + base)
    return Texts(concat_strings([yes.values, no.values]), codes)


def buffer(text: bytes) -> NDArray[np.uint8]:
    """A constant in the form that kernels take."""
    return np.frombuffer(text, np.uint8)


class PerValue:
    """A function of one string column, evaluated once for each distinct value.

    `table(values)` is a list with the result for each value of a dictionary. Results are remembered by value, up to
    `BOUND` values of `SIZE` bytes (when full, all are forgotten), and the last dictionary's as a whole.
    """

    BOUND: Final = 65_536
    SIZE: Final = 256

    __slots__ = ("_call", "_last", "_last_key", "_memo")

    def __init__(self, call: Callable[[bytes], Any]) -> None:
        self._call = call
        self._memo: dict[bytes, Any] = {}
        self._last_key: tuple[bytes, bytes] | None = None
        self._last: Any = None

    def table(self, values: Strings, finish: Callable[[list[Any]], Any]) -> Any:
        """`finish` of the results for a dictionary, in its order; what it returns is kept with the dictionary."""
        key = (values.offsets.tobytes(), values.data.tobytes())
        if key != self._last_key:
            self._last = finish(self.results(raw_values(values)))
            self._last_key = key
        return self._last

    def results(self, raw: list[bytes]) -> list[Any]:
        """The result for each string."""
        memo = self._memo
        if len(memo) + len(raw) > self.BOUND:
            memo.clear()
        results = []
        for value in raw:
            if value in memo:
                results.append(memo[value])
            else:
                result = self._call(value)
                results.append(result)
                if len(value) <= self.SIZE:
                    memo[value] = result
        return results
