"""`|window()`: from a stream to batches (nodes.md 8)."""

from __future__ import annotations

from typing import ClassVar

from tickscript.declare import Arguments, CallError, declare, flag, slot
from tickscript.errors import EvaluationError
from tickscript.nodes.base import BATCH, STREAM, Demand, Graph, Node, StartError
from tickscript.nodes.types import DURATION, INT


@declare
class Window(Node):
    """Collects the points of each group into batches, by time or by count.

    By time, a batch holds the last `period` and leaves every `every`; the times are those of the points, so a batch
    leaves when the next point comes. By count, it holds the last `periodCount` points and leaves every `everyCount`.
    """

    method: ClassVar[str] = "window"
    description: ClassVar[str] = "window"
    type_of: ClassVar[str] = "window"
    wants_edge: ClassVar[str | None] = STREAM
    provides_edge: ClassVar[str | None] = BATCH
    json_order: ClassVar[tuple[str, ...]] = ("align", "fillPeriod", "periodCount", "everyCount", "period", "every")
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('cpu')\n    |window()\n        .period(10m)\n        .every(5m)\n        .align()\n"
        "    |mean('usage_user')\n    |httpOut('cpu')"
    )

    period: int = slot(DURATION, 0, "Span of time that a batch covers.")
    every: int = slot(DURATION, 0, "How often a batch leaves; 0 means with every point.")
    period_count: int = slot(INT, 0, "How many points a batch holds.")
    every_count: int = slot(INT, 0, "A batch leaves after so many points.")
    align: bool = flag("Let batches leave at multiples of every.")
    fill_period: bool = flag("Let no batch leave before a whole period has passed.")

    @classmethod
    def chain(cls, graph: Graph, parent: Node, args: Arguments) -> Node:
        cls.declaration.signature.check(args)
        if parent.provides != STREAM:
            raise CallError(f"cannot Window {parent.provides} edge")
        return super().chain(graph, parent, args)

    def check(self) -> None:
        if self.period_count and self.period:
            raise EvaluationError("cannot specify both period and periodCount")
        if self.period_count and self.align:
            raise EvaluationError("can only align windows based off time, not count")
        if self.period_count and self.every_count <= 0:
            raise EvaluationError("everyCount must be greater than zero")

    def check_start(self) -> None:
        if not self.period and not self.period_count:
            raise StartError("window node must have either a non zero period or non zero period count")

    def demand(self, wanted: Demand) -> Demand:
        return wanted
