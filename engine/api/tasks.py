"""`/tasks` (spec "HTTP API" §7-9, §11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from engine import rpc
from engine.api import lists
from engine.api.conventions import answer, link, nothing, rfc3339, route
from engine.definitions.bodies import RefusedError
from tickscript.dot import LiveStats, live_dot
from tickscript.gostrings import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.routing import Route

    from engine.api.callers import Servers

_FIELDS = (
    "link", "id", "type", "dbrps", "script", "vars", "dot", "status", "executing", "error", "stats",
    "created", "modified", "last-enabled", "template-id",
)  # fmt: skip
# Fields that only the supervisor knows, or knows better than the store.
_LIVE = frozenset({"dot", "executing", "error", "stats"})
# Those of them for which every node's counters are read.
_COUNTED = frozenset({"dot", "stats"})
# Names in the API, and in the supervisor's answer: stalled nodes, points that retention took, how often a process died.
_TROUBLES = (("stalled", "stalled"), ("lost", "lost"), ("crashes", "crashes"))
_NOT_EXECUTING: dict[str, Any] = {"executing": False, "error": "", "stats": None, "edges": [], "nodes": []}


@dataclass(slots=True)
class _Node:
    """A node of a running pipeline, as far as DOT draws it."""

    name: str
    kind: str
    children: list[_Node]


@dataclass(slots=True)
class _Running:
    type: str
    nodes: list[_Node]


def running_dot(task: Mapping[str, Any], state: Mapping[str, Any], view: str) -> str:
    """The live DOT of what runs, which after a change without restart is not what is stored."""
    nodes = {n["name"]: _Node(n["name"], n["kind"], []) for n in state["nodes"]}
    places: dict[tuple[str, str], list[int]] = {}
    for n in state["nodes"]:
        for place, child in enumerate(n["children"]):
            nodes[n["name"]].children.append(nodes[child])
            places.setdefault((n["name"], child), []).append(place)
    processed = {}
    for parent, child, count in state["edges"]:
        processed[parent, places[parent, child].pop(0)] = count
    stats = state["stats"]
    own = {
        name: {k: v for k, v in figures.items() if k not in ("collected", "emitted")}
        for name, figures in stats["node-stats"].items()
    }
    live = LiveStats(stats["task-stats"]["throughput"], own, processed)
    pipeline: Any = _Running(task["type"], list(nodes.values()))
    return live_dot(pipeline, task["id"], live, "labels" if view == "labels" else "attributes")


def _choice(request: Request, name: str, choices: tuple[str, ...]) -> str:
    value = request.query_params.get(name, "") or choices[0]
    if value not in choices:
        raise RefusedError(400, f"invalid {name} parameter {quote(value)}")
    return value


class Tasks:
    """The resource. One instance a front end."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def routes(self, base: str) -> list[Route]:
        return [
            route(f"{base}/tasks", self.list, "GET"),
            route(f"{base}/tasks", self.create, "POST"),
            route(f"{base}/tasks/{{id:path}}", self.get, "GET"),
            route(f"{base}/tasks/{{id:path}}", self.patch, "PATCH"),
            route(f"{base}/tasks/{{id:path}}", self.delete, "DELETE"),
        ]

    async def create(self, request: Request) -> Response:
        result = await self._servers.store.call("task_create", body=await request.body())
        await self._servers.act(result["actions"])
        return await self._object(result["task"], "formatted", "attributes")

    async def get(self, request: Request) -> Response:
        identity = _identity(request)
        rows = await self._out(identity)
        if rows is not None:
            return rows
        task = await self._servers.store.call("task_get", id=identity)
        script_format = _choice(request, "script-format", ("formatted", "raw"))
        view = _choice(request, "dot-view", ("attributes", "labels"))
        replay = request.query_params.get("replay-id")
        if replay:
            raise RefusedError(400, f"no running replay with ID: {replay}")
        return await self._object(task, script_format, view)

    async def _out(self, path: str) -> Response | None:
        """The rows of a httpOut node, where the path is one."""
        task, slash, endpoint = path.partition("/")
        while slash:
            try:
                found = await self._servers.supervisor.call("out", task=task, path=endpoint)
            except rpc.RpcError as error:
                if error.code != 404:
                    raise
            else:
                return Response(found["body"], found["status"])
            more, slash, endpoint = endpoint.partition("/")
            task = f"{task}/{more}"
        return None

    async def _object(self, task: Mapping[str, Any], script_format: str, view: str) -> Response:
        states = await self._servers.supervisor.call("task_states", ids=[task["id"]])
        return answer(_object(task, states.get(task["id"], _NOT_EXECUTING), script_format, view))

    async def list(self, request: Request) -> Response:
        names = lists.fields(request, _FIELDS)
        script_format = _choice(request, "script-format", ("formatted", "raw"))
        view = _choice(request, "dot-view", ("attributes", "labels"))
        page: dict[str, Any] = {
            "pattern": request.query_params.get("pattern", ""),
            "offset": lists.integer(request, "offset", 0),
            "limit": lists.integer(request, "limit", 100),
        }
        tasks = await self._servers.store.call("task_list", **page, fields=names)
        states: Mapping[str, Any] = {}
        if not _LIVE.isdisjoint(names):
            brief = _COUNTED.isdisjoint(names)
            states = await self._servers.supervisor.call("task_states", ids=[t["id"] for t in tasks], brief=brief)
        items = []
        for task in tasks:
            state = states.get(task["id"], _NOT_EXECUTING)
            item = _object(task, state, script_format, view if "dot" in names else "")
            item["stats"] = state["stats"] if state["executing"] else None
            item["error"] = state["error"] or task["error"]
            item["dot"] = item["dot"] or None
            item["template-id"] = item["template-id"] or lists.LEFT_OUT
            items.append(lists.project(item, names))
        return answer({"tasks": items})

    async def patch(self, request: Request) -> Response:
        identity = _identity(request)
        result = await self._servers.store.call("task_patch", id=identity, body=await request.body())
        await self._servers.act(result["actions"])
        return await self._object(result["task"], "formatted", "attributes")

    async def delete(self, request: Request) -> Response:
        result = await self._servers.store.call("task_delete", id=_identity(request))
        await self._servers.act(result["actions"])
        return nothing()


def _identity(request: Request) -> str:
    identity = str(request.path_params["id"])
    if not identity:
        raise RefusedError(400, "must specify task id on path")
    return identity


def _troubles(state: Mapping[str, Any]) -> dict[str, Any]:
    """What the reference has no words for; a task without troubles looks as it does there."""
    health = state.get("health") or {}
    return {name: health[key] for name, key in _TROUBLES if health.get(key)}


def _object(task: Mapping[str, Any], state: Mapping[str, Any], script_format: str, view: str) -> dict[str, Any]:
    """The task as the API shows it. Without a `view` the pipeline of what runs is not drawn."""
    executing = state["executing"]
    return {
        **_troubles(state),
        "link": link(f"tasks/{task['id']}"),
        "id": task["id"],
        "template-id": task["template_id"],
        "type": task["type"],
        "dbrps": task["dbrps"],
        "script": task["formatted" if script_format == "formatted" else "script"],
        "vars": dict(sorted(task["vars"].items())),
        "dot": (running_dot(task, state, view) if view else "") if executing else task["dot"],
        "status": task["status"],
        "executing": executing,
        "error": task["compile_error"] or ("" if executing else state["error"] or task["error"]),
        "stats": state["stats"] if executing else {},
        "created": rfc3339(task["created"]),
        "modified": rfc3339(task["modified"]),
        "last-enabled": rfc3339(task["last_enabled"]),
    }
