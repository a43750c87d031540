"""Nodes with several parents in a real server: a parent twice, a parent that is also an ancestor, and parents that drift apart."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import Receiver, Server


def _posted(server: Server, receiver: Receiver, script: str, lines: str) -> list[Any]:
    """What the task posts for the lines, those at its end included: name and fields of each point, in order."""
    server.define("t", f"{script}|httpPost('{receiver.url}/t')")
    server.enable("t")
    server.write(lines)
    server.disable("t")
    assert server.task("t")["error"] == ""
    out = []
    for posted in receiver.take("/t"):
        [series] = posted.json["series"]
        [row] = series["values"]
        out.append((series["name"], dict(zip(series["columns"][1:], row[1:], strict=True))))
    return out


def test_a_node_may_be_joined_with_itself(server: Server, receiver: Receiver) -> None:
    script = "var a = stream|from().measurement('m')\na|join(a).as('x', 'y')"
    out = _posted(server, receiver, script, "m v=1 1\nm v=2 2\nm v=3 3")
    assert out == [("m", {"x.v": v, "y.v": v}) for v in (1, 2, 3)]


def test_a_node_may_be_joined_with_what_became_of_it(server: Server, receiver: Receiver) -> None:
    script = (
        "var a = stream|from().measurement('m')\nvar b = a|where(lambda: \"v\" > 1.0)\n"
        "var c = b|eval(lambda: \"v\" * 10.0).as('w')\na|join(b, c).as('a', 'b', 'c').fill('null')"
    )
    out = _posted(server, receiver, script, "m v=1 1\nm v=2 2\nm v=3 3")
    assert out == [
        ("m", {"a.v": 1, "b.v": None, "c.v": None}),
        ("m", {"a.v": 2, "b.v": 2, "c.w": 20}),
        ("m", {"a.v": 3, "b.v": 3, "c.w": 30}),
    ]


def test_a_node_may_be_united_with_itself(server: Server, receiver: Receiver) -> None:
    out = _posted(server, receiver, "var a = stream|from().measurement('m')\na|union(a)", "m v=1 1\nm v=2 2")
    assert out == [("m", {"v": v}) for v in (1, 1, 2, 2)]


@pytest.mark.parametrize("node", ["join(b).as('a', 'b')", "union(b)"])
def test_a_task_whose_parents_drift_too_far_apart_stops_with_an_error_that_names_them(node: str) -> None:
    kind = node.partition("(")[0]
    with Server(config='[tickworks]\njoin-buffer-size = "64KiB"\n') as server:
        script = (
            f"var a = stream|from().measurement('a')\nvar b = stream|from().measurement('b')\na|{node}|httpOut('o')"
        )
        server.define("t", script)
        server.enable("t")
        server.write("b v=1 10000000000")
        server.wait_until(
            lambda: server.task("t"), lambda task: task["stats"]["node-stats"][f"{kind}4"]["collected"] == 1
        )
        server.write("\n".join(f"a v={t} {t}000000000" for t in range(11, 5011)))
        server.wait_until(lambda: server.task("t"), lambda task: not task["executing"])
        error = server.task("t")["error"]
        assert error.startswith(f"{kind}4: more than 65536 bytes wait for parents that are behind (")
        assert "from1 is at 1970-01-01T01:23:30.000000000Z" in error
        assert "from2 is at 1970-01-01T00:00:10.000000000Z" in error
