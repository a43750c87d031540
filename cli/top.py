"""`tickworks top`: tasks and their nodes as they work, in a table that renews itself.

Always: what is shown comes from two answers of the server, `--interval` apart. `--once` shows one table, plain text with
columns that can be cut by blanks, and ends; `--json` writes a document a table.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli import completion, layout, rates
from cli.client import OURS, Client, interruptible, talking, usage
from cli.demo import seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

_KEYS: Final = dict(zip("tioulecm", rates.SORTS, strict=True))
_LEGEND: Final = "sort by t)ask i)n o)ut qu)eue l)ag e)rrors c)pu m)emory; q ends"


def top(
    context: typer.Context,
    task: Annotated[
        str,
        typer.Option(
            "-task",
            "--task",
            metavar="PATTERN",
            help="Only these tasks; * ? and [a-z] match.",
            autocompletion=completion.tasks,
        ),
    ] = "",
    sort: Annotated[
        str,
        typer.Option(
            "-sort",
            "--sort",
            metavar="KEY",
            help=f"One of {', '.join(rates.SORTS)}.",
            autocompletion=completion.words(tuple(rates.SORTS)),
        ),
    ] = "task",
    interval: Annotated[
        str, typer.Option("-interval", "--interval", metavar="DURATION", help="Time that rates are measured over.")
    ] = "1s",
    once: Annotated[bool, typer.Option("-once", "--once", help="Show one table and end.")] = False,
    as_json: Annotated[bool, typer.Option("-json", "--json", help="A JSON document a table.")] = False,
) -> None:
    """Show what every node of every task does: rows, queues, lag, errors, processor time, memory."""
    if sort not in rates.SORTS:
        usage(context, f'cannot sort by "{sort}": there are {", ".join(rates.SORTS)}')
    pause = seconds(interval)
    with talking(context) as client, interruptible():
        if once or as_json or not sys.stdout.isatty():
            _plain(client, task, sort, pause, once=once, as_json=as_json)
        else:
            _live(client, task, sort, pause)


def _ask(client: Client, pattern: str) -> dict[str, Any]:
    query = {"task": pattern} if pattern else None
    answer: dict[str, Any] = client.call("GET", f"{OURS}/processes", query=query)
    return answer


def _plain(client: Client, pattern: str, sort: str, pause: float, *, once: bool, as_json: bool) -> None:
    before = _ask(client, pattern)
    while True:
        time.sleep(pause)
        after = _ask(client, pattern)
        found = rates.rows(before, after, sort)
        if as_json:
            typer.echo(json.dumps(rates.document(found)))
        else:
            columns = [(heading, layout.LONGEST) for heading in rates.HEADINGS]
            typer.echo("\n".join(layout.table(columns, [rates.cells(row) for row in found])))
        if once:
            return
        before = after


def _live(client: Client, pattern: str, sort: str, pause: float) -> None:
    from rich.live import Live  # noqa: PLC0415 - dear

    before = None
    with _keys() as pressed, Live(screen=True, auto_refresh=False) as live:
        while True:
            after = _ask(client, pattern)
            live.update(_table(rates.rows(before, after, sort), sort), refresh=True)
            before = after
            key = pressed(pause)
            if key == "q":
                return
            sort = _KEYS.get(key, sort)


def _table(found: list[rates.Row], sort: str) -> Table:
    from rich.table import Table  # noqa: PLC0415 - dear

    table = Table(box=None, caption=_LEGEND, caption_justify="left", header_style="bold reverse")
    for heading in rates.HEADINGS:
        table.add_column(heading, justify="left" if heading in ("TASK", "NODE", "STATE") else "right", no_wrap=True)
    styles = {"stalled": "red", "failed": "red", "blocked": "yellow", "idle": "dim"}
    for row in found:
        table.add_row(*rates.cells(row), style=styles.get(row.state, ""))
    table.title = f"{len(found)} nodes, by {sort}"
    table.title_justify = "left"
    return table


@contextmanager
def _keys() -> Iterator[Any]:
    """Gives a function that waits so many seconds for a key; an empty text when none was pressed."""
    import select  # noqa: PLC0415 - only for the live view
    import termios  # noqa: PLC0415 - only for the live view
    import tty  # noqa: PLC0415 - only for the live view

    if not sys.stdin.isatty():

        def sleep(wait: float) -> str:
            time.sleep(wait)
            return ""

        yield sleep
        return
    before = termios.tcgetattr(sys.stdin)

    def pressed(wait: float) -> str:
        return sys.stdin.read(1) if select.select([sys.stdin], [], [], wait)[0] else ""

    try:
        tty.setcbreak(sys.stdin)
        yield pressed
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
