"""Defining and changing tasks: what a request makes of the stored definition, check by check in the order of the spec.

Pure: the stored objects come in, the new object goes out; nothing is stored when a check fails.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from engine.definitions.bodies import RefusedError, check_id, dbrps_of, read_object, text_of, vars_of
from engine.store.tasks import DBRP, Task
from tickscript.compile import api_text, compile_script
from tickscript.errors import TickscriptError
from tickscript.vars import Var, decode_vars, encode_vars

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.store.tasks import Template
    from tickscript.pipeline import Pipeline

_KEYS = ("id", "type", "template-id", "dbrps", "script", "vars", "status")
_TYPES = frozenset({"", "stream", "batch", "invalid"})
_STATUSES = frozenset({"", "enabled", "disabled"})


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
    kind, status = text_of(data, "type"), text_of(data, "status")
    if kind not in _TYPES or status not in _STATUSES:
        raise RefusedError(400, "invalid JSON")
    return Request(
        text_of(data, "id"),
        text_of(data, "template-id"),
        dbrps_of(data),
        text_of(data, "script"),
        vars_of(data),
        status,
    )


def compile_task(script: str, supplied: Mapping[str, Var]) -> Pipeline:
    """The pipeline, or RefusedError 400 with the API's text."""
    try:
        return compile_script(script, vars=supplied)
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
    named = [DBRP(d.db, d.rp) for d in pipeline.dbrps]
    given = [DBRP(db, rp) for db, rp in request.dbrps]
    if not named and not given:
        raise RefusedError(400, "must specify dbrp")
    if named and given:
        raise RefusedError(400, "cannot specify dbrp in both implicitly and explicitly")
    status = "enabled" if request.status == "enabled" else "disabled"
    task = Task(
        id=identity,
        type="batch" if pipeline.type == "batch" else "stream",
        script=script,
        dbrps=tuple(named or given),
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
    """The task after a `PATCH`. Raises RefusedError."""
    template_id = request.template_id or stored.template_id
    script = request.script or stored.script
    if template_id:
        script = _template_script(template_id, template)
    supplied = request.vars or decode_vars(stored.vars)
    pipeline = compile_task(script, supplied)
    named = [DBRP(d.db, d.rp) for d in pipeline.dbrps]
    given = [DBRP(db, rp) for db, rp in request.dbrps]
    if named and given:
        raise RefusedError(400, "cannot specify dbrp in implicitly and explicitly")
    dbrps = tuple(named or given or stored.dbrps)
    if not named and not given and script != stored.script and _names_dbrps(stored):
        raise RefusedError(400, "must specify dbrp")
    status = stored.status
    if request.status == "enabled":
        status = "enabled"
    elif request.status == "disabled":
        status = "disabled"
    enabling = status == "enabled" and stored.status == "disabled"
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
        error="" if enabling else stored.error,
    )
    return task, pipeline


def _names_dbrps(stored: Task) -> bool:
    try:
        return bool(compile_script(stored.script, vars=decode_vars(stored.vars)).dbrps)
    except TickscriptError:
        return False


def _template_script(identity: str, template: Callable[[str], Template | None]) -> str:
    found = template(identity)
    if found is None:
        raise RefusedError(400, f"unknown template {identity}: err: no template exists")
    return found.script


def supplied_vars(task: Task) -> dict[str, Var]:
    return decode_vars(task.vars)


def plain(value: Any) -> Any:
    """Structs as plain values, for a message."""
    return msgspec.to_builtins(value)
