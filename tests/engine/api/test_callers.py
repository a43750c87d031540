"""The order in which changes reach the supervisor, and the operations that the two sides know."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import rpc
from engine.api.callers import Servers, Turns
from engine.settings import Settings
from tests.engine.api.servers import BASE, Api

_PAGE = Path(__file__).parents[3] / "docs" / "control-protocol.md"


async def _turn(turns: Turns, tasks: list[str], name: int, seen: list[tuple[str, int]], steps: int) -> None:
    async with turns.of(tasks):
        for _ in range(steps):
            seen.extend((task, name) for task in tasks)
            await asyncio.sleep(0)


@given(st.lists(st.tuples(st.lists(st.sampled_from("abc"), max_size=3), st.integers(1, 4)), max_size=8))
def test_who_comes_first_to_a_task_has_done_before_the_next_begins(changes: list[tuple[list[str], int]]) -> None:
    seen: list[tuple[str, int]] = []
    turns = Turns()

    async def all_at_once() -> None:
        async with asyncio.TaskGroup() as group:
            for number, (tasks, steps) in enumerate(changes):
                group.create_task(_turn(turns, tasks, number, seen, steps))

    asyncio.run(all_at_once())
    for task in "abc":
        order = [name for t, name in seen if t == task]
        assert order == sorted(order)
        assert len(order) == sum(steps * tasks.count(task) for tasks, steps in changes)
    assert turns._last == {}


def test_changes_of_other_tasks_do_not_wait(api: Api) -> None:
    async def overlap() -> list[tuple[str, Any]]:
        api.task_master.hold["slow"] = asyncio.Event()
        slow = asyncio.create_task(api.send("PATCH", "tasks/slow", {"status": "enabled"}))
        again = asyncio.create_task(api.send("PATCH", "tasks/slow", {"status": "disabled"}))
        quick = await api.send("PATCH", "tasks/quick", {"status": "enabled"})
        assert quick.status_code == 200
        assert not slow.done()
        assert ("stop", "slow") not in api.task_master.changes
        api.task_master.hold.pop("slow").set()
        assert [(await r).status_code for r in (slow, again)] == [200, 200]
        return api.task_master.changes

    for name in ("slow", "quick"):
        api.define(name)
    changes = api.run(overlap())
    assert [c for c in changes if c[1] == "slow"] == [("start", "slow"), ("stop", "slow")]
    assert set(api.task_master.running) == {"quick"}


def test_a_change_that_fails_or_is_given_up_lets_the_next_one_go(api: Api) -> None:
    async def overlap() -> None:
        turns = Turns()
        seen: list[tuple[str, int]] = []

        async def forever() -> None:
            async with turns.of(["a"]):
                await asyncio.Event().wait()

        stuck = asyncio.create_task(forever())
        waiting = asyncio.create_task(_turn(turns, ["a"], 1, seen, 1))
        last = asyncio.create_task(_turn(turns, ["a"], 2, seen, 1))
        await asyncio.sleep(0)
        waiting.cancel()
        stuck.cancel()
        await last
        assert seen == [("a", 2)]
        assert turns._last == {}

    api.run(overlap())


def test_an_action_that_nobody_knows_is_refused(api: Api) -> None:
    servers = Servers(api.store_calls, api.task_master, Settings(data_dir=""))
    with pytest.raises(rpc.RpcError, match="unknown action"):
        api.run(servers.act([["dance", "t"]]))
    with pytest.raises(rpc.RpcError, match="no dbrps"):
        api.run(servers.act([["stop", "t"], ["fail", "t", "no dbrps"], ["start", "t", {}]]))
    assert api.task_master.changes == [("stop", "t")]


def test_every_operation_of_the_store_is_documented_and_the_other_way_round(api: Api) -> None:
    text = _PAGE.read_text(encoding="utf-8")
    section = text[text.index("## Store") : text.index("## What front ends ask")]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(api.service.operations)


def test_every_question_to_the_supervisor_is_documented() -> None:
    text = _PAGE.read_text(encoding="utf-8")
    section = text[text.index("## What front ends ask") :]
    named = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    sources = (Path(__file__).parents[3] / "engine" / "api").glob("*.py")
    asked = {op for s in sources for op in re.findall(r'supervisor\.call\(\s*"(\w+)"', s.read_text(encoding="utf-8"))}
    assert asked == named


def test_debug_vars_tell_who_the_server_is_and_what_its_tasks_do(api: Api) -> None:
    api.define("on", status="enabled")
    api.define("off")
    api.task_master.refuse["bad"] = "broken"
    api.call("POST", "tasks", {"id": "bad", "script": 'dbrp "a"."b" stream|from()|log()', "status": "enabled"})
    answer = api.ok("GET", f"{BASE}/debug/vars")
    assert (answer["num_tasks"], answer["num_enabled_tasks"], answer["num_subscriptions"]) == (3, 2, 0)
    assert (answer["host"], answer["product"], answer["platform"]) == ("box", "kapacitor", "OSS")
    common = {"host": "box", "cluster_id": answer["cluster_id"], "server_id": answer["server_id"]}
    figures = list(answer["kapacitor"].values())
    assert all(common.items() <= figure["tags"].items() for figure in figures)
    edges = {(f["tags"]["parent"], f["tags"]["child"]): f["values"] for f in figures if f["name"] == "edges"}
    assert edges == {
        ("write_points", "stream"): {"collected": 7, "emitted": 7},
        ("stream", "stream0"): {"collected": 3, "emitted": 3},
        ("stream0", "from1"): {"collected": 3, "emitted": 2},
        ("from1", "http_out2"): {"collected": 3, "emitted": 2},
    }
    nodes = {f["tags"]["node"]: f for f in figures if f["name"] == "nodes"}
    assert nodes["http_out2"]["tags"] == {
        **common,
        "task": "on",
        "node": "http_out2",
        "type": "stream",
        "kind": "http_out",
    }
    assert nodes["http_out2"]["values"] == {"avg_exec_time_ns": "1.5µs", "errors": 0, "working_cardinality": 1}
    others = [(f["name"], f["tags"], f["values"]) for f in figures if f["name"] not in ("edges", "nodes")]
    received = {**common, "task_master": "main", "database": "d", "retention_policy": "r"}
    assert others == [
        ("ingress", {**received, "measurement": "m"}, {"points_received": 5}),
        ("ingress", {**received, "measurement": "n"}, {"points_received": 2}),
        ("topics", {**common, "id": "tp"}, {"collected": 4}),
        ("load", common, {"errors": 0}),
    ]
    assert api.ok("GET", f"{BASE}/debug/vars")["kapacitor"].keys().isdisjoint(answer["kapacitor"])
