"""`tickworks logs`, `watch` and `level`: the running server's log (spec "Command lines" §13).

Without options of ours, `logs` is the reference's: it follows what comes, its arguments are pairs that a line must have.
Always: lines are filtered by the server; an interrupt, and a reader that closes our output, are a success.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli import completion
from cli.client import BASE, LOGS, OURS, Client, CommandError, error_text, interruptible, talking, usage

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEVELS: Final = ("debug", "info", "error")

Pairs = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE...", help="Only lines that have this.", show_default=False)
]
Json = Annotated[bool, typer.Option("-json", "--json", help="A JSON object a line.")]


def logs(
    context: typer.Context,
    pairs: Pairs = None,
    follow: Annotated[bool, typer.Option("-f", "-follow", "--follow", help="Go on with what comes.")] = False,
    task: Annotated[
        str | None,
        typer.Option("-task", "--task", metavar="ID", help="Only lines of this task.", autocompletion=completion.tasks),
    ] = None,
    node: Annotated[
        str | None, typer.Option("-node", "--node", metavar="NAME", help="Only lines of this node.")
    ] = None,
    level: Annotated[
        str | None,
        typer.Option(
            "-level",
            "--level",
            metavar="LEVEL",
            help="Only this level and above.",
            autocompletion=completion.words(_LEVELS),
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "-since", "--since", metavar="TIME", help="Begin with what was, since 10m or 2026-11-23T23:00:00Z."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the running server's log, whatever its level: with -f or only KEY=VALUE what comes, else what was."""
    wanted = [("task", task), ("node", node), ("level", level), ("since", since)]
    own = [(key, value) for key, value in wanted if value is not None]
    with talking(context) as client:
        split = [_pair(text) for text in pairs or []]
        if not own and not follow and not as_json:
            _follow_as_reference(client, split, as_json=False)
            return
        query = [*own, *(("match", f"{key}={value}") for key, value in split)]
        query += [("follow", "true")] if follow else []
        with interruptible(), client.stream(f"{BASE}{OURS}/logs", query=query, headers=_accept(as_json)) as answer:
            if not answer.is_success:
                answer.read()
                raise CommandError(f"failed to retrieve logs: {error_text(answer)}")
            _copy(answer)


def watch(
    context: typer.Context,
    task: Annotated[
        str | None, typer.Argument(metavar="ID", help="The task.", show_default=False, autocompletion=completion.tasks)
    ] = None,
    pairs: Pairs = None,
    as_json: Json = False,
) -> None:
    """Follow the log lines of one task."""
    with talking(context) as client:
        if task is None:
            raise CommandError("must provide task ID.")
        _follow_as_reference(client, [("task", task), *(_pair(text) for text in pairs or [])], as_json=as_json)


def level(
    context: typer.Context,
    level: Annotated[
        str | None,
        typer.Argument(
            metavar="LEVEL", help=", ".join(_LEVELS), show_default=False, autocompletion=completion.words(_LEVELS)
        ),
    ] = None,
) -> None:
    """Set the level of the server's log, until it ends."""
    if level is None:
        usage(context, "Must pass a log level")
    with talking(context) as client:
        client.call("POST", "/loglevel", body={"level": level})


def _pair(text: str) -> tuple[str, str]:
    parts = text.split("=")
    if len(parts) != 2:
        raise CommandError(f"bad keyvalue pair: '{text}'")
    return parts[0], parts[1]


def _accept(as_json: bool) -> dict[str, str]:
    return {"Accept": "application/json"} if as_json else {}


def _follow_as_reference(client: Client, pairs: Sequence[tuple[str, str]], *, as_json: bool) -> None:
    with interruptible(), client.stream(LOGS, query=pairs, headers=_accept(as_json)) as answer:
        if not answer.is_success:
            raise CommandError(f"failed to retrieve logs: bad status code {answer.status_code}")
        _copy(answer)


def _copy(answer: Any) -> None:
    out = sys.stdout.buffer
    try:
        for piece in answer.iter_bytes():
            out.write(piece)
            out.flush()
    except BrokenPipeError:
        # Nobody reads our output any more; the interpreter must not try again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
