"""The demo's loop: collect, write, read what comes out, show it; until Ctrl-C or the time that was asked for."""

from __future__ import annotations

import signal
import sys
import threading
import time
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table

from demo.collector import Collector
from demo.receiver import Receiver
from demo.server import Server, ServerError

if TYPE_CHECKING:
    from rich.console import RenderableType


class Output(NamedTuple):
    """A task whose httpOut is shown; script and endpoint have its name. A row a series, by `tag`, or the greatest of a column first."""

    task: str
    title: str
    tag: str
    order: str | None = None


OUTPUTS: Final = (
    Output("busy", "programs at work", "name", "cpu_percent"),
    Output("cpu_mean", "mean of the last 10 s", "cpu"),
    Output("load", "processors and memory, joined", "host"),
)
ALERT: Final = "hot"
"""The task whose alerts are shown arriving; they go to the topic `demo`."""

TASKS: Final = (*(output.task for output in OUTPUTS), ALERT)

_INTERVAL_S: Final = 0.5
_PRINT_EVERY: Final = 4
_ROWS: Final = 8


def script(task: str) -> str:
    """The TICKscript of a task."""
    return resources.files("demo").joinpath(f"{task}.tick").read_text(encoding="utf-8")


def run(seconds: float | None) -> int:
    """Show the demo for so long, or until it is interrupted; the exit status, 1 when nothing came out."""
    console = Console()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    console.print("starting a server on a free port")
    try:
        server = Server()
        with server:
            receiver = Receiver()
            demo = _Demo(server, receiver)
            demo.show_scripts(console)
            ended = demo.loop(console, stop, seconds)
            left = server.end()
            receiver.close()
    except ServerError as error:
        console.print(f"[red]the server refuses:[/red] {error}")
        return 1
    for problem in server.problems:
        console.print(f"[red]the server reports:[/red] {problem}")
    if left:
        console.print(f"[red]processes that live on: {left}[/red]")
        return 1
    console.print(ended)
    return 0 if demo.seen == set(TASKS) else 1


class _Demo:
    """What has been fed and what is known."""

    def __init__(self, server: Server, receiver: Receiver) -> None:
        self._server = server
        self._receiver = receiver
        self._collector = Collector()
        self._points = 0
        self._outputs: dict[str, list[dict[str, Any]]] = {}
        self._processes: list[tuple[str, int, int]] = []
        self._millis = 0.0
        self.seen: set[str] = set()
        server.post_alerts("demo", receiver.url)
        for task in TASKS:
            server.define(task, script(task))

    def show_scripts(self, console: Console) -> None:
        for task in TASKS:
            console.print(Panel(Syntax(script(task).rstrip(), "javascript", background_color="default"), title=task))

    def loop(self, console: Console, stop: threading.Event, seconds: float | None) -> str:
        """Run; what to say at the end."""
        began = time.monotonic()
        end = None if seconds is None else began + seconds
        with Live(console=console, auto_refresh=False, transient=not console.is_terminal) as live:
            turn = 0
            while not stop.is_set() and (end is None or time.monotonic() < end):
                self._turn()
                turn += 1
                if console.is_terminal:
                    live.update(self._picture(), refresh=True)
                elif turn % _PRINT_EVERY == 0:
                    console.print(self._picture())
                stop.wait(_INTERVAL_S)
        took = time.monotonic() - began
        return (
            f"fed {self._points} points in {took:.0f} s to {self._server.url}; "
            f"the server and its {len(self._processes)} processes have ended, nothing is left"
        )

    def _turn(self) -> None:
        lines = self._collector.collect()
        before = time.perf_counter()
        self._server.write(lines)
        self._millis = (time.perf_counter() - before) * 1000
        self._points += len(lines)
        for output in OUTPUTS:
            series = self._outputs[output.task] = self._server.output(output.task, output.task)
            if series:
                self.seen.add(output.task)
        if self._receiver.count:
            self.seen.add(ALERT)
        self._processes = self._server.processes()

    def _picture(self) -> RenderableType:
        fed = f"{self._points} points of this host fed to {self._server.url}, the last write taken in {self._millis:.1f} ms"
        return Group(
            fed,
            *(_output(output, self._outputs[output.task]) for output in OUTPUTS),
            _alerts(self._receiver),
            _processes(self._processes),
        )


def _output(output: Output, series: list[dict[str, Any]]) -> Table:
    """The last row of each series."""
    columns = series[0]["columns"] if series else ["time"]
    table = Table(title=f"{output.task}: {output.title}", title_justify="left", expand=False)
    table.add_column(output.tag)
    for name in columns:
        table.add_column(name, justify="right")
    rows = [(s.get("tags", {}).get(output.tag, ""), s["values"][-1]) for s in series]
    rows.sort(key=lambda row: row[0] if output.order is None else -row[1][columns.index(output.order)])
    for name, values in rows[:_ROWS]:
        shown = [
            f"{v:.2f}" if isinstance(v, float) else str(v)[11:19] if isinstance(v, str) else str(v) for v in values
        ]
        table.add_row(name, *shown)
    return table


def _alerts(receiver: Receiver) -> Table:
    table = Table(title=f"{ALERT}: {receiver.count} alerts have arrived, the latest first", title_justify="left")
    for name in ("time", "level", "message"):
        table.add_column(name)
    styles = {"CRITICAL": "red", "WARNING": "yellow", "OK": "green"}
    for alert in list(receiver.alerts):
        table.add_row(alert.time[11:19], alert.level, alert.message, style=styles.get(alert.level, ""))
    return table


def _processes(found: list[tuple[str, int, int]]) -> Table:
    table = Table(title="the server: a process per node", title_justify="left")
    for name in ("process", "pid", "resident MiB"):
        table.add_column(name, justify="left" if name == "process" else "right")
    for title, pid, resident in found:
        table.add_row(title, str(pid), f"{resident / (1 << 20):.0f}")
    return table


if __name__ == "__main__":
    sys.exit(run(None))
