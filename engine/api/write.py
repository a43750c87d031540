"""`POST /write`: the hot path, a bare ASGI callable (spec "Inputs, outputs, files" §4, "HTTP API" §6).

The body is parsed piece by piece while it arrives; nothing is ingested before the whole body is good. The answer goes
out when the TaskMaster has acknowledged every frame.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from engine import clock, rpc
from engine.inputs.line_protocol import LineParser

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.api.ingest import Ingest
    from engine.settings import Settings

_GZIP = 16 + zlib.MAX_WBITS
_INFLATE_PIECE = 1 << 18


class _RejectedError(Exception):
    """The request cannot be taken: status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class _DisconnectedError(Exception):
    """The client went away before its body was complete."""


class Write:
    """The `/write` endpoint. One instance a front end; the parser's caches live with it."""

    def __init__(self, ingest: Ingest, settings: Settings, headers: Callable[[dict[bytes, bytes]], list[Any]]) -> None:
        """`headers` gives the headers that every routed answer carries, for the request's headers."""
        self._ingest = ingest
        self._settings = settings
        self._headers = headers
        self._idle: list[LineParser] = []
        self.log: Any = None

    async def __call__(self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Any) -> None:
        request_headers = dict(scope["headers"])
        try:
            await self._take(scope, request_headers, receive)
            status, text = 204, b""
        except _RejectedError as rejected:
            status, text = rejected.status, str(rejected).encode("utf-8", "surrogateescape")
        except rpc.RpcError as error:
            status, text = error.code, f"{error}\n".encode()
        except _DisconnectedError:
            return
        headers = self._headers(request_headers)
        if status != 204:
            headers.append((b"content-length", str(len(text)).encode()))
        if status == 503:
            headers.append((b"retry-after", b"1"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text})

    async def _take(self, scope: dict[str, Any], headers: dict[bytes, bytes], receive: Any) -> None:
        query: dict[str, str] = {}
        for key, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
            query.setdefault(key, value)
        http = self._settings.http
        parser = self._idle.pop() if self._idle else LineParser(self._settings.engine.max_frame_rows)
        parser.begin(
            db=query.get("db", ""),
            rp=query.get("rp") or self._settings.default_retention_policy,
            precision=query.get("precision", "n"),
            now=clock.now(),
        )
        try:
            await self._feed(parser, headers.get(b"content-encoding") == b"gzip", receive, http.max_body_bytes)
            parsed = parser.finish()
        finally:
            parser.reset()
            self._idle.append(parser)
        errors = parsed.errors
        if errors and http.bad_lines == "reject-body":
            raise _RejectedError(400, "\n".join(str(e) for e in errors) + "\n")
        if not query.get("db"):
            raise _RejectedError(400, "database is required\n")
        if parsed.frames:
            await self._ingest.write(parsed.frames, http.write_timeout_s)
        if errors and http.bad_lines == "report":
            raise _RejectedError(400, "\n".join(str(e) for e in errors) + "\n")
        if errors and self.log is not None:
            self.log.warning("bad lines", count=len(errors), first=str(errors[0]), db=query.get("db"))

    async def _feed(self, parser: LineParser, gzip: bool, receive: Any, limit: int) -> None:
        inflate = zlib.decompressobj(_GZIP) if gzip else None
        size, raw = 0, 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _DisconnectedError
            piece = message.get("body", b"")
            raw += len(piece)
            if inflate is None:
                size += len(piece)
                if size > limit:
                    raise _too_large(limit)
                if piece:
                    parser.feed(piece)
            else:
                inflate = _inflate_piece(inflate, piece, parser)
                size = parser.fed
                if size > limit:
                    raise _too_large(limit)
            if not message.get("more_body", False):
                break
        if inflate is not None and not inflate.eof:
            raise _RejectedError(400, "unexpected EOF\n" if raw else "EOF\n")


def _inflate_piece(inflate: Any, piece: bytes, parser: LineParser) -> Any:
    """Feed what the piece inflates to, in bounded steps; gzip members may follow each other."""
    try:
        data = piece
        while data:
            out = inflate.decompress(data, _INFLATE_PIECE)
            if out:
                parser.feed(out)
            data = inflate.unconsumed_tail
            if inflate.eof:
                data = inflate.unused_data
                if data:
                    inflate = zlib.decompressobj(_GZIP)
    except zlib.error:
        raise _RejectedError(400, "gzip: invalid header\n") from None
    return inflate


def _too_large(limit: int) -> _RejectedError:
    return _RejectedError(413, f"the body is larger than {limit} bytes, the limit that [http] max-body-size sets\n")
