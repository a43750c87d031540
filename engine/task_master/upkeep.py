"""What the supervisor does by the clock, not because something has come: it holds the log to its bounds, looks where tasks
stand and which nodes stall, measures throughput, and tells when writers are to be slowed.

Thin: `retention`, `resume`, `stalls`, `throughput` and `overload` decide; what they find is logged and ordered here. Nothing
here waits for a disk or a node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine import clock
from engine.ingest_log.errors import LogError
from engine.task_master import statistics
from engine.task_master.leftover import Leftover, reached
from engine.task_master.overload import overloaded
from engine.task_master.resume import LOOK_S
from engine.task_master.retention import Loss, Need, Retention
from engine.task_master.stalls import Stalls, observe
from engine.task_master.throughput import Throughput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from structlog.typing import FilteringBoundLogger

    from engine.ingest_log.log import IngestLog
    from engine.ingest_log.segment import NotResident
    from engine.ingest_log.sync import LogHelper
    from engine.settings import Settings
    from engine.status import StatusFile
    from engine.task_master.forks import Fork, Forks
    from engine.task_master.lifecycle import Lifecycle, Task
    from engine.task_master.resume import Resume
    from engine.task_master.stalls import Seen
    from engine.task_master.zygote_link import ZygoteLink


class Upkeep:
    """Call `turn` when `due` is over, and after anything that may have changed what is due."""

    def __init__(
        self,
        settings: Settings,
        say: FilteringBoundLogger,
        lifecycle: Lifecycle,
        log: IngestLog,
        helper: LogHelper,
        forks: Forks,
        resume: Resume,
        pages: StatusFile,
        zygote: ZygoteLink,
    ) -> None:
        self._bounds = settings.log
        self._say = say
        self._lifecycle = lifecycle
        self._log = log
        self._helper = helper
        self._forks = forks
        self._resume = resume
        self._pages = pages
        self._zygote = zygote
        self._retention = Retention(log, forks.wanted, self._needs, refuse=settings.log.on_retention == "refuse-writes")
        self._stalls = Stalls(settings.engine.stall_after_s, settings.engine.stall_timeout_s)
        self._throughput = Throughput(lambda t: statistics.source_count(t, pages))
        self._retaining = True
        self._paging: NotResident | None = None
        self._look_at: float | None = None
        self._touched = False
        self._slow = False
        self._leftovers: list[Leftover] = []

    # ------------------------------------------------------------------ by the clock

    def due(self) -> float | None:
        """Seconds until `turn` has something to do; None for never, as things are."""
        now = clock.monotonic()
        due = [at - now for at in (self._look_at, self._throughput.due) if at is not None]
        if self._retention.counting or any(left.asked is None for left in self._leftovers):
            due.append(0.0)
        write_at = self._resume.turn()
        if write_at is not None:
            due.append((write_at - clock.now()) / 1e9)
        return min(due, default=None)

    def turn(self, now: float, *, known: bool) -> None:
        """`known`: whether it is known which tasks run, and so which of them need the log."""
        if known:
            self._retain()
        self._throughput.measure(self._lifecycle.tasks.values(), now)
        self._look(now)
        self._count_leftovers()

    def _retain(self) -> None:
        """Hold the log to its bounds."""
        try:
            dropped, losses = self._retention.turn()
        except LogError as error:
            if self._retaining:
                self._say.error("the ingest log cannot be held to its bounds", error=str(error))
            self._retaining = False
            return
        self._retaining = True
        for d in dropped:
            self._say.debug("segment dropped", first=d.first, last=d.last, reason=d.reason)
        for loss in losses:
            self._say_loss(loss)
        asked = self._retention.asked
        if asked is not None and asked != self._paging:
            self._paging = asked
            self._helper.page_in(asked)

    def _needs(self) -> dict[str, Need]:
        """From where on tasks need the log."""
        needs = {}
        for t in self._lifecycle.tasks.values():
            if t.executing:
                work = self._resume.work(t)
                if work.dealt is not None:
                    needs[t.id] = Need(work.dealt, max(work.given, work.dealt))
        return needs

    def _look(self, now: float) -> None:
        """Once a second, while tasks have something in hand, see how far they are."""
        if self._look_at is None:
            if self._touched:
                self._look_at = now + LOOK_S
        elif self._look_at <= now:
            self._touched = False
            tasks = list(self._lifecycle.tasks.values())
            busy = self._resume.look(tasks)
            self._look_for_stalls(tasks, now)
            for task in self._retention.behind:
                fork = self._forks.get(task)
                if fork is not None and fork.live and self._retention.caught_up(task):
                    self._say.info("task has caught up", task=task, lost=self._retention.lost(task))
            self._look_at = now + LOOK_S if busy or self._stalls.tasks else None

    def _look_for_stalls(self, tasks: Sequence[Task], now: float) -> None:
        seen: list[Seen] = []
        for t in tasks:
            if t.executing and t.layout is not None and t.processes:
                seen.extend(observe(t, self._pages, self._forks.get(t.id)))
        for change in self._stalls.look(seen, now):
            if change.stalled:
                self._say.warning("node stalled", task=change.task, node=change.node)
            else:
                self._say.info("node goes on", task=change.task, node=change.node, after=round(change.seconds, 1))
        for process in self._stalls.overdue(now):
            self._say.error("stalled node is killed", process=process)
            self._zygote.order("kill", process)

    def _count_leftovers(self) -> None:
        for left in list(self._leftovers):
            if left.asked is not None:
                continue
            try:
                over = left.turn()
            except LogError:
                over = True
            if over:
                self._leftovers.remove(left)
                self._say_left(left)
            elif left.asked is not None:
                self._helper.page_in(left.asked)

    def _say_left(self, left: Leftover) -> None:
        count = {"points_left" if left.exact else "points_left_at_least": left.points}
        self._say.warning(left.why, task=left.task, nodes=left.nodes, **count)

    # ------------------------------------------------------------------ writers

    @property
    def refusing(self) -> str:
        """Why writes are to be refused; empty while they are not."""
        return self._retention.refusing

    def slow_writers(self) -> bool:
        """Whether nothing is to be taken from front ends, the server as a whole being overloaded: writers wait, then get 503."""
        slow = bool(self._forks.waiting) and overloaded(self._forks, self._stalls.tasks, self._lag)
        if slow != self._slow:
            self._slow = slow
            if slow:
                self._say.warning("writers are slowed: every task is behind by more than half of the ingest log")
            else:
                self._say.info("writers are not slowed any more")
        return slow

    def _lag(self, fork: Fork) -> float:
        """How far a fork is behind, as a share of the retention."""
        share = self._log.bytes_behind(fork.cursor + 1) / self._bounds.retention_bytes
        if self._bounds.retention_age_ns:
            share = max(share, (self._log.last_time - fork.time) / self._bounds.retention_age_ns)
        return share

    # ------------------------------------------------------------------ what it hears of

    def touch(self) -> None:
        """A task may have been given something."""
        self._touched = True

    def paged_in(self, asked: NotResident) -> None:
        if self._retention.asked == asked:
            self._retention.asked = self._paging = None
        for left in self._leftovers:
            left.paged_in(asked)

    def damaged(self, task: str, rows: int) -> None:
        """The log is damaged where it held `rows` that the task was to be given next."""
        self._say_loss(self._retention.damaged(task, rows))

    def reopened(self, task: str, position: int) -> None:
        """The task is given what comes behind `position`."""
        for loss in self._retention.reopened(task, position):
            self._say_loss(loss)
        self._touched = True

    def abandoned(self, task: Task, why: str, nodes: Sequence[str]) -> None:
        """The task is given up with these nodes left: `why` is said as soon as it is counted what it still had."""
        fork = self._forks.get(task.id)
        end = self._log.head
        if fork is not None:
            position = reached(task, fork, self._pages)
            end = end if fork.stop_at is None else fork.stop_at
        else:
            # It was about to start: for the first time, at the head, or where it had been.
            position = end if task.resume is None else task.resume
        gone = self._retention.unbacked(task.id, position)
        self._leftovers.append(Leftover(task, why, nodes, self._log, position, end, gone))
        self._count_leftovers()

    def close(self) -> None:
        """Say what was not counted to its end."""
        for left in self._leftovers:
            self._say_left(left)

    def closed(self, task: str) -> None:
        """The task's fork is closed; it may be opened again."""
        self._throughput.forget(task)

    def forget(self, task: str) -> None:
        """The task has ended."""
        self._retention.forget(task)

    def _say_loss(self, loss: Loss) -> None:
        if loss.first:
            self._say.error("points lost", task=loss.task, rows=loss.rows, total=loss.total)

    # ------------------------------------------------------------------ what it knows

    def lost(self, task: str) -> int:
        """Rows that the task has lost to retention since it was started."""
        return self._retention.lost(task)

    def stalled(self, task: str) -> Sequence[str]:
        """The nodes of the task that stand still although they have something to do."""
        return self._stalls.nodes(task)

    def rate(self, task: str) -> float:
        """Messages that the task's source takes in a second."""
        return self._throughput.rate(task)
