"""What a task has in hand, and where it would resume, from its pages and its fork."""

from __future__ import annotations

from engine import status
from engine.ingest_log.positions import ResumePositions
from engine.status import StatusFile
from engine.task_master.forks import Forks
from engine.task_master.lifecycle import Definition, Process, Task
from engine.task_master.resume import Resume
from engine.task_master.suspects import Work
from tests.engine.task_master.test_forks import Edge, append, frame, open_log


class Helper:
    """Syncs nothing."""

    def sync_file(self, path, token):
        pass


class World:
    """One task of two processes on one log; the test says what each has dealt with."""

    def __init__(self, tmp_path, *, damaged=False):
        self.path = tmp_path / "positions"
        if damaged:
            self.path.write_bytes(b"not a position")
        self.log = open_log(tmp_path)
        self.pages = StatusFile.create(tmp_path / "pages", 4)
        self.forks = Forks(self.log)
        self.said = []
        self.now = 0
        kept = ResumePositions(self.path, clock=lambda: self.now)
        self.resume = Resume(kept, self.log, Helper(), self.forks, self.pages, self.said.append)
        self.task = Task("t", Definition({"nodes": []}, ()))
        self.task.processes = [Process(n, "t", (n,), (self.pages.take(),), 1) for n in "ab"]
        self.edge = Edge()

    def open(self, position=None):
        fork = self.forks.open("t", self.edge, [("d", "r")], ["cpu"], position)
        self.task.resume = fork.given
        self.resume.began("t", fork.given)
        return fork

    def deal(self, first, second):
        for process, position in zip(self.task.processes, (first, second), strict=True):
            self.pages.page(process.slots[0]).words[status.DEALT] = position

    def write(self, *names):
        return append(self.log, self.forks, frame(1, list(names)))

    def on_disk(self):
        return ResumePositions(self.path, clock=lambda: self.now).items()

    def close(self):
        self.log.close()
        self.pages.close()


def test_a_task_that_has_not_begun_has_no_place(tmp_path):
    world = World(tmp_path)
    assert world.resume.work(world.task) == Work(None, 0)
    world.close()


def test_a_new_task_is_on_disk_at_once_at_the_head(tmp_path):
    world = World(tmp_path)
    world.forks.want("other", [("d", "r")], ["mem"])
    world.write("mem")
    world.open()
    assert world.on_disk() == {"t": 1}
    world.close()


def test_what_a_process_has_not_dealt_with_is_in_hand(tmp_path):
    world = World(tmp_path)
    world.open()
    world.edge.room = 10
    for _ in range(3):
        world.write("cpu")
    assert world.resume.work(world.task) == Work(0, 3)
    world.deal(3, 0)
    assert world.resume.work(world.task) == Work(0, 3)
    world.deal(3, 2)
    assert world.resume.look([world.task])
    assert world.resume.work(world.task) == Work(2, 3)
    world.now += 2 * 10**9
    world.resume.turn()
    assert world.on_disk() == {"t": 2}
    world.close()


def test_with_nothing_in_hand_a_task_is_where_its_fork_is(tmp_path):
    world = World(tmp_path)
    fork = world.open()
    world.edge.room = 1
    world.write("cpu")
    world.deal(1, 1)
    world.write("mem")
    assert not world.resume.look([world.task])
    assert world.resume.work(world.task) == Work(2, 2)
    # Now the edge is full: what it has not taken is in the log behind the cursor.
    world.write("cpu")
    world.write("cpu")
    assert not fork.live
    assert world.resume.work(world.task) == Work(2, 2)
    world.close()


def test_a_broken_edge_is_passed_over_by_nothing(tmp_path):
    world = World(tmp_path)
    world.open()
    world.edge.room = 5
    world.write("cpu")
    world.deal(1, 1)
    world.edge.broken = True
    for _ in range(3):
        world.write("cpu")
    assert world.resume.work(world.task) == Work(1, 1)
    world.close()


def test_without_a_fork_a_task_stays_where_it_will_resume(tmp_path):
    world = World(tmp_path)
    world.open()
    world.forks.close("t")
    world.task.resume = 0
    world.write("cpu")
    assert world.resume.work(world.task) == Work(0, 0)
    world.close()


def test_damaged_positions_mean_the_oldest_frame_and_none_the_head(tmp_path):
    world = World(tmp_path, damaged=True)
    assert world.resume.at_start("t") == 0
    world.close()
    (tmp_path / "well").mkdir()
    well = World(tmp_path / "well")
    assert well.resume.at_start("t") is None
    well.close()


def test_tasks_that_run_no_more_are_forgotten(tmp_path):
    world = World(tmp_path)
    world.open()
    world.resume.only(["t"])
    assert world.resume.at_start("t") == 0
    world.resume.only([])
    assert world.resume.at_start("t") is None
    world.resume.close([])
    assert world.on_disk() == {}
    world.close()


def test_a_file_that_cannot_be_written_is_told_once(tmp_path):
    world = World(tmp_path)
    world.path.mkdir()
    (world.path / "in the way").touch()
    world.open()
    world.resume.close([])
    assert len(world.said) == 1
    assert "the resume positions cannot be written" in world.said[0]
    world.close()
