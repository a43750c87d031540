"""The operators of one process in a row, with the counters that the reference keeps for each node.

Usually there is one operator; `stream` in front of its only child, and fused chains, have more. Pure but for the
status pages: frames in, frames out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine import clock, status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.frames.model import Frame
    from engine.operator import Operator, Outside, Report
    from engine.runner.spec import NodeSpec
    from engine.status import Page

_SMOOTHING = 0.05


class Counted:
    """A node's counters on its status page."""

    __slots__ = ("_average", "_errors", "_extra", "children", "name", "page")

    def __init__(self, node: NodeSpec, page: Page) -> None:
        self.name = node.name
        self.page = page
        self.children = node.children
        self._average = 0.0
        self._errors = 0
        self._extra: dict[str, int] = {}

    def took(self, parent: int, count: int) -> None:
        words = self.page.words
        words[status.COLLECTED] += count
        if parent < status.MAX_EDGES:
            words[status.PARENT_EDGES + parent] += count

    def gave(self, count: int) -> None:
        self.page.words[status.EMITTED] += count * self.children

    def worked(self, nanoseconds: int, count: int, operator: Operator | Outside) -> None:
        """After a frame: time per message, errors, cardinality, and the counters of this node kind."""
        words = self.page.words
        if count:
            each = nanoseconds / count
            self._average = each if self._average == 0.0 else self._average + _SMOOTHING * (each - self._average)
            words[status.AVG_EXEC_NS] = max(words[status.AVG_EXEC_NS], int(self._average))
        report: Report = operator.report
        words[status.ERRORS] = report.errors
        words[status.CARDINALITY] = operator.cardinality
        if report.counters != self._extra:
            self._extra = dict(report.counters)
            self.page.write_counters(self._extra)


class Chain:
    """`operators[0]` takes the frames of the process's parents, each further one those of the one before it."""

    def __init__(self, operators: Sequence[Operator], counted: Sequence[Counted]) -> None:
        self.operators = list(operators)
        self.counted = list(counted)

    def collect(self, frame: Frame, parent: int) -> list[Frame]:
        """What leaves the last operator for this frame. Raises TaskError; `failing` tells at which operator."""
        self.failing = 0
        frames: list[Frame] = [frame]
        for i, (operator, counted) in enumerate(zip(self.operators, self.counted, strict=True)):
            self.failing = i
            slot = parent if i == 0 else 0
            out: list[Frame] = []
            for f in frames:
                count = f.count
                counted.took(slot, count)
                started = clock.ticks()
                out.extend(operator.collect(f, slot))
                counted.worked(clock.ticks() - started, count, operator)
            frames = [f for f in out if f.sections or f.events]
            for f in frames:
                counted.gave(f.count)
        return frames

    def publish(self) -> None:
        """Bring the counters up to date although no frame has come."""
        for operator, counted in zip(self.operators, self.counted, strict=True):
            counted.worked(0, 0, operator)

    def finish(self) -> list[Frame]:
        """The end of the input, passed down the chain."""
        frames: list[Frame] = []
        for i, (operator, counted) in enumerate(zip(self.operators, self.counted, strict=True)):
            self.failing = i
            out: list[Frame] = []
            for f in frames:
                counted.took(0, f.count)
                out.extend(operator.collect(f, 0))
            out.extend(operator.finish())
            counted.worked(0, 0, operator)
            frames = [f for f in out if f.sections or f.events]
            for f in frames:
                counted.gave(f.count)
        return frames

    failing = 0
