"""A server of its own for the demo: started on a free port with an empty data directory, ended without a trace.

Always: the server ends with the demo, also when the demo is killed; its data directory is gone afterwards.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_API = "/kapacitor/v1"
_STOP_S = 15.0


class ServerError(Exception):
    """The server does not start, or refuses; what it said."""


class Server:
    """Use as a context manager."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="tickworks-demo-"))
        self.problems: list[str] = []
        self._tree: list[psutil.Process] = []
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this program again
                [
                    *(sys.executable, "-m", "cli", "serve", "--config", os.devnull),
                    *("--data-dir", str(self.directory / "data"), "--http", "127.0.0.1:0"),
                ],
                env={k: v for k, v in os.environ.items() if not k.startswith("KAPACITOR_")},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                # Ctrl-C is the demo's; it ends the server in its own time.
                start_new_session=True,
                preexec_fn=_end_with_parent(os.getpid()),  # noqa: PLW1509 - the demo has no threads yet
            )
        except OSError:
            shutil.rmtree(self.directory)
            raise
        self._client = httpx.Client(timeout=60.0, trust_env=False)

    def __enter__(self) -> Self:
        try:
            self._client.base_url = httpx.URL(f"http://{self._wait_listening()}")
        except BaseException:
            self.end()
            raise
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def url(self) -> str:
        return str(self._client.base_url).rstrip("/")

    def _records(self) -> Any:
        assert self._process.stderr is not None
        for raw in self._process.stderr:
            try:
                yield json.loads(raw)
            except ValueError:
                yield {"level": "error", "msg": raw.decode(errors="replace").rstrip()}

    def _wait_listening(self) -> str:
        said = []
        for record in self._records():
            if record.get("msg") == "listening":
                return str(record["addresses"][0])
            said.append(record)
        raise ServerError("\n".join(r["msg"] for r in said if r.get("level") == "error") or "the server ended")

    def _watch(self) -> None:
        for record in self._records():
            if record.get("level") == "error":
                self.problems.append(
                    record["msg"] + "".join(f" {k}={record[k]}" for k in ("task", "error") if k in record)
                )

    # ------------------------------------------------------------------ what the demo asks of it

    def _call(self, method: str, path: str, **content: Any) -> httpx.Response:
        answer = self._client.request(method, _API + path, **content)
        if not answer.is_success:
            raise ServerError(f"{method} {path}: {answer.status_code} {answer.text.strip()}")
        return answer

    def define(self, task: str, script: str) -> None:
        """Create a task and start it."""
        self._call("POST", "/tasks", json={"id": task, "script": script, "status": "enabled"})

    def post_alerts(self, topic: str, url: str) -> None:
        """Have what comes to a topic posted to an address."""
        body = {"id": "demo", "kind": "post", "options": {"url": url}}
        self._call("POST", f"/alerts/topics/{topic}/handlers", json=body)

    def write(self, lines: list[str]) -> None:
        self._call("POST", "/write", params={"db": "host", "rp": "live"}, content="\n".join(lines).encode())

    def output(self, task: str, endpoint: str) -> list[dict[str, Any]]:
        """The series that an httpOut shows."""
        return self._call("GET", f"/tasks/{task}/{endpoint}").json().get("series") or []

    def processes(self) -> list[tuple[str, int, int]]:
        """The server's processes: title, pid, resident bytes."""
        self._tree = [psutil.Process(self._process.pid)]
        self._tree += self._tree[0].children(recursive=True)
        found = []
        for process in self._tree:
            try:
                found.append((" ".join(process.cmdline()).strip(), process.pid, process.memory_info().rss))
            except psutil.Error:
                continue
        return found

    # ------------------------------------------------------------------ the end

    def end(self) -> list[int]:
        """End the server and remove its directory; the pids that are left, which should be none."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        _, left = psutil.wait_procs(self._tree, timeout=_STOP_S)
        self._client.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        return [process.pid for process in left]


def _end_with_parent(parent: int) -> Callable[[], None]:
    libc = ctypes.CDLL(None)

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(0)

    return prepare
