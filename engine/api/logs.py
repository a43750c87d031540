"""Logs of the running server and their level (spec "HTTP API" §19; docs/api.md for our own path).

A session is one streamed answer, a line a record. A client that reads slowly holds up its own answer and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.responses import StreamingResponse

from engine import clock
from engine.api.conventions import LOGS, OURS, answer, nothing, route
from engine.definitions.bodies import RefusedError
from engine.logs.presentation import json_line, logfmt
from engine.logs.sessions import Filter, reference_filter
from tickscript.durations import parse_duration_text
from tickscript.errors import DurationError
from tickscript.gostrings import quote, quote_rune

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from engine.board import Board
    from engine.logs.sessions import Hub, Line, Session

_SETTABLE: Final = {"debug": logging.DEBUG, "info": logging.INFO, "error": logging.ERROR}
_PARAMETERS: Final = frozenset({"task", "node", "level", "since", "follow", "match"})
_AT_ONCE: Final = 64


class Logs:
    """The resource. One instance a front end."""

    def __init__(self, hub: Hub, board: Board) -> None:
        self._hub = hub
        self._board = board

    def routes(self, base: str) -> list[Route]:
        return [
            route(f"{base}/loglevel", self.set_level, "POST"),
            route(LOGS, self.session, "GET"),
            route(f"{OURS}/logs", self.own_session, "GET"),
            route(f"{OURS}/logs/readers", self.readers, "GET"),
        ]

    async def set_level(self, request: Request) -> Response:
        level = _SETTABLE.get(_level_of(await request.body()).lower())
        if level is None:
            raise RefusedError(400, "invalid log level")
        self._board.level = level
        return nothing()

    async def session(self, request: Request) -> Response:
        """The reference's: lines from now on, each parameter equal to a key of the line."""
        pairs = request.query_params.multi_items()
        if len({key for key, _ in pairs}) < len(pairs):
            raise RefusedError(400, "query params cannot contain duplicate params")
        return self._stream(request, reference_filter(pairs), past=False, follow=True)

    async def own_session(self, request: Request) -> Response:
        """What was, and with `follow` what comes."""
        wanted, past, follow = _own_filter(request.query_params.multi_items(), clock.now())
        return self._stream(request, wanted, past=past, follow=follow)

    async def readers(self, _: Request) -> Response:
        """How many read, what they have lost, what is remembered; of the front end that answers."""
        return answer(self._hub.statistics())

    def _stream(self, request: Request, wanted: Filter, *, past: bool, follow: bool) -> Response:
        as_json = "application/json" in request.headers.get("accept", "")
        session, news = None, asyncio.Event()
        if follow:
            session = self._hub.open(wanted, news.set)
            if session is None:
                raise RefusedError(503, "too many sessions read the logs already")
        history = self._hub.history() if past else []
        lines = self._lines(history, wanted, session, news, as_json=as_json)
        return StreamingResponse(
            lines, headers={"content-type": "application/json" if as_json else "application/logfmt"}
        )

    async def _lines(
        self, history: Sequence[Line], wanted: Filter, session: Session | None, news: asyncio.Event, *, as_json: bool
    ) -> AsyncIterator[bytes]:
        """The session's text, some lines at a time; between those, whoever else has work has a turn."""
        write = json_line if as_json else logfmt
        try:
            # The client knows at once that it is heard.
            yield b""
            for at in range(0, len(history), _AT_ONCE):
                yield b"".join([write(line.fields) for line in history[at : at + _AT_ONCE] if wanted.takes(line)])
                await asyncio.sleep(0)
            while session is not None:
                lines = session.take(_AT_ONCE, clock.now())
                if lines:
                    yield b"".join([write(line.fields) for line in lines])
                    await asyncio.sleep(0)
                elif session.closed:
                    return
                else:
                    await news.wait()
                    news.clear()
        finally:
            if session is not None:
                self._hub.end(session)


def _level_of(body: bytes) -> str:
    """Raises RefusedError."""
    try:
        value: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        start = body.decode("utf-8", "replace").lstrip(" \t\r\n")[:1]
        text = str(error)
        if not start:
            text = "EOF"
        elif start not in '{["-tfn' and not start.isdigit():
            text = f"invalid character {quote_rune(start)} looking for beginning of value"
        raise RefusedError(400, f"invalid json: {text}") from None
    if not isinstance(value, dict):
        raise RefusedError(400, "invalid json: a log level is given as an object")
    level = next((v for k, v in value.items() if k.lower() == "level"), "")
    return level if isinstance(level, str) else ""


def _own_filter(pairs: Sequence[tuple[str, str]], now: int) -> tuple[Filter, bool, bool]:
    """The filter, and whether history and what comes are wanted. Raises RefusedError."""
    given: dict[str, str] = {}
    equal: list[tuple[str, str]] = []
    for key, value in pairs:
        if key not in _PARAMETERS:
            raise RefusedError(400, f"unknown parameter {quote(key)}: there are {', '.join(sorted(_PARAMETERS))}")
        if key == "match":
            name, mark, text = value.partition("=")
            if not mark:
                raise RefusedError(400, f"bad keyvalue pair: '{value}'")
            equal.append((name, text))
        elif key in given:
            raise RefusedError(400, "query params cannot contain duplicate params")
        else:
            given[key] = value
    equal += [(key, given[key]) for key in ("task", "node") if key in given]
    least = _SETTABLE.get(given.get("level", "debug").lower())
    if least is None:
        raise RefusedError(400, "invalid log level")
    follow = given.get("follow", "false") in ("", "true", "1")
    since = parse_since(given["since"], now) if "since" in given else None
    return Filter(least, since, tuple(equal)), since is not None or not follow, follow


def parse_since(text: str, now: int) -> int:
    """A moment: a duration before `now`, as `10m`, or an RFC 3339 time. Raises RefusedError."""
    try:
        return now - abs(parse_duration_text(text))
    except DurationError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RefusedError(
            400, f"since must be a duration such as 10m or an RFC 3339 time, not {quote(text)}"
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e9)
