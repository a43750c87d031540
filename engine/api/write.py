"""`POST /write`: the hot path, a bare ASGI callable (spec "Inputs, outputs, files" §4, "HTTP API" §6).

The body is parsed piece by piece while it arrives; nothing is ingested before the whole body is good. The answer goes
out when the TaskMaster has acknowledged every frame; 503 says that some of them may not have been taken.
"""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from engine import clock, rpc
from engine.api.body import Body, Bounds, RejectedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from engine.ingest import Ingest
    from engine.inputs.line_protocol import LineError, Parsed
    from engine.settings import Settings

    Headers = Mapping[bytes, bytes]

_GZIP_LEVEL = 1
_SHOWN = 200


class _DisconnectedError(Exception):
    """The client went away before its body was complete."""


class Write:
    """The `/write` endpoint. One instance a front end; `bounds` is what all bodies under way may hold."""

    def __init__(
        self,
        ingest: Ingest,
        settings: Settings,
        headers: Callable[[dict[bytes, bytes]], list[Any]],
        log: Any,
        answered: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`headers` gives the headers that every routed answer carries, for the request's headers; `answered` gets the
        status of each answer."""
        self._answered = answered
        self._ingest = ingest
        self._settings = settings
        self._headers = headers
        self._log = log
        self.bounds = Bounds(settings.http.max_body_bytes, settings.engine.max_frame_rows)

    async def __call__(self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Any) -> None:
        request_headers = dict(scope["headers"])
        try:
            await self._take(scope, request_headers, receive)
            status, text = 204, b""
        except RejectedError as rejected:
            status, text = rejected.status, str(rejected).encode("utf-8", "surrogateescape")
        except rpc.RpcError as error:
            status, text = error.code, f"{error}\n".encode()
        except _DisconnectedError:
            return
        except Exception as error:  # noqa: BLE001 - one write's bug is that write's failure, answered and logged
            self._log.error("write failed", exc_info=error)
            status, text = 500, f"internal error: {type(error).__name__}: the server's log has the details\n".encode()
        self._answered(status)
        await _answer(send, self._headers(request_headers), request_headers, status, text)

    async def _take(self, scope: dict[str, Any], headers: Headers, receive: Any) -> None:
        query: dict[str, str] = {}
        for key, value in parse_qsl(scope["query_string"].decode("utf-8", "replace"), keep_blank_values=True):
            query.setdefault(key, value)
        body = Body(
            self.bounds,
            db=query.get("db", ""),
            rp=query.get("rp") or self._settings.default_retention_policy,
            precision=query.get("precision", "n"),
            now=clock.now(),
            gzip=headers.get(b"content-encoding") == b"gzip",
        )
        broken = True
        try:
            parsed = await _read(body, headers, receive)
            await self._ingest_parsed(parsed, query.get("db", ""))
            broken = False
        except (RejectedError, rpc.RpcError, _DisconnectedError):
            broken = False
            raise
        finally:
            body.close(broken=broken)

    async def _ingest_parsed(self, parsed: Parsed, db: str) -> None:
        http = self._settings.http
        errors = parsed.errors
        if errors and http.bad_lines == "reject-body":
            raise _bad_lines(errors)
        if not db:
            raise RejectedError(400, "database is required\n")
        if parsed.frames:
            await self._ingest.write(parsed.frames, http.write_timeout_s)
        if errors and http.bad_lines == "report":
            raise _bad_lines(errors)
        if errors:
            self._log.warning("bad lines", count=len(errors), first=str(errors[0])[:_SHOWN], db=db)


async def _read(body: Body, headers: Headers, receive: Any) -> Parsed:
    """The whole body, parsed. Raises RejectedError, _DisconnectedError."""
    body.announced(headers.get(b"content-length"))
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _DisconnectedError
        piece = message.get("body", b"")
        more = message.get("more_body", False)
        if piece:
            await body.add(piece)
    return await body.finish()


async def _answer(send: Any, headers: list[Any], request: Headers, status: int, text: bytes) -> None:
    if b"gzip" in request.get(b"accept-encoding", b""):
        headers.append((b"content-encoding", b"gzip"))
        text = gzip.compress(text, _GZIP_LEVEL) if text else text
    if status != 204:
        headers.append((b"content-length", str(len(text)).encode()))
    if status == 503:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def _bad_lines(errors: Sequence[LineError]) -> RejectedError:
    return RejectedError(400, "".join(f"{e}\n" for e in errors))
