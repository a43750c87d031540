"""`/alerts/topics`: topics, their events, their handlers (spec "Alerting" §10, "HTTP API" §15).

A path below a topic that is neither `events` nor `handlers` means the topic itself, as in the reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from engine.alerts.levels import NAMES, parse_level
from engine.api.conventions import BASE, answer, nothing, rfc3339, route
from engine.definitions.bodies import RefusedError
from engine.store.listing import BadPattern, compile_glob
from tickscript.durations import go_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from engine.api.callers import Servers

_TOPICS = f"{BASE}/alerts/topics"


class Alerts:
    """The resource. One instance a front end."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def routes(self, base: str) -> list[Route]:
        path = f"{base}/alerts/topics"
        below = path + "/{id:path}"
        return [
            route(path, self.list, "GET"),
            route(below, self.get, "GET"),
            route(below, self.create, "POST"),
            route(below, self.patch, "PATCH"),
            route(below, self.put, "PUT"),
            route(below, self.delete, "DELETE"),
        ]

    async def _ask(self, operation: str, **arguments: Any) -> Any:
        return await self._servers.alerts.call(operation, **arguments)

    async def list(self, request: Request) -> Response:
        found = await self._ask("topic_list", pattern=_pattern(request), min_level=_min_level(request))
        return answer({"link": _echo(request), "topics": [_topic(t) for t in found]})

    async def get(self, request: Request) -> Response:
        match _parts(request):
            case topic, "events", "":
                found = await self._ask("event_list", topic=topic, min_level=_min_level(request))
                events = [_event(topic, e) for e in found]
                return answer({"link": _self(f"{topic}/events"), "topic": topic, "events": events})
            case topic, "events", event if "/" not in event:
                return answer(_event(topic, await self._ask("event_get", topic=topic, event=event)))
            case topic, "handlers", "":
                found = await self._ask("handler_list", topic=topic, pattern=_pattern(request))
                handlers = [_handler(topic, h) for h in found]
                return answer({"link": _echo(request), "topic": topic, "handlers": handlers})
            case topic, "handlers", handler if "/" not in handler:
                return answer(_handler(topic, await self._ask("handler_get", topic=topic, id=handler)))
            case topic, *_:
                return answer(_topic(await self._ask("topic_get", topic=topic)))

    async def create(self, request: Request) -> Response:
        topic, _, _ = _parts(request)
        return answer(_handler(topic, await self._ask("handler_create", topic=topic, body=await request.body())))

    async def patch(self, request: Request) -> Response:
        return await self._change(request, "handler_patch")

    async def put(self, request: Request) -> Response:
        return await self._change(request, "handler_put")

    async def _change(self, request: Request, operation: str) -> Response:
        topic, kind, rest = _parts(request)
        handler = rest if kind == "handlers" else ""
        changed = await self._ask(operation, topic=topic, id=handler, body=await request.body())
        return answer(_handler(topic, changed))

    async def delete(self, request: Request) -> Response:
        topic, kind, rest = _parts(request)
        if kind == "handlers" and rest:
            await self._ask("handler_delete", topic=topic, id=rest)
        else:
            await self._ask("topic_delete", topic=topic)
        return nothing()


def _parts(request: Request) -> tuple[str, str, str]:
    """Topic, what is asked for below it, and the rest."""
    topic, _, below = str(request.path_params["id"]).partition("/")
    kind, _, rest = below.partition("/")
    return topic, kind, rest


def _pattern(request: Request) -> str:
    pattern = request.query_params.get("pattern", "")
    try:
        compile_glob(pattern)
    except BadPattern:
        raise RefusedError(400, "invalid pattern: syntax error in pattern") from None
    return pattern


def _min_level(request: Request) -> int:
    try:
        return parse_level(request.query_params.get("min-level", ""))
    except ValueError as error:
        raise RefusedError(400, str(error)) from None


def _link(relation: str, path: str) -> dict[str, str]:
    return {"rel": relation, "href": f"{_TOPICS}/{path}"}


def _self(path: str) -> dict[str, str]:
    return _link("self", path)


def _echo(request: Request) -> dict[str, str]:
    """The request's own path and query."""
    query = request.url.query
    return {"rel": "self", "href": unquote(request.url.path) + (f"?{query}" if query else "")}


def _topic(topic: Mapping[str, Any]) -> dict[str, Any]:
    name = topic["id"]
    return {
        "link": _self(name),
        "id": name,
        "level": NAMES[topic["level"]],
        "collected": topic["collected"],
        "events-link": _link("events", f"{name}/events"),
        "handlers-link": _link("handlers", f"{name}/handlers"),
    }


def _event(topic: str, event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "link": _self(f"{topic}/events/{event['id']}"),
        "id": event["id"],
        "state": {
            "message": event["message"],
            "details": event["details"],
            "time": rfc3339(event["time"]),
            "duration": go_duration(event["duration"]),
            "level": NAMES[event["level"]],
        },
    }


def _handler(topic: str, handler: Mapping[str, Any]) -> dict[str, Any]:
    options = handler["options"]
    return {
        "link": _self(f"{topic}/handlers/{handler['id']}"),
        "id": handler["id"],
        "kind": handler["kind"],
        "options": None if options is None else dict(sorted(options.items())),
        "match": handler["match"],
    }
