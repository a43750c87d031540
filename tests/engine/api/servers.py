"""The API application over the real store service, in one process: only transport, supervisor and alert service are stand-ins.

Everything that goes between the processes is packed and unpacked as on the wire. `TaskMaster` is a small supervisor in
memory: it runs what it is told unless a test refuses it, and remembers every question in order.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import httpx

from engine import rpc
from engine.api.app import build_app
from engine.settings import HttpSettings, Settings
from engine.store import Store
from engine.store.process import answer_request
from engine.store.service import StoreService

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

BASE = "/kapacitor/v1"
SCRIPT = "stream|from().measurement('m')|httpOut('x')"
SHOWN = "stream\n    |from()\n        .measurement('m')\n    |httpOut('x')\n"
DBRPS = [{"db": "d", "rp": "r"}]
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


class MintedClock:
    """A second passes with every look."""

    def __init__(self) -> None:
        self.now = START - SECOND

    def __call__(self) -> int:
        self.now += SECOND
        return self.now


class NoLog:
    """Fails the test when the store logs a failure."""

    def critical(self, message: str, **fields: Any) -> None:
        raise AssertionError(f"{message}: {fields}")


class StoreCaller:
    """Asks the service as over the wire."""

    def __init__(self, service: StoreService) -> None:
        self.service = service
        self.asked: list[str] = []

    async def call(self, operation: str, _timeout: float = 30.0, **arguments: Any) -> Any:
        self.asked.append(operation)
        number, sent, given = rpc.unpack(rpc.pack_request(7, operation, arguments))
        answer, ok, value = rpc.unpack(answer_request(self.service, number, sent, given, NoLog()))
        assert answer == number
        if not ok:
            raise rpc.RpcError(value["code"], value["message"])
        return value


@dataclass
class Running:
    """A task that the supervisor knows: executing unless it has an error."""

    definition: dict[str, Any]
    error: str = ""


@dataclass
class TaskMaster:
    """The supervisor. `refuse`: start errors by task; `outs`: what httpOut nodes show, by task and path."""

    service: StoreService
    running: dict[str, Running] = field(default_factory=dict)
    refuse: dict[str, str] = field(default_factory=dict)
    outs: dict[tuple[str, str], tuple[int, bytes]] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    hold: dict[str, asyncio.Event] = field(default_factory=dict)

    async def call(self, operation: str, _timeout: float = 30.0, **arguments: Any) -> Any:
        _, _, given = rpc.unpack(rpc.pack_request(1, operation, arguments))
        value = await getattr(self, f"_{operation}")(given)
        return rpc.unpack(rpc.pack_answer(1, value))[2]

    @property
    def changes(self) -> list[tuple[str, Any]]:
        return [a for a in self.asked if a[0] in ("start", "stop")]

    async def _start_task(self, given: dict[str, Any]) -> None:
        task = given["id"]
        self.asked.append(("start", task))
        if task in self.hold:
            await self.hold[task].wait()
        error = self.refuse.get(task, "")
        self.running[task] = Running(given, error)
        if error:
            self.service.task_error(task, error)
            raise rpc.RpcError(500, error)

    async def _stop_task(self, given: dict[str, Any]) -> None:
        task = given["id"]
        self.asked.append(("stop", task))
        if task in self.hold:
            await self.hold[task].wait()
        self.running.pop(task, None)

    async def _task_states(self, given: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(("states", given["ids"]))
        return {i: _state(self.running[i]) for i in given["ids"] if i in self.running}

    async def _overview(self, _: dict[str, Any]) -> dict[str, Any]:
        """As engine.task_master.overview has it."""
        log = {"head": 7, "oldest": 1, "segments": 1, "bytes": 4096, "appended_rows": 30, "tail_bytes": 64}
        tasks = [_seen(task, running) for task, running in self.running.items()]
        return {"tasks": tasks, "log": log, "ingress": [["d", "r", "m", 5], ["d", "r", "n", 2]], "refused": 1}

    async def _out(self, given: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(("out", (given["task"], given["path"])))
        if (given["task"], given["path"]) not in self.outs:
            raise rpc.RpcError(404, "no task exists")
        status, body = self.outs[given["task"], given["path"]]
        return {"status": status, "body": body}


@dataclass
class Topics:
    """The alert service as far as tasks concern it: it is told which were deleted, and knows one topic."""

    deleted: list[str] = field(default_factory=list)

    async def call(self, operation: str, _timeout: float = 30.0, **arguments: Any) -> Any:
        if operation == "topic_list":
            return [{"id": "tp", "level": 3, "collected": 4}]
        assert operation == "task_deleted"
        self.deleted.append(arguments["id"])
        return None


def _state(task: Running) -> dict[str, Any]:
    if task.error:
        return {"executing": False, "error": task.error, "stats": None, "edges": [], "nodes": []}
    nodes = task.definition["plan"]["nodes"]
    figures = {"avg_exec_time_ns": 1500, "collected": 3, "emitted": 3, "errors": 0, "working_cardinality": 1}
    return {
        "executing": True,
        "error": "",
        "stats": {"task-stats": {"throughput": 2.0}, "node-stats": {n["name"]: figures for n in nodes}},
        "edges": [[parent, n["name"], 2] for n in nodes for parent in n["parents"]],
        "nodes": [{"name": n["name"], "kind": n["kind"], "children": n["children"]} for n in nodes],
    }


def _seen(task: str, running: Running) -> dict[str, Any]:
    """A task as the supervisor's overview has it; this process stands for each of its processes."""
    state = _state(running)
    seen = {"id": task, "type": "stream", "state": "running", "restarts": 0, "error": running.error}
    seen |= {"executing": state["executing"], "fork": None, "processes": [], "edges": []}
    if not state["executing"]:
        return seen
    stats = state["stats"]["node-stats"]
    nodes = [{"name": n["name"], "kind": n["kind"], "stats": stats[n["name"]]} for n in state["nodes"]]
    process = {"id": f"{task}/x#1", "pid": os.getpid(), "state": "running", "tick": 9, "busy": False, "nodes": nodes}
    edges = [["stream", "stream0", 3, 3], *([parent, child, 3, n] for parent, child, n in state["edges"])]
    fork = {"live": False, "lag_frames": 2, "lag_rows": 6, "lost_rows": 1, "episodes": 1, "delivered": 3}
    return {**seen, "processes": [process], "edges": edges, "fork": fork}


