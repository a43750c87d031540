"""Logs of a running server through the command line: filters, history, levels, and readers that are slow."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.harness import API, PATIENCE_S, ROOT, Server, clean_environment, tickworks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SCRIPT = "stream|from().measurement('m')|log().prefix('P').level('ERROR')"
_PREVIEW = "/kapacitor/v1preview/logs"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as started:
        yield started


@pytest.fixture(autouse=True)
def _without_tasks(server: Server) -> Iterator[None]:
    """The server is the same for all tests here: each starts without tasks and readers."""
    yield
    for task in ("lg", "other"):
        server.delete(task)
    _sessions(server, 0)


class _Follower:
    """A command that follows the log; lines are read as they come."""

    def __init__(self, server: Server, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cli", *arguments],
            cwd=ROOT,
            env=clean_environment(KAPACITOR_URL=server.url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.seen: list[str] = []

    def until(self, wanted: Callable[[str], bool]) -> str:
        """The first line that `wanted` holds for."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.seen.append(line)
            if wanted(line):
                return line
        raise AssertionError(f"the command ended: {self.seen[-20:]} {self.errors()}")

    def errors(self) -> str:
        assert self._process.stderr is not None
        return self._process.stderr.read()

    def interrupt(self, number: int = signal.SIGINT) -> None:
        self._process.send_signal(number)
        assert self._process.wait(PATIENCE_S) == 0
        assert self.errors() == ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()


