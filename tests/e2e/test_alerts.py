"""Alerts through a whole server whose processes are killed: no event is lost, states are there again."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import Processes, Server

if TYPE_CHECKING:
    from pathlib import Path

_HOSTS = 20
_FLIPS = "stream|from().measurement('m').groupBy('h')|alert().id('{{ .Group }}').crit(lambda: \"v\" > 0)"


def _points(start: int, stop: int) -> str:
    """Each host flips at each second, so that each point is an event: CRITICAL at the even ones, OK at the odd ones."""
    return "\n".join(f"m,h={h} v={1 - t % 2}i {t}000000000" for t in range(start, stop) for h in range(_HOSTS))


def _lines(path: Path) -> list[tuple[str, str, str]]:
    """What a log handler has written so far: ID, time and level of each whole line."""
    text = path.read_text() if path.exists() else ""
    read = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
    return [(line["id"], line["time"], line["level"]) for line in read]


def _define(server: Server, path: Path, task: str = "flips") -> None:
    server.define(task, f"{_FLIPS}.topic('{task}').log('{path}')")
    server.enable(task)


def _topic(server: Server, topic: str) -> dict[str, Any]:
    return server.call("GET", f"/alerts/topics/{topic}", ok=False)


def _triggered(server: Server) -> int:
    """Events that the node knows to be committed."""
    count: int = server.task("flips")["stats"]["node-stats"]["alert2"]["alerts_triggered"]
    return count


def _kill(server: Server, title: str) -> None:
    """Kill a process of the server and wait until it is gone."""
    pid = server.wait_until(server.processes, lambda found: title in found)[title]
    gone = Processes()
    gone.add_tree(pid)
    os.kill(pid, signal.SIGKILL)
    gone.wait_gone()


def _expected(start: int, stop: int) -> set[tuple[str, str, str]]:
    return {
        (f"h={h}", f"1970-01-01T00:{t // 60:02d}:{t % 60:02d}Z", "OK" if t % 2 else "CRITICAL")
        for t in range(start, stop)
        for h in range(_HOSTS)
    }


@pytest.mark.parametrize("victim", ["alert service", "store"])
def test_no_event_is_lost_when_a_server_process_is_killed_between_events(
    server: Server, tmp_path: Path, victim: str
) -> None:
    out = tmp_path / "out"
    _define(server, out)
    for start in range(0, 300, 50):
        server.write(_points(start, start + 50))
        if start in (50, 150):
            _kill(server, f"tickworks: {victim}")
    # A slow machine may need more for the restart than a drain may take.
    server.wait_until(lambda: len(set(_lines(out))), lambda told: told == 300 * _HOSTS)
    server.disable("flips")
    told = _lines(out)
    assert set(told) == _expected(0, 300)
    if victim == "store":
        assert len(told) == len(set(told)), "the alert service remembers what it has dealt with"
    last: dict[str, list[str]] = {}
    for identity, time, _ in told:
        seen = last.setdefault(identity, [])
        if time not in seen:
            seen.append(time)
    assert all(times == sorted(times) for times in last.values()), "first tellings are in order"
    states = server.call("GET", "/alerts/topics/flips/events")["events"]
    assert {e["state"]["level"] for e in states} <= {"OK"}


def test_an_alert_node_that_is_killed_tells_each_event_once(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Server(config="[alert]\ntopic-buffer-length = 100000\n") as server:
        _define(server, out)
        server.write(_points(0, 1))
        server.wait_until(lambda: _triggered(server), lambda count: count == _HOSTS)
        for start in range(1, 2000, 100):
            server.write(_points(start, min(start + 100, 2000)))
        # Some are dealt with, most are not.
        server.wait_until(lambda: _triggered(server), lambda count: count > _HOSTS)
        _kill(server, "tickworks: task flips node alert2")
        # A task that is disabled while it starts again does not come to the rest of its input.
        server.wait_until(lambda: len(set(_lines(out))), lambda told: told == 2000 * _HOSTS)
        server.disable("flips")
        told = _lines(out)
        assert set(told) == _expected(0, 2000)
        assert len(told) == len(set(told))
        assert _topic(server, "flips")["collected"] == len(told)


def test_states_outlive_a_server_that_is_killed_and_durations_go_on_from_the_last_event(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Server(data_dir=tmp_path / "data") as server:
        server.define("d", f"stream|from().measurement('m')|alert().crit(lambda: \"v\" > 0).topic('d').log('{out}')")
        server.enable("d")
        server.write("m v=1 0")
        server.wait_until(lambda: _topic(server, "d").get("level"), lambda level: level == "CRITICAL")
        # Asked of the store: the state is on the disk when the log's position is.
        server.wait_until(lambda: _stored(tmp_path / "data"), lambda found: ("d", "m:nil") in found)
        server.kill()
    with Server(data_dir=tmp_path / "data") as server:
        assert (_topic(server, "d")["level"], _topic(server, "d")["collected"]) == ("CRITICAL", 0)
        server.wait_started("d")
        server.write("m v=1 1000000000")
        server.disable("d")
        last = json.loads(out.read_text().splitlines()[-1])
        assert (last["previousLevel"], last["level"], last["duration"]) == ("CRITICAL", "CRITICAL", 1_000_000_000)


def _stored(data_dir: Path) -> set[tuple[str, str]]:
    with sqlite3.connect(f"file:{data_dir / 'tickworks.db'}?mode=ro", uri=True) as connection:
        found = set(connection.execute("SELECT topic, id FROM event_states"))
    connection.close()
    return found


def test_the_topic_of_a_task_s_own_handlers_comes_and_goes_with_the_task(server: Server, tmp_path: Path) -> None:
    _define(server, tmp_path / "out")
    own = "main:flips:alert2"
    server.write(_points(0, 1))
    server.wait_until(lambda: _topic(server, own).get("collected"), lambda count: count == _HOSTS)
    server.disable("flips")
    assert _topic(server, own)["error"] == f'unknown topic: "{own}"'
    server.enable("flips")
    shown = server.wait_until(lambda: _topic(server, own), lambda topic: "error" not in topic)
    assert (shown["level"], shown["collected"]) == ("CRITICAL", 0)
    server.write(_points(1, 2))
    server.disable("flips")
    assert {(t, level) for _, t, level in _lines(tmp_path / "out")} == {(t, level) for _, t, level in _expected(0, 2)}
    server.enable("flips")
    server.delete("flips")
    server.define("flips", f"{_FLIPS}.log('{tmp_path / 'out'}')")
    server.enable("flips")
    assert server.wait_until(lambda: _topic(server, own), lambda topic: "error" not in topic)["level"] == "OK"
    assert _topic(server, "flips")["collected"] == 2 * _HOSTS, "named topics survive"
