"""The lambdas of an alert as a matrix of truth, or, where one remembers, point by point as the search for a level goes.

A lambda without memory is evaluated once a row, whether the search reaches it or not: only what the search passes is
counted as failed. One with a state is evaluated each time that the search passes it, twice for one point where the
search comes back to it, and has one state for all groups: so the reference does (alerts.md §5.1, §5.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from engine.frames.reshape import slice_columns
from engine.lambdas.columns import compile_columns
from engine.nodes.alert_levels import FAILED, ROWS, SKIP, TRUE, UNSET, batch_levels, point_levels
from engine.nodes.condition import environment
from engine.nodes.failing import report_failures
from engine.nodes.grouped import merged
from engine.operator import TaskError
from tickscript.lambdas.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.frames.model import Section
    from engine.lambdas.columns import ColumnExpression
    from engine.lambdas.states import States
    from engine.nodes.arrivals import Arrivals
    from engine.operator import Context, Report
    from tickscript import ast

_MESSAGE: Final = "error evaluating expression for level"
_NAMES: Final = ("", "info", "warn", "crit", "infoReset", "warnReset", "critReset")
_WORDS: Final = ("", "INFO", "WARNING", "CRITICAL", "INFO", "WARNING", "CRITICAL")


class Conditions:
    """`lambdas`: the conditions of INFO, WARNING, CRITICAL and then their resets. Raises TaskError for one that does not compile."""

    def __init__(self, lambdas: Sequence[ast.Lambda | None], context: Context | None, report: Report) -> None:
        given = {i: e for i, e in enumerate(lambdas, 1) if e is not None}
        # A reset without its level has no meaning.
        given = {i: e for i, e in given.items() if i <= 3 or i - 3 in given}
        self._columns: dict[int, ColumnExpression] = {}
        for i in sorted(given, key=lambda i: (i - 1) % 3):
            # Each level before its reset, as the reference comes to them.
            try:
                self._columns[i] = compile_columns(given[i], environment(context))
            except CompileError as error:
                raise TaskError(f"Failed to compile stateful expression for {_NAMES[i]}: {error}") from error
        self._states = {i: c.new_states() for i, c in self._columns.items() if c.stateful}
        self._report = report
        names = (name for i in self._states for name in self._columns[i].references)
        self._remembered = frozenset(names)

    def levels(
        self, arrivals: Arrivals, slots: NDArray[np.int32], current: NDArray[np.uint8], *, every: bool
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The level of every unit, in order of arrival, and the row that decided it; `current` is brought up to date.

        `every`: the lowest level of a batch counts.
        """
        rows = arrivals.by_row()
        truth, errors = self._truth(rows)
        levels = np.empty(arrivals.n, np.uint8)
        deciding = np.zeros(arrivals.n, np.int64)
        failures = np.zeros(ROWS, np.int64)
        ends = None
        if rows is not arrivals:
            ends = np.zeros(arrivals.n + 1, np.int64)
            np.cumsum(arrivals.sizes, out=ends[1:])
        if self._states:
            _Search(self, rows, truth, failures, errors).run(slots, ends, current, levels, deciding, every=every)
        elif ends is None:
            point_levels(slots, truth, current, levels, failures)
        else:
            batch_levels(slots, ends, truth, every, current, levels, deciding, failures)
        for i in np.flatnonzero(failures).tolist():
            report_failures(self._report, f"{_MESSAGE} {_WORDS[i]}", errors.get(i, ()), int(failures[i]))
        return levels, deciding

    def _truth(self, rows: Arrivals) -> tuple[NDArray[np.uint8], dict[int, list[tuple[int, str]]]]:
        """The matrix for lambdas without memory, and the texts of the first failures of each."""
        truth = np.full((ROWS, rows.n), UNSET, np.uint8)
        errors: dict[int, list[tuple[int, str]]] = {}
        for i, columns in self._columns.items():
            if columns.stateful:
                continue
            parts = []
            for section in rows.sections:
                found = columns.predicate(section)
                part = found.mask.astype(np.uint8)
                if found.ok is not None:
                    part[~found.ok] = FAILED
                    errors.setdefault(i, found.errors)
                parts.append(part)
            if parts:
                truth[i] = rows.gather(parts)
        return truth, errors

    def snapshot(self) -> Any:
        return {str(i): s.snapshot() for i, s in self._states.items()}

    def restore(self, state: Any) -> None:
        for i, states in self._states.items():
            states.restore(state[str(i)])

    def remembering(self, rows: Arrivals) -> Section:
        """The rows of a frame as one section, with what the lambdas with memory refer to."""
        return rows.single if rows.single is not None else merged(rows, self._remembered)

    def asked(self, i: int) -> tuple[ColumnExpression, States] | None:
        """A lambda with memory and its state."""
        return (self._columns[i], self._states[i]) if i in self._states else None


class _Search:
    """The search for levels where lambdas remember: row by row, asking as the reference asks."""

    def __init__(
        self, conditions: Conditions, rows: Arrivals, truth: NDArray[np.uint8], failures: NDArray[np.int64],
        errors: dict[int, list[tuple[int, str]]],
    ) -> None:  # fmt: skip
        self._asked = [conditions.asked(i) for i in range(ROWS)]
        self._section = conditions.remembering(rows)
        self._truth = truth
        self._failures = failures
        self._errors = errors

    def run(
        self, slots: NDArray[np.int32], ends: NDArray[np.int64] | None, current: NDArray[np.uint8],
        levels: NDArray[np.uint8], deciding: NDArray[np.int64], *, every: bool,
    ) -> None:  # fmt: skip
        for unit, slot in enumerate(slots.tolist()):
            before = int(current[slot])
            first, stop = (unit, unit + 1) if ends is None else (int(ends[unit]), int(ends[unit + 1]))
            found = [self._level(before, row) for row in range(first, stop)]
            if not found:
                levels[unit] = SKIP
                continue
            deciding[unit] = first + found.index(max(found))
            levels[unit] = current[slot] = min(found) if every else max(found)

    def _level(self, current: int, row: int) -> int:
        for level in range(3, max(current, 1) - 1, -1):
            if self._holds(level, row) == TRUE:
                return level
        if current:
            if self._holds(current + 3, row) == 0:
                return current
            for level in range(current, 0, -1):
                if self._holds(level, row) == TRUE:
                    return level
        return 0

    def _holds(self, i: int, row: int) -> int:
        asked = self._asked[i]
        truth = int(self._truth[i, row]) if asked is None else self._ask(i, row, *asked)
        if truth == FAILED:
            self._failures[i] += 1
        return truth

    def _ask(self, i: int, row: int, columns: ColumnExpression, states: States) -> int:
        found = columns.predicate(one_row(self._section, row), None, states)
        if found.ok is not None:
            self._errors.setdefault(i, found.errors)
            return FAILED
        return int(found.mask[0])


def one_row(section: Section, row: int) -> Section:
    """A row as a section of its own, the columns as views."""
    tags, fields = slice_columns(section, slice(row, row + 1))
    return section.with_(time=section.time[row : row + 1], tags=tags, fields=fields, group=None, batches=None)
