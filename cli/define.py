"""`tickworks define`: create a task, or change what is given of it (spec "Command lines" §2)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import completion, dbrps
from cli.client import Client, CommandError, talking, task_path, usage

if TYPE_CHECKING:
    from tickscript.definition_files import Definition

_NOT_FOUND = 404

TaskId = Annotated[
    str | None,
    typer.Argument(metavar="ID", help="The task.", show_default=False, autocompletion=completion.tasks),
]
Tick = Annotated[Path | None, typer.Option("-tick", "--tick", metavar="FILE", help="TICKscript of the task.")]
TaskType = Annotated[str | None, typer.Option("-type", "--type", metavar="TYPE", help="stream or batch.")]
Template = Annotated[
    str | None, typer.Option("-template", "--template", metavar="ID", help="Make the task from this template.")
]
VarsFile = Annotated[
    Path | None, typer.Option("-vars", "--vars", metavar="FILE", help="JSON file with the values of vars.")
]
DefinitionFile = Annotated[
    Path | None,
    typer.Option("-file", "--file", metavar="FILE", help="JSON or YAML file with template, pairs and vars."),
]
Dbrps = Annotated[
    list[str] | None,
    typer.Option("-dbrp", "--dbrp", metavar="DB.RP", help="Data that a stream task receives; may be repeated."),
]
NoReload = Annotated[
    bool, typer.Option("-no-reload", "--no-reload", help="Do not restart an enabled task with its new definition.")
]


def define(
    context: typer.Context,
    identity: TaskId = None,
    tick: Tick = None,
    task_type: TaskType = None,
    template: Template = None,
    vars_file: VarsFile = None,
    file: DefinitionFile = None,
    dbrp: Dbrps = None,
    no_reload: NoReload = False,
) -> None:
    """Create a task, disabled, or change one; what is not given stays as it is."""
    if identity is None:
        usage(context, "Must provide a task ID.")
    pairs = []
    for text in dbrp or []:
        try:
            pairs.append(dbrps.parse(text))
        except ValueError as error:
            usage(context, f'invalid value "{text}" for flag -dbrp: {error}')
    with talking(context) as client:
        if file is not None:
            body = _from_file(identity, file)
        else:
            body = {"dbrps": [{"db": db, "rp": rp} for db, rp in pairs]} if pairs else {}
            if task_type in {"stream", "batch"}:
                body["type"] = task_type
            if template is not None:
                body["template-id"] = template
            if tick is not None:
                body["script"] = _read(tick)
            if vars_file is not None:
                body["vars"] = _vars(vars_file)
        _send(client, identity, body, reload=not no_reload)


def _send(client: Client, identity: str, body: dict[str, Any], *, reload: bool) -> None:
    path = task_path(identity)
    answer = client.request("GET", path, query={"fields": ["status"]})
    if answer.status_code == _NOT_FOUND:
        client.call("POST", "/tasks", body={"id": identity, **body, "status": "disabled"})
        return
    enabled = answer.is_success and answer.json().get("status") == "enabled"
    client.call("PATCH", path, body=body)
    if enabled and reload:
        client.call("PATCH", path, body={"status": "disabled"})
        client.call("PATCH", path, body={"status": "enabled"})


def _from_file(identity: str, path: Path) -> dict[str, Any]:
    from tickscript.vars import encode_vars  # noqa: PLC0415 - the language is dear and seldom needed here

    definition = _definition(path)
    if definition.id and definition.id != identity:
        raise CommandError(f"Task id given on command line does not match id in {path}")
    body: dict[str, Any] = {}
    if definition.template_id:
        body["template-id"] = definition.template_id
    if definition.dbrps:
        body["dbrps"] = [{"db": pair.db, "rp": pair.rp} for pair in definition.dbrps]
    if definition.vars:
        body["vars"] = encode_vars(definition.vars)
    return body


def _definition(path: Path) -> Definition:
    from tickscript.definition_files import DefinitionFileError, parse_definition  # noqa: PLC0415 - as above

    try:
        return parse_definition(_read(path, "failed to open file {path}: "), str(path))
    except DefinitionFileError as error:
        raise CommandError(str(error)) from None


def _vars(path: Path) -> dict[str, Any]:
    from tickscript.definition_files import DefinitionFileError, parse_vars  # noqa: PLC0415 - as above
    from tickscript.vars import encode_vars  # noqa: PLC0415 - as above

    try:
        return encode_vars(parse_vars(_read(path, "failed to open file {path}: "), str(path)))
    except DefinitionFileError as error:
        raise CommandError(str(error)) from None


def _read(path: Path, what: str = "") -> str:
    """A file's text. Raises CommandError with the reference's words."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CommandError(f"{what.format(path=path)}open {path}: {reason}") from None
    except UnicodeDecodeError:
        raise CommandError(f"{what.format(path=path)}{path}: not UTF-8") from None
