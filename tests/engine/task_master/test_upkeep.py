"""What a task that is given up leaves behind is said once it is counted, and before the supervisor ends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from engine import clock
from engine.ingest_log.log import IngestLog
from engine.ingest_log.segment import NotResident
from engine.task_master.forks import Forks
from engine.task_master.placement import PlacedProcess
from engine.task_master.upkeep import Upkeep
from tests.engine.task_master.test_forks import append, frame
from tests.engine.task_master.test_leftover import task_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WHY = "drain timeout, task aborted"


class Scene:
    """A log of ten frames of one point that nobody has a fork over; `said` and `paged` are what came of it."""

    def __init__(self, log: IngestLog) -> None:
        self.said: list[dict[str, Any]] = []
        self.paged: list[NotResident] = []
        self.log = log
        self.forks = Forks(log)
        self.task = task_of(PlacedProcess(["a"]))
        for number in range(10):
            append(log, self.forks, frame(number, ["cpu"]))
        settings: Any = SimpleNamespace(
            log=SimpleNamespace(on_retention="drop"), engine=SimpleNamespace(stall_after_s=5.0, stall_timeout_s=None)
        )
        idle: Any = SimpleNamespace(tasks={}, turn=lambda: None)
        say: Any = SimpleNamespace(warning=lambda _, **fields: self.said.append(fields))
        helper: Any = SimpleNamespace(page_in=self.paged.append)
        nothing: Any = None
        self.upkeep = Upkeep(settings, say, idle, log, helper, self.forks, idle, nothing, nothing)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with IngestLog.open(tmp_path / "log", clock=lambda: 0) as log:
        yield Scene(log)


def test_a_task_that_was_to_resume_leaves_what_came_since(scene: Scene) -> None:
    scene.task.resume = 3
    scene.upkeep.abandoned(scene.task, _WHY, ("a",))
    scene.task.resume = None
    scene.upkeep.abandoned(scene.task, _WHY, ("a",))
    assert scene.said == [
        {"task": "t", "nodes": ("a",), "points_left": 7},
        {"task": "t", "nodes": ("a",), "points_left": 0},
    ]
    assert scene.upkeep.due() is None


def test_a_count_waits_for_the_disk_and_goes_on(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = NotResident(1, 2, 3)
    read = scene.log.read
    monkeypatch.setattr(scene.log, "read", lambda position, size: read(position, size) if scene.paged else asked)
    scene.task.resume = 0
    scene.upkeep.abandoned(scene.task, _WHY, ("a",))
    scene.upkeep.turn(clock.monotonic(), known=False)
    assert (scene.paged, scene.said, scene.upkeep.due()) == ([asked], [], None)
    scene.upkeep.paged_in(asked)
    assert scene.upkeep.due() == 0.0
    scene.upkeep.turn(clock.monotonic(), known=False)
    assert [fields["points_left"] for fields in scene.said] == [10]


def test_what_is_not_counted_to_its_end_is_said_as_a_lower_bound(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene.log, "read", lambda *_: NotResident(1, 2, 3))
    scene.task.resume = 0
    scene.upkeep.abandoned(scene.task, _WHY, ("a",))
    scene.upkeep.close()
    assert scene.said == [{"task": "t", "nodes": ("a",), "points_left_at_least": 0}]
