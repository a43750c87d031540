"""The demo as a user runs it: it shows what comes out, ends by itself or on Ctrl-C, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cli.demo import seconds
from tests.harness import PATIENCE_S, ROOT, Processes, clean_environment, tickworks

if TYPE_CHECKING:
    from pathlib import Path


def test_it_shows_every_scripts_results_and_ends_by_itself(tmp_path: Path) -> None:
    ended = tickworks("demo", "--for", "8s", env={"TMPDIR": str(tmp_path)})
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "busy_mean" in ended.stdout
    assert "cpu_per_thread" in ended.stdout
    assert "mem.used" in ended.stdout
    assert "tickworks: task cpu_mean node window2" in ended.stdout
    assert re.search(r"hot: [1-9]\d* alerts have arrived", ended.stdout)
    assert re.search(r"│ (OK|INFO|WARNING|CRITICAL) +│ \S.* is ", ended.stdout)
    assert "nothing is left" in ended.stdout.replace("\n", " ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_without_a_trace(tmp_path: Path, number: signal.Signals) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "cli", "demo"],
        cwd=ROOT,
        env=clean_environment(TMPDIR=str(tmp_path)),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    processes = Processes()
    assert demo.stdout is not None
    with demo.stdout as lines:
        for text in lines:
            if "tickworks: task cpu_mean node" in text:
                break
        processes.add_tree(demo.pid)
        # A terminal's Ctrl-C reaches every process of the group.
        os.killpg(demo.pid, number)
        rest = lines.read()
    demo.wait(PATIENCE_S)
    processes.wait_gone()
    assert "nothing is left" in rest.replace("\n", " ")
    assert list(tmp_path.iterdir()) == []


def test_the_server_ends_with_a_demo_that_is_killed(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "cli", "demo"],
        cwd=ROOT,
        env=clean_environment(TMPDIR=str(tmp_path)),
        stdout=subprocess.PIPE,
        text=True,
    )
    processes = Processes()
    assert demo.stdout is not None
    with demo.stdout as lines:
        for text in lines:
            if "tickworks: task cpu_mean node" in text:
                break
        processes.add_tree(demo.pid)
        demo.kill()
        demo.wait(PATIENCE_S)
    processes.wait_gone()


def test_a_duration_is_told_from_what_is_none() -> None:
    assert (seconds("10s"), seconds("1m30s"), seconds("500ms")) == (10.0, 90.0, 0.5)
    ended = tickworks("demo", "--for", "soon")
    assert ended.returncode == 2
    assert '"soon" is no duration such as 10s or 1m30s' in ended.stderr
