"""Input that kills a node's process whenever it is in work stops its task after three exits, and touches no other."""

from __future__ import annotations

import itertools
import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.harness import Posted, Receiver, Server

_POISON = 13
_SCRIPT = "stream|from().measurement('m')|where(lambda: \"v\" > 0)|httpPost('{}')"


def _value(posted: Posted) -> int:
    return int(posted.json["series"][0]["values"][0][1])


def test_a_frame_that_kills_its_node_stops_the_task_after_three_exits(server: Server, receiver: Receiver) -> None:
    def kill_at_poison(posted: Posted) -> None:
        # The node is waiting for this answer: the frame is in work for certain.
        if posted.path == "/poisoned" and _value(posted) == _POISON:
            os.kill(server.node("poisoned", "http_post3"), signal.SIGKILL)

    receiver.before_answer = kill_at_poison
    for task in ("poisoned", "well"):
        server.define(task, _SCRIPT.format(f"{receiver.url}/{task}"))
        server.enable(task)
    for n in range(1, 31):
        server.write(f"m v={n}i {n}")
    server.wait_log(lambda r: r["msg"] == "task finished with error" and r["task"] == "poisoned")

    error = "http_post3: process killed by signal 9, 3 times at the same input"
    task = server.task("poisoned")
    assert (task["status"], task["executing"], task["error"]) == ("enabled", False, error)
    deaths = [r for r in server.records if r["msg"] == "node process died" and r["task"] != "t"]
    assert [(r["task"], r["node"], r["exits"]) for r in deaths] == [("poisoned", "http_post3", n) for n in (1, 2, 3)]
    seen = [_value(p) for p in receiver.take("/poisoned")]
    assert seen.count(_POISON) == 3
    assert max(seen) == _POISON

    server.disable("well")
    assert [_value(p) for p in receiver.take("/well")] == list(range(1, 31))
    # Enabled again, the task begins behind what it died of.
    server.disable("poisoned")
    server.enable("poisoned")
    server.write("m v=31i 31")
    assert _value(receiver.next("/poisoned")) == 31
    server.delete("poisoned")
    server.delete("well")


def test_three_kills_at_different_frames_stop_nothing(server: Server, receiver: Receiver) -> None:
    left = {5, 13, 21, 26}

    def kill_once(posted: Posted) -> None:
        value = _value(posted)
        if value in left:
            left.remove(value)
            os.kill(server.node("t", "http_post3"), signal.SIGKILL)

    receiver.before_answer = kill_once
    server.define("t", _SCRIPT.format(f"{receiver.url}/t"))
    server.enable("t")
    for n in range(1, 31):
        server.write(f"m v={n}i {n}")
    seen: list[int] = []
    while not seen or seen[-1] != 30:
        seen.append(_value(receiver.next("/t")))
    assert not left
    # In order; a crash sets it back, and nothing is skipped.
    assert all(b <= a + 1 for a, b in itertools.pairwise(seen))
    assert set(seen) == set(range(1, 31))
    assert server.task("t")["executing"]
    server.delete("t")
