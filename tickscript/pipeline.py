"""The graph that a script describes: nodes, edges, ids and their walk order (spec "TICKscript" 9).

Always: parents stand before their children in the walk; ids are drawn in the order in which links and sources are
made, so they have gaps (a join draws one for each parent); the first source is node 0. Nothing here recurses: a
pipeline may be as deep as a script is long.
"""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tickscript.errors import EvaluationError
from tickscript.nodes.base import NO_EDGE, Node, StartError
from tickscript.nodes.batch import Batch
from tickscript.nodes.stats import Stats
from tickscript.nodes.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tickscript import ast
    from tickscript.scope import Scope
    from tickscript.vars import Var


@dataclass(frozen=True, slots=True)
class DBRP:
    """A database and a retention policy."""

    db: str
    rp: str


class Builder:
    """The graph while a script is evaluated; `tickscript.nodes.base.Graph` is what nodes see of it."""

    def __init__(self, task_type: str, scope: Scope | None = None) -> None:
        self.source: Node = Stream() if task_type == "stream" else Batch()
        self.source.set_edges(NO_EDGE)
        self.scope = scope
        self.sources: list[Node] = []
        self._next = 0
        self.add_source(self.source)

    def _draw(self, node: Node) -> None:
        node.id = self._next
        self._next += 1

    def add_source(self, node: Node) -> None:
        node.graph = self
        self.sources.append(node)
        self._draw(node)

    def link(self, parent: Node, child: Node) -> None:
        child.graph = self
        parent.children.append(child)
        child.parents.append(parent)
        self._draw(child)

    def replace_lambda(self, old: ast.Lambda, new: ast.Lambda) -> None:
        # Only a var can make two nodes hold the same lambda.
        if self.scope is None or not self.scope.replace(old, new):
            return
        for node in walk(self.sources):
            for declared in node.declaration.properties:
                held = getattr(node, declared.attribute)
                if held is old:
                    setattr(node, declared.attribute, new)
                elif isinstance(held, tuple) and any(item is old for item in held):
                    setattr(node, declared.attribute, tuple(new if item is old else item for item in held))

    def finish(self) -> tuple[Node, ...]:
        """The nodes in walk order, cut loose from the builder."""
        nodes = tuple(walk(self.sources))
        for node in nodes:
            node.graph = None
        return nodes


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What a script compiles to.

    `type` is "stream" or "batch"; `dbrps` those that the script declares; `nodes` all nodes in walk order; `vars` what
    the script declares with a var type, in order, as the API shows a template.
    """

    type: str
    nodes: tuple[Node, ...]
    dbrps: tuple[DBRP, ...] = ()
    vars: Mapping[str, Var] = dataclasses.field(default_factory=dict)

    def __getitem__(self, name: str) -> Node:
        """The node of that name; KeyError when there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    @property
    def sources(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if not node.parents)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing but the source."""
        return len(self.nodes) == 1

    def check(self) -> None:
        """EvaluationError of the first node in walk order whose properties do not go together."""
        for node in self.nodes:
            with _made_where(node):
                node.check()

    def refuse(self) -> None:
        """EvaluationError of the first node in walk order that the reference would take and then die of."""
        for node in self.nodes:
            with _made_where(node):
                node.refuse()

    def check_start(self) -> None:
        """StartError for what refuses the start of a task: properties, then edge types, node by node in walk order."""
        for node in self.nodes:
            try:
                node.check_start()
            except StartError as error:
                error.node, error.place = node.name, node.place
                raise
        for node in self.nodes:
            for child in node.children:
                try:
                    _check_edge(node, child)
                except StartError as error:
                    error.place = child.place
                    raise


@contextmanager
def _made_where(node: Node) -> Iterator[None]:
    """Errors that come out of the block are where the script makes the node."""
    try:
        yield
    except EvaluationError as error:
        if node.place is not None:
            error.locate(*node.place)
        raise


def _check_edge(parent: Node, child: Node) -> None:
    if parent.provides == NO_EDGE:
        raise StartError(
            f"cannot add child no edge expected: {parent.name}:{parent.provides} -> {child.name}:{child.wants}"
        )
    if parent.provides != child.wants:
        raise StartError(
            f"cannot add child mismatched edges: {parent.name}:{parent.provides} -> {child.name}:{child.wants}"
        )


def walk(sources: Sequence[Node]) -> Iterator[Node]:
    """All nodes: depth-first post-order from the last source to the first, children in link order, then reversed."""
    seen: set[int] = set()
    order: list[Node] = []
    for source in reversed(sources):
        if id(source) in seen:
            continue
        seen.add(id(source))
        path = [(source, iter(source.children))]
        while path:
            node, children = path[-1]
            child = next((child for child in children if id(child) not in seen), None)
            if child is None:
                order.append(node)
                path.pop()
            else:
                seen.add(id(child))
                path.append((child, iter(child.children)))
    return reversed(order)


def watched_by(nodes: Sequence[Node]) -> dict[int, list[Stats]]:
    """The stats nodes that watch each node, by its id, in walk order."""
    watchers: dict[int, list[Stats]] = {}
    for node in nodes:
        if isinstance(node, Stats) and node.watched is not None:
            watchers.setdefault(node.watched.id, []).append(node)
    return watchers
