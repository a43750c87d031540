"""The nodes that bring data together: join, union, combine, flatten (nodes.md 12 to 15)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tickscript.declare import Arguments, Signature, arguments, declare, many, slot, special
from tickscript.errors import EvaluationError
from tickscript.nodes.base import STREAM, Demand, Graph, Node, StartError, compile_or_refuse
from tickscript.nodes.types import ANY, BOOL, DURATION, INT, LAMBDA, NODE, STRING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickscript import ast


def _check_prefixes(kind: str, names: Sequence[str], clash: str) -> None:
    for position, name in enumerate(names):
        if not name:
            raise EvaluationError(f"must provide a prefix name for the {kind} node, see .as() property method")
        if clash in name:
            described = f'the delimiter "{clash}"\t' if kind == "join" else f"the delimiter character {clash}"
            raise EvaluationError(f"cannot use name {name} as field prefix, it contains {described}")
        if name in names[:position]:
            raise EvaluationError("cannot use the same prefix name see .as() property method")


@declare
class Join(Node):
    """Joins points or batches of several nodes by time, and by group.

    The fields of each source get a prefix. A row leaves when all sources have one of its time, or when all are past
    it; then `.fill()` says what stands for what is missing.
    """

    method: ClassVar[str] = "join"
    description: ClassVar[str] = "join"
    type_of: ClassVar[str] = "join"
    json_order: ClassVar[tuple[str, ...]] = ("as", "on", "delimiter", "deleteAll", "streamName", "fill", "tolerance")
    example: ClassVar[str] = (
        "var errors = stream\n    |from()\n        .measurement('errors')\n        .groupBy('host')\n\n"
        "var views = stream\n    |from()\n        .measurement('views')\n        .groupBy('host')\n\n"
        "errors\n    |join(views)\n        .as('errors', 'views')\n        .tolerance(1s)\n"
        "    |eval(lambda: \"errors.value\" / \"views.value\")\n        .as('rate')\n    |httpOut('rate')"
    )

    joined: tuple[Any, ...] = arguments(NODE, "The other sources.", json="")
    as_: tuple[str, ...] = many(
        STRING, "A prefix for each source; the first is for the node before `|join`. Mandatory."
    )
    on: tuple[str, ...] = many(STRING, "Join on these tags, fewer than some of the sources are grouped by.")
    delimiter: str = slot(STRING, ".", "Between prefix and field name.")
    stream_name: str = slot(STRING, "", "Name of the result; that of the first source unless set.")
    tolerance: int = slot(DURATION, 0, "Times are rounded to multiples of this before they are compared.")
    delete_all: bool = slot(BOOL, False, "A deleted group makes the node forget the progress of all groups.")
    fill: object = slot(ANY, None, "For a missing source: 'none' (no row), 'null', or a number for its fields.")

    @classmethod
    def chain(cls, graph: Graph, parent: Node, args: Arguments) -> Node:
        cls.declaration.signature.check(args)
        others = map(NODE.convert, args)
        return cls().attach(graph, parent, *others)

    def check(self) -> None:
        if not self.as_:
            raise EvaluationError("a call to join.as() is required to specify the output stream prefixes.")
        if len(self.as_) != len(self.parents):
            raise EvaluationError("number of prefixes specified by join.as() must match the number of joined streams")
        if not self.delimiter:
            # Any name contains the empty text, but the documentation allows an empty delimiter.
            _check_prefixes("join", self.as_, "\0")
        else:
            _check_prefixes("join", self.as_, self.delimiter)

    def check_start(self) -> None:
        if isinstance(self.fill, str) and self.fill not in {"null", "none"}:
            raise StartError(f"unexpected fill option {self.fill}")

    def demand(self, wanted: Demand) -> Demand:
        tags = frozenset(self.on)
        if wanted.fields is None:
            return Demand(None, tags)
        prefixes = [prefix + self.delimiter for prefix in self.as_]
        fields = {name[len(prefix) :] for name in wanted.fields for prefix in prefixes if name.startswith(prefix)}
        return Demand(frozenset(fields), tags)


@declare
class Union(Node):
    """Merges the points or batches of several nodes, ordered by time.

    Nothing leaves before every source has sent something; from then on the slowest source holds back the others.
    """

    method: ClassVar[str] = "union"
    description: ClassVar[str] = "union"
    type_of: ClassVar[str] = "union"
    example: ClassVar[str] = (
        "var nginx = stream\n    |from()\n        .measurement('nginx')\n\n"
        "var apache = stream\n    |from()\n        .measurement('apache')\n\n"
        "nginx\n    |union(apache)\n        .rename('requests')\n    |httpOut('requests')"
    )

    united: tuple[Any, ...] = arguments(
        NODE, "The other sources; the node before `|union` is the last source.", json=""
    )
    rename: str = slot(STRING, "", "Name of all data behind the node; their own names unless set.")

    @classmethod
    def chain(cls, graph: Graph, parent: Node, args: Arguments) -> Node:
        cls.declaration.signature.check(args)
        others = map(NODE.convert, args)
        return cls().attach(graph, *others, parent, edge=parent.provides)

    def demand(self, wanted: Demand) -> Demand:
        return wanted


@declare
class Combine(Node):
    """Combines the points of a group that have the same time with each other: every choice that fits the lambdas."""

    method: ClassVar[str] = "combine"
    description: ClassVar[str] = "combine"
    type_of: ClassVar[str] = "combine"
    provides_edge: ClassVar[str | None] = STREAM
    json_quiet: ClassVar[bool] = True
    json_order: ClassVar[tuple[str, ...]] = ("lambdas", "as", "delimiter", "max", "tolerance")
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('request_latency')\n"
        "    |combine(lambda: \"service\" == 'login', lambda: TRUE)\n        .as('login', 'other')\n        .tolerance(1s)\n"
        "    |httpOut('pairs')"
    )

    lambdas: tuple[ast.Lambda, ...] = arguments(LAMBDA, "A condition for each place of a combination.")
    as_: tuple[str, ...] = many(STRING, "A prefix for each place. Mandatory.")
    delimiter: str = slot(STRING, ".", "Between prefix and field or tag name.")
    tolerance: int = slot(DURATION, 0, "Times are rounded to multiples of this before they are compared.")
    max: int = slot(INT, 1_000_000, "The node fails when there would be more combinations than this.")

    def check(self) -> None:
        if not self.as_:
            raise EvaluationError("a call to combine.as() is required to specify the output stream prefixes.")
        if len(self.as_) != len(self.lambdas):
            raise EvaluationError(
                "number of prefixes specified by combine.as() must match the number of combine expressions"
            )
        _check_prefixes("combine", self.as_, self.delimiter)

    def check_start(self) -> None:
        for expression in self.lambdas:
            compile_or_refuse(expression, "")


def _drop_original(node: Flatten, args: Arguments) -> Flatten:
    node.drop_original_field_name = bool(args[0]) if args else True
    return node


def _print_drop(node: Flatten) -> list[tuple[ast.Expr, ...]]:
    return [()] if node.drop_original_field_name else []


@declare
class Flatten(Node):
    """Makes one point of all points of a group that have the same time: tag values become part of the field names."""

    method: ClassVar[str] = "flatten"
    description: ClassVar[str] = "flatten"
    type_of: ClassVar[str] = "flatten"
    json_order: ClassVar[tuple[str, ...]] = ("on", "delimiter", "dropOriginalFieldName", "tolerance")
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('net')\n        .groupBy('host')\n    |flatten()\n        .on('interface')\n"
        "        .tolerance(5s)\n    |httpOut('traffic')"
    )

    on: tuple[str, ...] = many(STRING, "The tags whose values name the fields.")
    delimiter: str = slot(STRING, ".", "Between tag values, and before the field name.")
    tolerance: int = slot(DURATION, 0, "Times are rounded to multiples of this before they are compared.")
    drop_original_field_name: bool = special(
        BOOL, Signature((), BOOL), _drop_original, _print_drop,
        "Leave the field's own name out of the new one; `FALSE` leaves it in.", default=False,
    )  # fmt: skip

    def demand(self, wanted: Demand) -> Demand:  # noqa: ARG002  (new names are made of values: any field may be asked for)
        return Demand(None, frozenset(self.on))
