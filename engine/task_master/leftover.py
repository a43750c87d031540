"""What a task leaves behind that is ended before it has worked off everything: the points that it was to be given, wanted, and
has not dealt with.

What is counted, exactly: the points of the stream behind the position up to which every node of the task has dealt with
everything, the same from which a crash would have resumed. A frame that a node has in hand counts whole; what nodes keep
in their state (windows, joins) was dealt with; what retention had taken before it was given counts as lost and not here.

A node with no point in hand and none on its edges has dealt with all that its parents have, whether it has heard of their
positions or not. Pure but for reading pages and the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine import status
from engine.task_master.edges import Edges
from engine.task_master.routing import Routes
from engine.task_master.span import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.ingest_log.log import IngestLog
    from engine.ingest_log.segment import NotResident
    from engine.status import StatusFile
    from engine.task_master.forks import Fork
    from engine.task_master.lifecycle import Task

_END: Final = 1 << 62


def reached(task: Task, fork: Fork, pages: StatusFile) -> int:
    """The position up to which all nodes of a task have dealt with everything; beyond any if there is nothing more."""
    began = task.resume or 0
    edges = Edges(task, pages, fork)
    reach: dict[str, int] = {}
    for process, placed in edges.placed:
        words = pages.page(process.slots[0]).words
        reach[process.id] = words[status.DEALT] or began
        if process.exited:
            if process.ended:
                reach[process.id] = _END
            continue
        if len(placed.parents) == 1:
            idle = words[status.LAST_IN_WORK] <= words[status.DEALT]
        else:
            # What it has dealt with is that of the parent that is furthest behind, so it says nothing of what is in hand.
            idle = words[status.WAITING] == 0
        if idle and edges.empty(process, placed):
            passed = _END if fork.drained else fork.cursor
            reach[process.id] = min(passed if p is None else reach[p.id] for p in edges.parents(placed))
    return min(reach.values())


class Leftover:
    """A count under way; the task itself may be gone meanwhile."""

    def __init__(
        self, task: Task, why: str, nodes: Sequence[str], log: IngestLog, reached: int, end: int, gone: int = 0
    ) -> None:
        """Of the stream up to position `end`; `gone` points are known to be left that are not in the log any more."""
        assert task.layout is not None
        self.task = task.id
        self.why = why
        self.nodes = tuple(nodes)
        self.points = gone
        self._log = log
        self._span = Span(max(reached + 1, log.oldest), end)
        self._routes = Routes()
        self._routes.add(task.id, task.definition.dbrps, sorted(task.layout.measurements))

    def turn(self) -> bool:
        """Count on; whether that was all. Raises LogError."""
        for _, header in self._span.read(self._log):
            for _, selection in self._routes.lookup(header):
                self.points += selection.rows([s.rows for s in header.sections])
        return self._span.done

    @property
    def asked(self) -> NotResident | None:
        """What is to be paged in before the count can go on."""
        return self._span.asked

    def paged_in(self, asked: NotResident) -> None:
        if self._span.asked == asked:
            self._span.asked = None

    @property
    def exact(self) -> bool:
        """Whether `points` is the number; else there are at least so many: not all could be read."""
        return self._span.done and not self._span.missing
