"""Defining and changing tasks: what a request makes of the stored definition, check by check in the order of the spec.

Pure: the stored objects come in, the new object goes out; nothing is stored when a check fails.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from engine.definitions.bodies import (
    RefusedError,
    check_id,
    check_typed,
    dbrps_of,
    read_object,
    text_of,
    vars_of,
    word_of,
)
from engine.store.tasks import DBRP, Task
from tickscript.compile import api_text, compile_script
from tickscript.compile import dbrps_of as named_by
from tickscript.errors import TickscriptError
from tickscript.parser import parse
from tickscript.vars import Var, decode_vars, encode_vars

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.store.tasks import TaskStatus, Template
    from tickscript.pipeline import Pipeline

_KEYS = ("id", "type", "template-id", "dbrps", "script", "vars", "status")
_TYPES = ("stream", "batch", "invalid")
_STATUSES = ("enabled", "disabled")
NO_DBRPS = "task does contain any dbrps"
"""Why a task cannot be started that has lost its dbrps to a template without any (the reference's words)."""


@dataclass(frozen=True, slots=True)
class Request:
    """A decoded request body; empty values stand for absent ones, as in the reference."""

    id: str
    template_id: str
    dbrps: list[tuple[str, str]]
    script: str
    vars: Mapping[str, Var]
    status: str


def read_request(body: bytes) -> Request:
    """Raises RefusedError 400 `invalid JSON`."""
    data = read_object(body, _KEYS)
    word_of(data, "type", _TYPES)
    return Request(
        text_of(data, "id"),
        text_of(data, "template-id"),
        dbrps_of(data),
        text_of(data, "script"),
        vars_of(data),
        word_of(data, "status", _STATUSES),
    )


def compile_task(script: str, supplied: Mapping[str, Var]) -> Pipeline:
    """The pipeline, or RefusedError 400 with the API's text."""
    check_typed(supplied)
    try:
        return compile_script(script, vars=supplied)
    except TickscriptError as error:
        raise RefusedError(400, api_text(error)) from None


def named_dbrps(script: str) -> tuple[DBRP, ...]:
    """What the script's `dbrp` statements name, in order. Raises RefusedError 400 when it cannot be parsed."""
    try:
        return tuple(DBRP(d.db, d.rp) for d in named_by(parse(script)))
    except TickscriptError as error:
        raise RefusedError(400, api_text(error)) from None


def create(
    request: Request, now: int, exists: Callable[[str], bool], template: Callable[[str], Template | None]
) -> tuple[Task, Pipeline]:
    """The task of a `POST tasks`. Raises RefusedError."""
    identity = request.id or str(uuid.uuid4())
    check_id("task", identity)
    if exists(identity):
        raise RefusedError(400, f"task {identity} already exists")
    script = request.script
    if request.template_id:
        script = _template_script(request.template_id, template)
    if not script:
        raise RefusedError(400, "must provide TICKscript")
    pipeline = compile_task(script, request.vars)
    named = tuple(DBRP(d.db, d.rp) for d in pipeline.dbrps)
    given = tuple(DBRP(db, rp) for db, rp in request.dbrps)
    if not named and not given:
        raise RefusedError(400, "must specify dbrp")
    if named and given:
        raise RefusedError(400, "cannot specify dbrp in both implicitly and explicitly")
    status: TaskStatus = "enabled" if request.status == "enabled" else "disabled"
    task = Task(
        id=identity,
        type="batch" if pipeline.type == "batch" else "stream",
        script=script,
        dbrps=named or given,
        vars=encode_vars(request.vars),
        template_id=request.template_id,
        status=status,
        created=now,
        modified=now,
        last_enabled=now if status == "enabled" else None,
    )
    return task, pipeline


def change(
    stored: Task, request: Request, now: int, template: Callable[[str], Template | None]
) -> tuple[Task, Pipeline]:
    """The task after a `PATCH`. Raises RefusedError.

    A task whose template is gone cannot be changed at all: the text then names the request's template, which is none.
    """
    template_id = request.template_id or stored.template_id
    script = request.script or stored.script
    if template_id:
        found = template(template_id)
        if found is None:
            raise _unknown_template(request.template_id)
        script = found.script
    dbrps = _changed_dbrps(stored, request, script)
    supplied = request.vars or decode_vars(stored.vars)
    pipeline = compile_task(script, supplied)
    status = stored.status
    if request.status == "enabled":
        status = "enabled"
    elif request.status == "disabled":
        status = "disabled"
    enabling = status == "enabled" and stored.status == "disabled"
    renamed = request.id not in ("", stored.id)
    task = msgspec.structs.replace(
        stored,
        id=request.id or stored.id,
        type="batch" if pipeline.type == "batch" else "stream",
        script=script,
        dbrps=dbrps,
        vars=encode_vars(supplied),
        template_id=template_id,
        status=status,
        modified=now,
        last_enabled=now if enabling else stored.last_enabled,
        # What is started has no error yet.
        error="" if status == "enabled" and (enabling or renamed) else stored.error,
    )
    return task, pipeline


def _changed_dbrps(stored: Task, request: Request, script: str) -> tuple[DBRP, ...]:
    """The script's statements, else the request's list, else the stored one if that did not come from statements."""
    named = named_dbrps(script)
    given = tuple(DBRP(db, rp) for db, rp in request.dbrps)
    if named and given:
        raise RefusedError(400, "cannot specify dbrp in implicitly and explicitly")
    if not named and not given and script != stored.script and _had_named(stored):
        raise RefusedError(400, "must specify dbrp")
    return named or given or stored.dbrps


def _had_named(stored: Task) -> bool:
    try:
        return bool(named_dbrps(stored.script))
    except RefusedError:
        return False


def follow(stored: Task, template: Template) -> tuple[Task, Pipeline | None]:
    """The task after a change of its template, and what is to run if it is enabled.

    A disabled task is not checked; it fails when it is enabled. Raises RefusedError 500 when an enabled one cannot go
    along.
    """
    named = named_dbrps(template.script)
    dbrps = named if named or _had_named(stored) else stored.dbrps
    task = msgspec.structs.replace(
        stored, script=template.script, type=template.type, template_id=template.id, dbrps=dbrps
    )
    if stored.status != "enabled":
        return task, None
    try:
        pipeline = compile_script(template.script, vars=decode_vars(stored.vars))
    except TickscriptError as error:
        raise RefusedError(500, f"error reloading associated task {stored.id}: {error}") from None
    if not dbrps:
        raise RefusedError(500, f"error reloading associated task {stored.id}: {NO_DBRPS}")
    return msgspec.structs.replace(task, error=""), pipeline


def _template_script(identity: str, template: Callable[[str], Template | None]) -> str:
    found = template(identity)
    if found is None:
        raise _unknown_template(identity)
    return found.script


def _unknown_template(identity: str) -> RefusedError:
    return RefusedError(400, f"unknown template {identity}: err: no template exists")
