"""`tickworks demo`: this host's live metrics through three TICKscripts."""

from __future__ import annotations

import re
from typing import Annotated

import typer

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """A duration such as `10s` or `1m30s`. Raises typer.BadParameter."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    if not parts or "".join(n + u for n, u in parts) != text:
        raise typer.BadParameter(f'"{text}" is no duration such as 10s or 1m30s')
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def demo(
    for_: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="End by itself after this time, such as 10s.")
    ] = None,
) -> None:
    """Show live metrics of this host going through three TICKscripts, until Ctrl-C."""
    limit = None if for_ is None else seconds(for_)
    from demo.run import run  # noqa: PLC0415 - brings rich and psutil

    raise typer.Exit(run(limit))
