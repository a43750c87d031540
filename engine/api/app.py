"""The API application: which resources there are, and what their errors become (spec "HTTP API" §2, §3, §5).

Each resource is a module of its own; a further one adds a line in `build_app`. `/write` is not here: it has a path of
its own before the router (engine.api.write).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from engine import logs
from engine.api.alerts import Alerts
from engine.api.callers import Caller, Servers
from engine.api.conventions import BASE, METHODS, PREVIEW, answer, answer_headers, failure, route
from engine.api.debug import Debug
from engine.api.envelope import BodyTooLargeError, Envelope
from engine.api.logs import Logs
from engine.api.metrics import Metrics
from engine.api.processes import Processes
from engine.api.sideload import Sideload
from engine.api.tasks import Tasks
from engine.api.templates import Templates
from engine.definitions.bodies import RefusedError
from engine.logs.sessions import Hub
from engine.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.routing import Route

    from engine.settings import Settings

__all__ = ["answer_headers", "build_app"]

_ID = "{id:path}"


async def _ping(_: Request) -> Response:
    return Response(b"", 204)


def build_app(
    store: Caller, supervisor: Caller, settings: Settings, alerts: Caller | None = None, hub: Hub | None = None
) -> Any:
    """The ASGI application for everything but `/write`. `hub`: where readers of logs are served from."""
    hub = hub or Hub()
    board = logs.board()
    servers = Servers(store, supervisor, settings)
    if alerts is not None:
        servers = replace(servers, alerts=alerts)
    routes = [
        route(f"{BASE}/ping", _ping, "GET", "HEAD"),
        *Tasks(servers).routes(BASE),
        *Templates(servers).routes(BASE),
        *Alerts(servers).routes(BASE),
        *Debug(servers).routes(BASE),
        *Logs(hub, board).routes(BASE),
        *Processes(servers, board).routes(BASE),
        *Metrics(servers, board, hub).routes(BASE),
        *Sideload(servers).routes(BASE),
    ]
    log = logs.get_logger(process="frontend")

    async def list_routes(_: Request) -> Response:
        return answer(_table(routes))

    def on_error(request: Request, error: Exception) -> Response:
        log.error("request failed", method=request.method, path=request.url.path, exc_info=error)
        return failure(500, f"internal error: {type(error).__name__}: this is a bug, the server's log has the details")

    app = Starlette(
        routes=[*routes, route(f"{BASE}/:routes", list_routes, "GET")],
        exception_handlers={
            HTTPException: _on_http,
            RefusedError: _on_refused,
            RpcError: _on_refused,
            BodyTooLargeError: _on_too_large,
            ClientDisconnect: _on_gone,
            Exception: on_error,
        },
    )
    app.router.redirect_slashes = False

    async def contained(scope: Any, receive: Any, send: Any) -> None:
        with suppress(Exception):  # on_error has logged and answered it; Starlette raises it again all the same
            await app(scope, receive, send)

    return Envelope(contained, settings.http.max_body_bytes)


def _table(routes: Sequence[Route]) -> dict[str, list[str]]:
    """Path patterns and their methods; what answers OPTIONS, and the catch-all patterns, are named as the reference does."""
    table: dict[str, set[str]] = {
        "/": set(METHODS),
        f"{PREVIEW}/": set(METHODS),
        "/write": {"OPTIONS", "POST"},
        f"{BASE}/write": {"OPTIONS", "POST"},
        f"{BASE}/:routes": {"GET"},
    }
    for r in routes:
        one = r.path.endswith(_ID)
        table.setdefault(r.path.removesuffix(_ID), {"OPTIONS"} if one else set()).update(r.methods or ())
    return {path: sorted(methods) for path, methods in sorted(table.items())}


def _on_http(_: Request, error: Exception) -> Response:
    """A known path with a wrong method is not found either."""
    code = error.status_code if isinstance(error, HTTPException) else 500
    return failure(404, "Not Found") if code in (404, 405) else failure(code, str(error))


def _on_refused(_: Request, error: Exception) -> Response:
    return failure(error.code if isinstance(error, RefusedError | RpcError) else 500, str(error))


def _on_gone(_: Request, __: Exception) -> Response:
    """The client went away in the middle of its body: it has asked for nothing, and nobody reads this."""
    return Response(b"", 400)


def _on_too_large(_: Request, error: Exception) -> Response:
    """Whatever of the body is still to come is thrown away as it comes, so that the client gets to read this."""
    return failure(413, str(error))
