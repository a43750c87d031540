"""Which nodes are stalled: their tick stands still although there is something to do. Pure: observations and a clock in.

A process has something to do while it has a frame in hand, or while messages lie on an edge to it that it has not taken. A
process that waits for room in its output ticks all the same (engine.status), so the one that is shown is the one that
stands, not those that wait for it. A stall is an episode: told once when it begins, once when it ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from engine import status
from engine.task_master.edges import Edges

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.status import StatusFile
    from engine.task_master.forks import Fork
    from engine.task_master.lifecycle import Task


class Seen(NamedTuple):
    """One look at a process: its identity, task and last node, the tick of its loop, and whether it has something to do."""

    process: str
    task: str
    node: str
    tick: int
    busy: bool


class Change(NamedTuple):
    """A process has begun to be stalled (`stalled`), or has gone on; `seconds` is how long it has stood."""

    process: str
    task: str
    node: str
    stalled: bool
    seconds: float


@dataclass(slots=True)
class _Record:
    seen: Seen
    since: float
    stalled: bool = False
    overdue: bool = False


class Stalls:
    """All processes that were seen. Bound: one record a process with something to do."""

    def __init__(self, after: float, timeout: float | None = None) -> None:
        """A process is stalled after `after` seconds without a tick; after `timeout` seconds it is to be killed."""
        self._after = after
        self._timeout = timeout
        self._records: dict[str, _Record] = {}

    def look(self, observations: Iterable[Seen], now: float) -> list[Change]:
        """Take in what all processes show now; those that are not among them are forgotten."""
        before, self._records = self._records, {}
        changes = []
        for seen in observations:
            record = before.get(seen.process)
            moved = record is None or not seen.busy or seen.tick != record.seen.tick
            if record is None or moved:
                if record is not None and record.stalled:
                    changes.append(Change(*seen[:3], stalled=False, seconds=now - record.since))
                if seen.busy:
                    self._records[seen.process] = _Record(seen, now)
                continue
            self._records[seen.process] = record
            if not record.stalled and now - record.since >= self._after:
                record.stalled = True
                changes.append(Change(*seen[:3], stalled=True, seconds=now - record.since))
        return changes

    def overdue(self, now: float) -> list[str]:
        """Processes that have stood for longer than the time-out by now, each told once."""
        timeout = self._timeout
        if timeout is None:
            return []
        found = [r for r in self._records.values() if not r.overdue and now - r.since >= timeout]
        for record in found:
            record.overdue = True
        return [r.seen.process for r in found]

    def nodes(self, task: str) -> list[str]:
        """The nodes of a task that are stalled."""
        return [r.seen.node for r in self._records.values() if r.stalled and r.seen.task == task]

    @property
    def tasks(self) -> frozenset[str]:
        """Tasks that have a stalled node."""
        return frozenset(r.seen.task for r in self._records.values() if r.stalled)


def observe(task: Task, pages: StatusFile, fork: Fork | None) -> Iterator[Seen]:
    """Look at the processes of a task and of its fork, if it has one."""
    edges = Edges(task, pages, fork)
    for process, placed in edges.placed:
        words = pages.page(process.slots[0]).words
        if process.exited or words[status.STATE] not in (status.RUNNING, status.BLOCKED):
            continue
        # The tick comes first: what is read after it belongs to that tick or a later one.
        tick = words[status.TICK]
        busy = words[status.WAITING] == 1 or edges.waiting(process, placed)
        yield Seen(process.id, task.id, process.nodes[-1], tick, busy)
