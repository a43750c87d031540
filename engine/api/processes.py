"""`/tickworks/processes`: what every process of the server does at this moment (docs/api.md). `tickworks top` shows it.

Counters come from the supervisor, processor time and memory from the kernel, read here and only when asked. Rates are the
client's: it asks twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine import clock, proc
from engine.api.conventions import OURS, answer, route
from engine.proc import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from engine.api.callers import Servers
    from engine.board import Board

_NONE = Usage(0.0, 0)


class Processes:
    """The resource. One instance a front end."""

    def __init__(self, servers: Servers, board: Board) -> None:
        self._servers = servers
        self._board = board

    def routes(self, _: str) -> list[Route]:
        return [route(f"{OURS}/processes", self.get, "GET")]

    async def get(self, request: Request) -> Response:
        overview = await self._servers.supervisor.call("overview", pattern=request.query_params.get("task", ""))
        roles = self._board.pids()
        pids = [*roles.values(), *(p["pid"] for task in overview["tasks"] for p in task["processes"])]
        used = await proc.ask(pids)
        return answer(
            {
                "time": clock.now(),
                "server": [{"role": role, "pid": pid, **_used(used, pid)} for role, pid in roles.items()],
                "log": overview["log"],
                "tasks": [_task(task, used) for task in overview["tasks"]],
            }
        )


def _used(used: Mapping[int, Usage], pid: int) -> dict[str, float]:
    return used.get(pid, _NONE)._asdict()


def _task(task: Mapping[str, Any], used: Mapping[int, Usage]) -> dict[str, Any]:
    waiting: dict[str, int] = {}
    for _, child, collected, emitted in task["edges"]:
        waiting[child] = waiting.get(child, 0) + collected - emitted
    processes = []
    for p in task["processes"]:
        nodes = [
            {"name": n["name"], "kind": n["kind"], "queue": waiting.get(n["name"], 0), **n["stats"]} for n in p["nodes"]
        ]
        processes.append({**{k: v for k, v in p.items() if k != "nodes"}, **_used(used, p["pid"]), "nodes": nodes})
    kept = {k: task[k] for k in ("id", "type", "state", "executing", "error", "restarts", "fork")}
    return {**kept, "processes": processes}
