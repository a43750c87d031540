"""The stream source and `|from()`, which picks from it (nodes.md 6)."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tickscript import ast
from tickscript.declare import Arguments, Shape, Signature, declare, flag, slot, special
from tickscript.nodes.base import (
    STREAM,
    Demand,
    Node,
    check_dimensions,
    compile_or_refuse,
    demand,
    dimension_names,
    has_star,
    nil_dereference,
    print_dimensions,
    set_dimensions,
)
from tickscript.nodes.types import ANY, DURATION, LAMBDA, STRING


@declare
class Stream(Node):
    """The source of every stream task: all points of the task's databases and retention policies.

    Named `stream` in the scripts of stream tasks. Only `|from()`, `|stats()` and `|deadman()` can follow it.
    """

    method: ClassVar[str] = "stream"
    description: ClassVar[str] = "stream"
    type_of: ClassVar[str] = "stream"
    wants_edge: ClassVar[str | None] = STREAM
    provides_edge: ClassVar[str | None] = STREAM
    chains: ClassVar[bool] = False
    json_quiet: ClassVar[bool] = True
    example: ClassVar[str] = "stream\n    |from()\n        .measurement('cpu')\n    |httpOut('cpu')"

    def demand(self, wanted: Demand) -> Demand:
        return wanted


def _and_where(node: From, args: Arguments) -> From:
    added: ast.Lambda | None = LAMBDA.convert(args[0])
    before = node.where
    if before is None:
        node.where = added
    elif added is None:
        raise nil_dereference()
    else:
        joined = dataclasses.replace(before, expression=ast.Binary("AND", before.expression, added.expression))
        # The reference joins inside the lambda of the first call, wherever else that is in use (spec 3.5).
        if node.graph is not None:
            node.graph.replace_lambda(before, joined)
        node.where = joined
    return node


def _print_where(node: From) -> list[tuple[ast.Expr, ...]]:
    return [] if node.where is None else [(node.where,)]


@declare
class From(Node):
    """Picks points from the stream, and says how they are grouped.

    Each `|from()` filters on its own; on another from node it filters further and groups anew. Points pass that have
    the database, retention policy and measurement given and for which the lambda is true; their time is then
    truncated, rounded, and their dimensions set.
    """

    method: ClassVar[str] = "from"
    description: ClassVar[str] = "from"
    type_of: ClassVar[str] = "from"
    wants_edge: ClassVar[str | None] = STREAM
    provides_edge: ClassVar[str | None] = STREAM
    json_order: ClassVar[tuple[str, ...]] = (
        "where", "groupBy", "groupByMeasurement", "database", "retentionPolicy", "measurement", "round", "truncate",
    )  # fmt: skip
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('cpu')\n        .where(lambda: \"cpu\" == 'cpu-total')\n"
        "        .groupBy('host')\n    |window()\n        .period(1m)\n        .every(1m)\n    |mean('usage_user')"
    )

    database: str = slot(STRING, "", "Only points of this database; any if empty.")
    retention_policy: str = slot(STRING, "", "Only points of this retention policy; any if empty.")
    measurement: str = slot(STRING, "", "Only points of this measurement; any if empty.")
    group_by_measurement: bool = flag("Make the measurement's name part of the group.")
    round: int = slot(DURATION, 0, "Round times to multiples of this, counted from year 1; after truncate.")
    truncate: int = slot(DURATION, 0, "Cut times to multiples of this, counted from year 1.")
    where: ast.Lambda | None = special(
        LAMBDA, Signature((LAMBDA,)), _and_where, _print_where,
        "Only points for which this is true; repeated calls are joined by AND, left to right.",
    )  # fmt: skip
    group_by: tuple[object, ...] = special(
        ANY, Signature((), ANY), set_dimensions, print_dimensions,
        "Group by these tags, or by all with `*`; a repeated call replaces.", default=(), shape=Shape.MANY,
    )  # fmt: skip

    @property
    def group_names(self) -> tuple[str, ...]:
        """The tags to group by, sorted."""
        return dimension_names(self.group_by)

    @property
    def group_all(self) -> bool:
        """Whether all tags of each point make its group."""
        return has_star(self.group_by)

    def check(self) -> None:
        check_dimensions(self.group_by)

    def check_start(self) -> None:
        compile_or_refuse(self.where, "Failed to compile from expression: ")

    def demand(self, wanted: Demand) -> Demand:
        tags = Demand(frozenset(), None) if self.group_all else demand(tags=self.group_names)
        return wanted | demand(self.where) | tags
