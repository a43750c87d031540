"""What `top` shows, from two answers of the server that are written here."""

from __future__ import annotations

from typing import Any

import pytest

from cli import rates

_S = 10**9


def _node(name: str, collected: int, emitted: int, queue: int = 0, errors: int = 0) -> dict[str, Any]:
    return {"name": name, "kind": "where", "queue": queue, "collected": collected, "emitted": emitted, "errors": errors}


def _process(nodes: list[dict[str, Any]], pid: int = 7, **more: Any) -> dict[str, Any]:
    usual = {"id": f"t/{nodes[-1]['name']}#1", "state": "running", "tick": 1, "busy": False, "cpu_s": 1.0}
    return {**usual, "pid": pid, "rss_bytes": 3 << 20, "nodes": nodes, **more}


def _answer(time: float, *tasks: tuple[str, list[dict[str, Any]]], lag: int = 0) -> dict[str, Any]:
    fork = {"lag_rows": lag, "lost_rows": 2}
    return {
        "time": int(time * _S),
        "tasks": [{"id": name, "state": "running", "fork": fork, "processes": p} for name, p in tasks],
    }


def test_rates_and_shares_are_those_of_the_time_between_the_answers() -> None:
    before = _answer(10, ("t", [_process([_node("where2", 100, 40)])]))
    after = _answer(12, ("t", [_process([_node("where2", 300, 50, queue=5, errors=3)], tick=2, cpu_s=2.0)]), lag=9)
    (row,) = rates.rows(before, after)
    assert row == rates.Row("t", "where2", 7, "running", 100.0, 5.0, 5, 9, 2, 3, 50.0, 3 << 20)
    assert rates.cells(row) == ("t", "where2", "7", "running", "100", "5", "5", "9", "2", "3", "50", "3")
    assert rates.document([row])["nodes"][0]["rows_in"] == 100.0


def test_without_a_first_answer_and_for_a_new_process_there_are_no_rates() -> None:
    after = _answer(12, ("t", [_process([_node("where2", 300, 50)])]))
    (row,) = rates.rows(None, after)
    assert (row.rows_in, row.cpu) == (None, None)
    before = _answer(10, ("t", [_process([_node("where2", 900, 40)], pid=6)]))
    (row,) = rates.rows(before, after)
    assert (row.rows_in, row.rows_out, row.cpu) == (None, None, None)
    assert rates.cells(row)[4:6] == ("-", "-")


def test_nodes_that_share_a_process_share_its_figures() -> None:
    after = _answer(1, ("t", [_process([_node("stream0", 3, 3), _node("from1", 3, 2)])]))
    assert [(r.node, r.pid, r.memory) for r in rates.rows(None, after)] == [
        ("stream0", 7, 3 << 20),
        ("from1", 7, 3 << 20),
    ]


@pytest.mark.parametrize(
    ("process", "queue", "state"),
    [
        ({"tick": 2, "busy": True}, 5, "running"),
        ({"tick": 1, "busy": True}, 5, "stalled"),
        ({"tick": 1, "busy": False}, 0, "idle"),
        ({"tick": 1, "busy": True}, 0, "running"),
        ({"tick": 1, "state": "blocked"}, 5, "blocked"),
    ],
)
def test_who_stands_still_with_work_waiting_is_stalled(process: dict[str, Any], queue: int, state: str) -> None:
    before = _answer(1, ("t", [_process([_node("a1", 0, 0)])]))
    after = _answer(2, ("t", [_process([_node("a1", 0, 0, queue=queue)], **process)]))
    assert rates.rows(before, after)[0].state == state


def test_a_task_without_processes_is_one_row_that_tells_its_state() -> None:
    task = {"id": "t", "state": "failed", "fork": None, "processes": []}
    (row,) = rates.rows(None, {"time": 0, "tasks": [task]})
    assert (row.task, row.node, row.state, row.pid) == ("t", "", "failed", 0)
    assert rates.cells(row)[2] == ""


def test_rows_stand_by_task_or_with_the_greatest_first() -> None:
    after = _answer(
        1,
        ("b", [_process([_node("x1", 0, 0, queue=1), _node("x2", 0, 0, queue=9)])]),
        ("a", [_process([_node("y1", 0, 0, queue=5)])]),
    )
    assert [r.node for r in rates.rows(None, after)] == ["y1", "x1", "x2"]
    assert [r.node for r in rates.rows(None, after, sort="queue")] == ["x2", "y1", "x1"]
    assert [r.node for r in rates.rows(None, after, sort="in")] == ["y1", "x1", "x2"]
