"""The commands on topics and their handlers: define-topic-handler, show-topic, show-topic-handler, and what `list` and
`delete` do with them (spec "Command lines" §4, 6, 9, 10).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import layout
from cli.client import Client, CommandError, handler_path, talking, topic_path, usage

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOT_FOUND = 404
_LEVEL, _COLLECTED, _NAME = 8, -10, 10

Topic = Annotated[str | None, typer.Argument(metavar="TOPIC", help="The topic.", show_default=False)]
File = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="YAML or JSON with topic, id, kind, match and options.", show_default=False),
]
HandlerId = Annotated[str | None, typer.Argument(metavar="ID", help="The handler.", show_default=False)]


def define_topic_handler(
    context: typer.Context,
    file: File = None,
) -> None:
    """Create a handler of a topic, or replace it."""
    if file is None:
        usage(context, "Must provide a path to a handler file.")
    from tickscript.definition_files import DefinitionFileError, parse_handler  # noqa: PLC0415 - seldom needed here

    with talking(context) as client:
        try:
            spec = parse_handler(_read(file), str(file))
        except DefinitionFileError as error:
            raise CommandError(str(error)) from None
        body = {"id": spec.id, "kind": spec.kind, "match": spec.match, "options": dict(spec.options)}
        path = handler_path(spec.topic, spec.id)
        if client.request("GET", path).status_code != _NOT_FOUND:
            client.call("PUT", path, body=body)
        else:
            client.call("POST", f"{topic_path(spec.topic)}/handlers", body=body)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CommandError(f'failed to open handler spec file "{path}": open {path}: {reason}') from None
    except UnicodeDecodeError:
        raise CommandError(f'failed to open handler spec file "{path}": not UTF-8') from None


def show_topic(context: typer.Context, topic: Topic = None) -> None:
    """Show a topic: its level, its handlers and its events."""
    if topic is None:
        usage(context, "Must specify one topic ID")
    with talking(context) as client:
        found = client.call("GET", topic_path(topic))
        handlers = [h["id"] for h in _handlers(client, topic, "")]
        events = client.call("GET", f"{topic_path(topic)}/events")["events"]
    events.sort(key=lambda e: (_moment(e["state"]["time"]), e["id"]))
    rows = [(e["id"], e["state"]["level"], e["state"]["message"], layout.date(e["state"]["time"])) for e in events]
    columns = [("Event", layout.LONGEST), ("Level", 9), ("Message", layout.LONGEST), ("Date", 23)]
    lines = [
        f"ID: {found['id']}",
        f"Level: {found['level']}",
        f"Collected: {found['collected']}",
        f"Handlers: [{', '.join(handlers)}]",
        "Events:",
        *layout.table(columns, rows),
    ]
    typer.echo("\n".join(lines))


def _moment(text: str) -> tuple[str, str]:
    """A time of the API as something to sort by: seconds, then the fraction, which has no trailing zeros."""
    return text[:19], text[19:].rstrip("Z")


def show_topic_handler(context: typer.Context, topic: Topic = None, handler: HandlerId = None) -> None:
    """Show a handler of a topic."""
    if topic is None or handler is None:
        usage(context, "Must specify both topic and handler IDs")
    with talking(context) as client:
        found = client.call("GET", handler_path(topic, handler))
    options = json.dumps(found["options"], separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    lines = [
        f"ID: {found['id']}",
        f"Topic: {topic}",
        f"Kind: {found['kind']}",
        f"Match: {found['match']}",
        f"Options: {options}",
    ]
    typer.echo("\n".join(lines))


def topics(client: Client, patterns: Sequence[str]) -> list[dict[str, Any]]:
    """The topics that match; one that matches twice is there twice."""
    return [
        topic
        for pattern in patterns
        for topic in client.call("GET", "/alerts/topics", query={"pattern": pattern, "min-level": "OK"})["topics"]
    ]


def _handlers(client: Client, topic: str, pattern: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.call("GET", f"{topic_path(topic)}/handlers", query={"pattern": pattern})[
        "handlers"
    ]
    return found


def list_topics(client: Client, patterns: Sequence[str]) -> list[str]:
    """The table of the topics that match."""
    found = topics(client, patterns or [""])
    rows = [(t["id"], t["level"], str(t["collected"])) for t in sorted(found, key=lambda t: str(t["id"]))]
    level = layout.at_least(_LEVEL, "Level", [row[1] for row in rows])
    return layout.table([("ID", layout.LONGEST), ("Level", level), ("Collected", _COLLECTED)], rows)


def list_handlers(client: Client, patterns: Sequence[str]) -> list[str]:
    """The table of handlers: the first pattern is one of topics, the others of handlers."""
    topic_pattern, *wanted = patterns or [""]
    rows = [
        (topic["id"], handler["id"], handler["kind"])
        for topic in topics(client, [topic_pattern])
        for pattern in wanted or [""]
        for handler in _handlers(client, topic["id"], pattern)
    ]
    rows.sort(key=lambda row: row[:2])
    columns = [
        (heading, layout.at_least(_NAME, heading, [row[at] for row in rows]))
        for at, heading in enumerate(("Topic", "ID", "Kind"))
    ]
    return layout.table(columns, rows)


def delete_topics(client: Client, patterns: Sequence[str]) -> None:
    """Delete the topics that match."""
    for topic in topics(client, patterns):
        client.call("DELETE", topic_path(topic["id"]))


def delete_handlers(client: Client, patterns: Sequence[str]) -> None:
    """Delete handlers: the first is a topic, the others are patterns of its handlers."""
    topic, *wanted = patterns
    for pattern in wanted:
        for handler in _handlers(client, topic, pattern):
            client.call("DELETE", handler_path(topic, handler["id"]))
