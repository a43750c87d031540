"""The launcher: what `tickworks serve` is. It starts the others and outlives them, and does nothing else.

It opens the listening sockets, so that clients wait in the backlog while a front end restarts; holds the lock of the
data directory; restarts a front end, store or alert service that dies, and the whole tree when the supervisor dies; passes signals on.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import clock, limits, logs
from engine.process import EXIT_USAGE, become_subreaper, fork_into, set_title
from engine.settings import MAX_SOCKETS, Addresses, Settings
from transports.context import raise_file_limit
from transports.errors import RunDirectoryError
from transports.paths import open_run_directory

if TYPE_CHECKING:
    from transports.paths import RunDirectory

_FILES = 65536
_STOP_S = 10.0
_RESTART_S = (0.0, 0.2, 0.5, 1.0)
_STABLE_S = 30.0


class CannotStartError(Exception):
    """Something that the user must mend; one line."""


class Launcher:
    """One run of the server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._log = logs.get_logger(process="launcher")
        self._data = Path(settings.data_dir)
        self._lock = -1
        self._sockets: list[socket.socket] = []
        self._run_dir: RunDirectory | None = None
        self._board = logs.open_board(settings.log_level)
        self._logs = ""
        self._addresses: Addresses | None = None
        self._pids: dict[str, int] = {}
        self._deaths: dict[str, int] = {}
        self._started: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._stopping = False

    def run(self) -> int:
        """Until SIGTERM or SIGINT. Raises CannotStartError."""
        set_title("launcher")
        self._prepare()
        become_subreaper()
        wake, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        try:
            self._start_tree()
            while not self._stopping:
                wait = self._next_restart()
                select.select([wake], [], [], wait)
                with contextlib.suppress(BlockingIOError):
                    os.read(wake, 4096)
                self._reap()
                self._restart_due()
            self._stop_tree(wake)
        finally:
            self._kill_all()
            if self._run_dir is not None:
                self._run_dir.remove()
            for s in self._sockets:
                s.close()
        self._log.info("stopped")
        return 0

    def _on_stop(self, *_: Any) -> None:
        self._stopping = True

    def _on_reload(self, *_: Any) -> None:
        """SIGHUP is the supervisor's: what nodes have loaded from outside is loaded anew."""
        pid = self._pids.get("supervisor")
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGHUP)

    def _prepare(self) -> None:
        try:
            self._data.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._lock = os.open(self._data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise CannotStartError(f"data directory {self._data}: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotStartError(f"data directory {self._data} is in use by another server") from None
        warning = raise_file_limit(_FILES).warning
        if warning is not None:
            self._log.warning("open files", hint=warning)
        for shortage in limits.shortages(limits.read(self._data), self._settings, MAX_SOCKETS):
            self._log.warning(shortage.what, hint=shortage.hint)
        http = self._settings.http
        try:
            listener = socket.create_server(
                (http.host, http.port), family=socket.AF_INET6 if ":" in http.host else socket.AF_INET, backlog=1024
            )
        except OSError as error:
            hint = ": choose another with --http" if error.errno == errno.EADDRINUSE else ""
            raise CannotStartError(f"cannot listen on {http.host}:{http.port}: {error.strerror}{hint}") from error
        self._sockets = [listener]
        try:
            self._run_dir = open_run_directory(self._data)
        except RunDirectoryError as error:
            raise CannotStartError(str(error)) from error
        self._logs = self._run_dir.new_path("log")
        logs.open_channel(self._logs)
        self._board.started("launcher", os.getpid())

    # ------------------------------------------------------------------ the tree

    def _start_tree(self) -> None:
        assert self._run_dir is not None
        run = self._run_dir
        self._addresses = Addresses(
            str(run.path),
            run.new_path("in"),
            run.new_path("ctl"),
            run.new_path("st"),
            run.new_path("pg"),
            run.new_path("al"),
            self._logs,
            run.new_path("lb"),
        )
        for role in ("store", "alerts", "supervisor", "frontend"):
            self._start(role)

    def _start(self, role: str) -> None:
        settings, addresses, sockets = self._settings, self._addresses, self._sockets
        assert addresses is not None

        def store() -> int:
            from engine.store.process import main  # noqa: PLC0415 - the launcher stays small

            return main(settings, addresses)

        def alerts() -> int:
            from engine.alerts.process import main  # noqa: PLC0415 - the launcher stays small

            return main(settings, addresses)

        def supervisor() -> int:
            from engine.task_master.process import main  # noqa: PLC0415 - the launcher stays small

            return main(settings, addresses)

        def frontend() -> int:
            from engine.api.process import main  # noqa: PLC0415 - the launcher stays small

            return main(settings, addresses, sockets)

        bodies = {"store": store, "alerts": alerts, "supervisor": supervisor, "frontend": frontend}
        keep = [s.fileno() for s in sockets] if role == "frontend" else []
        title = {"alerts": "alert service", "frontend": "front end"}.get(role, role)
        self._pids[role] = fork_into(title, bodies[role], keep)
        self._started[role] = clock.monotonic()
        self._board.started(role, self._pids[role])

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            role = next((r for r, p in self._pids.items() if p == pid), None)
            if role is not None:
                del self._pids[role]
                if not self._stopping:
                    self._died(role, os.waitstatus_to_exitcode(status))

    def _died(self, role: str, status: int) -> None:
        now = clock.monotonic()
        deaths = 1 if now - self._started[role] > _STABLE_S else self._deaths.get(role, 0) + 1
        self._deaths[role] = deaths
        wait = _RESTART_S[min(deaths - 1, len(_RESTART_S) - 1)]
        self._log.error("process died", died=role, status=status, restart_in=wait)
        if role == "supervisor":
            self._kill_all()
            self._due.clear()
        self._due[role] = now + wait

    def _next_restart(self) -> float | None:
        return max(0.0, min(self._due.values()) - clock.monotonic()) if self._due else None

    def _restart_due(self) -> None:
        now = clock.monotonic()
        for role in [r for r, t in self._due.items() if t <= now]:
            del self._due[role]
            if role == "supervisor":
                self._start_tree()
            else:
                self._start(role)

    # ------------------------------------------------------------------ the end

    def _stop_tree(self, wake: int) -> None:
        """Front end first, so that nothing comes in; then the supervisor, what alerts still have to send, and the store."""
        self._log.info("stopping")
        deadline = clock.monotonic() + _STOP_S - 2.0
        for role in ("frontend", "supervisor", "alerts", "store"):
            pid = self._pids.get(role)
            if pid is None:
                continue
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            while role in self._pids and (left := deadline - clock.monotonic()) > 0:
                select.select([wake], [], [], left)
                with contextlib.suppress(BlockingIOError):
                    os.read(wake, 4096)
                self._reap()

    def _kill_all(self) -> None:
        """No descendant lives when this returns: what dies orphans its children to this process, which waits for all."""
        for pid in self._pids.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._pids.clear()
        while True:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return


def serve(settings: Settings) -> int:
    """Run the server; the exit status."""
    logs.configure(settings.log_level)
    try:
        return Launcher(settings).run()
    except CannotStartError as error:
        os.write(2, f"tickworks: {error}\n".encode())
        return EXIT_USAGE
