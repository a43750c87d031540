"""The API application: routing, headers, compression and errors around the resources (spec "HTTP API" §1-3).

Each resource is a module of its own; a further one adds a line in `build_app`. `/write` is not here: it has a path of
its own before the router (engine.api.write).
"""

from __future__ import annotations

import gzip
import posixpath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as percent

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from engine.api.callers import Caller, Servers
from engine.api.conventions import BASE, PREVIEW, answer, answer_headers, cors_headers, failure
from engine.api.tasks import Tasks
from engine.api.templates import Templates
from engine.definitions.bodies import RefusedError
from engine.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from engine.settings import Settings

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]

__all__ = ["answer_headers", "build_app"]


class _BodyTooLargeError(Exception):
    """The body is over the limit."""


async def _ping(_: Request) -> Response:
    return Response(b"", 204)


def build_app(store: Caller, supervisor: Caller, settings: Settings) -> Any:
    """The ASGI application for everything but `/write`."""
    servers = Servers(store, supervisor, settings)
    routes = [
        Route(f"{BASE}/ping", _ping, methods=["GET", "HEAD"]),
        *Tasks(servers).routes(BASE),
        *Templates(servers).routes(BASE),
    ]

    async def list_routes(_: Request) -> Response:
        table: dict[str, list[str]] = {}
        for route in routes:
            methods = sorted((route.methods or set()) - {"HEAD"})
            path = route.path.replace("/{id:path}", "/")
            table.setdefault(path, []).extend(m for m in methods if m not in table.get(path, []))
        table[f"{BASE}/ping"] = ["GET", "HEAD"]
        table[f"{BASE}/write"] = table["/write"] = ["POST", "OPTIONS"]
        return answer(dict(sorted(table.items())))

    app = Starlette(
        routes=[*routes, Route(f"{BASE}/:routes", list_routes, methods=["GET"])],
        exception_handlers={
            HTTPException: _on_http,
            RefusedError: _on_refused,
            RpcError: _on_rpc,
            _BodyTooLargeError: _on_too_large,
        },
    )
    app.router.redirect_slashes = False
    app.state.limit = settings.http.max_body_bytes
    return Envelope(app, settings.http.max_body_bytes)


def _on_http(_: Request, error: Exception) -> Response:
    """A known path with a wrong method is not found either."""
    code = error.status_code if isinstance(error, HTTPException) else 500
    return failure(404, "Not Found") if code in (404, 405) else failure(code, str(error))


def _on_refused(_: Request, error: Exception) -> Response:
    return failure(error.code if isinstance(error, RefusedError) else 500, str(error))


def _on_rpc(_: Request, error: Exception) -> Response:
    return failure(error.code if isinstance(error, RpcError) else 500, str(error))


def _on_too_large(_: Request, error: Exception) -> Response:
    return failure(413, str(error))


class Envelope:
    """What stands around every request: clean paths, OPTIONS, the preview base, body limit, headers, gzip."""

    def __init__(self, app: Any, max_body_bytes: int) -> None:
        self._app = app
        self._limit = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        path = scope["path"]
        clean = _clean(path)
        if clean != path:
            await _redirect(scope, clean, send)
            return
        extra = answer_headers(headers)
        if scope["method"] == "OPTIONS":
            await _bare(send, 200, [extra[2], *cors_headers(headers)])
            return
        if path == PREVIEW or path.startswith(PREVIEW + "/"):
            scope = {**scope, "path": BASE + path[len(PREVIEW) :]}
            scope.pop("raw_path", None)
        wants_gzip = b"gzip" in headers.get(b"accept-encoding", b"")
        try:
            await self._app(scope, self._limited(receive), _Answer(send, extra, gzip_it=wants_gzip))
        except ClientDisconnect:
            return

    def _limited(self, receive: Receive) -> Receive:
        size = 0

        async def counted() -> Any:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._limit:
                raise _BodyTooLargeError(
                    f"the body is larger than {self._limit} bytes, the limit that [http] max-body-size sets"
                )
            return message

        return counted


class _Answer:
    """Adds the common headers, and compresses answers that are sent whole."""

    def __init__(self, send: Send, extra: list[tuple[bytes, bytes]], *, gzip_it: bool) -> None:
        self._send = send
        self._extra = extra
        self._gzip = gzip_it
        self._start: Any = None

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            own = [(k, v) for k, v in message["headers"] if k not in (b"content-type", b"content-length")]
            self._start = {**message, "headers": [*self._extra, *own]}
            return
        if self._start is not None:
            start, self._start = self._start, None
            body = message.get("body", b"")
            whole = not message.get("more_body", False)
            if whole and self._gzip and body:
                body = gzip.compress(body, 1)
                start["headers"].append((b"content-encoding", b"gzip"))
            if whole and start["status"] != 204:
                start["headers"].append((b"content-length", str(len(body)).encode()))
            await self._send(start)
            message = {**message, "body": body}
        await self._send(message)


def _clean(path: str) -> str:
    clean = posixpath.normpath(path) if path else "/"
    if clean.startswith("//"):
        clean = clean[1:]
    if path.endswith("/") and clean != "/":
        clean += "/"
    return clean


async def _redirect(scope: Scope, path: str, send: Send) -> None:
    where = percent(path, safe="/:~!$&'()*+,;=@")
    query = scope.get("query_string", b"").decode("latin-1")
    target = f"{where}?{query}" if query else where
    body = f'<a href="{target}">Moved Permanently</a>.\n\n'.encode()
    headers = [
        (b"location", target.encode("latin-1")),
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 301, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _bare(send: Send, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
