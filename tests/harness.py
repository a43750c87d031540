"""Real things for tests: a server in a directory of its own, a receiver of what tasks post, and proof that nothing is left.

Always: a test waits for an event (a line of the log, a request that comes in, the end of a process), never for time; each
wait has a deadline only so that a hanging server fails with its log instead of hanging the run. When a `Server` is closed,
every process that it ever had, its listening socket, its run directory and its temporary files are gone, or the test fails.

    with Server() as server, Receiver() as receiver:
        server.define("t", f"stream|from().measurement('m')|httpPost('{receiver.url}/t')")
        server.enable("t")
        server.write("m v=1 1")
        body = receiver.next("/t").json
        server.disable("t")            # drains: everything written has been posted when this returns
"""

from __future__ import annotations

import contextlib
import gc
import http.server
import json
import os
import queue
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).parents[1]
PATIENCE_S = 120.0
"""How long a wait may take before it counts as hanging: no measure of speed."""

API = "/kapacitor/v1"
_PREFIX = f"tw-{os.getpid()}-"
_MEMORY = Path("/dev/shm")


class HangingError(AssertionError):
    """What a test waited for did not come."""


def clean_environment(**extra: str) -> dict[str, str]:
    """This process's environment without what would configure the product."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("KAPACITOR_", "TICKWORKS_"))}
    return {**kept, "PYTHONPATH": str(ROOT), **extra}


def tickworks(
    *arguments: str, env: Mapping[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run one command of the CLI to its end."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        env=clean_environment(**(env or {})),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        **{"cwd": ROOT, **options},
    )


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """What happens within leaves no thread, descriptor (so no socket) and no file of a server's behind in this process."""
    threads, descriptors, files = set(threading.enumerate()), _descriptors(), set(_left_files())
    yield
    # A connection's thread ends when the other side has closed it, a moment after that side is gone.
    for thread in set(threading.enumerate()) - threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), f"thread {thread.name} lives on"
    gc.collect()
    left = {number: what for number, what in _descriptors().items() if descriptors.get(number) != what}
    assert not left, f"open descriptors are left: {left}"
    assert set(_left_files()) <= files, f"files are left: {set(_left_files()) - files}"


def _descriptors() -> dict[str, str]:
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found[entry.name] = str(entry.readlink())
    return {number: what for number, what in found.items() if what != f"/proc/{os.getpid()}/fd"}


def _left_files() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"))


