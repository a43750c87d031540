"""`|stats()`, and `|deadman()`, which is made of it (nodes.md 19)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from tickscript import ast
from tickscript.declare import Arguments, Signature, argument, declare, flag
from tickscript.durations import go_duration
from tickscript.nodes.alert import Alert
from tickscript.nodes.base import STREAM, Demand, Graph, Node, StartError
from tickscript.nodes.rows import Derivative, Noop
from tickscript.nodes.types import DURATION, FLOAT, LAMBDA

SECOND = 1_000_000_000


@declare
class Stats(Node):
    """Emits, by the wall clock, how many points of each group the watched node has emitted so far.

    It is a source of its own: a stream of points named `stats` with the int field `emitted`, for batches too.
    """

    method: ClassVar[str] = "stats"
    description: ClassVar[str] = "stats"
    type_of: ClassVar[str] = "stats"
    wants_edge: ClassVar[str | None] = STREAM
    provides_edge: ClassVar[str | None] = STREAM
    json_order: ClassVar[tuple[str, ...]] = ("align", "interval")
    example: ClassVar[str] = (
        "var cpu = stream\n    |from()\n        .measurement('cpu')\n        .groupBy('host')\n\n"
        "cpu\n    |stats(10s)\n        .align()\n    |derivative('emitted')\n        .unit(10s)\n        .nonNegative()\n    |httpOut('rate')"
    )

    interval: int = argument(DURATION, "How often.", default=0)
    align: bool = flag("Let times be multiples of the interval.")
    # The node, or its name where a plan was decoded.
    watched: Any = dataclasses.field(default=None, repr=False)

    @classmethod
    def chain(cls, graph: Graph, parent: Node, args: Arguments) -> Node:
        return watch(graph, parent, cls(**cls.declaration.bind(args)))

    def check_start(self) -> None:
        if self.interval <= 0:
            raise StartError("stats node must have positive interval")

    def demand(self, wanted: Demand) -> Demand:
        return wanted


def watch(graph: Graph, watched: Node, stats: Stats) -> Stats:
    """Let the stats node watch another, which gets a child to count by if it has none yet (nodes.md 19.1)."""
    stats.set_edges(STREAM)
    stats.watched = watched
    graph.add_source(stats)
    if not watched.children:
        Noop().attach(graph, watched)
    return stats


@dataclass(frozen=True, slots=True)
class DeadmanConfig:
    """The `[deadman]` section of the configuration; `interval` in nanoseconds."""

    id: str = "{{ .Group }}:NODE_NAME for task '{{ .TaskName }}'"
    message: str = (
        '{{ .ID }} is {{ if eq .Level "OK" }}alive{{ else }}dead{{ end }}: '
        '{{ index .Fields "emitted" | printf "%0.3f" }} points/INTERVAL.'
    )
    interval: int = 10 * SECOND
    threshold: float = 0.0
    everywhere: bool = False


DEADMAN_SIGNATURE = Signature((FLOAT, DURATION), LAMBDA)


def deadman(
    graph: Graph, watched: Node, config: DeadmanConfig, threshold: float, interval: int, *conditions: ast.Lambda
) -> Alert:
    """The nodes that `watched|deadman(threshold, interval, conditions…)` stands for; the alert comes back."""
    stats = watch(graph, watched, Stats(interval=interval, align=True))
    rate = Derivative(field="emitted", as_="emitted", unit=interval, non_negative=True).attach(graph, stats)
    expression: ast.Expr = ast.Binary("<=", ast.Reference("emitted"), ast.Float(threshold))
    for condition in conditions:
        expression = ast.Binary("AND", expression, condition.expression)
    alert = Alert(
        alert_id=config.id.replace("NODE_NAME", watched.name, 1),
        message=config.message.replace("INTERVAL", go_duration(interval), 1),
        crit=ast.Lambda(expression),
    )
    return alert.attach(graph, rate)
