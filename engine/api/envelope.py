"""What stands around every request: clean paths, OPTIONS, the preview base, the body limit, headers, compression.

Always: one answer a request, with the common headers (spec "HTTP API" §1); no more of a body is held than the limit.
"""

from __future__ import annotations

import gzip
import posixpath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as percent

from engine.api.conventions import BASE, LOGS, PREVIEW, answer_headers, cors_headers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]

_GZIP_LEVEL = 1


class BodyTooLargeError(Exception):
    """The body is over the limit; str() names it."""


class Envelope:
    """The ASGI application around `app`. `max_body_bytes` bounds every body."""

    def __init__(self, app: Any, max_body_bytes: int) -> None:
        self._app = app
        self._limit = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        extra = answer_headers(headers)
        if scope["method"] == "OPTIONS":
            await _bare(send, 200, [extra[2], *cors_headers(headers)])
            return
        path = scope["path"]
        clean = _clean(path)
        if clean != path:
            await _redirect(scope, clean, send)
            return
        if path != LOGS and (path == PREVIEW or path.startswith(PREVIEW + "/")):
            scope = {**scope, "path": BASE + path[len(PREVIEW) :]}
            scope.pop("raw_path", None)
        wants_gzip = b"gzip" in headers.get(b"accept-encoding", b"")
        await self._app(scope, self._limited(receive), _Answer(send, extra, gzip_it=wants_gzip))

    def _limited(self, receive: Receive) -> Receive:
        size = 0

        async def counted() -> Any:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._limit:
                raise BodyTooLargeError(
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
            own = [(k, v) for k, v in message["headers"] if k != b"content-length"]
            typed = any(k == b"content-type" for k, _ in own)
            usual = [(k, v) for k, v in self._extra if not (typed and k == b"content-type")]
            self._start = {**message, "headers": [*usual, *own]}
            return
        if self._start is not None:
            start, self._start = self._start, None
            body = message.get("body", b"")
            whole = not message.get("more_body", False)
            if whole and self._gzip:
                body = gzip.compress(body, _GZIP_LEVEL) if body else b""
                start["headers"].append((b"content-encoding", b"gzip"))
            if whole and start["status"] != 204:
                start["headers"].append((b"content-length", str(len(body)).encode()))
            await self._send(start)
            message = {**message, "body": body}
        await self._send(message)


def _clean(path: str) -> str:
    """The path without `//`, `/./` and `/../`; a slash at the end stays."""
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
