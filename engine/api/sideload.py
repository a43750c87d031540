"""`/sideload/reload`: every running sideload node loads its source anew (spec "HTTP API" §19).

All are asked at once; the first failure is the answer. A node whose task ends meanwhile has nothing to reload.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import Response

from engine.api.conventions import route
from engine.rpc import RpcError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from engine.api.callers import Servers

_GONE = 404


class Sideload:
    """The resource. One instance a front end."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def routes(self, base: str) -> list[Route]:
        return [route(f"{base}/sideload/reload", self.reload, "POST")]

    async def reload(self, _: Request) -> Response:
        processes = await self._servers.supervisor.call("sideloads")
        await asyncio.gather(*(self._reload(process) for process in processes))
        return Response(b"", 204)

    async def _reload(self, process: str) -> None:
        try:
            await self._servers.supervisor.call("reload", process=process)
        except RpcError as error:
            if error.code != _GONE:
                raise
