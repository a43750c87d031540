"""`/templates` (spec "HTTP API" §12)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from engine import rpc
from engine.api import lists
from engine.api.conventions import answer, link, nothing, rfc3339, route
from engine.definitions.bodies import RefusedError
from tickscript.gostrings import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from engine.api.callers import Servers

_FIELDS = ("link", "id", "type", "script", "dot", "error", "created", "modified")


class Templates:
    """The resource. One instance a front end."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def routes(self, base: str) -> list[Route]:
        return [
            route(f"{base}/templates", self.list, "GET"),
            route(f"{base}/templates", self.create, "POST"),
            route(f"{base}/templates/{{id:path}}", self.get, "GET"),
            route(f"{base}/templates/{{id:path}}", self.patch, "PATCH"),
            route(f"{base}/templates/{{id:path}}", self.delete, "DELETE"),
        ]

    async def create(self, request: Request) -> Response:
        template = await self._servers.store.call("template_create", body=await request.body())
        return answer(_object(template, "formatted"))

    async def get(self, request: Request) -> Response:
        template = await self._servers.store.call("template_get", id=_identity(request))
        return answer(_object(template, _script_format(request)))

    async def list(self, request: Request) -> Response:
        names = lists.fields(request, _FIELDS)
        script_format = _script_format(request)
        page: dict[str, Any] = {
            "pattern": request.query_params.get("pattern", ""),
            "offset": lists.integer(request, "offset", 0),
            "limit": lists.integer(request, "limit", 100),
        }
        found = await self._servers.store.call("template_list", **page)
        return answer({"templates": [lists.project(_object(t, script_format), names) for t in found]})

    async def patch(self, request: Request) -> Response:
        result = await self._servers.store.call("template_patch", id=_identity(request), body=await request.body())
        await self._carry(result)
        return answer(_object(result["template"], "formatted"))

    async def _carry(self, result: Mapping[str, Any]) -> None:
        """Restart the template's tasks; when one does not start, all have their old definition again.

        Raises rpc.RpcError 500 that names the task.
        """
        servers = self._servers
        restarted: list[str] = []
        async with servers.turns.of(old["id"] for old in result["undo"]):
            for action in result["actions"]:
                restarted.append(action[1])
                try:
                    await servers.act_once(action)
                except rpc.RpcError as error:
                    undone = await servers.store.call("template_undo", undo=result["undo"], started=restarted)
                    for back in undone["actions"]:
                        # What does not start again either has its error in the store; the others still have to.
                        with suppress(rpc.RpcError):
                            await servers.act_once(back)
                    raise rpc.RpcError(500, f"error reloading associated task {action[1]}: {error}") from None

    async def delete(self, request: Request) -> Response:
        await self._servers.store.call("template_delete", id=_identity(request))
        return nothing()


def _identity(request: Request) -> str:
    identity = str(request.path_params["id"])
    if not identity:
        raise RefusedError(400, "must specify template id on path")
    return identity


def _script_format(request: Request) -> str:
    value = request.query_params.get("script-format", "") or "formatted"
    if value not in ("formatted", "raw"):
        raise RefusedError(400, f"invalid script-format parameter {quote(value)}")
    return value


def _object(template: Mapping[str, Any], script_format: str) -> dict[str, Any]:
    return {
        "link": link(f"templates/{template['id']}"),
        "id": template["id"],
        "type": template["type"],
        "script": template["formatted" if script_format == "formatted" else "script"],
        "vars": dict(sorted(template["vars"].items())),
        "dot": template["dot"],
        "error": template["compile_error"] or template["error"],
        "created": rfc3339(template["created"]),
        "modified": rfc3339(template["modified"]),
    }
