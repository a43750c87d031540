"""`tickworks stats` and `vars`: what the server counts (spec "Command lines" §14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli import completion
from cli.client import talking

if TYPE_CHECKING:
    from collections.abc import Mapping

_WIDTH: Final = 30
_POINTS: Final = 15
_MINIMA: Final = (8, 16, 11)
_GENERAL: Final = (
    ("ClusterID", "cluster_id"),
    ("ServerID", "server_id"),
    ("Host", "host"),
    ("Tasks", "num_tasks"),
    ("Enabled Tasks", "num_enabled_tasks"),
    ("Subscriptions", "num_subscriptions"),
    ("Platform", "platform"),
    ("Version", "version"),
)


def stats(
    context: typer.Context,
    category: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="general|ingress",
            help="What to show.",
            show_default=False,
            autocompletion=completion.words(("general", "ingress")),
        ),
    ] = None,
) -> None:
    """Show statistics of the server, or how many points came in by measurement."""
    if category is None or len(category) != 1:
        typer.echo(context.get_usage(), err=True)
        typer.echo("Error: must provide a stats category", err=True)
        raise typer.Exit(3)
    with talking(context) as client:
        found = client.call("GET", "/debug/vars")
    lines = {"general": general, "ingress": ingress}.get(category[0], _nothing)(found)
    if lines:
        typer.echo("\n".join(lines))


def _nothing(_: Mapping[str, Any]) -> list[str]:
    return []


def general(found: Mapping[str, Any]) -> list[str]:
    """A line a figure, label and value both 30 wide."""
    return [f"{label + ':':{_WIDTH}}{found[key]!s:{_WIDTH}}" for label, key in _GENERAL]


def ingress(found: Mapping[str, Any]) -> list[str]:
    """A line a measurement, sorted; a column is as wide as its longest value and a blank, or as its minimum and a blank."""
    rows = []
    for figure in found["kapacitor"].values():
        tags = figure["tags"]
        if figure["name"] == "ingress" and tags["task_master"] == "main":
            names = (tags["database"], tags["retention_policy"], tags["measurement"])
            rows.append((names, figure["values"]["points_received"]))
    rows.sort()
    widths = [max(least, *(len(n[at].encode()) for n, _ in rows), 0) + 1 for at, least in enumerate(_MINIMA)]
    lines = [_line(("Database", "Retention Policy", "Measurement"), "Points Received", widths)]
    return lines + [_line(names, str(points), widths) for names, points in rows]


def _line(names: tuple[str, str, str], points: str, widths: list[int]) -> str:
    left = "".join(name + " " * (width - len(name.encode())) for name, width in zip(names, widths, strict=True))
    return left + points.rjust(_POINTS)


def show_vars(context: typer.Context) -> None:
    """Show the server's variables and statistics as it gives them, as JSON."""
    with talking(context) as client:
        answer = client.request("GET", "/debug/vars")
    typer.echo(answer.text, nl=not answer.text.endswith("\n"))
