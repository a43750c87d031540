"""The InfluxQL functions: aggregates, selectors, lists and transforms (nodes.md 16)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tickscript.declare import Form, argument, arguments, declare, flag, slot
from tickscript.errors import EvaluationError
from tickscript.nodes.base import BATCH, STREAM, Demand, Node, demand
from tickscript.nodes.types import DURATION, FLOAT, INT, STRING

if TYPE_CHECKING:
    from collections.abc import Mapping


@declare
class Function(Node):
    """What all functions share. `field` is the field they work on, `as_` the name of the result.

    JSON holds the other arguments in the list `args`, null where a function has none (spec "TICKscript" 8.3).
    """

    go_name: ClassVar[str] = "InfluxQLNode"
    json_order: ClassVar[tuple[str, ...]] = ("field", "as", "usePointTimes")

    field: str = argument(STRING, "The field.", default="")
    as_: str = slot(STRING, "", "Name of the result; the function's name unless set.", computed=True)
    use_point_times: bool = flag("Give results the times of the points they come from, not that of the batch.")

    def __post_init__(self) -> None:
        self.as_ = self.as_ or self.description

    def json_fields(self) -> dict[str, Any]:
        args = [p.to_json(self) for p in self.declaration.properties if p.form is Form.ARGUMENT and not p.json]
        for declared in self.declaration.properties:
            if declared.form is Form.ARGUMENTS:
                args += getattr(self, declared.attribute)
        return {**super().json_fields(), "Reducer": None, "args": args or None}

    @classmethod
    def from_json_fields(cls, data: Mapping[str, Any]) -> Function:
        made = super().from_json_fields(data)
        rest = list(data.get("args") or ())
        for declared in cls.declaration.properties:
            if declared.form is Form.ARGUMENT and not declared.json:
                setattr(made, declared.attribute, declared.from_json(rest.pop(0) if rest else None))
            elif declared.form is Form.ARGUMENTS:
                setattr(made, declared.attribute, declared.from_json(rest))
                made.given.add(declared.attribute)
        return made

    def demand(self, wanted: Demand) -> Demand:  # noqa: ARG002  (nothing but the result and group tags comes out)
        return demand(fields=(self.field,))


@declare
class _Selector(Function):
    """Passes a point of the batch: all its fields and tags come out."""

    provides_edge: ClassVar[str | None] = STREAM

    def demand(self, wanted: Demand) -> Demand:
        return wanted | demand(fields=(self.field,))


@declare
class _Many(Function):
    """At least so many points as the argument says; fewer than one is refused."""

    n: int = argument(INT, "How many.", default=0, json="")

    def refuse(self) -> None:
        if self.n < 1:
            raise EvaluationError(f"{self.method} needs at least one point, got {self.n}")


def _example(call: str) -> str:
    return (
        "stream\n    |from()\n        .measurement('cpu')\n        .groupBy('host')\n    |window()\n        .period(1m)\n"
        f"        .every(1m)\n    |{call}\n    |httpOut('cpu')"
    )


@declare
class Count(Function):
    """The number of values; 0 for an empty batch."""

    method: ClassVar[str] = "count"
    description: ClassVar[str] = "count"
    type_of: ClassVar[str] = "count"
    provides_edge: ClassVar[str | None] = STREAM
    example: ClassVar[str] = _example("count('usage_user')")


@declare
class Sum(Function):
    """The sum of the values; 0 for an empty batch."""

    method: ClassVar[str] = "sum"
    description: ClassVar[str] = "sum"
    type_of: ClassVar[str] = "sum"
    provides_edge: ClassVar[str | None] = STREAM
    example: ClassVar[str] = _example("sum('usage_user')")


@declare
class Mean(Function):
    """The arithmetic mean of the values."""

    method: ClassVar[str] = "mean"
    description: ClassVar[str] = "mean"
    type_of: ClassVar[str] = "mean"
    provides_edge: ClassVar[str | None] = STREAM
    example: ClassVar[str] = _example("mean('usage_user')\n        .as('usage')")


@declare
class Median(Function):
    """The middle of the sorted values; between the two middle ones when their number is even."""

    method: ClassVar[str] = "median"
    description: ClassVar[str] = "median"
    type_of: ClassVar[str] = "median"
    provides_edge: ClassVar[str | None] = STREAM
    example: ClassVar[str] = _example("median('usage_user')")


@declare
class Mode(Function):
    """The most frequent value."""

    method: ClassVar[str] = "mode"
    description: ClassVar[str] = "mode"
    type_of: ClassVar[str] = "mode"
    provides_edge: ClassVar[str | None] = STREAM
    example: ClassVar[str] = _example("mode('usage_user')")


@declare
class Spread(Function):
    """The largest value less the smallest."""

    method: ClassVar[str] = "spread"
    description: ClassVar[str] = "spread"
    type_of: ClassVar[str] = "spread"
    provides_edge: ClassVar[str | None] = STREAM
    example: ClassVar[str] = _example("spread('usage_user')")


@declare
class Stddev(Function):
    """The sample standard deviation of the values; NaN for fewer than two."""

    method: ClassVar[str] = "stddev"
    description: ClassVar[str] = "stddev"
    type_of: ClassVar[str] = "stddev"
    provides_edge: ClassVar[str | None] = STREAM
    example: ClassVar[str] = _example("stddev('usage_user')")


@declare
class First(_Selector):
    """The point with the smallest time."""

    method: ClassVar[str] = "first"
    description: ClassVar[str] = "first"
    type_of: ClassVar[str] = "first"
    example: ClassVar[str] = _example("first('usage_user')")


@declare
class Last(_Selector):
    """The point with the largest time."""

    method: ClassVar[str] = "last"
    description: ClassVar[str] = "last"
    type_of: ClassVar[str] = "last"
    example: ClassVar[str] = _example("last('usage_user')")


@declare
class Min(_Selector):
    """The point with the smallest value."""

    method: ClassVar[str] = "min"
    description: ClassVar[str] = "min"
    type_of: ClassVar[str] = "min"
    example: ClassVar[str] = _example("min('usage_user')")


@declare
class Max(_Selector):
    """The point with the largest value."""

    method: ClassVar[str] = "max"
    description: ClassVar[str] = "max"
    type_of: ClassVar[str] = "max"
    example: ClassVar[str] = _example("max('usage_user')")


@declare
class Percentile(_Selector):
    """The point whose value stands at a percentile of the sorted values."""

    method: ClassVar[str] = "percentile"
    description: ClassVar[str] = "percentile"
    type_of: ClassVar[str] = "percentile"
    example: ClassVar[str] = _example("percentile('usage_user', 95.0)")

    percentile: float = argument(FLOAT, "The percentile, 0.0 to 100.0.", default=0.0, json="")


@declare
class Distinct(Function):
    """Each value once, in the order of its first time."""

    method: ClassVar[str] = "distinct"
    description: ClassVar[str] = "distinct"
    type_of: ClassVar[str] = "distinct"
    provides_edge: ClassVar[str | None] = BATCH
    example: ClassVar[str] = _example("distinct('state')")


@declare
class _Ranked(_Many):
    provides_edge: ClassVar[str | None] = BATCH

    # The number comes before the field.
    n: int = argument(INT, "How many points.", default=0, json="")
    field: str = argument(STRING, "The field.", default="")
    extra: tuple[str, ...] = arguments(STRING, "Names of tags and fields; without effect.", json="")

    def demand(self, wanted: Demand) -> Demand:
        return Demand(frozenset({self.field}), wanted.tags)


@declare
class Top(_Ranked):
    """The points with the largest values, best first."""

    method: ClassVar[str] = "top"
    description: ClassVar[str] = "top"
    type_of: ClassVar[str] = "top"
    example: ClassVar[str] = _example("top(3, 'usage_user')")


@declare
class Bottom(_Ranked):
    """The points with the smallest values, smallest first."""

    method: ClassVar[str] = "bottom"
    description: ClassVar[str] = "bottom"
    type_of: ClassVar[str] = "bottom"
    example: ClassVar[str] = _example("bottom(3, 'usage_user')")


@declare
class _HoltWinters(Function):
    # Both forms go by one name in the reference; only `args` tells them apart.
    description: ClassVar[str] = "holtWinters"
    type_of: ClassVar[str] = "holtWinters"
    provides_edge: ClassVar[str | None] = BATCH
    with_fit: ClassVar[bool] = False

    h: int = argument(INT, "How many values to forecast.", default=0, json="")
    m: int = argument(INT, "Length of the season; below 2 there is none.", default=0, json="")
    interval: int = argument(DURATION, "Time between values.", default=0, json="")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.use_point_times = True

    def json_fields(self) -> dict[str, Any]:
        fields = super().json_fields()
        return {**fields, "args": [*fields["args"], self.with_fit]}


@declare
class HoltWinters(_HoltWinters):
    """A forecast by the method of Holt and Winters, with damped trend and optional season."""

    method: ClassVar[str] = "holtWinters"
    example: ClassVar[str] = _example("holtWinters('usage_user', 10, 0, 1s)")


@declare
class HoltWintersWithFit(_HoltWinters):
    """The same forecast as `|holtWinters()`, behind the values that the model gives for the data itself."""

    method: ClassVar[str] = "holtWintersWithFit"
    with_fit: ClassVar[bool] = True
    example: ClassVar[str] = _example("holtWintersWithFit('usage_user', 10, 0, 1s)")


@declare
class Elapsed(Function):
    """The time between a point and the one before it, as a number of units."""

    method: ClassVar[str] = "elapsed"
    description: ClassVar[str] = "elapsed"
    type_of: ClassVar[str] = "elapsed"
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('cpu')\n    |elapsed('usage_user', 1s)\n    |httpOut('cpu')"
    )

    unit: int = argument(DURATION, "The unit.", default=0, json="")


@declare
class Difference(Function):
    """The value of a point less that of the one before it."""

    method: ClassVar[str] = "difference"
    description: ClassVar[str] = "difference"
    type_of: ClassVar[str] = "difference"
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('cpu')\n    |difference('usage_user')\n    |httpOut('cpu')"
    )


@declare
class MovingAverage(_Many):
    """The mean of the last values."""

    method: ClassVar[str] = "movingAverage"
    description: ClassVar[str] = "movingAverage"
    type_of: ClassVar[str] = "movingAverage"
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('cpu')\n    |movingAverage('usage_user', 5)\n    |httpOut('cpu')"
    )

    n: int = argument(INT, "How many values.", default=0, json="")


@declare
class CumulativeSum(Function):
    """The sum of all values so far."""

    method: ClassVar[str] = "cumulativeSum"
    description: ClassVar[str] = "cumulativeSum"
    type_of: ClassVar[str] = "cumulativeSum"
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('cpu')\n    |cumulativeSum('usage_user')\n    |httpOut('cpu')"
    )


KINDS: tuple[type[Function], ...] = (
    Count, Sum, Mean, Median, Mode, Spread, Stddev, First, Last, Min, Max, Percentile, Distinct, Top, Bottom,
    HoltWinters, HoltWintersWithFit, Elapsed, Difference, MovingAverage, CumulativeSum,
)  # fmt: skip
