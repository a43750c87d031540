"""`|barrier()`: says that no older data will come (nodes.md 9)."""

from __future__ import annotations

from typing import ClassVar

from tickscript.declare import declare, slot
from tickscript.errors import EvaluationError
from tickscript.nodes.base import Demand, Node
from tickscript.nodes.types import BOOL, DURATION


@declare
class Barrier(Node):
    """Tells the nodes behind it, by the wall clock, that data older than a time will not come any more.

    Windows then let go what waits in them. Older data that comes all the same is dropped.
    """

    method: ClassVar[str] = "barrier"
    description: ClassVar[str] = "barrier"
    type_of: ClassVar[str] = "barrier"
    json_quiet: ClassVar[bool] = True
    json_order: ClassVar[tuple[str, ...]] = ("delete", "period", "idle")
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('cpu')\n        .groupBy('host')\n    |barrier()\n        .idle(30s)\n"
        "        .delete(TRUE)\n    |window()\n        .period(10s)\n        .every(10s)\n    |count('usage_user')"
    )

    idle: int = slot(DURATION, 0, "A barrier when a group has had no data for so long.")
    period: int = slot(DURATION, 0, "A barrier every so often; excludes idle.")
    delete: bool = slot(BOOL, False, "Forget the group after each barrier.", absent=True)

    def check(self) -> None:
        if self.idle and self.period:
            raise EvaluationError("cannot specify both idle and period")
        if not self.period and self.idle <= 0:
            raise EvaluationError("idle must be greater than zero")
        if not self.idle and self.period <= 0:
            raise EvaluationError("period must be greater than zero")

    def demand(self, wanted: Demand) -> Demand:
        return wanted
