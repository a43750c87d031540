"""The plan: a pipeline as plain msgpack values, which is how node processes get their properties.

Always: nothing is lost; `decode_node(encode(p)["nodes"][i])` has the attributes of `p.nodes[i]`, except that `parents`,
`children` and what a stats node watches are names instead of nodes. Values are None, bool, int, float, str, lists and
dicts with str keys. A plan is read only by the version that wrote it.

    {"version": 1, "type": "stream", "dbrps": [[db, rp]], "nodes": [NODE in walk order]}
    NODE = {"method": kind's key, "id": int, "name": str, "kind": str, "wants": edge, "provides": edge,
            "parents": [name], "children": [name], "watches": name or None, "udf": OPTIONS or None,
            "properties": {attribute: value}}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tickscript.nodes.catalogue import BY_METHOD
from tickscript.nodes.stats import Stats
from tickscript.nodes.udf import Udf, UdfInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tickscript.nodes.base import Node
    from tickscript.pipeline import Pipeline

VERSION: Final = 1


def encode(pipeline: Pipeline) -> dict[str, Any]:
    """The plan of a pipeline."""
    return {
        "version": VERSION,
        "type": pipeline.type,
        "dbrps": [[dbrp.db, dbrp.rp] for dbrp in pipeline.dbrps],
        "nodes": [encode_node(node) for node in pipeline.nodes],
    }


def encode_node(node: Node) -> dict[str, Any]:
    """One node of a plan."""
    return {
        "method": node.method,
        "id": node.id,
        "name": node.name,
        "kind": node.kind,
        "wants": node.wants,
        "provides": node.provides,
        "parents": [parent.name for parent in node.parents],
        "children": [child.name for child in node.children],
        "watches": node.watched.name if isinstance(node, Stats) and node.watched is not None else None,
        "udf": {name: list(types) for name, types in node.info.options.items()} if isinstance(node, Udf) else None,
        "properties": node.pack(),
    }


def decode_node(data: Mapping[str, Any]) -> Node:
    """The declaration of one node of a plan; KeyError when it is none."""
    node = BY_METHOD[data["method"]].unpack(data["properties"])
    node.id = data["id"]
    node.wants, node.provides = data["wants"], data["provides"]
    node.parents, node.children = list(data["parents"]), list(data["children"])
    if isinstance(node, Stats):
        node.watched = data["watches"]
    if isinstance(node, Udf):
        options = {name: tuple(types) for name, types in data["udf"].items()}
        node.info = UdfInfo(node.wants, node.provides, options)
    return node