class Processes:
    """Processes that must be gone at some time; each is held by a descriptor, so that no reused pid is taken for it."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[int, str]] = {}

    def add_tree(self, pid: int) -> None:
        """Hold `pid` and its descendants of this moment."""
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            for process in (root, *root.children(recursive=True)):
                if process.pid not in self._held:
                    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                        title = " ".join(process.cmdline()).strip() or process.name()
                        self._held[process.pid] = (os.pidfd_open(process.pid), title)

    def wait_gone(self) -> None:
        """Wait for the end of all of them. Raises HangingError naming those that live."""
        deadline = time.monotonic() + PATIENCE_S
        try:
            for pid, (descriptor, title) in self._held.items():
                if not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
                    raise HangingError(f"process {pid} ({title}) lives on")
        finally:
            for descriptor, _ in self._held.values():
                os.close(descriptor)
            self._held.clear()


class Server:
    """One `tickworks serve` and what a test wants of it.

    `config` is the text of a configuration file, `env` what is added to the environment, `arguments` what is added to the
    command line. With `data_dir` the directory is the caller's and survives, so that a second server can be started on it.
    """

    def __init__(
        self,
        *arguments: str,
        config: str = "",
        env: Mapping[str, str] | None = None,
        data_dir: Path | None = None,
        log_level: str = "info",
        start: bool = True,
    ) -> None:
        self.root = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._runtime = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_MEMORY if _MEMORY.is_dir() else None))
        self.data_dir = data_dir or self.root / "data"
        self.records: list[dict[str, Any]] = []
        self.other_output: list[str] = []
        self._temporary = self.root / "tmp"
        self._temporary.mkdir()
        self._config = self.root / "tickworks.conf"
        self._config.write_text(config)
        self._arguments = [
            *("--config", str(self._config), "--data-dir", str(self.data_dir)),
            *("--http", "127.0.0.1:0", "--log-level", log_level, *arguments),
        ]
        self._environment = clean_environment(
            **{"TMPDIR": str(self._temporary), "RUNTIME_DIRECTORY": str(self._runtime), **(env or {})}
        )
        self._news = threading.Condition()
        self._ended = False
        self._processes = Processes()
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self.http = httpx.Client(timeout=PATIENCE_S, trust_env=False)
        self.address = ("", 0)
        if start:
            try:
                self.start()
            except BaseException:
                self.close(check=False)
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(check=kind is None)

    # ------------------------------------------------------------------ life

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.records.clear()
        self.other_output.clear()
        self._ended = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cli", "serve", *self._arguments],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()
        listening = self.wait_log(lambda r: r.get("msg") == "listening")
        host, _, port = listening["addresses"][0].rpartition(":")
        self.address = (host, int(port))
        self.http.base_url = httpx.URL(self.url)

    @property
    def url(self) -> str:
        return f"http://{self.address[0]}:{self.address[1]}"

    @property
    def pid(self) -> int:
        """The launcher's."""
        assert self._process is not None
        return self._process.pid

    @property
    def run_dir(self) -> Path:
        """Where its sockets are; a path where nothing is before it runs and after."""
        return next(self._runtime.iterdir(), self._runtime / "none")

    def processes(self) -> dict[str, int]:
        """The processes of this moment: what `ps` shows, and their pids."""
        found = {}
        for process in (psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                found[" ".join(process.cmdline()).strip()] = process.pid
        return found

    def node(self, task: str, node: str) -> int:
        """The pid of a node's process. Raises KeyError when it does not run."""
        return self.processes()[f"tickworks: task {task} node {node}"]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait until every process is gone; the launcher's exit status."""
        assert self._process is not None
        self._processes.add_tree(self.pid)
        self._process.send_signal(number)
        return self._wait_end()

    def kill(self) -> None:
        """End the launcher by SIGKILL and wait until everything is gone with it."""
        assert self.stop(signal.SIGKILL) == -signal.SIGKILL

    def _wait_end(self) -> int:
        assert self._process is not None
        try:
            status = self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise HangingError(f"the launcher does not end\n{self.story()}") from None
        # Its descendants hold the other end: the end of the stream is the end of the last of them.
        self._until(lambda: self._ended, "the end of the log")
        self._processes.wait_gone()
        self._process = None
        return status

    def close(self, *, check: bool = True) -> None:
        """End what still runs and, with `check`, fail if anything is left."""
        clean = False
        try:
            if self._process is not None:
                if check:
                    status = self.stop()
                    assert status == 0, f"exit status {status}\n{self.story()}"
                    clean = True
                else:
                    self._processes.add_tree(self.pid)
                    self._process.kill()
                    self._wait_end()
            if clean:
                self._check_nothing_left()
        finally:
            self.http.close()
            shutil.rmtree(self.root)
            shutil.rmtree(self._runtime)

    def _check_nothing_left(self) -> None:
        assert not self.run_dir.exists(), f"left in the run directory: {sorted(self.run_dir.iterdir())}"
        assert not list(self._temporary.iterdir()), f"left in TMPDIR: {sorted(self._temporary.iterdir())}"
        with socket.socket() as probe:
            assert probe.connect_ex(self.address) != 0, "somebody still listens"

    # ------------------------------------------------------------------ log

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                record = _record(line)
                with self._news:
                    if record is not None:
                        self.records.append(record)
                    else:
                        self.other_output.append(line.decode(errors="replace"))
                    self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _until(self, reached: Callable[[], Any], what: str) -> None:
        with self._news:
            if not self._news.wait_for(reached, PATIENCE_S):
                raise HangingError(f"{what} did not come\n{self.story()}")

    def count_log(self, wanted: Callable[[dict[str, Any]], bool]) -> int:
        """How many records `wanted` holds for so far."""
        return sum(map(wanted, list(self.records)))

    def wait_log(self, wanted: Callable[[dict[str, Any]], bool], after: int = 0) -> dict[str, Any]:
        """The first record of the log, past or to come, that `wanted` holds for; without the first `after` of them."""
        skipped = 0
        found: list[dict[str, Any]] = []
        seen = 0

        def look() -> bool:
            nonlocal seen, skipped
            while seen < len(self.records) and not found:
                if wanted(self.records[seen]):
                    if skipped < after:
                        skipped += 1
                    else:
                        found.append(self.records[seen])
                seen += 1
            return bool(found) or self._ended

        self._until(look, "a line of the log")
        assert found, f"the server ended before the line came\n{self.story()}"
        return found[0]

    def story(self) -> str:
        """The end of the log, for failures."""
        return "\n".join([*(json.dumps(r) for r in self.records[-60:]), *self.other_output[-60:]])

    # ------------------------------------------------------------------ HTTP

    def call(self, method: str, path: str, body: Any = None, *, ok: bool = True) -> Any:
        """One request under `/kapacitor/v1`; the JSON (or text) of the answer. With `ok` fails unless 2xx."""
        answer = self.http.request(method, API + path, json=body)
        if ok:
            assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}\n{self.story()}"
        try:
            return answer.json()
        except ValueError:
            return answer.text

    def define(
        self, task: str, script: str, *, db: str = "db", rp: str = "rp", kind: str = "stream", **more: Any
    ) -> dict[str, Any]:
        """Create a task, disabled; its representation."""
        body = {"id": task, "type": kind, "dbrps": [{"db": db, "rp": rp}], "script": script, "status": "disabled"}
        return self.call("POST", "/tasks", {**body, **more})

    def enable(self, task: str) -> None:
        self.call("PATCH", f"/tasks/{task}", {"status": "enabled"})

    def wait_started(self, task: str) -> None:
        """Wait until a task that the server starts by itself has started."""
        self.wait_log(lambda r: r.get("msg") == "task started" and r.get("task") == task)

    def disable(self, task: str) -> None:
        """Drains: what was written before has passed through the task when this returns."""
        self.call("PATCH", f"/tasks/{task}", {"status": "disabled"})

    def delete(self, task: str) -> None:
        self.call("DELETE", f"/tasks/{task}")

    def task(self, task: str) -> dict[str, Any]:
        return self.call("GET", f"/tasks/{task}")

    def write(
        self, lines: str | bytes, *, db: str = "db", rp: str = "rp", ok: bool = True, **query: str
    ) -> httpx.Response:
        """Write line protocol."""
        answer = self.http.post(f"{API}/write", params={"db": db, "rp": rp, **query}, content=lines)
        if ok:
            assert answer.status_code == 204, f"write: {answer.status_code} {answer.text}\n{self.story()}"
        return answer

    def endpoint(self, task: str, name: str) -> Any:
        """What an httpOut shows now."""
        return self.call("GET", f"/tasks/{task}/{name}")

    def wait_endpoint(self, task: str, name: str, wanted: Callable[[Any], bool]) -> Any:
        """Look at an httpOut until `wanted` holds for it. Each look is answered between two frames of the node."""
        return self.wait_until(lambda: self.endpoint(task, name), wanted)

    def wait_until(self, look: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
        """Ask the server until the answer is as wanted, for what has no event to wait for; the answer."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            seen = look()
            if wanted(seen):
                return seen
            if time.monotonic() > deadline:
                raise HangingError(f"last seen: {seen}\n{self.story()}")


def _record(line: bytes) -> dict[str, Any] | None:
    """A line of the log, None for anything else."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


@dataclass(frozen=True, slots=True)
class Posted:
    """One request that a receiver got."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """An HTTP server on a free port that keeps what is posted to it, a queue a path, and answers 200 or `statuses[path]`.

    `before_answer` is called with each request that was kept, in a thread of its connection: the sender waits meanwhile.
    """

    def __init__(self, before_answer: Callable[[Posted], None] | None = None) -> None:
        self.statuses: dict[str, int] = {}
        self.before_answer = before_answer
        self._queues: dict[str, queue.SimpleQueue[Posted]] = {}
        self._lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                posted = Posted(self.path, dict(self.headers.items()), body)
                outer._queue(self.path).put(posted)
                if outer.before_answer is not None:
                    outer.before_answer(posted)
                with contextlib.suppress(ConnectionError):  # whoever asked may have been killed
                    self.send_response(outer.statuses.get(self.path, 200))
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            do_PUT = do_POST  # noqa: N815 - the name that the library calls

        class Listener(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, address: Any) -> None:
                if not isinstance(sys.exception(), ConnectionError):
                    super().handle_error(request, address)

        self._server = Listener(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _queue(self, path: str) -> queue.SimpleQueue[Posted]:
        with self._lock:
            return self._queues.setdefault(path, queue.SimpleQueue())

    def next(self, path: str) -> Posted:
        """The next request to `path`, waiting for it."""
        try:
            return self._queue(path).get(timeout=PATIENCE_S)
        except queue.Empty:
            raise HangingError(f"nothing was posted to {path}") from None

    def take(self, path: str) -> list[Posted]:
        """Everything that has come to `path` and was not taken yet."""
        waiting, taken = self._queue(path), []
        with contextlib.suppress(queue.Empty):
            while True:
                taken.append(waiting.get_nowait())
        return taken
