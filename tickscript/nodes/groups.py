"""The nodes that change the groups of data: groupBy, default, delete, trickle (nodes.md 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tickscript.declare import Arguments, CallError, Shape, Signature, arguments, declare, flag, many, pairs, special
from tickscript.errors import EvaluationError
from tickscript.nodes.base import (
    BATCH,
    STREAM,
    Demand,
    Graph,
    Node,
    check_dimensions,
    demand,
    dimension_names,
    has_star,
)
from tickscript.nodes.types import ANY, STRING
from tickscript.scope import go_type

if TYPE_CHECKING:
    from tickscript import ast


def _exclude(node: GroupBy, args: Arguments) -> GroupBy:
    node.exclude = (*node.exclude, *map(STRING.convert, args))
    node.given.add("exclude")
    return node


def _print_exclude(node: GroupBy) -> list[tuple[ast.Expr, ...]]:
    return [tuple(map(STRING.literal, node.exclude))] if node.exclude or "exclude" in node.given else []


@declare
class GroupBy(Node):
    """Groups data by other tags. Without arguments all data are one group.

    Batches of the same time are pooled, divided anew, and leave when a batch of another time comes.
    """

    method: ClassVar[str] = "groupBy"
    description: ClassVar[str] = "groupby"
    type_of: ClassVar[str] = "groupBy"
    json_quiet: ClassVar[bool] = True
    json_order: ClassVar[tuple[str, ...]] = ("dimensions", "exclude", "byMeasurement")
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('cpu')\n    |groupBy('host', 'dc')\n    |sum('usage_user')"
    )

    group_by: tuple[object, ...] = arguments(ANY, "The tags, or `*` alone for all tags.", name="dimensions")
    exclude: tuple[str, ...] = special(
        STRING, Signature((), STRING), _exclude, _print_exclude, "Tags that `*` leaves out; repeated calls add.",
        default=(), shape=Shape.MANY,
    )  # fmt: skip
    by_measurement: bool = flag("Make the measurement's name part of the group.")

    @property
    def group_names(self) -> tuple[str, ...]:
        """The tags to group by, sorted."""
        return dimension_names(self.group_by)

    @property
    def group_all(self) -> bool:
        """Whether all tags of each point, but those excluded, make its group."""
        return has_star(self.group_by)

    def check(self) -> None:
        check_dimensions(self.group_by)
        if self.exclude and not self.group_all:
            raise EvaluationError("exclude requires '*'")

    def demand(self, wanted: Demand) -> Demand:
        return wanted | (Demand(frozenset(), None) if self.group_all else demand(tags=self.group_names))


@declare
class Default(Node):
    """Sets fields and tags that are missing or empty."""

    method: ClassVar[str] = "default"
    description: ClassVar[str] = "default"
    type_of: ClassVar[str] = "default"
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('cpu')\n    |default()\n        .field('usage_user', 0.0)\n        .tag('dc', 'none')\n"
        "    |httpOut('cpu')"
    )

    fields: dict[str, object] = pairs(
        ANY, "A field and its value: float, int, string or bool; repeatable.", name="field", json="fields"
    )
    tags: dict[str, str] = pairs(STRING, "A tag and its value; repeatable.", name="tag", json="tags")

    def check(self) -> None:
        for name, value in self.fields.items():
            if not isinstance(value, bool | int | float | str):
                raise EvaluationError(
                    f'unsupported type {go_type(value)} for field "{name}", '
                    "field default values must be float,int,string or bool"
                )

    def demand(self, wanted: Demand) -> Demand:
        return wanted | demand(tags=self.tags)


@declare
class Delete(Node):
    """Removes fields and tags; a tag that is removed no longer groups."""

    method: ClassVar[str] = "delete"
    description: ClassVar[str] = "delete"
    type_of: ClassVar[str] = "delete"
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('cpu')\n    |delete()\n        .field('usage_guest')\n        .tag('cpu')\n"
        "    |httpOut('cpu')"
    )

    fields: tuple[str, ...] = many(
        STRING, "A field to remove; repeatable.", name="field", json="fields", append=True, single=True
    )
    tags: tuple[str, ...] = many(
        STRING, "A tag to remove; repeatable.", name="tag", json="tags", append=True, single=True
    )

    def demand(self, wanted: Demand) -> Demand:
        return wanted


@declare
class Trickle(Node):
    """Turns batches into a stream of their points."""

    method: ClassVar[str] = "trickle"
    description: ClassVar[str] = "trickle"
    type_of: ClassVar[str] = "trickle"
    wants_edge: ClassVar[str | None] = BATCH
    provides_edge: ClassVar[str | None] = STREAM
    example: ClassVar[str] = (
        "batch\n    |query('SELECT usage_user FROM telegraf.autogen.cpu')\n        .period(1m)\n        .every(1m)\n    |trickle()\n"
        "    |httpOut('cpu')"
    )

    @classmethod
    def chain(cls, graph: Graph, parent: Node, args: Arguments) -> Node:
        cls.declaration.signature.check(args)
        if parent.provides != BATCH:
            raise CallError(f"cannot Trickle {parent.provides} edge")
        return super().chain(graph, parent, args)

    def demand(self, wanted: Demand) -> Demand:
        return wanted
