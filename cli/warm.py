"""`tickworks warm`: compile the kernels, or find them compiled, with a line that says how far it is."""

from __future__ import annotations

import sys
import time

import typer


def warm() -> None:
    """Compile what is compiled once, so that the first start is as quick as every other."""
    from engine import warm as engine  # noqa: PLC0415 - only to warm

    terminal = sys.stderr.isatty()
    began = time.monotonic()
    for number, count, name in engine.warm():
        if terminal:
            typer.echo(f"\r\x1b[Kcompiling kernels {number}/{count}: {name}", err=True, nl=False)
        elif number == 1:
            typer.echo(f"compiling kernels: {count} modules", err=True)
    start = "\r\x1b[K" if terminal else ""
    typer.echo(f"{start}kernels are ready ({time.monotonic() - began:.1f} s)", err=True)
