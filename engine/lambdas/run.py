"""One evaluation over rows of one type: the loaded columns, the rows that failed, and what there is to say of them.

A row that fails is dead for the whole expression, because the language has no way to catch an error. So `failed` only
grows, each row fails once, and the error kept for it is the first in the order of evaluation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.lambdas.kernels import ALL_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from engine.lambdas.states import States

    Mask = NDArray[np.bool_]


class Run:
    """`n` rows. `columns` holds a loaded column for each reference; `limit` bounds the error texts kept."""

    __slots__ = ("columns", "errors", "failed", "limit", "n", "now", "slots", "states")

    def __init__(
        self, n: int, columns: list[Any], slots: NDArray[np.int64] | None, states: States | None, now: int, limit: int
    ) -> None:
        self.n = n
        self.columns = columns
        self.slots = slots
        self.states = states
        self.now = now
        self.limit = limit
        self.failed: Mask | None = None
        self.errors: list[tuple[int, str]] = []

    def live(self, active: Mask | None) -> Mask | None:
        """The rows that are still to be evaluated; None for all."""
        if self.failed is None:
            return active
        return ~self.failed if active is None else active & ~self.failed

    def kernel_mask(self, active: Mask | None) -> Mask:
        """The live rows in the form that kernels take."""
        live = self.live(active)
        return ALL_ROWS if live is None else live

    def indices(self, active: Mask | None) -> NDArray[np.int64] | None:
        """The numbers of the live rows; None for all."""
        live = self.live(active)
        return None if live is None else np.flatnonzero(live)

    def fail(self, bad: Mask | None, active: Mask | None, text: str) -> None:
        """Live rows that are bad fail with one text; None: all are bad."""
        live = self.live(active)
        if bad is None:
            bad = np.ones(self.n, np.bool_) if live is None else live
        elif live is not None:
            bad = bad & live
        rows = np.flatnonzero(bad)
        if len(rows):
            self.errors.extend((row, text) for row in rows[: self.limit].tolist())
            self.failed = bad if self.failed is None else self.failed | bad

    def fail_each(self, failures: Iterable[tuple[int, str]]) -> None:
        """Live rows fail, each with its own text; rows ascend."""
        failures = list(failures)
        if failures:
            if self.failed is None:
                self.failed = np.zeros(self.n, np.bool_)
            self.failed[[row for row, _ in failures]] = True
            self.errors.extend(failures[: self.limit])
