"""The nodes that run lambdas on every point: where, eval, stateDuration, stateCount (nodes.md 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tickscript.declare import (
    Arguments,
    Shape,
    Signature,
    argument,
    arguments,
    declare,
    flag,
    many,
    slot,
    special,
    state,
)
from tickscript.errors import EvaluationError
from tickscript.nodes.base import Demand, Node, StartError, compile_or_refuse, demand
from tickscript.nodes.types import BOOL, DURATION, LAMBDA, STRING

if TYPE_CHECKING:
    from tickscript import ast

SECOND = 1_000_000_000


@declare
class Where(Node):
    """Passes the points for which the lambda is true.

    A point for which the lambda cannot be evaluated is counted as an error and dropped. Batches keep their begin and
    end, also when no point is left.
    """

    method: ClassVar[str] = "where"
    description: ClassVar[str] = "where"
    type_of: ClassVar[str] = "where"
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('cpu')\n    |where(lambda: \"usage_user\" > 80.0 AND \"cpu\" == 'cpu-total')\n"
        "    |httpOut('busy')"
    )

    lambda_: ast.Lambda | None = argument(LAMBDA, "The condition.")

    def check_start(self) -> None:
        compile_or_refuse(self.lambda_, "Failed to compile expression in where clause: ")

    def demand(self, wanted: Demand) -> Demand:
        return wanted | demand(self.lambda_)


def _keep(node: Eval, args: Arguments) -> Eval:
    node.keep = True
    node.keep_list = tuple(map(STRING.convert, args))
    node.given.add("keep_list")
    return node


def _print_keep(node: Eval) -> list[tuple[ast.Expr, ...]]:
    return [tuple(map(STRING.literal, node.keep_list))] if node.keep else []


@declare
class Eval(Node):
    """Computes new fields, or tags, from each point.

    Each lambda gives one result under the name that `.as()` gives it; later ones see earlier results. Only results
    stay as fields unless `.keep()` is called; tags always stay. A point for which a lambda fails is dropped.
    """

    method: ClassVar[str] = "eval"
    description: ClassVar[str] = "eval"
    type_of: ClassVar[str] = "eval"
    json_order: ClassVar[tuple[str, ...]] = ("as", "tags", "lambdas", "keep", "keepList")
    trailing: ClassVar[tuple[str, ...]] = ()
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('mem')\n    |eval(lambda: float(\"used\") / float(\"total\"))\n        .as('used_share')\n"
        "        .keep()\n    |httpOut('memory')"
    )

    lambdas: tuple[ast.Lambda, ...] = arguments(LAMBDA, "The expressions.")
    as_: tuple[str, ...] = many(STRING, "A name for each result; mandatory.")
    tags: tuple[str, ...] = many(STRING, "Results, all strings, to store as tags instead of fields.")
    quiet: bool = flag("Neither log nor count points that fail.", json="")
    keep: bool = special(
        BOOL, Signature((), STRING), _keep, _print_keep,
        "Keep the point's own fields beside the results; with names, exactly these.", default=False,
    )  # fmt: skip
    keep_list: tuple[str, ...] = state(STRING, (), shape=Shape.MANY)

    def check(self) -> None:
        if len(self.as_) != len(self.lambdas):
            raise EvaluationError(
                f"must specify same number of expressions and .as() names: "
                f"got {len(self.as_)} as names, and {len(self.lambdas)} expressions."
            )
        for name in self.tags:
            if name not in self.as_:
                raise EvaluationError(f'invalid tag name "{name}", name is not present is .as() names')

    def check_start(self) -> None:
        if not self.as_:
            raise StartError("must provide one name per expression via the 'As' property")
        for position, expression in enumerate(self.lambdas):
            compile_or_refuse(expression, f"Failed to compile {position} expression: ")

    def demand(self, wanted: Demand) -> Demand:
        own = demand(*self.lambdas)
        if not self.keep:
            return own | Demand(frozenset(), wanted.tags)
        if self.keep_list:
            return own | Demand(frozenset(self.keep_list), wanted.tags)
        return own | wanted


class _StateTracking(Node):
    lambda_: ast.Lambda | None

    def check_start(self) -> None:
        if self.lambda_ is None:
            raise StartError(f"nil expression passed to {type(self).__name__}Node")
        compile_or_refuse(self.lambda_, "")

    def demand(self, wanted: Demand) -> Demand:
        return wanted | demand(self.lambda_)


@declare
class StateDuration(_StateTracking):
    """Adds to each point how long the lambda has been true for its group; -1 while it is false."""

    method: ClassVar[str] = "stateDuration"
    description: ClassVar[str] = "state_duration"
    type_of: ClassVar[str] = "stateDuration"
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('cpu')\n        .groupBy('host')\n    |stateDuration(lambda: \"usage_user\" > 80.0)\n"
        '        .unit(1m)\n    |alert()\n        .crit(lambda: "state_duration" >= 5.0)'
    )

    lambda_: ast.Lambda | None = argument(LAMBDA, "The condition.")
    as_: str = slot(STRING, "state_duration", "Name of the float field that is added.")
    unit: int = slot(DURATION, SECOND, "Unit of the duration.")


@declare
class StateCount(_StateTracking):
    """Adds to each point how many points in a row the lambda has been true for its group; -1 while it is false."""

    method: ClassVar[str] = "stateCount"
    description: ClassVar[str] = "state_count"
    type_of: ClassVar[str] = "stateCount"
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('cpu')\n        .groupBy('host')\n    |stateCount(lambda: \"usage_user\" > 80.0)\n"
        '    |alert()\n        .crit(lambda: "state_count" >= 5)'
    )

    lambda_: ast.Lambda | None = argument(LAMBDA, "The condition.")
    as_: str = slot(STRING, "state_count", "Name of the int field that is added.")
