"""A diamond whose processes are stopped and continued at random: it always ends, and with what an undisturbed run gives.

One `from` feeds two branches that meet in a join. Edges are made narrow (frames of four rows), so that a branch that stands
still fills them up to the fork; a design in which somebody waits for the wrong end would then wait for ever. Rows come out
through a window that a last point far ahead closes, so one look at `httpOut` shows all of them, in order.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.nodes.fan_in import JoinModel
from tests.engine.nodes.messages import SECOND, Point
from tests.harness import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

_FAR = 2_000_000 * SECOND
_SCRIPT = """
var all = stream|from().measurement('m').groupBy('g')
var left = all|where(lambda: "l" == 1)
var right = all|where(lambda: "r" == 1)|where(lambda: "v" >= 0)
left|join(right).as('l', 'r').fill(0)|window().period(1000000s).every(1000000s)|httpOut('all')
"""
_NARROW = "[tickworks]\nmax-frame-rows = 4\n"
_NODES = ("stream0+from1", "where2", "where3", "where4", "join6", "window7", "http_out8")
_SCHEDULES = 200


@dataclass(frozen=True)
class Row:
    """A point of the source, and the branches that let it pass."""

    time: int
    group: str
    left: int
    right: int
    value: int

    @property
    def line(self) -> str:
        return f"m,g={self.group} l={self.left}i,r={self.right}i,v={self.value}i {self.time}"

    @property
    def point(self) -> Point:
        fields = {"l": self.left, "r": self.right, "v": self.value}
        return Point("m", self.time, fields, {"g": self.group}, ("g",))


def rows_of(steps: bytes) -> list[Row]:
    """A row a byte, times of a group never falling; at the end one far ahead that passes both branches of each group."""
    rows, time = [], 1000 * SECOND
    for i, step in enumerate(steps):
        time += (step & 3) * SECOND
        rows.append(Row(time, "ab"[step >> 2 & 1], step >> 3 & 1, step >> 4 & 1, i))
    return [*rows, *(Row(_FAR, group, 1, 1, 0) for group in sorted({row.group for row in rows}))]


def expected(rows: list[Row]) -> dict[str, list[list[int]]]:
    """Per group the values of `l.v` and `r.v`, straight from the spec's rules."""
    model = JoinModel(as_=("l", "r"), fill=0)
    joined: list[Any] = [m for row in rows if row.left for m in model.handle(0, row.point)]
    joined += [m for row in rows if row.right for m in model.handle(1, row.point)]
    out: dict[str, list[list[int]]] = {row.group: [] for row in rows}
    for point in joined:
        if point.time < _FAR:
            out[point.tags["g"]].append([point.fields["l.v"], point.fields["r.v"]])
    # A group of which nothing but the last point was joined has no window to close.
    return {group: values for group, values in out.items() if values}


def shown(answer: dict[str, Any]) -> dict[str, list[list[int]]]:
    out = {}
    for series in answer["series"] or []:
        at = [series["columns"].index(name) for name in ("l.v", "r.v")]
        out[series["tags"]["g"]] = [[row[i] for i in at] for row in series["values"]]
    return out


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(config=_NARROW) as started:
        started.define("diamond", _SCRIPT)
        yield started


def run(server: Server, steps: bytes, bodies: list[int], disturbances: list[tuple[int, int, bool]]) -> None:
    """One run of the task. `bodies` are sizes of write bodies, repeated as needed; a disturbance is (before which body, which
    node, whether it is stopped or continued)."""
    rows = rows_of(steps)
    server.enable("diamond")
    running = server.processes()
    pids = [running[f"tickworks: task diamond node {name}"] for name in _NODES]
    try:
        at = number = 0
        while at < len(rows):
            for before, node, stops in disturbances:
                if before == number:
                    os.kill(pids[node], signal.SIGSTOP if stops else signal.SIGCONT)
            size = bodies[number % len(bodies)]
            server.write("\n".join(row.line for row in rows[at : at + size]))
            at += size
            number += 1
    finally:
        for _, node, _ in disturbances:
            os.kill(pids[node], signal.SIGCONT)
    wanted = expected(rows)
    if wanted:
        server.wait_endpoint("diamond", "all", lambda answer: len(shown(answer)) == len(wanted))
    assert shown(server.endpoint("diamond", "all")) == wanted
    server.disable("diamond")
    assert server.task("diamond")["error"] == ""


def test_the_rows_of_an_undisturbed_run_are_those_of_the_spec(server: Server) -> None:
    run(server, bytes(range(256)), [50], [])


@pytest.mark.timeout(600)
@settings(
    max_examples=min(_SCHEDULES, 2 * settings.default.max_examples),  # type: ignore[union-attr]
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    steps=st.binary(min_size=1, max_size=160),
    bodies=st.lists(st.sampled_from([1, 5, 20, 60]), min_size=1, max_size=3),
    disturbances=st.lists(
        st.tuples(st.integers(0, 8), st.integers(0, len(_NODES) - 1), st.booleans()), min_size=1, max_size=6
    ),
)
def test_processes_that_stand_still_for_a_while_change_nothing(
    server: Server, steps: bytes, bodies: list[int], disturbances: list[tuple[int, int, bool]]
) -> None:
    run(server, steps, bodies, sorted(disturbances, key=lambda d: d[0]))