def _logs(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return tickworks("logs", *arguments, env={"KAPACITOR_URL": server.url})


def _shown(server: Server, *arguments: str) -> list[dict[str, Any]]:
    ended = _logs(server, "--json", *arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    return [json.loads(line) for line in ended.stdout.splitlines()]


def _sessions(server: Server, count: int) -> None:
    """Wait until so many readers are there."""
    server.wait_until(lambda: server.call("GET", "/tickworks/logs/readers")["sessions"], lambda n: n == count)


def test_watch_shows_what_the_reference_shows_of_a_task(server: Server) -> None:
    server.define("lg", _SCRIPT)
    server.define("other", _SCRIPT)
    with _Follower(server, "watch", "lg") as watch:
        _sessions(server, 1)
        server.enable("other")
        server.enable("lg")
        server.write("m,h=a v=1 1")
        server.disable("lg")
        watch.until(lambda line: "stopped task" in line)
        watch.interrupt()
    shown = [line.partition(" ")[2].rstrip("\n") for line in watch.seen]
    common = "service=kapacitor task_master=main task=lg"
    shown[3:5] = sorted(shown[3:5])
    assert shown == [
        f'lvl=debug msg="starting task" {common}',
        f'lvl=info msg="started task" {common}',
        (
            f"lvl=error msg=point {common} node=log2 prefix=P name=m db=db rp=rp group=  tag_h=a field_v=1 "
            "time=1970-01-01T00:00:00.000000001Z"
        ),
        # Each edge is closed by the process at its end, and those say so in any order.
        *sorted(
            f'lvl=debug msg="closing edge" {common} parent={parent} child={child} collected=1 emitted=1'
            for parent, child in (("stream0", "from1"), ("from1", "log2"))
        ),
        f'lvl=info msg="stopped task" {common}',
    ]
    # Debug lines went to the reader alone: the server's level is info.
    assert not [r for r in server.records if r["msg"] in ("task starting", "edge closed")]
    _sessions(server, 0)


def test_pairs_follow_as_in_the_reference_and_sigterm_is_a_success(server: Server) -> None:
    server.define("lg", _SCRIPT)
    with _Follower(server, "logs", "lvl=info+", "task=lg") as logs:
        _sessions(server, 1)
        server.enable("lg")
        logs.until(lambda line: "started task" in line)
        server.disable("lg")
        logs.until(lambda line: "stopped task" in line)
        logs.interrupt(signal.SIGTERM)
    assert not [line for line in logs.seen if "lvl=debug" in line]


def test_filters_and_times_choose_among_what_was(server: Server) -> None:
    server.define("lg", _SCRIPT.replace("'P'", "'chosen'"))
    server.enable("lg")
    server.write("m v=1 1\nm v=2 2")
    server.disable("lg")
    points = _shown(server, "--task", "lg", "--node", "log2", "prefix=chosen")
    assert [p["field"]["v"] for p in points] == [1, 2]
    errors = _shown(server, "--level", "error")
    assert {p["lvl"] for p in errors} == {"error"}
    assert points[0] in errors
    everything = _shown(server, "--since", "1h")
    assert "listening" in [p["msg"] for p in everything]
    assert _shown(server, "--since", points[1]["ts"])[0]["ts"] >= points[1]["ts"]
    assert _shown(server, "--since", "2100-01-01T00:00:00Z") == []
    assert {p["msg"] for p in _shown(server, "msg=started task")} == {"started task"}


def test_following_may_begin_with_what_was(server: Server) -> None:
    with _Follower(server, "logs", "-f", "--since", "1h", "--json") as logs:
        logs.until(lambda line: json.loads(line)["msg"] == "listening")
        server.define("lg", _SCRIPT)
        server.enable("lg")
        logs.until(lambda line: json.loads(line)["msg"] == "started task")
        logs.interrupt()


def test_what_cannot_be_asked_is_said_and_status_3(server: Server) -> None:
    for arguments, text in (
        (["logs", "a"], "bad keyvalue pair: 'a'"),
        (["logs", "a=b=c"], "bad keyvalue pair: 'a=b=c'"),
        (["watch"], "must provide task ID."),
        (["logs", "task=a", "task=b"], "failed to retrieve logs: bad status code 400"),
        (["logs", "--level", "loud"], "failed to retrieve logs: invalid log level"),
        (
            ["logs", "--since", "soon"],
            'failed to retrieve logs: since must be a duration such as 10m or an RFC 3339 time, not "soon"',
        ),
        (["level", "loud"], "invalid log level"),
    ):
        ended = tickworks(*arguments, env={"KAPACITOR_URL": server.url})
        assert (ended.returncode, ended.stderr) == (3, f"Error: {text}\n")
    ended = tickworks("level", env={"KAPACITOR_URL": server.url})
    assert (ended.returncode, ended.stderr.splitlines()[0]) == (2, "Must pass a log level")


def test_the_level_changes_for_all_processes_at_once(server: Server) -> None:
    server.define("lg", "stream|from().measurement('m')|log().prefix('levels').level('DEBUG')")
    server.enable("lg")

    def level(name: str) -> None:
        ended = tickworks("level", name, env={"KAPACITOR_URL": server.url})
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")

    def points() -> list[float]:
        return [r["field_v"] for r in server.records if r.get("prefix") == "levels"]

    server.write("m v=1 1")
    server.wait_until(lambda: server.task("lg")["stats"]["node-stats"]["log2"]["collected"], lambda n: n == 1)
    assert points() == []
    level("debug")
    server.write("m v=2 2")
    server.wait_log(lambda r: r.get("prefix") == "levels")
    assert points() == [2]
    level("ERROR")
    server.write("m v=3 3")
    server.disable("lg")
    assert points() == [2]
    level("info")


def test_a_front_end_that_is_replaced_serves_readers_again() -> None:
    with Server() as server:
        os.kill(server.processes()["tickworks: front end"], signal.SIGKILL)
        server.wait_log(lambda r: r["msg"] == "process died")
        # The next connection waits for the next front end.
        server.define("lg", _SCRIPT)
        server.enable("lg")
        assert [r["msg"] for r in _shown(server, "--task", "lg", "--level", "info")] == ["started task"]


@pytest.mark.parametrize("path", ["?task=a&task=b"])
def test_parameters_may_not_be_repeated(server: Server, path: str) -> None:
    answer = server.http.get(_PREVIEW + path)
    assert (answer.status_code, answer.json()["error"]) == (400, "query params cannot contain duplicate params")
    assert server.http.get(f"{API}/logs").status_code == 404


def test_a_slow_reader_is_told_what_it_lost_and_nobody_waits_for_it() -> None:
    """It reads nothing at all while everything that is written passes through; then it gets the rest and the number."""
    with Server(config="[tickworks]\nlog-reader-records = 10\n") as server, contextlib.ExitStack() as stack:
        server.define("lg", f"stream|from().measurement('m')|log().prefix('{'x' * 40_000}')|httpOut('last')")
        server.enable("lg")
        slow = http.client.HTTPConnection(*server.address, timeout=PATIENCE_S)
        stack.callback(slow.close)
        slow.request("GET", f"{_PREVIEW}?task=lg", headers={"Accept": "application/json"})
        lines = slow.getresponse()
        written = 0

        def lost() -> int:
            nonlocal written
            # A node writes at most a hundred lines a second; the buffers of a reader that takes none fill all the same.
            server.write("\n".join(f"m v={written + i}i {written + i + 1}" for i in range(100)))
            written += 100
            return server.call("GET", "/tickworks/logs/readers")["lost"]

        server.wait_until(lost, lambda n: n > 0)

        def last(answer: Any) -> bool:
            return bool(answer["series"]) and answer["series"][0]["values"][0][1] == written - 1

        server.wait_endpoint("lg", "last", last)
        stats = server.task("lg")["stats"]["node-stats"]
        assert {name: s["collected"] for name, s in stats.items()} == dict.fromkeys(stats, written)
        server.disable("lg")
        server.wait_log(lambda r: r["msg"] == "task stopped")
        # What the server's own log has since the task was started, and a line of level debug for each of its three edges.
        all_lines = len([r for r in server.records if r.get("task") == "lg"]) - 1 + 3
        seen = missing = 0
        while seen + missing < all_lines:
            line = json.loads(lines.readline())
            if line["msg"] == "log lines lost":
                missing += line["lost"]
            else:
                seen += 1
        assert missing > 0
        assert seen + missing == all_lines


def test_open_sessions_end_with_the_server() -> None:
    with Server() as server, _Follower(server, "logs") as logs:
        _sessions(server, 1)
        assert server.stop() == 0
        assert logs._process.wait(PATIENCE_S) == 0
