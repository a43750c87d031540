"""Any process may die at any moment: the server recovers by itself, and what was acknowledged is processed, in order.

Each test kills one kind of process a few times under load (`tests/bench/bench_chaos.py` does it ten times, and measures how
long each recovery takes). docs/processes.md says what may happen twice and what is lost; these tests hold it to that.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.chaos.loads import Load, check_in_order, take_until
from tests.harness import Processes

if TYPE_CHECKING:
    from tests.harness import Receiver, Server

_KILLS = 2
_SCRIPT = "stream|from().measurement('m')|where(lambda: \"v\" > 0)|httpPost('{}')"
_RECOVERED = {
    "node": "task started",
    "zygote": "task started",
    "supervisor": "task started",
    "front end": "listening",
    "store": "store open",
    "alert service": "alert service open",
    "ingest log helper": "log helper died",
}


def _title(kind: str) -> str:
    return "tickworks: task t node where2" if kind == "node" else f"tickworks: {kind}"


@pytest.mark.parametrize("kind", list(_RECOVERED))
def test_nothing_acknowledged_is_lost_by_a_kill_of(kind: str, server: Server, receiver: Receiver) -> None:
    server.define("t", _SCRIPT.format(f"{receiver.url}/t"))
    server.enable("t")
    message = _RECOVERED[kind]
    victims = Processes()
    with Load(server, receiver) as load:
        for _ in range(_KILLS):
            load.wait_more(10)
            said = server.count_log(lambda r: r["msg"] == message)
            # What is started in place of a process has its name a moment later than the log has the news.
            pid = server.wait_until(lambda: server.processes().get(_title(kind), 0), bool)
            victims.add_tree(pid)
            os.kill(pid, signal.SIGKILL)
            # The tree of what was killed leaves nobody behind.
            victims.wait_gone()
            server.wait_log(lambda r: r["msg"] == message, after=said)
            load.wait_more(3)
        last = load.stop()
    seen = take_until(receiver, "/t", last)
    setbacks = check_in_order(seen, last)
    assert server.task("t")["executing"]
    server.delete("t")
    if kind in ("store", "alert service", "ingest log helper"):
        assert setbacks == 0, "nobody but the killed process was to notice"
    else:
        # A write that the death of the front end left without an answer is written again.
        assert setbacks <= _KILLS * (2 if kind == "supervisor" else 1)
