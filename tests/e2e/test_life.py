"""The life of a whole server: it starts, says what its processes are, and ends without a trace however it is ended."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import httpx
import psutil

from tests.harness import Processes, Server, tickworks

if TYPE_CHECKING:
    from pathlib import Path

_SCRIPT = "stream|from().measurement('m')|where(lambda: \"v\" > 0)|httpOut('last')"


def _with_task(server: Server) -> None:
    server.define("watch", _SCRIPT)
    server.enable("watch")


def test_processes_say_what_they_are(server: Server) -> None:
    _with_task(server)
    assert set(server.processes()) == {
        "tickworks: launcher",
        "tickworks: store",
        "tickworks: alert service",
        "tickworks: supervisor",
        "tickworks: front end",
        "tickworks: zygote",
        "tickworks: ingest log helper",
        "tickworks: task watch node stream0+from1",
        "tickworks: task watch node where2",
        "tickworks: task watch node http_out3",
    }


def test_sigterm_ends_everything_with_status_0(server: Server) -> None:
    _with_task(server)
    assert server.stop(signal.SIGTERM) == 0
    assert not server.run_dir.exists()


def test_ctrl_c_ends_everything_with_status_0() -> None:
    # A terminal sends SIGINT to the whole group; the launcher alone acts on it.
    with Server() as server:
        _with_task(server)
        os.killpg(server.pid, signal.SIGINT)
        assert server.stop(signal.SIGINT) == 0
        assert not [r for r in server.records if r["level"] == "error"]


def test_sigkill_of_the_launcher_leaves_no_process(server: Server) -> None:
    _with_task(server)
    server.kill()


def test_a_server_starts_on_what_a_killed_one_left(tmp_path: Path) -> None:
    with Server(data_dir=tmp_path) as killed:
        _with_task(killed)
        killed.write("m v=1 1")
        killed.kill()
    with Server(data_dir=tmp_path) as server:
        assert server.task("watch")["status"] == "enabled"
        server.wait_started("watch")
        assert server.task("watch")["executing"]


def test_tasks_run_again_after_a_clean_restart(tmp_path: Path) -> None:
    with Server(data_dir=tmp_path) as first:
        _with_task(first)
        first.define("idle", _SCRIPT)
    with Server(data_dir=tmp_path) as server:
        server.wait_started("watch")
        assert server.task("idle")["status"] == "disabled"
        server.write("m v=2 2")
        shown = server.wait_endpoint("watch", "last", lambda answer: answer["series"])
        assert shown["series"][0]["values"] == [["1970-01-01T00:00:00.000000002Z", 2]]


def test_a_front_end_that_dies_is_replaced_and_clients_wait(server: Server) -> None:
    _with_task(server)
    front_end = Processes()
    front_end.add_tree(server.processes()["tickworks: front end"])
    os.kill(server.processes()["tickworks: front end"], signal.SIGKILL)
    front_end.wait_gone()
    # The listening socket is the launcher's, so this connection waits instead of being refused.
    server.write("m v=1 1")
    assert server.task("watch")["executing"]


def test_the_tree_is_built_anew_when_the_supervisor_dies(server: Server) -> None:
    _with_task(server)
    old = server.processes()
    os.kill(old["tickworks: supervisor"], signal.SIGKILL)
    server.wait_log(lambda r: r["msg"] == "process died" and r["died"] == "supervisor")

    def executing() -> bool:
        answer = httpx.get(f"{server.url}/kapacitor/v1/tasks/watch", timeout=120)
        return answer.is_success and answer.json()["executing"]

    server.wait_until(executing, bool)
    new = server.processes()
    assert new["tickworks: launcher"] == old["tickworks: launcher"]
    assert not set(new.values()) & {pid for title, pid in old.items() if title != "tickworks: launcher"}
    assert not [pid for title, pid in old.items() if title != "tickworks: launcher" and psutil.pid_exists(pid)]


def test_a_port_in_use_is_one_line_and_status_2(server: Server, tmp_path: Path) -> None:
    address = f"{server.address[0]}:{server.address[1]}"
    ended = tickworks("serve", "--config", os.devnull, "--data-dir", str(tmp_path / "d"), "--http", address)
    assert ended.returncode == 2
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1
    assert lines[0].startswith(f"tickworks: cannot listen on {address}: Address already in use")
    assert lines[0].endswith("choose another with --http")


def test_a_data_directory_in_use_is_one_line_and_status_2(server: Server) -> None:
    ended = tickworks("serve", "--config", os.devnull, "--data-dir", str(server.data_dir), "--http", "127.0.0.1:0")
    assert ended.returncode == 2
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert lines == [f"tickworks: data directory {server.data_dir} is in use by another server"]


def test_a_data_directory_that_cannot_be_made_is_one_line_and_status_2(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    ended = tickworks("serve", "--config", os.devnull, "--data-dir", str(blocked / "data"), "--http", "127.0.0.1:0")
    assert ended.returncode == 2
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert lines == [f"tickworks: data directory {blocked / 'data'}: Not a directory"]


def test_the_log_goes_to_the_file_that_the_configuration_names(tmp_path: Path) -> None:
    config = tmp_path / "conf"
    log = tmp_path / "logs" / "server.log"
    config.write_text(f'data_dir = "/proc/none"\n[logging]\nfile = "{log}"\n')
    ended = tickworks("serve", "--config", str(config), "--http", "127.0.0.1:0")
    assert ended.returncode == 2
    assert ended.stderr == ""
    assert log.stat().st_mode & 0o777 == 0o640
    assert "data directory /proc/none" in log.read_text()
