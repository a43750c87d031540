"""What every answer of the API has in common: headers, JSON text, errors, times (spec "HTTP API" §1, §3)."""

from __future__ import annotations

import functools
import secrets
import uuid
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request


def _version() -> str:
    try:
        return metadata.version("tickworks")
    except metadata.PackageNotFoundError:
        return ""


VERSION = _version()
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
BASE = "/kapacitor/v1"
PREVIEW = "/kapacitor/v1preview"
LOGS = f"{PREVIEW}/logs"
"""The one path that is served under the preview base alone."""
OURS = f"{BASE}/tickworks"
"""What Kapacitor has no path for."""
ZERO_TIME = "0001-01-01T00:00:00Z"
_SECOND = 1_000_000_000
_NODE = uuid.getnode()
_SEQUENCE = secrets.randbelow(1 << 14)
_ALLOW_METHODS = b"DELETE, GET, OPTIONS, POST, PATCH"
_ALLOW_HEADERS = (
    b"Accept, Accept-Encoding, Authorization, Content-Length, Content-Type, X-CSRF-Token, X-HTTP-Method-Override"
)
# Characters that Go escapes in JSON, where they only stand within strings.
_GO_ESCAPES = [(c.encode(), f"\\u{ord(c):04x}".encode()) for c in "<>&\u2028\u2029"]


def route(path: str, endpoint: Callable[[Request], Awaitable[Response]], *methods: str) -> Route:
    """A route of exactly these methods: Starlette would add HEAD to every GET."""
    made = Route(path, endpoint, methods=list(methods))
    made.methods = set(methods)
    return made


def answer_headers(request: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """The headers of every routed answer, for the request's headers."""
    out = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"x-kapacitor-version", VERSION.encode()),
        # With node and sequence given, Python makes the UUID itself; else it asks a daemon over a socket each time.
        (b"request-id", str(uuid.uuid1(_NODE, _SEQUENCE)).encode()),
    ]
    return out + cors_headers(request)


def cors_headers(request: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    origin = request.get(b"origin")
    if not origin:
        return []
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-methods", _ALLOW_METHODS),
        (b"access-control-allow-headers", _ALLOW_HEADERS),
    ]


def json_text(value: Any) -> bytes:
    """JSON as Go writes it with an indent of four; floats without a needless fraction."""
    text = msgspec.json.format(msgspec.json.encode(_floats(value)), indent=4)
    for plain, escaped in _GO_ESCAPES:
        text = text.replace(plain, escaped)
    return text


def _floats(value: Any) -> Any:
    """Floats that are whole numbers as ints, which is how Go prints them."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    if isinstance(value, dict):
        return {k: _floats(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_floats(v) for v in value]
    return value


def answer(value: Any, status: int = 200) -> Response:
    return Response(json_text(value), status)


def failure(status: int, text: str) -> Response:
    return answer({"error": text, "message": text}, status)


def nothing() -> Response:
    return Response(b"", 204)


@functools.lru_cache(maxsize=8192)  # a list shows three times of each task, the same ones as the time before
def rfc3339(time: int | None) -> str:
    """Nanoseconds since 1970 as RFC 3339 in UTC, trailing zeros of the fraction trimmed; None is Go's zero time."""
    if time is None:
        return ZERO_TIME
    seconds, rest = divmod(time, _SECOND)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:09d}".rstrip("0").rstrip(".") + "Z"


def link(path: str) -> dict[str, str]:
    return {"rel": "self", "href": f"{BASE}/{path}"}
