"""Topic handlers as users specify them: names, JSON, and changes by JSON Patch (alerts.md §10; http-api.md §15)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from engine.alerts.json_patch import PatchError, apply_patch
from engine.definitions.bodies import RefusedError
from engine.store.alerts import Handler
from tickscript.gostrings import quote, quote_rune

if TYPE_CHECKING:
    from collections.abc import Mapping

# `\p{L}` of the reference: any letter.
_LETTER: Final = r"[^\W\d_]"
_TOPIC: Final = re.compile(rf"(?:[-:._0-9]|{_LETTER})+\Z")
_HANDLER: Final = re.compile(rf"(?:[-._0-9]|{_LETTER})+\Z")
_RULE: Final = "must contain only letters, numbers, '-', '.' and '_'."


def check(handler: Handler) -> None:
    """Raises ValueError with the client's text."""
    if not _TOPIC.match(handler.topic):
        raise ValueError(f"handler topic {_RULE} {quote(handler.topic)}")
    if not _HANDLER.match(handler.id):
        raise ValueError(f"handler ID {_RULE} {quote(handler.id)}")
    if not handler.kind:
        raise ValueError("handler Kind must not be empty")


def read(body: bytes, topic: str, prefix: str) -> Handler:
    """A specification for a topic from a request's body, not yet checked. Raises RefusedError 400."""
    try:
        return _handler(_read_json(body), topic)
    except ValueError as error:
        raise RefusedError(400, f"{prefix}{error}") from error


def _read_json(body: bytes) -> Any:
    """Raises ValueError with the reference's text where it is short."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        start = body.decode("utf-8", "replace").lstrip(" \t\r\n")[:1]
        if not start:
            raise ValueError("unexpected end of JSON input") from error
        if start not in '{["-tfn' and not start.isdigit():
            raise ValueError(f"invalid character {quote_rune(start)} looking for beginning of value") from error
        raise ValueError(str(error)) from error


def _handler(given: Any, topic: str) -> Handler:
    if not isinstance(given, dict):
        raise ValueError(f"json: cannot unmarshal {_word(given)} into Go value of type client.TopicHandlerOptions")  # noqa: TRY004
    known = {k.lower(): v for k, v in given.items()}
    for key in ("id", "kind", "match"):
        if not isinstance(known.get(key) or "", str):
            text = f"json: cannot unmarshal {_word(known[key])} into Go struct field TopicHandlerOptions.{key} of type string"
            raise ValueError(text)  # noqa: TRY004 - one kind of error for all that a body can get wrong
    options = known.get("options")
    if options is not None and not isinstance(options, dict):
        raise ValueError(
            f"json: cannot unmarshal {_word(options)} into Go struct field TopicHandlerOptions.options of type "
            "map[string]interface {}"
        )
    return Handler(
        topic=topic,
        id=known.get("id") or "",
        kind=known.get("kind") or "",
        options=options,
        match=known.get("match") or "",
    )


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def patched(handler: Handler, body: bytes) -> Handler:
    """The specification with a JSON Patch applied. Raises RefusedError."""
    try:
        patch = _read_json(body)
    except ValueError as error:
        raise RefusedError(400, f"invalid patch json: {error}") from error
    document = {"id": handler.id, "topic": handler.topic, "kind": handler.kind, "options": handler.options}
    document["match"] = handler.match
    try:
        changed = apply_patch(document, patch)
        new = _handler(changed, handler.topic)
    except (PatchError, ValueError) as error:
        raise RefusedError(400, f"failed to apply patch: {error}") from error
    if changed.get("topic", handler.topic) != handler.topic:
        raise RefusedError(500, "failed to update handler: cannot change topic in update")
    return new


def shown(handler: Handler) -> Mapping[str, Any]:
    """What the API shows of it."""
    return {"id": handler.id, "kind": handler.kind, "options": handler.options, "match": handler.match}