@dataclass(frozen=True)
class Raw:
    """An answer as the ASGI server gets it; no status when there was none."""

    status: int | None
    headers: dict[str, str]
    body: bytes


class Api:
    """The application, driven from a test that is not a coroutine."""

    def __init__(self, folder: Path, max_body_bytes: int = 1 << 20) -> None:
        self.store = Store(folder / "store.db")
        self.clock = MintedClock()
        self.service = StoreService(self.store, self.clock)
        self.store_calls = StoreCaller(self.service)
        self.task_master = TaskMaster(self.service)
        self.topics = Topics()
        http = HttpSettings(max_body_bytes=max_body_bytes)
        settings = Settings(data_dir=str(folder), hostname="box", http=http)
        self.app = build_app(self.store_calls, self.task_master, settings, self.topics)
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()
        self.store.close()

    def run(self, coroutine: Any) -> Any:
        return self._runner.run(coroutine)

    async def send(self, method: str, path: str, json: Any = None, **options: Any) -> httpx.Response:
        """One request; `path` below the base unless it begins with the base."""
        transport = httpx.ASGITransport(app=self.app)
        url = path if path.startswith("/") else f"{BASE}/{path}"
        if json is not None:
            options["json"] = json
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.request(method, url, **options)

    def call(self, method: str, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return self.run(self.send(method, path, json, **options))

    def ok(self, method: str, path: str, json: Any = None) -> Any:
        """The JSON of an answer that must be a success."""
        answer = self.call(method, path, json)
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def error(self, method: str, path: str, json: Any = None, **options: Any) -> tuple[int, str]:
        """Status and text of an answer that must be an error."""
        answer = self.call(method, path, json, **options)
        body = answer.json()
        assert set(body) == {"error", "message"}
        assert body["error"] == body["message"]
        return answer.status_code, body["error"]

    def define(self, task: str = "t", **more: Any) -> Any:
        return self.ok("POST", "tasks", {"id": task, "dbrps": DBRPS, "script": SCRIPT, **more})

    def raw(self, method: str, path: str, pieces: Iterable[bytes] = (), *, gone: bool = False, query: str = "") -> Raw:
        """One request below what HTTP clients tidy up; with `gone` the client leaves after `pieces`."""
        return self.run(self._raw(method, path, list(pieces), gone=gone, query=query))

    async def _raw(self, method: str, path: str, pieces: list[bytes], *, gone: bool, query: str) -> Raw:
        messages: list[Any] = [{"type": "http.request", "body": p, "more_body": True} for p in pieces]
        messages.append({"type": "http.disconnect"} if gone else {"type": "http.request", "body": b""})
        sent: list[Any] = []

        async def receive() -> Any:
            return messages.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": []}
        await self.app({**scope, "http_version": "1.1", "scheme": "http", "server": ("server", 80)}, receive, send)
        if not sent:
            return Raw(None, {}, b"")
        headers = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        return Raw(sent[0]["status"], headers, b"".join(m["body"] for m in sent[1:]))
