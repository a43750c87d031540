"""Pipelines as JSON objects and back (spec "TICKscript" 8.3, 8.4).

Always: reading what was written gives the same nodes, ids and edges. For that `to_json` adds what the reference's form
forgets (names of calls, `quiet` everywhere, the kind of ec2Autoscale); `as_reference` leaves it out. A noop is
never written; reading makes one where a watched node has no other child.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tickscript.ast_json import OWN_KEYS
from tickscript.errors import DurationError, EvaluationError, TickscriptError
from tickscript.nodes.autoscale import Ec2Autoscale
from tickscript.nodes.base import NO_EDGE, Node
from tickscript.nodes.batch import Batch, Query, QueryFlux
from tickscript.nodes.catalogue import BY_METHOD, BY_TYPE_OF
from tickscript.nodes.combining import Join, Union
from tickscript.nodes.influxql import HoltWintersWithFit
from tickscript.nodes.rows import Noop
from tickscript.nodes.stats import Stats
from tickscript.nodes.stream import From, Stream
from tickscript.nodes.udf import Udf, UdfInfo
from tickscript.pipeline import Pipeline, walk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Expressions may carry further keys of their own under the same names as properties do.
_EXPRESSIONS: Final = frozenset({"number", "string", "duration", "regex", "binary", "func"})
_SOURCE_OF: Final[Mapping[type[Node], tuple[type[Node], ...]]] = {
    From: (Stream, From),
    Query: (Batch,),
    QueryFlux: (Batch,),
}


class PipelineJsonError(EvaluationError):
    """An object is no pipeline in JSON form."""


def to_json(pipeline: Pipeline, *, as_reference: bool = False) -> dict[str, Any]:
    """The JSON form of a pipeline: plain dicts, lists, strings, numbers and booleans."""
    nodes = [node for node in pipeline.nodes if not isinstance(node, Noop)]
    edges = []
    for node in nodes:
        parents = [node.watched] if isinstance(node, Stats) else node.parents
        edges += [{"parent": str(parent.id), "child": str(node.id)} for parent in parents]
    return {"nodes": [_node_to_json(node, as_reference=as_reference) for node in nodes], "edges": edges}


def _node_to_json(node: Node, *, as_reference: bool) -> dict[str, Any]:
    fields = node.json_fields()
    if as_reference:
        fields = _forget(fields)
    if not (as_reference and isinstance(node, Ec2Autoscale)):
        fields = {"typeOf": node.type_of or node.method, "id": str(node.id), **fields}
    if node.quiet and (node.json_quiet or not as_reference):
        fields["quiet"] = True
    return fields


def _forget(value: Any) -> Any:
    """The JSON without what the reference does not write of expressions."""
    if isinstance(value, list):
        return [_forget(item) for item in value]
    if not isinstance(value, dict):
        return value
    own = OWN_KEYS if value.get("typeOf") in _EXPRESSIONS else ()
    return {key: _forget(item) for key, item in value.items() if key not in own}


def from_json(data: Any, udfs: Mapping[str, UdfInfo] | None = None) -> Pipeline:
    """The pipeline of a JSON form; PipelineJsonError when it is none.

    Properties are not checked (`Pipeline.check` does). A UDF's edges come from `udfs`; an unknown one wants and
    provides what its parent provides.
    """
    entries, parents = _read_graph(data)
    nodes: dict[str, Node] = {}
    for key in _sorted(entries, parents):
        node = _read_node(key, entries[key])
        nodes[key] = node
        _connect(node, key, [_created(nodes, parent, key) for parent in parents[key]], udfs or {})
    made = sorted(nodes.values(), key=lambda node: node.id)
    for node in made:
        node.children.sort(key=lambda child: child.id)
    made += _noops(made)
    order = tuple(walk([node for node in made if not node.parents]))
    sources = {type(node) for node in order if isinstance(node, Stream | Batch)}
    return Pipeline("batch" if Batch in sources else "stream", order)


def _read_graph(data: Any) -> tuple[dict[str, Mapping[str, Any]], dict[str, list[str]]]:
    """The nodes by id, and the ids of the parents of each, in edge order."""
    match data:
        case {"nodes": list(nodes), "edges": list(edges)}:
            pass
        case _:
            raise PipelineJsonError("a pipeline must have lists of nodes and edges")
    entries: dict[str, Mapping[str, Any]] = {}
    for node in nodes:
        match node:
            case {"typeOf": str(), "id": str(key)} if key.isascii() and key.isdigit() and len(key) < 10:
                entries[key] = node
            case _:
                raise PipelineJsonError("a node must have a typeOf, and an id in decimal digits")
    parents: dict[str, list[str]] = {key: [] for key in entries}
    listed = set()
    for edge in edges:
        match edge:
            case {"parent": str(parent), "child": str(child)}:
                listed |= {parent, child}
            case _:
                raise PipelineJsonError("an edge must have a parent and a child")
        if child not in entries:
            raise PipelineJsonError(f"node {child} is listed in edges only")
        parents[child].append(parent)
    for key in entries:
        if key not in listed:
            raise PipelineJsonError(f"node {key} not listed in edges")
    return entries, parents


def _sorted(entries: Mapping[str, Any], parents: Mapping[str, Sequence[str]]) -> list[str]:
    """The ids, parents before children."""
    waiting = {key: len(set(parents[key]) & entries.keys()) for key in entries}
    children: dict[str, list[str]] = {key: [] for key in entries}
    for key in entries:
        for parent in dict.fromkeys(parents[key]):
            if parent in children:
                children[parent].append(key)
    order = [key for key in entries if not waiting[key]]
    for key in order:
        for child in children[key]:
            waiting[child] -= 1
            if not waiting[child]:
                order.append(child)
    if len(order) < len(entries):
        raise PipelineJsonError("cycle detected. kapacitor pipelines must not have cycles")
    return order


def _read_node(key: str, entry: Mapping[str, Any]) -> Node:
    word = entry["typeOf"]
    kind = BY_TYPE_OF.get(word) or (BY_METHOD[word] if word == Ec2Autoscale.method else None)
    if kind is None or kind is Noop:
        raise PipelineJsonError(f"unknown function type {word} for node {key}", word=word, candidates=BY_TYPE_OF)
    args = entry.get("args")
    if word == HoltWintersWithFit.type_of and isinstance(args, list) and args[3:] == [True]:
        kind = HoltWintersWithFit
    try:
        node = kind.from_json_fields(entry)
    except DurationError as error:
        raise PipelineJsonError(str(error)) from None
    except TickscriptError:
        raise
    except (ValueError, TypeError, AttributeError):
        raise PipelineJsonError(f"error unmarshaling node {key} of type {word} as {kind.__name__}Node") from None
    node.id = int(key)
    node.quiet = entry.get("quiet") is True
    return node


def _created(nodes: Mapping[str, Node], parent: str, key: str) -> Node:
    if parent not in nodes:
        raise PipelineJsonError(f"parent {parent} of node {key} not yet created")
    return nodes[parent]


def _connect(node: Node, key: str, parents: list[Node], udfs: Mapping[str, UdfInfo]) -> None:
    if isinstance(node, Stream | Batch):
        if parents:
            raise PipelineJsonError(f"expected no parents for source node {key}")
        node.set_edges(NO_EDGE)
        return
    if isinstance(node, Join | Union):
        if len(parents) < 2:
            raise PipelineJsonError(f"expected more than one parent for node {key}")
    elif len(parents) != 1:
        raise PipelineJsonError(f"expected one parent for node {key} but found {len(parents)}")
    if isinstance(node, Stats):
        node.watched = parents[0]
        node.set_edges(parents[0].provides)
        return
    # The node before `|union` is its last parent; the others need no methods of their own.
    head = parents[-1 if isinstance(node, Union) else 0]
    wanted = _SOURCE_OF.get(type(node))
    if wanted is not None and not isinstance(head, wanted):
        raise PipelineJsonError(f"parent node is not a source of {node.method} but is {head.go_type}")
    if wanted is None and not head.chains:
        raise PipelineJsonError(f"parent node is not a chain node but is {head.go_type}")
    for parent in parents:
        parent.children.append(node)
    node.parents = parents
    if isinstance(node, Udf):
        node.info = udfs.get(node.udf_name) or UdfInfo(head.provides, head.provides, {})
    node.set_edges(head.provides)


def _noops(nodes: Sequence[Node]) -> list[Node]:
    """A noop, with the id that the script would have drawn, for each watched node without a child."""
    taken = {node.id for node in nodes}
    made: list[Node] = []
    for stats in nodes:
        if isinstance(stats, Stats) and not stats.watched.children:
            noop = Noop(id=stats.id + 1 if stats.id + 1 not in taken else max(taken) + 1, parents=[stats.watched])
            taken.add(noop.id)
            noop.set_edges(stats.watched.provides)
            stats.watched.children.append(noop)
            made.append(noop)
    return made
