"""What every node of a pipeline is: identity, edges, checks, and what it needs of its parents.

Terms: an edge is of a type (`stream`, `batch`, or `noedge`: none); a node wants one on its input and provides one on
its output (nodes.md 5). `kind` is the description that the name begins with, `name` is kind + id (nodes.md 2.1).
Always: once a script is compiled, ids are unique and nothing of a node changes any more.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, Self, TypeVar

from tickscript import ast
from tickscript.declare import Arguments, CallError, Declared, flag
from tickscript.errors import EvaluationError
from tickscript.lambdas.errors import CompileError
from tickscript.lambdas.expression import Expression
from tickscript.nodes.types import ANY
from tickscript.scope import go_type

if TYPE_CHECKING:
    from collections.abc import Iterable

STREAM: Final = "stream"
BATCH: Final = "batch"
NO_EDGE: Final = "noedge"

N = TypeVar("N", bound="Node")
Names = frozenset[str] | None


class StartError(Exception):
    """A pipeline that was defined cannot be started; `str()` is the text that the API shows.

    `node` is the name of the node that refuses, "" where a link between nodes does, and `place` where a script makes
    it (line, char, length), None where no script did.
    """

    node: str = ""
    place: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Demand:
    """The fields and tags that somebody can refer to; None stands for all. Group tags are kept without being listed."""

    fields: Names
    tags: Names

    def __or__(self, other: Demand) -> Demand:
        return Demand(_union(self.fields, other.fields), _union(self.tags, other.tags))


ALL: Final = Demand(None, None)
NO_NAMES: Final[frozenset[str]] = frozenset()


def _union(left: Names, right: Names) -> Names:
    return None if left is None or right is None else left | right


def demand(*expressions: ast.Lambda | None, fields: Iterable[str] = (), tags: Iterable[str] = ()) -> Demand:
    """What lambdas refer to (a name may be a field or a tag), and the names given."""
    referred = frozenset[str]().union(*(references(expression) for expression in expressions))
    return Demand(referred | frozenset(fields), referred | frozenset(tags))


def references(expression: ast.Expr | None) -> frozenset[str]:
    """The names in double quotes inside an expression; `time` is no field, it is the time of the point."""
    names = set()
    pending: list[ast.Node] = [] if expression is None else [expression]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Reference):
            names.add(node.name)
        else:
            pending += ast.children(node)
    return frozenset(names - {"time"})


class Graph(Protocol):
    """What a node asks of the pipeline while it is made."""

    def link(self, parent: Node, child: Node) -> None:
        """Add an edge; the child takes the next id."""

    def add_source(self, node: Node) -> None:
        """Add a node without parents; it takes the next id."""

    def replace_lambda(self, old: ast.Lambda, new: ast.Lambda) -> None:
        """Let every var that denotes the object `old`, and every node that holds it, have `new`."""


@dataclass(eq=False, repr=False, kw_only=True)
class Node(Declared):
    """Base of all node kinds.

    Class attributes say what a kind is: `method`, the chaining method and the kind's key; `description`, what names
    of nodes begin with; `type_of`, its word in JSON ("" for none); `wants_edge` and `provides_edge`, where None means the same as the
    parent provides. `chains`: whether the common chaining methods are there. `json_quiet`: whether JSON tells `quiet`.
    """

    method: ClassVar[str] = ""
    description: ClassVar[str] = ""
    type_of: ClassVar[str] = ""
    wants_edge: ClassVar[str | None] = None
    provides_edge: ClassVar[str | None] = None
    chains: ClassVar[bool] = True
    json_quiet: ClassVar[bool] = False
    is_node: ClassVar[bool] = True
    go_suffix: ClassVar[str] = "Node"
    trailing: ClassVar[tuple[str, ...]] = ("quiet",)

    id: int = -1
    wants: str = NO_EDGE
    provides: str = NO_EDGE
    # Nodes, in link order; the names of nodes where a plan was decoded.
    parents: list[Any] = dataclasses.field(default_factory=list, repr=False)
    children: list[Any] = dataclasses.field(default_factory=list, repr=False)
    graph: Graph | None = dataclasses.field(default=None, repr=False)
    # Where a script makes the node: line, char and length of the method's name.
    place: tuple[int, int, int] | None = dataclasses.field(default=None, repr=False)
    quiet: bool = flag("Count errors of this node without logging them.", json="")

    @property
    def kind(self) -> str:
        return self.description

    @property
    def name(self) -> str:
        return f"{self.kind}{self.id}"

    @classmethod
    def chain(cls, graph: Graph, parent: Node, args: Arguments) -> Node:
        """Make the node that `parent|special(args)` stands for; CallError when the call does not fit."""
        return cls(**cls.declaration.bind(args)).attach(graph, parent)

    def attach(self, graph: Graph, *parents: Node, edge: str | None = None) -> Self:
        """Link the node behind its parents and fix its edges, by default from the first parent."""
        self.set_edges(parents[0].provides if edge is None else edge)
        for parent in parents:
            graph.link(parent, self)
        return self

    def set_edges(self, incoming: str) -> None:
        self.wants = incoming if self.wants_edge is None else self.wants_edge
        self.provides = self.wants if self.provides_edge is None else self.provides_edge

    def check(self) -> None:
        """EvaluationError (bare text) when the properties do not go together; runs when a task is defined."""

    def refuse(self) -> None:
        """EvaluationError for what the reference takes and then dies of; tasks only, for a template has no values yet."""

    def check_start(self) -> None:
        """StartError for what only shows when a task starts, as far as the declaration alone can tell."""

    def demand(self, wanted: Demand) -> Demand:  # noqa: ARG002  (a kind that knows nothing better asks for everything)
        """What the node needs of its parents when its children can refer to no more than `wanted`."""
        return ALL


def compile_or_refuse(expression: ast.Lambda | None, prefix: str) -> None:
    """StartError unless the lambda compiles (spec 4.2)."""
    if expression is not None:
        try:
            Expression(expression)
        except CompileError as error:
            raise StartError(f"{prefix}{error}") from None


def nil_dereference() -> CallError:
    """What the reference says when a template has no value yet where a method needs one."""
    return CallError("runtime error: invalid memory address or nil pointer dereference")


def set_dimensions(node: Any, args: Arguments) -> Declared:
    """Apply `.groupBy(…)`; a repeated call replaces."""
    node.group_by = tuple(map(ANY.convert, args))
    node.given.add("group_by")
    return node  # type: ignore[no-any-return]


def print_dimensions(node: Any) -> list[tuple[ast.Expr, ...]]:
    return [tuple(map(ANY.literal, node.group_by))] if node.group_by or "group_by" in node.given else []


def dimension_names(dimensions: Iterable[object]) -> tuple[str, ...]:
    """The tag names among dimensions, sorted as groups have them (nodes.md 1.2)."""
    return tuple(sorted({dimension for dimension in dimensions if isinstance(dimension, str)}))


def has_star(dimensions: Iterable[object]) -> bool:
    return any(isinstance(dimension, ast.Star) for dimension in dimensions)


def check_dimensions(dimensions: Iterable[object]) -> None:
    """EvaluationError unless these are tag names, or a star alone (nodes.md 6.2)."""
    count = 0
    star = False
    for dimension in dimensions:
        count += 1
        if isinstance(dimension, ast.Star):
            star = True
        elif not isinstance(dimension, str):
            raise EvaluationError(f"invalid dimension object of type {go_type(dimension)}")
        elif not dimension:
            raise EvaluationError("dimensions cannot not be the empty string")
    if star and count > 1:
        raise EvaluationError("cannot group by both '*' and named dimensions.")
