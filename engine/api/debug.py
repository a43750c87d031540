"""`/debug/vars`: the server's identity, how many tasks it has, and the statistics of those that run (spec "HTTP API" §19).

Statistics have a name that is new in every answer, as in the reference: clients go by their tags.
"""

from __future__ import annotations

import sys
import uuid
from typing import TYPE_CHECKING, Any

from engine.api.conventions import VERSION, answer, route
from tickscript.durations import go_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from engine.api.callers import Servers

_DIGITS = "0123456789"
_NOT_PUBLISHED = frozenset({"collected", "emitted"})


class Debug:
    """The resource. One instance a front end."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def routes(self, base: str) -> list[Route]:
        return [route(f"{base}/debug/vars", self.vars, "GET")]

    async def vars(self, _: Request) -> Response:
        store, host = self._servers.store, self._servers.settings.hostname
        identities = await store.call("identities")
        counts = await store.call("counts")
        tasks = await store.call("task_list", pattern="", offset=0, limit=-1, fields=["type"])
        enabled = {t["id"]: t["type"] for t in tasks if t["status"] == "enabled"}
        states = await self._servers.supervisor.call("task_states", ids=list(enabled))
        common = {"host": host, "cluster_id": identities["cluster"], "server_id": identities["server"]}
        figures: dict[str, Any] = {}
        for task, state in states.items():
            for name, tags, values in _figures(task, enabled[task], state):
                figures[str(uuid.uuid4())] = {"name": name, "tags": {**tags, **common}, "values": values}
        return answer(
            {
                "cluster_id": identities["cluster"],
                "cmdline": sys.argv,
                "host": host,
                "kapacitor": figures,
                "num_enabled_tasks": counts["enabled"],
                "num_subscriptions": 0,
                "num_tasks": counts["tasks"],
                "platform": "OSS",
                "product": "kapacitor",
                "server_id": identities["server"],
                "version": VERSION,
            }
        )


def _figures(
    task: str, kind: str, state: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, str], dict[str, int | float | str]]]:
    """Name, tags and values of a task's nodes and edges; nothing when it does not execute."""
    if not state["executing"]:
        return
    statistics = state["stats"]["node-stats"]
    children = {node["name"]: len(node["children"]) for node in state["nodes"]}
    for node, own in statistics.items():
        values = {k: v for k, v in own.items() if k not in _NOT_PUBLISHED}
        values["avg_exec_time_ns"] = go_duration(int(values["avg_exec_time_ns"]))
        yield "nodes", {"task": task, "node": node, "type": kind, "kind": node.rstrip(_DIGITS)}, values
    source = f"{kind}0"
    if source in statistics:
        taken = statistics[source]["collected"]
        yield from _edge(task, kind, (kind, source), taken, taken)
    for parent, child, emitted in state["edges"]:
        # A node hands the same messages to each of its children.
        collected = statistics[parent]["emitted"] // children[parent]
        yield from _edge(task, kind, (parent, child), max(collected, emitted), emitted)


def _edge(
    task: str, kind: str, ends: tuple[str, str], collected: int, emitted: int
) -> Iterator[tuple[str, dict[str, str], dict[str, int | float | str]]]:
    tags = {"task": task, "parent": ends[0], "child": ends[1], "type": kind}
    yield "edges", tags, {"collected": collected, "emitted": emitted}
