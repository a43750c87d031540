"""What a task leaves behind is counted to the point: wanted, given or not, and not dealt with by all of its nodes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import status
from engine.ingest_log.log import IngestLog
from engine.status import StatusFile
from engine.task_master.forks import Forks
from engine.task_master.leftover import Leftover, reached
from engine.task_master.lifecycle import Definition, Process, Task
from engine.task_master.placement import Layout, PlacedProcess
from tests.engine.task_master.test_forks import append, frame

if TYPE_CHECKING:
    from pathlib import Path

    from engine.status import Page

_ALL = 1 << 62


def task_of(*processes: PlacedProcess, wants: tuple[str, ...] = ("cpu",)) -> Task:
    task = Task("t", Definition({"nodes": []}, (("d", "r"),)))
    task.layout = Layout(list(processes), [("root", "stream")], {}, frozenset(wants))
    return task


class Line:
    """a → b → c, of which each has dealt with five points up to position 5; the fork was given all and is drained."""

    def __init__(self, tmp_path: Path) -> None:
        self.pages = StatusFile.create(tmp_path / "pages", 8)
        self.task = task_of(
            PlacedProcess(["a"], [("root", "stream")], [("ab", "stream")]),
            PlacedProcess(["b"], [("ab", "stream")], [("bc", "stream")]),
            PlacedProcess(["c"], [("bc", "stream")]),
        )
        self.task.resume = 1
        self.task.processes = [Process(n, "t", (n,), (self.pages.take(),), 1) for n in "abc"]
        self.pages.close()
        self.fork: Any = SimpleNamespace(delivered=5, drained=True, cursor=5)
        for page in self:
            self.deal(page, 5, 5)

    def __iter__(self) -> Any:
        return iter([self.pages.page(p.slots[0]) for p in self.task.processes])

    @staticmethod
    def deal(page: Page, points: int, position: int, emitted: int | None = None) -> None:
        """It has dealt with `points` in all, up to `position`; as many have left it, unless told otherwise."""
        page.words[status.PARENT_EDGES] = points
        page.words[status.EMITTED] = points if emitted is None else emitted
        page.words[status.LAST_IN_WORK] = page.words[status.DEALT] = position

    def exit(self, which: int, *, ended: bool = True) -> None:
        """A process is gone."""
        process = self.task.processes[which]
        process.exited, process.ended = True, ended

    def reached(self) -> int:
        return reached(self.task, self.fork, self.pages)


def test_nothing_is_left_when_every_node_has_begun_with_all_and_ended_it(tmp_path: Path) -> None:
    assert Line(tmp_path).reached() == _ALL


def test_points_on_an_edge_are_left(tmp_path: Path) -> None:
    line = Line(tmp_path)
    a, b, _ = line
    line.fork.delivered = 9
    assert line.reached() == 5
    line.deal(a, 9, 9)
    assert line.reached() == 5
    line.deal(b, 9, 9)
    line.exit(0)
    line.exit(1)
    assert line.reached() == 5


def test_points_that_the_fork_has_not_given_are_left(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.fork.drained, line.fork.cursor = False, 7
    assert line.reached() == 7


def test_a_frame_in_hand_is_left_whole(tmp_path: Path) -> None:
    line = Line(tmp_path)
    _, b, _ = line
    # Counted as begun with, and part of what follows from it is with c already.
    line.deal(b, 5, 5, emitted=5)
    b.words[status.DEALT] = 3
    assert line.reached() == 3


def test_a_node_that_never_dealt_with_anything_stands_where_the_task_began(tmp_path: Path) -> None:
    line = Line(tmp_path)
    _, _, c = line
    line.deal(c, 0, 0)
    assert line.reached() == 1


def test_what_a_node_dropped_is_not_left_although_those_behind_have_not_heard_of_it(tmp_path: Path) -> None:
    line = Line(tmp_path)
    a, b, _ = line
    line.fork.delivered = 100
    line.deal(a, 100, 100)
    line.deal(b, 100, 100, emitted=5)
    assert line.reached() == _ALL
    line.exit(0)
    line.exit(1)
    assert line.reached() == _ALL


def test_what_a_node_had_when_it_was_killed_is_left(tmp_path: Path) -> None:
    line = Line(tmp_path)
    a, _, _ = line
    line.deal(a, 5, 4)
    line.exit(0, ended=False)
    assert line.reached() == 4


def test_a_node_of_two_parents_is_as_far_as_the_one_behind_unless_it_has_something_in_hand(tmp_path: Path) -> None:
    pages = StatusFile.create(tmp_path / "pages", 8)
    task = task_of(
        PlacedProcess(["a"], [("root", "stream")], [("ab", "stream"), ("ac", "stream"), ("ad", "stream")]),
        PlacedProcess(["b"], [("ab", "stream")], [("bd", "stream")]),
        PlacedProcess(["d"], [("ad", "stream"), ("bd", "stream")]),
        PlacedProcess(["c"], [("ac", "stream")]),
    )
    task.processes = [Process(n, "t", (n,), (pages.take(),), 1) for n in "abdc"]
    pages.close()
    a, b, d, c = (pages.page(p.slots[0]) for p in task.processes)
    fork: Any = SimpleNamespace(delivered=8, drained=True, cursor=8)
    Line.deal(a, 8, 8, emitted=24)
    Line.deal(b, 8, 8)
    Line.deal(c, 8, 8)
    Line.deal(d, 8, 6)
    d.words[status.PARENT_EDGES + 1] = 8
    d.words[status.LAST_IN_WORK] = 8
    assert reached(task, fork, pages) == _ALL
    d.words[status.WAITING] = 1
    assert reached(task, fork, pages) == 6
    d.words[status.WAITING] = 0
    d.words[status.PARENT_EDGES + 1] = 7
    assert reached(task, fork, pages) == 6


NAMES = st.lists(st.sampled_from(["cpu", "mem", "disk"]), min_size=1, max_size=3, unique=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    frames=st.lists(NAMES, min_size=1, max_size=60),
    wants=st.sets(st.sampled_from(["", "cpu", "mem"]), min_size=1),
    dealt=st.integers(0, 60),
    later=st.lists(NAMES, max_size=5),
)
def test_the_count_agrees_with_a_model_whatever_is_in_the_log(
    tmp_path_factory: Any, frames: list[list[str]], wants: set[str], dealt: int, later: list[list[str]]
) -> None:
    directory = tmp_path_factory.mktemp("left")
    with IngestLog.open(directory / "log", clock=lambda: 0, segment_bytes=1500, tail_bytes=1000) as log:
        forks = Forks(log)
        for number, names in enumerate(frames):
            append(log, forks, frame(number, names))
        left = Leftover(task_of(PlacedProcess(["a"]), wants=tuple(wants)), "ended", ["a"], log, dealt, log.head, gone=3)
        for number, names in enumerate(later):
            append(log, forks, frame(number, names))
        while not left.turn():
            if left.asked is not None:
                left.paged_in(left.asked)  # a small file is always in memory by the next turn
    # Who wants a measurement by its name and all of them is given it twice.
    expected = sum(w in (name, "") for names in frames[dealt:] for name in names for w in wants)
    assert (left.points, left.exact) == (3 + expected, True)


def test_what_goes_from_the_log_meanwhile_makes_it_a_lower_bound(tmp_path: Path) -> None:
    with IngestLog.open(
        tmp_path / "log", clock=lambda: 0, segment_bytes=1500, tail_bytes=1000, retention_bytes=3000
    ) as log:
        forks = Forks(log)
        for number in range(30):
            append(log, forks, frame(number, ["cpu"]))
        left = Leftover(task_of(PlacedProcess(["a"])), "ended", ["a"], log, 0, log.head)
        gone = sum(d.rows for d in log.retain())
        while not left.turn():
            if left.asked is not None:
                left.paged_in(left.asked)
    assert gone > 0
    assert (left.points, left.exact) == (30 - gone, False)
