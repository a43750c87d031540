"""`tickworks serve`: read the configuration and become the launcher.

Always: what the user must mend (a wrong configuration, a port in use, a directory that cannot be written) is one line
on standard error and exit status 2, never a traceback.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, NoReturn

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
        loaded = load(config, Flags(data_dir=data_dir, http=http, log_level=log_level))
        _redirect_log(loaded.log_file)
    except ConfigError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"log file {loaded.log_file}: {error.strerror}")
    from engine import launcher, logs  # noqa: PLC0415 - only to serve

    logs.configure(loaded.settings.log_level)
    log = logs.get_logger(process="launcher")
    if loaded.path is None:
        log.info("no configuration file, using defaults", data_dir=loaded.settings.data_dir)
    else:
        log.info("using configuration", path=str(loaded.path))
    if loaded.without_effect:
        log.warning("settings without effect in this version", settings=list(loaded.without_effect))
    raise typer.Exit(launcher.serve(loaded.settings))


def _fail(text: str) -> NoReturn:
    typer.echo(f"tickworks: {text}", err=True)
    raise typer.Exit(_USAGE) from None


def _redirect_log(file: str) -> None:
    """Let standard error, to which every process logs, be what `[logging] file` names."""
    if file in {"", "STDERR"}:
        return
    if file == "STDOUT":
        os.dup2(1, 2)
        return
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    os.dup2(descriptor, 2)
    os.close(descriptor)
