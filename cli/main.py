"""`tickworks`: the command that everything else hangs on, and the options that stand before a command.

Always: a module of this package imports what is dear (rich, httpx, the engine) when a command runs, so that `--help`
answers at once. Results go to standard output, everything else to standard error. Exit status as in the spec "Command
lines" §1: 0 success, 1 no such command, 2 wrong usage or a server that cannot start, 3 the command failed, 4 an
unusable URL.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli import client, define, demo, logs, serve, statistics, tasks, tick, top, topics, warm

_NO_COMMAND = 1


class _Commands(TyperGroup):
    """The commands; a word that is none of them ends with the status that scripts of the reference's client expect."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if self.get_command(ctx, args[0]) is None:
            typer.echo(f"Unknown command {args[0]}", err=True)
            typer.echo(ctx.get_usage(), err=True)
            raise typer.Exit(_NO_COMMAND)
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="tickworks",
    cls=_Commands,
    help="Runs Kapacitor's TICKscripts, a process per node.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
)


@app.callback()
def _globals(
    context: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(
            "-url", "--url", metavar="URL", help=f"The server. [env: KAPACITOR_URL; default: {client.DEFAULT_URL}]"
        ),
    ] = None,
    skip_verify: Annotated[
        bool,
        typer.Option(
            "-skipVerify", "--skip-verify", help="Do not check the server's certificate. [env: KAPACITOR_UNSAFE_SSL]"
        ),
    ] = False,
) -> None:
    context.obj = client.choose_server(url, skip_verify)
    if context.invoked_subcommand is None:
        typer.echo("Error: Must pass a command.", err=True)
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(_NO_COMMAND)


@app.command()
def version() -> None:
    """Print the version of this program."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - not needed for --help

    try:
        number = version("tickworks")
    except PackageNotFoundError:
        number = "unknown"
    typer.echo(f"Tickworks OSS {number} (git: unknown unknown)")


app.command()(serve.serve)
app.command()(define.define)
app.command("define-topic-handler")(topics.define_topic_handler)
app.command()(tasks.enable)
app.command()(tasks.disable)
app.command()(tasks.reload)
app.command()(tasks.delete)
app.command("list")(tasks.list_)
app.command()(tasks.show)
app.command("show-topic")(topics.show_topic)
app.command("show-topic-handler")(topics.show_topic_handler)
app.command()(logs.logs)
app.command()(logs.watch)
app.command()(logs.level)
app.command()(top.top)
app.command()(statistics.stats)
app.command("vars")(statistics.show_vars)
app.command()(demo.demo)
app.command()(warm.warm)
app.add_typer(tick.app)


def main() -> None:
    """The entry point of the `tickworks` command."""
    app(prog_name="tickworks", args=sys.argv[1:])
