"""Placement: which nodes of a task share a process, and which edges join the processes. Pure.

Today's policy: a process per node; `stream` with one child runs in that child's process.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tickscript.nodes.base import NO_NAMES, Demand
from tickscript.plan import decode_node

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.runner.spec import Names

OUTSIDE_KINDS = frozenset({"http_post", "influxdb_out", "kapacitor_loopback"})


@dataclass(slots=True)
class PlacedProcess:
    """Nodes (by name, a chain) and the paths of their edges with kinds, in slot order.

    `columns`: fields and tags of the input that the process, or one behind it, can refer to (None: all); told at the
    task's root.
    """

    nodes: list[str]
    parents: list[tuple[str, str]] = field(default_factory=list)
    children: list[tuple[str, str]] = field(default_factory=list)
    outside: bool = False
    columns: Names = (None, None)


@dataclass(frozen=True, slots=True)
class Layout:
    """A task's processes in walk order. `roots`: the edges that the fork feeds. `keep`: fields and tags that later nodes need."""

    processes: list[PlacedProcess]
    roots: list[tuple[str, str]]
    keep: Mapping[str, Names]
    measurements: frozenset[str]


class PlacementError(Exception):
    """The task cannot be laid out; the text is the client's."""


def place(plan: Mapping[str, Any], new_path: Callable[[], str]) -> Layout:
    """Lay out the task of a plan (tickscript.plan). Raises PlacementError."""
    nodes: Sequence[Mapping[str, Any]] = plan["nodes"]
    _check_edges(nodes)
    by_name = {n["name"]: n for n in nodes}
    chains = _chains(nodes)
    process_of = {name: p for p in chains for name in p.nodes}
    roots: list[tuple[str, str]] = []
    links: dict[tuple[str, str], list[str]] = {}
    for n in nodes:
        for child in n["children"]:
            if process_of[n["name"]] is not process_of[child]:
                path = new_path()
                links.setdefault((n["name"], child), []).append(path)
                process_of[n["name"]].children.append((path, n["provides"]))
    wanted = _wanted(nodes)
    for p in chains:
        first = by_name[p.nodes[0]]
        for parent in first["parents"]:
            path = links[parent, first["name"]].pop(0)
            p.parents.append((path, by_name[parent]["provides"]))
        if first["kind"] == "stream":
            path = new_path()
            p.parents.append((path, "stream"))
            roots.append((path, "stream"))
            p.columns = _names(wanted[first["name"]])
        p.outside = first["kind"] in OUTSIDE_KINDS
    keep = {n["name"]: _names(wanted[n["name"]]) for n in nodes if n["kind"] == "from" and n["children"]}
    return Layout(chains, roots, keep, _measurements(nodes))


def _check_edges(nodes: Sequence[Mapping[str, Any]]) -> None:
    """Every link joins what one side provides to what the other wants (spec "Pipeline nodes" §2.1)."""
    by_name = {n["name"]: n for n in nodes}
    for n in nodes:
        for name in n["children"]:
            child = by_name[name]
            link = f"{n['name']}:{n['provides']} -> {name}:{child['wants']}"
            if n["provides"] == "noedge":
                raise PlacementError(f"cannot add child no edge expected: {link}")
            if n["provides"] != child["wants"]:
                raise PlacementError(f"cannot add child mismatched edges: {link}")


def _chains(nodes: Sequence[Mapping[str, Any]]) -> list[PlacedProcess]:
    chains: list[PlacedProcess] = []
    joined: set[str] = set()
    kinds = {n["name"]: n["kind"] for n in nodes}
    for n in nodes:
        name = n["name"]
        if name in joined:
            continue
        members = [name]
        only = n["children"][0] if len(n["children"]) == 1 else None
        if n["kind"] == "stream" and only is not None and kinds[only] not in OUTSIDE_KINDS:
            members.append(only)
            joined.add(only)
        chains.append(PlacedProcess(members))
    return chains


def _wanted(nodes: Sequence[Mapping[str, Any]]) -> dict[str, Demand]:
    """For every node: what the nodes behind it can refer to."""
    declared = {n["name"]: decode_node(n) for n in nodes}
    wanted: dict[str, Demand] = {}
    for n in reversed(nodes):
        demand = Demand(NO_NAMES, NO_NAMES)
        for child in n["children"]:
            demand |= declared[child].demand(wanted[child])
        wanted[n["name"]] = demand
    return wanted


def _names(demand: Demand) -> Names:
    return (
        None if demand.fields is None else sorted(demand.fields),
        None if demand.tags is None else sorted(demand.tags),
    )


def _measurements(nodes: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    declared: list[Any] = [decode_node(n) for n in nodes if n["kind"] == "from"]
    return frozenset(node.measurement for node in declared)
