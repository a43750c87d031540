"""The server's statistics as the reference names and tags them (spec "TaskMaster" §12, "HTTP API" §19).

`/debug/vars` shows them and the internal statistics stream carries them; both are made of one overview.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engine.api.callers import Servers

_MAIN = "task_master:main"
_NOT_PUBLISHED = frozenset({"collected", "emitted"})


@dataclass(frozen=True, slots=True)
class Figure:
    """One statistic: the measurement, its tags without those of the server, and its values."""

    name: str
    tags: Mapping[str, str]
    values: Mapping[str, int | float]


@dataclass(frozen=True, slots=True)
class Known:
    """What the server's parts say of themselves at one moment."""

    overview: Mapping[str, Any]
    topics: Sequence[Mapping[str, Any]]
    counts: Mapping[str, int]
    identities: Mapping[str, str]


async def ask(servers: Servers) -> Known:
    """Ask everybody. An alert service that is not there has no topics. Raises rpc.RpcError."""

    async def topics() -> Any:
        with suppress(RpcError):
            return await servers.alerts.call("topic_list", pattern="", min_level=0)
        return []

    overview, found, counts, identities = await asyncio.gather(
        servers.supervisor.call("overview"), topics(), servers.store.call("counts"), servers.store.call("identities")
    )
    return Known(overview, found, counts, identities)


def figures(known: Known) -> Iterator[Figure]:
    """All of them; a task that does not execute has none."""
    received = 0
    for db, rp, measurement, points in known.overview["ingress"]:
        received += points
        tags = {"task_master": "main", "database": db, "retention_policy": rp, "measurement": measurement}
        yield Figure("ingress", tags, {"points_received": points})
    yield _edge(_MAIN, "stream", "write_points", "stream", received, received)
    for task in known.overview["tasks"]:
        yield from _of_task(task)
    for topic in known.topics:
        yield Figure("topics", {"id": topic["id"]}, {"collected": topic["collected"]})
    yield Figure("load", {}, {"errors": 0})


def _of_task(task: Mapping[str, Any]) -> Iterator[Figure]:
    for parent, child, collected, emitted in task["edges"]:
        yield _edge(task["id"], task["type"], parent, child, collected, emitted)
    for process in task["processes"]:
        for node in process["nodes"]:
            tags = {"task": task["id"], "node": node["name"], "type": task["type"], "kind": node["kind"]}
            yield Figure("nodes", tags, {k: v for k, v in node["stats"].items() if k not in _NOT_PUBLISHED})


def _edge(task: str, kind: str, parent: str, child: str, collected: int, emitted: int) -> Figure:
    tags = {"task": task, "parent": parent, "child": child, "type": kind}
    return Figure("edges", tags, {"collected": collected, "emitted": emitted})
