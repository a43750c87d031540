"""The store as a process: it answers over its socket, survives a restart with what it has, and is gone after SIGTERM."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import zmq

from engine import rpc
from engine.settings import Addresses, Settings
from tests.harness import PATIENCE_S, ROOT, clean_environment
from transports.context import new_context

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAIN = """
import sys, msgspec
from engine.settings import Addresses, Settings
from engine.store.process import main
sys.exit(main(msgspec.json.decode(sys.argv[1], type=Settings), msgspec.json.decode(sys.argv[2], type=Addresses)))
"""
_BODY = json.dumps({"id": "t", "script": 'dbrp "a"."b" stream|from()|log()', "status": "enabled"}).encode()


class Asker:
    """Asks one store process and waits for each answer."""

    def __init__(self, address: str, identity: bytes = b"asker") -> None:
        self._context = new_context(max_sockets=8)
        self._socket = rpc.dealer(self._context, f"ipc://{address}", identity)
        self._socket.setsockopt(zmq.RCVTIMEO, int(PATIENCE_S * 1000))
        self._number = 0

    def __call__(self, operation: str, **arguments: Any) -> tuple[bool, Any]:
        self._number += 1
        self._socket.send(rpc.pack_request(self._number, operation, arguments))
        number, ok, value = rpc.unpack(self._socket.recv())
        assert number == self._number
        return ok, value

    def notify(self, operation: str, **arguments: Any) -> None:
        self._socket.send(rpc.pack_request(0, operation, arguments))

    def close(self) -> None:
        self._socket.close(0)
        self._context.term()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory with a short path: sockets' paths are bounded."""
    made = Path(tempfile.mkdtemp(prefix="tw-"))
    yield made
    shutil.rmtree(made)


def _start(folder: Path) -> subprocess.Popen[bytes]:
    settings = Settings(data_dir=str(folder), log_level="info")
    addresses = Addresses(str(folder), "", "", str(folder / "store"), "")
    given = [msgspec.json.encode(what).decode() for what in (settings, addresses)]
    return subprocess.Popen(
        [sys.executable, "-c", _MAIN, *given], cwd=ROOT, env=clean_environment(), stderr=subprocess.PIPE
    )


@contextmanager
def _running(folder: Path) -> Iterator[Asker]:
    process = _start(folder)
    asker = Asker(str(folder / "store"))
    try:
        yield asker
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
        assert [msgspec.json.decode(line)["msg"] for line in errors.splitlines()] == ["store open"]
    finally:
        asker.close()
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_it_answers_in_order_and_has_everything_after_a_restart(folder: Path) -> None:
    with _running(folder) as ask:
        assert ask("ping") == (True, None)
        ok, created = ask("task_create", body=_BODY)
        assert ok
        ask.notify("task_error", id="t", error="log2: died")
        ok, task = ask("task_get", id="t")
        assert (ok, task["error"]) == (True, "log2: died")
        assert ask("task_create", body=_BODY) == (False, {"code": 400, "message": "task t already exists"})
        assert ask("nothing") == (False, {"code": 400, "message": "unknown operation 'nothing'"})
    with _running(folder) as ask:
        ok, tasks = ask("enabled_tasks", after="", limit=10)
        assert (ok, tasks) == (True, [created["actions"][0][2]])
        assert ask("task_get", id="t")[1]["error"] == ""


def test_what_was_answered_is_there_after_a_kill(folder: Path) -> None:
    process = _start(folder)
    ask = Asker(str(folder / "store"))
    try:
        assert ask("task_create", body=_BODY)[0]
    finally:
        process.kill()
        process.communicate()
        ask.close()
    with _running(folder) as again:
        assert again("task_get", id="t")[0]


def test_an_asker_that_has_gone_away_does_no_harm(folder: Path) -> None:
    with _running(folder) as ask:
        assert ask("ping") == (True, None)
        other = Asker(str(folder / "store"), b"hasty")
        other._socket.setsockopt(zmq.LINGER, int(PATIENCE_S * 1000))
        for _ in range(100):
            other._socket.send(rpc.pack_request(1, "task_list", {"pattern": "", "offset": 0, "limit": 1, "fields": []}))
        other._socket.close()
        other._context.term()
        assert ask("ping") == (True, None)


def test_a_database_that_cannot_be_opened_is_said_in_one_line(folder: Path) -> None:
    (folder / "tickworks.db").write_bytes(b"no database at all" * 100)
    process = _start(folder)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    [line] = errors.splitlines()
    record = json.loads(line)
    assert record["level"] == "critical"
    assert "tickworks.db" in record["error"]
