"""A lambda that decides about points, for the rows of a frame in the order in which they came (nodes.md §4).

A stateless lambda looks at each section by itself. A stateful one must see the rows of all sections in order, so they
are laid together first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

from engine.lambdas.columns import compile_columns
from engine.nodes.failing import report_failures
from engine.nodes.grouped import merged
from tickscript.lambdas.environment import Environment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.nodes.arrivals import Arrivals
    from engine.operator import Context, Report
    from tickscript import ast


def environment(context: Context | None) -> Environment:
    """What lambdas may know of the world."""
    if context is None:
        return Environment()
    return Environment(zone=ZoneInfo(context.zone), now=context.now)


class Condition:
    """A predicate with a state a group slot. Raises CompileError when the lambda does not compile."""

    def __init__(
        self, expression: ast.Lambda, context: Context | None, report: Report, message: str, quiet: bool
    ) -> None:
        self._columns = compile_columns(expression, environment(context))
        self._states = self._columns.new_states() if self._columns.stateful else None
        self._report = report
        self._message = message
        self._log = not quiet

    @property
    def stateful(self) -> bool:
        return self._states is not None

    def masks(self, arrivals: Arrivals, slots: NDArray[np.int32] | None) -> tuple[list[Any], list[Any]]:
        """Per section where it is true, and where it could not be told (None: nowhere); bool[rows] each.

        `slots` has the slot of every row in order of arrival; None: slot 0.
        """
        if self._states is None:
            return self._each(arrivals)
        if arrivals.single is not None:
            found = [self._columns.predicate(arrivals.single, _wide(slots), self._states)]
        else:
            rows = merged(arrivals, self._columns.references)
            found = [self._columns.predicate(rows, _wide(slots), self._states)]
        truth = found[0]
        report_failures(self._report, self._message, truth.errors, truth.failed, log=self._log)
        failed = None if truth.ok is None else ~truth.ok
        if arrivals.single is not None:
            return [truth.mask], [failed]
        return (
            [truth.mask[p] for p in arrivals.places],
            [None if failed is None else failed[p] for p in arrivals.places],
        )

    def _each(self, arrivals: Arrivals) -> tuple[list[Any], list[Any]]:
        masks, failures = [], []
        count, errors = 0, []
        for section in arrivals.sections:
            truth = self._columns.predicate(section)
            masks.append(truth.mask)
            failures.append(None if truth.ok is None else ~truth.ok)
            count += truth.failed
            errors += truth.errors
        report_failures(self._report, self._message, errors, count, log=self._log)
        return masks, failures

    def start(self, slots: NDArray[np.int64]) -> None:
        """First states for these slots."""
        if self._states is not None:
            for slot in slots.tolist():
                self._states.reset(slot)

    def snapshot(self) -> Any:
        return None if self._states is None else self._states.snapshot()

    def restore(self, state: Any) -> None:
        if self._states is not None:
            self._states.restore(state)


def _wide(slots: NDArray[np.int32] | None) -> NDArray[np.int64] | None:
    return None if slots is None else slots.astype(np.int64)
