"""What an onlooker sees, from pages and forks that are written here; and the bound of the ingress counters."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from engine import status
from engine.frames.header import Header
from engine.ingest_log.log import IngestLog
from engine.task_master import ingress
from engine.task_master import lifecycle as life
from engine.task_master.forks import Forks
from engine.task_master.ingress import Ingress
from engine.task_master.overview import overview, select, states
from engine.task_master.suspects import Work
from engine.task_master.throughput import Throughput
from tests.engine.task_master.test_forks import Edge, append, frame

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

_PLAN = {
    "nodes": [
        {"name": "stream0", "kind": "stream", "parents": [], "children": ["from1"]},
        {"name": "from1", "kind": "from", "parents": ["stream0"], "children": ["log2", "log3"]},
        {"name": "log2", "kind": "log", "parents": ["from1"], "children": []},
        {"name": "log3", "kind": "log", "parents": ["from1"], "children": []},
    ]
}
_HEADS = (("stream0", "from1"), ("log2",), ("log3",))


def _header(db: str, *sections: tuple[str, int]) -> Header:
    named: Any = [SimpleNamespace(name=name, rows=rows) for name, rows in sections]
    return Header(1, False, 0, 0, db, "r", False, named, [])


def _task(pages: status.StatusFile) -> life.Lifecycle:
    machine = life.Lifecycle(in_work=lambda _: Work(None))
    machine.start(None, "t", life.Definition(_PLAN, (("d", "r"),)), 0.0)
    processes = [
        life.Process(
            machine.new_process_id("t", nodes[-1]), "t", nodes, tuple(pages.take() for _ in nodes), 1, pid=50 + i
        )
        for i, nodes in enumerate(_HEADS)
    ]
    machine.placed("t", None, processes)  # type: ignore[arg-type]
    for process in processes:
        machine.ready(process.id, [], 0.0)
    return machine


def _count(machine: life.Lifecycle, pages: status.StatusFile, node: str, collected: int, emitted: int) -> None:
    for process in machine.processes.values():
        for name, slot in zip(process.nodes, process.slots, strict=True):
            if name == node:
                words = pages.page(slot).words
                words[status.COLLECTED] = words[status.PARENT_EDGES] = collected
                words[status.EMITTED] = emitted
                words[status.STATE] = status.RUNNING


class Troubled:
    """Seven rows lost, and log3 stands still."""

    def lost(self, task: str) -> int:
        return 7 if task == "t" else 0

    def stalled(self, task: str) -> list[str]:
        return ["log3"] if task == "t" else []

    def rate(self, task: str) -> float:
        return 2.5 if task == "t" else 0.0


def test_edges_tell_what_waits_and_a_lagging_fork_how_far_it_is_behind(tmp_path: Path) -> None:
    pages = status.StatusFile.create(tmp_path / "pages", 8)
    machine = _task(pages)
    _count(machine, pages, "stream0", 3, 3)
    _count(machine, pages, "from1", 3, 6)
    _count(machine, pages, "log2", 3, 0)
    _count(machine, pages, "log3", 1, 0)
    with IngestLog.open(tmp_path / "log", clock=lambda: 0) as log:
        forks = Forks(log)
        edge: Any = Edge()
        edge.room = 4
        forks.open("t", edge, [("d", "r")], [""], None)
        for number in range(9):
            append(log, forks, frame(number, ["m"]))
        seen = overview(machine.tasks.values(), forks, pages, log, Ingress(), Troubled())
    (task,) = seen["tasks"]
    assert task["edges"] == [
        ("stream", "stream0", 4, 3),
        ("stream0", "from1", 3, 3),
        ("from1", "log2", 3, 3),
        ("from1", "log3", 3, 1),
    ]
    assert task["fork"] == {
        "live": False,
        "lag_frames": 5,
        "lag_rows": 5,
        "lost_rows": 7,
        "episodes": 1,
        "delivered": 4,
    }
    assert [(p["pid"], p["state"], [n["name"] for n in p["nodes"]]) for p in task["processes"]] == [
        (50, "running", ["stream0", "from1"]),
        (51, "running", ["log2"]),
        (52, "stalled", ["log3"]),
    ]
    assert seen["log"]["head"] == 9


def test_a_task_that_failed_has_a_state_and_no_figures(tmp_path: Path) -> None:
    pages = status.StatusFile.create(tmp_path / "pages", 8)
    machine = _task(pages)
    machine.failed(next(iter(machine.processes)), "log2", "broken")
    with IngestLog.open(tmp_path / "log", clock=lambda: 0) as log:
        (task,) = overview(machine.tasks.values(), Forks(log), pages, log, Ingress(), Troubled())["tasks"]
    assert (task["state"], task["error"], task["executing"]) == ("failed", "log2: broken", False)
    assert (task["fork"], task["edges"], task["processes"]) == (None, [], [])


def test_a_state_has_the_figures_of_nodes_unless_it_is_brief(tmp_path: Path) -> None:
    pages = status.StatusFile.create(tmp_path / "pages", 8)
    machine = _task(pages)
    _count(machine, pages, "stream0", 3, 3)
    with IngestLog.open(tmp_path / "log", clock=lambda: 0) as log:
        asked = machine.tasks.values(), Forks(log), pages, log, Troubled()
        full, brief = states(*asked)["t"], states(*asked, brief=True)["t"]
    assert full["stats"]["task-stats"] == {"throughput": 2.5}
    assert full["stats"]["node-stats"]["stream0"]["collected"] == 3
    assert full["edges"][0] == ["stream0", "from1", 0]
    assert [n["name"] for n in full["nodes"]] == ["stream0", "from1", "log2", "log3"]
    assert (brief["stats"], brief["edges"], brief["nodes"]) == (None, [], [])
    assert brief["health"] == full["health"]
    assert (full["health"]["lost"], full["health"]["stalled"], full["health"]["crashes"]) == (7, ["log3"], 0)


def test_a_pattern_chooses_tasks() -> None:
    tasks = [life.Task(name, life.Definition(_PLAN, ())) for name in ("a1", "a2", "b")]
    assert [[t.id for t in select(tasks, p)] for p in ("", "a*", "?", "none", "[")] == [
        *(["a1", "a2", "b"], ["a1", "a2"], ["b"], [], [])
    ]


def test_throughput_is_that_of_the_last_second_whenever_it_is_asked() -> None:
    task = life.Task("t", life.Definition(_PLAN, ()), life.State.RUNNING)
    counts = {"t": 0}
    measured = Throughput(lambda t: counts[t.id])
    measured.measure([], 2.0)
    assert measured.due is None
    measured.measure([task], 10.0)
    assert (measured.rate("t"), measured.due) == (0.0, 11.0)
    counts["t"] = 500
    measured.measure([task], 10.9)
    assert measured.rate("t") == 0.0
    measured.measure([task], 12.0)
    assert measured.rate("t") == 250.0
    measured.measure([task], 13.0)
    assert measured.rate("t") == 0.0
    counts["t"] = 3  # started again
    measured.measure([task], 14.0)
    assert measured.rate("t") == 0.0
    measured.forget("t")
    measured.measure([], 15.0)
    assert (measured.rate("t"), measured.due) == (0.0, None)


def test_points_are_counted_by_where_they_came_from() -> None:
    counters = Ingress()
    assert counters.count(_header("d", ("m", 3), ("n", 1))) == 4
    assert counters.count(_header("d", ("m", 2))) == 2
    assert counters.count(_header("c", ("m", 1))) == 1
    assert counters.statistics() == [("c", "r", "m", 1), ("d", "r", "m", 5), ("d", "r", "n", 1)]
    assert counters.total == 7


def test_names_beyond_the_bound_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingress, "LIMIT", 2)
    counters = Ingress()
    for name in ("a", "b", "c", "d", "a"):
        counters.count(_header("d", (name, 1)))
    assert counters.statistics() == [("", "", "", 2), ("d", "r", "a", 2), ("d", "r", "b", 1)]
