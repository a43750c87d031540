"""The commands on tasks that exist: enable, disable, reload, show; and delete and list, of whatever kind (spec "Command
lines" §5-7, 10).

Always: a pattern that matches nothing is no error; the first failure ends a command.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import completion, dbrps, layout, topics
from cli.client import Client, CommandError, talking, task_path, usage, wrapped

_KINDS = ("tasks", "topics", "topic-handlers")

Patterns = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ID|PATTERN...",
        help="IDs; * ? and [a-z] match.",
        show_default=False,
        autocompletion=completion.tasks,
    ),
]
Kind = Annotated[
    str | None,
    typer.Argument(metavar="KIND", help=", ".join(_KINDS), show_default=False, autocompletion=completion.words(_KINDS)),
]


def enable(context: typer.Context, patterns: Patterns = None) -> None:
    """Start tasks, now and whenever the server starts."""
    _set_status(context, patterns, ["enabled"])


def disable(context: typer.Context, patterns: Patterns = None) -> None:
    """Stop tasks; each works off what it was given first."""
    _set_status(context, patterns, ["disabled"])


def reload(context: typer.Context, patterns: Patterns = None) -> None:
    """Disable tasks, then enable them."""
    _set_status(context, patterns, ["disabled", "enabled"])


def _set_status(context: typer.Context, patterns: list[str] | None, statuses: list[str]) -> None:
    if not patterns:
        usage(context, "Must pass at least one task ID")
    with talking(context) as client:
        for status in statuses:
            for identity in _matching(client, patterns):
                with wrapped(f"{'enabling' if status == 'enabled' else 'disabling'} task {identity}"):
                    client.call("PATCH", task_path(identity), body={"status": status})


def _matching(client: Client, patterns: list[str]) -> list[str]:
    with wrapped("listing tasks"):
        return [task["id"] for pattern in patterns for task in client.tasks(pattern, ("link",))]


def delete(context: typer.Context, kind: Kind = None, patterns: Patterns = None) -> None:
    """Delete what matches, for good."""
    if not kind or not patterns:
        usage(context, "Must pass at least one ID")
    with talking(context) as client:
        match _check_kind("delete", kind):
            case "topics":
                topics.delete_topics(client, patterns)
            case "topic-handlers":
                topics.delete_handlers(client, patterns)
            case _:
                for identity in _matching(client, patterns):
                    client.call("DELETE", task_path(identity))


def list_(context: typer.Context, kind: Kind = None, patterns: Patterns = None) -> None:
    """List what matches, or everything. Of topic-handlers the first pattern is one of topics."""
    if not kind:
        usage(context, f"Must specify {_named(_KINDS, ', or ' if len(_KINDS) > 2 else ' or ')}")
    with talking(context) as client:
        match _check_kind("list", kind):
            case "topics":
                lines = topics.list_topics(client, patterns or [])
            case "topic-handlers":
                lines = topics.list_handlers(client, patterns or [])
            case _:
                lines = _list_tasks(client, patterns or [""])
    typer.echo("\n".join(lines))


def _list_tasks(client: Client, patterns: list[str]) -> list[str]:
    fields = ("type", "status", "executing", "dbrps")
    with wrapped("listing tasks"):
        found = [task for pattern in patterns for task in client.tasks(pattern, fields)]
    rows = [(t["id"], t["type"], t["status"], str(t["executing"]).lower(), dbrps.show(t["dbrps"])) for t in found]
    columns = [
        *(("ID", layout.LONGEST), ("Type", 10), ("Status", 10), ("Executing", 10)),
        ("Databases and Retention Policies", -1),
    ]
    return layout.table(columns, rows)


def _check_kind(verb: str, kind: str) -> str:
    """The kind. Raises CommandError for one that there is not."""
    if kind not in _KINDS:
        raise CommandError(f"cannot {verb} '{kind}' did you mean {_named(_KINDS, ' or ')}?")
    return kind


def _named(kinds: tuple[str, ...], last: str) -> str:
    """Quoted words as a list in words."""
    *first, end = (f"'{kind}'" for kind in kinds)
    return f"{', '.join(first)}{last}{end}"


def show(
    context: typer.Context,
    identity: Annotated[
        str | None, typer.Argument(metavar="ID", help="The task.", show_default=False, autocompletion=completion.tasks)
    ] = None,
    replay: Annotated[
        str | None, typer.Option("-replay", "--replay", metavar="ID", help="Statistics of this replay instead.")
    ] = None,
) -> None:
    """Show a task: its state, its script, and its pipeline with statistics."""
    if identity is None:
        usage(context, "Must specify one task ID")
    with talking(context) as client:
        query = {"replay-id": replay} if replay else None
        task = client.call("GET", task_path(identity), query=query)
    typer.echo("\n".join(_description(task)))


def _troubles(task: dict[str, Any]) -> list[str]:
    """What a task that is well does not show: nodes that stand still, points lost, processes that died."""
    lines = []
    if task.get("stalled"):
        lines.append(f"Stalled: {', '.join(task['stalled'])}")
    if task.get("lost"):
        lines.append(f"Lost points: {task['lost']}")
    if task.get("crashes"):
        lines.append(f"Crashes: {task['crashes']}")
    return lines


def _description(task: dict[str, Any]) -> list[str]:
    lines = [
        f"ID: {task['id']}",
        f"Error: {task['error']}",
        f"Template: {task['template-id']}",
        f"Type: {task['type']}",
        f"Status: {task['status']}",
        f"Executing: {str(task['executing']).lower()}",
        *_troubles(task),
        f"Created: {layout.date(task['created'])}",
        f"Modified: {layout.date(task['modified'])}",
        f"LastEnabled: {layout.date(task['last-enabled'])}",
        f"Databases Retention Policies: {dbrps.show(task['dbrps'])}",
        "TICKscript:",
        task["script"],
    ]
    if task["vars"]:
        rows = [(name, var["type"], layout.value(var)) for name, var in sorted(task["vars"].items())]
        lines += ["Vars:", *layout.table([("Name", 30), ("Type", 10), ("Value", 40)], rows)]
    return [*lines, "DOT:", task["dot"]]
