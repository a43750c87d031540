"""`/debug/vars`: the server's identity, how many tasks it has, and its statistics (spec "HTTP API" §19).

Statistics have a name that is new in every answer, as in the reference: clients go by their tags.
"""

from __future__ import annotations

import sys
import uuid
from typing import TYPE_CHECKING, Any

from engine.api.conventions import VERSION, answer, route
from engine.api.figures import ask, figures
from tickscript.durations import go_duration

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from engine.api.callers import Servers
    from engine.api.figures import Figure

_TIME = "avg_exec_time_ns"


class Debug:
    """The resource. One instance a front end."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def routes(self, base: str) -> list[Route]:
        return [route(f"{base}/debug/vars", self.vars, "GET")]

    async def vars(self, _: Request) -> Response:
        host = self._servers.settings.hostname
        known = await ask(self._servers)
        common = {
            "host": host,
            "cluster_id": known.identities["cluster"],
            "server_id": known.identities["server"],
        }
        return answer(
            {
                "cluster_id": common["cluster_id"],
                "cmdline": sys.argv,
                "host": host,
                "kapacitor": {str(uuid.uuid4()): _shown(figure, common) for figure in figures(known)},
                "num_enabled_tasks": known.counts["enabled"],
                "num_subscriptions": 0,
                "num_tasks": known.counts["tasks"],
                "platform": "OSS",
                "product": "kapacitor",
                "server_id": common["server_id"],
                "version": VERSION,
            }
        )


def _shown(figure: Figure, common: dict[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = dict(figure.values)
    if _TIME in values:
        values[_TIME] = go_duration(int(values[_TIME]))
    return {"name": figure.name, "tags": {**figure.tags, **common}, "values": dict(sorted(values.items()))}
