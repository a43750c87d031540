"""Defining and changing templates (spec "HTTP API" §12). Pure, as engine.definitions.tasks."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from engine.definitions.bodies import RefusedError, check_id, read_object, text_of, word_of
from engine.store.tasks import Template
from tickscript.compile import api_text, compile_template
from tickscript.dot import static_dot
from tickscript.errors import TickscriptError
from tickscript.vars import encode_vars

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickscript.pipeline import Pipeline

_KEYS = ("id", "type", "script")
_TYPES = ("stream", "batch", "invalid")


@dataclass(frozen=True, slots=True)
class Request:
    id: str
    type: str
    script: str


def read_request(body: bytes) -> Request:
    """Raises RefusedError 400 `invalid JSON`."""
    data = read_object(body, _KEYS)
    return Request(text_of(data, "id"), word_of(data, "type", _TYPES), text_of(data, "script"))


def _compile(script: str, kind: str | None) -> Pipeline:
    try:
        return compile_template(script, kind)
    except TickscriptError as error:
        raise RefusedError(400, api_text(error)) from None


def create(request: Request, now: int, exists: Callable[[str], bool]) -> Template:
    """The template of a `POST templates`. Raises RefusedError."""
    identity = request.id or str(uuid.uuid4())
    check_id("template", identity)
    if exists(identity):
        raise RefusedError(400, f"template {identity} already exists")
    pipeline = _compile(request.script, None)
    kind = "batch" if pipeline.type == "batch" else "stream"
    return Template(id=identity, type=kind, script=request.script, created=now, modified=now)  # type: ignore[arg-type]


def change(stored: Template, request: Request, now: int) -> Template:
    """The template after a `PATCH`. Raises RefusedError."""
    script = request.script or stored.script
    pipeline = _compile(script, request.type if request.type in ("stream", "batch") else None)
    kind = "batch" if pipeline.type == "batch" else "stream"
    return msgspec.structs.replace(stored, id=request.id or stored.id, type=kind, script=script, modified=now)


def shown(template: Template, formatted: str) -> dict[str, Any]:
    """The template with what its script gives: vars, DOT, or the compile error."""
    out: dict[str, Any] = msgspec.to_builtins(template)
    out.update(formatted=formatted, vars={}, dot="", compile_error="")
    try:
        pipeline = compile_template(template.script, template.type)
    except TickscriptError as error:
        out["compile_error"] = api_text(error)
        return out
    out["vars"] = encode_vars(pipeline.vars)
    out["dot"] = static_dot(pipeline, template.id)
    return out
