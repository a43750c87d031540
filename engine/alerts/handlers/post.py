"""`post`: one POST an alert, to a URL or a configured endpoint (alert-handlers.md §1).

The body is the alert as JSON, or what the endpoint's alert template makes of it. The URL is a template too. A failure is
logged, never retried.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from engine.alerts.handlers.alert_data import alert_data
from engine.alerts.handlers.base import BOOL, DURATION, STRING, TABLE, Handler, Kind, OptionsError, Surroundings
from engine.http_headers import basic_auth, set_header, url_for
from engine.templates import ExecutionError, ParseError, parse
from engine.templates.functions import JSON_FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.alerts.events import Delivery
    from engine.templates import Template
    from tickscript.nodes.handlers import PostHandler as Declared

_LONGEST_S: Final = 30.0
_UNKNOWN: Final = "unknown error, use .captureResponse() to capture the HTTP response"


@dataclass(frozen=True, slots=True)
class Target:
    """Where to and how; `body` None: the alert as JSON."""

    url: Template
    body: Template | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, url: str, name: str, endpoints: Mapping[str, Any]) -> Target:
        """The endpoint where it is known, else the URL. Raises OptionsError."""
        if not url and not name:
            raise OptionsError("Either URL or endpoint must be non-empty")
        endpoint = endpoints.get(name) if name else None
        if endpoint is None:
            if not url:
                raise OptionsError("An appropriately formatted url must be specified if an endpoint is not specified")
            return cls(_template(url))
        auth = endpoint.get("basic-auth") or {}
        headers = basic_auth(auth.get("username"), auth.get("password"))
        for key, value in (endpoint.get("headers") or {}).items():
            set_header(headers, key, value)
        return cls(_template(endpoint["url"]), _body(endpoint), headers)


def _body(endpoint: Mapping[str, Any]) -> Template | None:
    text = endpoint.get("alert-template") or ""
    functions: Mapping[str, Any] = JSON_FUNCTIONS
    if not text and endpoint.get("alert-template-file"):
        try:
            text = Path(endpoint["alert-template-file"]).read_text(encoding="utf-8")
        except OSError as error:
            raise OptionsError(f"failed to read alert template: {error}") from error
        # Files do not get them, in the reference.
        functions = {}
    try:
        return parse(text, "", functions) if text else None
    except ParseError as error:
        raise OptionsError(f"failed to parse alert template: {error}") from error


def _template(url: str) -> Template:
    try:
        return parse(url, "", JSON_FUNCTIONS)
    except ParseError as error:
        raise OptionsError(f"invalid url template: {error}") from error


class PostHandler(Handler):
    """`timeout` (ns, 0: none) is per request, within a limit of 30 s."""

    def __init__(
        self, target: Target, headers: Mapping[str, str], timeout: int, log: Any, *, capture: bool, verify: bool
    ) -> None:
        self._target = target
        self._headers: dict[str, str] = dict(target.headers)
        for name, value in headers.items():
            set_header(self._headers, name, value)
        if target.body is None:
            set_header(self._headers, "Content-Type", "application/json")
        self._limit = min(timeout / 1e9, _LONGEST_S) if timeout > 0 else _LONGEST_S
        self._capture = capture
        self._verify = verify
        self._log = log
        self._session: aiohttp.ClientSession | None = None

    async def send(self, deliveries: Sequence[Delivery]) -> None:
        if self._session is None:
            # A connection an alert, as in the reference: an endpoint that closes an idle one would lose the next alert, and
            # one that answers in two pieces would keep each alert waiting for the system's delayed acknowledgement.
            connector = aiohttp.TCPConnector(limit=1, force_close=True, ssl=self._verify)
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._limit),
                connector=connector,
                trust_env=True,
                skip_auto_headers=("Content-Type",),
            )
        for delivery in deliveries:
            await self._post(self._session, delivery)

    async def _post(self, session: aiohttp.ClientSession, delivery: Delivery) -> None:
        target, event = self._target, delivery.event.id
        try:
            body = delivery.json
            url = target.url.literal
            if url is None or target.body is not None:
                data = alert_data(delivery)
                url = target.url.render(data)
                if target.body is not None:
                    body = target.body.render(data).encode("utf-8", "surrogateescape")
        except (ValueError, ExecutionError) as error:
            self._log.error("failed to handle event", alert=event, error=str(error))
            return
        try:
            asked = url_for(url, self._headers)
            async with session.post(asked, data=body, headers=self._headers) as response:
                if 200 <= response.status < 300:
                    await response.read()
                    return
                detail = await response.text(errors="replace") if self._capture else _UNKNOWN
                self._log.error("POST returned non 2xx status code", alert=event, code=response.status, error=detail)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as error:  # noqa: UP041  (3.11 has two)
            self._log.error(
                "failed to POST alert data", alert=event, error=f'Post "{url}": {error or type(error).__name__}'
            )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


def _make(options: dict[str, Any], surroundings: Surroundings) -> PostHandler:
    target = Target.of(options["url"], options["endpoint"], surroundings.endpoints)
    return PostHandler(
        target, options["headers"] or {}, options["timeout"], surroundings.log, capture=options["capture-response"],
        verify=not options["skip-ssl-verification"],
    )  # fmt: skip


def _inline(declared: Declared) -> dict[str, Any]:
    return {
        "url": declared.url,
        "endpoint": declared.endpoint,
        "headers": dict(declared.headers),
        "capture-response": declared.capture_response,
        "timeout": declared.timeout,
    }


KIND = Kind(
    "post",
    "*httppost.HandlerConfig",
    {
        "url": STRING, "endpoint": STRING, "headers": TABLE, "capture-response": BOOL, "timeout": DURATION,
        "skip-ssl-verification": BOOL,
    },
    _make,
    _inline,
)  # fmt: skip
