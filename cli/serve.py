"""`tickworks serve`: read the configuration and become the launcher.

Always: what the user must mend (a wrong configuration, a port in use, a directory that cannot be written) is one line
on standard error and exit status 2, never a traceback.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_USAGE = 2

ConfigFile = Annotated[
    Path | None,
    typer.Option("-config", "--config", help="Configuration file, in the form of kapacitor.conf.", metavar="FILE"),
]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where tasks and the ingest log lie.", metavar="DIR")]
HttpAddress = Annotated[
    str | None,
    typer.Option("--http", help="Address and port to listen on; port 0 takes a free one.", metavar="ADDR:PORT"),
]
LogLevel = Annotated[
    str | None, typer.Option("-log-level", "--log-level", help="debug, info, warn or error.", metavar="LEVEL")
]


def serve(
    config: ConfigFile = None, data_dir: DataDir = None, http: HttpAddress = None, log_level: LogLevel = None
) -> None:
    """Run the server until SIGTERM or Ctrl-C."""
    from engine.config import ConfigError, Flags, load  # noqa: PLC0415 - only to serve

    try:
        settings = load(config, Flags(data_dir=data_dir, http=http, log_level=log_level))
    except ConfigError as error:
        typer.echo(f"tickworks: {error}", err=True)
        raise typer.Exit(_USAGE) from None
    from engine.launcher import serve as run  # noqa: PLC0415 - only to serve

    raise typer.Exit(run(settings))
