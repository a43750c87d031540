"""Throughput of tasks: messages that a task's source takes, a second, over the last second (spec "Pipeline nodes" §2.5).

Measured once a second while there are tasks, so that the figure is of the last second whenever somebody asks. Pure: the
clock is an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.task_master.lifecycle import Task

EVERY_S: Final = 1.0


class Throughput:
    """`count(task)` tells how many messages the task has taken since it was started."""

    def __init__(self, count: Callable[[Task], int]) -> None:
        self._count = count
        self._counts: dict[str, int] = {}
        self._rates: dict[str, float] = {}
        self._at = 0.0
        self._next = 0.0

    def measure(self, tasks: Iterable[Task], now: float) -> None:
        """Take the measure of tasks that execute, if a second is over."""
        if now < self._next:
            return
        counts = {t.id: self._count(t) for t in tasks if t.executing}
        passed = now - self._at
        self._rates = {
            task: max(0, count - self._counts[task]) / passed
            for task, count in counts.items()
            if task in self._counts and passed > 0
        }
        self._counts = counts
        self._at = now
        self._next = now + EVERY_S

    @property
    def due(self) -> float | None:
        """When to measure next; None while there is nothing to measure."""
        return self._next if self._counts else None

    def rate(self, task: str) -> float:
        """Messages a second; 0 for a task that was not yet measured twice."""
        return self._rates.get(task, 0.0)

    def forget(self, task: str) -> None:
        self._counts.pop(task, None)
        self._rates.pop(task, None)
