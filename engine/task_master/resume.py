"""Where every running task would resume: worked out from its status pages and its fork, kept on disk by the ingest log's
`ResumePositions`.

What always holds:

- A position that is kept was dealt with by every node of the task: resuming there skips nothing.
- A task that has begun has a position on disk before its start is answered; after that the position is at most
  `LOOK_S` older than the pages, as long as anything was in hand.
- A task that is stopped or has failed has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.ingest_log.errors import LogError
from engine.task_master.statistics import dealt_position
from engine.task_master.suspects import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.ingest_log.log import IngestLog
    from engine.ingest_log.positions import ResumePositions
    from engine.ingest_log.sync import LogHelper
    from engine.status import StatusFile
    from engine.task_master.forks import Forks
    from engine.task_master.lifecycle import Task

LOOK_S = 1.0


class Resume:
    """The positions of all tasks. `say(error)` hears why they could not be written, once an episode."""

    def __init__(
        self,
        kept: ResumePositions,
        log: IngestLog,
        helper: LogHelper,
        forks: Forks,
        pages: StatusFile,
        say: Callable[[str], None],
    ) -> None:
        self._kept = kept
        self._log = log
        self._helper = helper
        self._forks = forks
        self._pages = pages
        self._say = say
        self._failing = False

    def at_start(self, task: str) -> int | None:
        """Where a task that was running when the server last ran begins; None for the head."""
        position = self._kept.get(task)
        if position is None and self._kept.damaged:
            return self._log.oldest - 1
        return position

    def only(self, tasks: Iterable[str]) -> None:
        """Forget what is left of tasks that do not run any more."""
        for task in set(self._kept.items()) - set(tasks):
            self._kept.discard(task)

    def began(self, task: str, position: int) -> None:
        """The fork of a task was opened behind `position`. On disk when this returns, if the task is new."""
        if self._kept.get(task) is None:
            self._kept.set(task, position)
            self._write()

    def forget(self, task: str) -> None:
        self._kept.discard(task)

    def work(self, task: Task) -> Work:
        """What the task has in hand."""
        fork = self._forks.get(task.id)
        dealt = dealt_position(task, self._pages)
        if fork is None or dealt is None:
            return Work(task.resume, task.resume or 0)
        if dealt < fork.given:
            return Work(dealt, fork.given)
        # Nothing is in hand, so everything that the fork has passed over is done as well.
        passed = self._log.head if fork.live else max(fork.cursor, dealt)
        return Work(passed, passed)

    def look(self, tasks: Iterable[Task]) -> bool:
        """Take in the positions of this moment; whether any task still has something in hand."""
        busy = False
        for task in tasks:
            if self._forks.get(task.id) is None:
                continue
            work = self.work(task)
            if work.dealt is not None:
                self._kept.set(task.id, work.dealt)
                busy = busy or work.given > work.dealt
        return busy

    def turn(self) -> int | None:
        """Write if that is due; the time (ns) at which to call again, if any."""
        try:
            due = self._kept.turn(self._helper)
        except LogError as error:
            self._failed(error)
            return None
        self._failing = False
        return due

    def synced(self, version: int) -> None:
        self._kept.synced(version)

    def close(self, tasks: Iterable[Task]) -> None:
        """The nodes are gone: keep where they were."""
        self.look(tasks)
        self._write()

    def _write(self) -> None:
        try:
            self._kept.write(self._helper)
        except LogError as error:
            self._failed(error)

    def _failed(self, error: LogError) -> None:
        if not self._failing:
            self._failing = True
            self._say(str(error))
