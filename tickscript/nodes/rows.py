"""Nodes that pass points with little change: sample, shift, log, noop, derivative, changeDetect (nodes.md 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tickscript import ast
from tickscript.declare import Arguments, CallError, argument, arguments, declare, flag, slot, state
from tickscript.nodes.base import Demand, Graph, Node, StartError, demand
from tickscript.nodes.types import ANY, DURATION, INT, STRING

if TYPE_CHECKING:
    from collections.abc import Mapping

SECOND = 1_000_000_000


@declare
class Sample(Node):
    """Passes one of every so many points of a group, or the points whose time is a multiple of a duration."""

    method: ClassVar[str] = "sample"
    description: ClassVar[str] = "sample"
    type_of: ClassVar[str] = "sample"
    example: ClassVar[str] = "stream\n    |from()\n        .measurement('cpu')\n    |sample(10)\n    |httpOut('cpu')"

    rate: object = argument(ANY, "An int: one of so many points. A duration: points at its multiples.", json="")
    n: int = state(INT, 0)
    duration: int = state(DURATION, 0)

    @classmethod
    def chain(cls, graph: Graph, parent: Node, args: Arguments) -> Node:
        cls.declaration.signature.check(args)
        node = cls(rate=args[0])
        match args[0]:
            case bool():
                raise CallError("must pass int64 or duration to new sample node")
            case int(count):
                node.n = count
            case ast.Duration(value=nanoseconds):
                node.duration = nanoseconds
            case _:
                raise CallError("must pass int64 or duration to new sample node")
        return node.attach(graph, parent)

    @classmethod
    def from_json_fields(cls, data: Mapping[str, Any]) -> Sample:
        made = super().from_json_fields(data)
        made.rate = ast.Duration(made.duration) if made.duration else made.n
        return made

    def check_start(self) -> None:
        if self.n <= 0 and self.duration <= 0:
            raise StartError("invalid sample rate: must be positive integer or duration")

    def demand(self, wanted: Demand) -> Demand:
        return wanted


@declare
class Shift(Node):
    """Moves the times of points and batches, back with a negative duration."""

    method: ClassVar[str] = "shift"
    description: ClassVar[str] = "shift"
    type_of: ClassVar[str] = "shift"
    example: ClassVar[str] = "stream\n    |from()\n        .measurement('cpu')\n    |shift(-1h)\n    |httpOut('cpu')"

    shift: int = argument(DURATION, "How far.", default=0)

    def check_start(self) -> None:
        if not self.shift:
            raise StartError("invalid shift value: must be non zero duration")

    def demand(self, wanted: Demand) -> Demand:
        return wanted


@declare
class Log(Node):
    """Writes every point or batch to the server's log and passes it on."""

    method: ClassVar[str] = "log"
    description: ClassVar[str] = "log"
    type_of: ClassVar[str] = "log"
    json_quiet: ClassVar[bool] = True
    example: ClassVar[str] = "stream\n    |from()\n        .measurement('cpu')\n    |log()\n        .prefix('cpu')"

    level: str = slot(STRING, "INFO", "Level of the records: DEBUG, INFO or ERROR.")
    prefix: str = slot(STRING, "", "Text that the records begin with.")


@declare
class Noop(Node):
    """Passes everything on. No script makes it: it counts the output of a node that `|stats()` watches."""

    description: ClassVar[str] = "noop"
    method: ClassVar[str] = "noop"
    type_of: ClassVar[str] = "noop"
    example: ClassVar[str] = "stream\n    |from()\n    |deadman(10.0, 1m)"

    def demand(self, wanted: Demand) -> Demand:
        return wanted


@declare
class Derivative(Node):
    """Adds the rate of change of a field between a point and the one before it in its group."""

    method: ClassVar[str] = "derivative"
    description: ClassVar[str] = "derivative"
    type_of: ClassVar[str] = "derivative"
    json_order: ClassVar[tuple[str, ...]] = ("field", "as", "nonNegative", "unit")
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('net')\n        .groupBy('host', 'interface')\n    |derivative('bytes_recv')\n"
        "        .unit(1s)\n        .nonNegative()\n        .as('rate')\n    |httpOut('traffic')"
    )

    field: str = argument(STRING, "The field.", default="")
    as_: str = slot(STRING, "", "Name of the result; the field's own name unless set.", computed=True)
    unit: int = slot(DURATION, SECOND, "The time that the rate is per.")
    non_negative: bool = flag("Leave out results below zero, as counters give when they start again.")

    @classmethod
    def chain(cls, graph: Graph, parent: Node, args: Arguments) -> Node:
        values = cls.declaration.bind(args)
        return cls(**values, as_=values["field"]).attach(graph, parent)

    def demand(self, wanted: Demand) -> Demand:
        return wanted | demand(fields=(self.field,))


@declare
class ChangeDetect(Node):
    """Passes the points in which one of the fields differs from the last point that passed."""

    method: ClassVar[str] = "changeDetect"
    description: ClassVar[str] = "changeDetect"
    type_of: ClassVar[str] = "changeDetect"
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('service')\n        .groupBy('host')\n    |changeDetect('state')\n    |httpOut('changes')"
    )

    fields: tuple[str, ...] = arguments(STRING, "The fields to compare.")

    def demand(self, wanted: Demand) -> Demand:
        return wanted | demand(fields=self.fields)
