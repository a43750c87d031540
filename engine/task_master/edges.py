"""A task's edges, seen from both ends on the status pages: what lies on the way to a process. Pure but for reading.

An edge between two processes is known by its path; what the fork feeds has no process at its other end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine import status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.status import StatusFile
    from engine.task_master.forks import Fork
    from engine.task_master.lifecycle import Process, Task
    from engine.task_master.placement import PlacedProcess


class Edges:
    """Those of one incarnation of a task."""

    def __init__(self, task: Task, pages: StatusFile, fork: Fork | None) -> None:
        assert task.layout is not None
        self._pages = pages
        self._fork = fork
        self.placed: list[tuple[Process, PlacedProcess]] = list(zip(task.processes, task.layout.processes, strict=True))
        """The processes in walk order, so parents come before their children."""
        self._children = {p.id: len(placed.children) for p, placed in self.placed}
        self._sender = {path: (p, i) for p, placed in self.placed for i, (path, _) in enumerate(placed.children)}

    def parents(self, placed: PlacedProcess) -> Iterator[Process | None]:
        """Who feeds each of the edges to a process; None for the fork."""
        for path, _ in placed.parents:
            found = self._sender.get(path)
            yield None if found is None else found[0]

    def waiting(self, process: Process, placed: PlacedProcess) -> bool:
        """Whether messages lie on an edge to the process that it has not taken."""
        page = self._pages.page(process.slots[0])
        for i, (path, _) in enumerate(placed.parents):
            sent, taken = self._sent(path), page.taken(i)
            if sent is not None and taken is not None and sent > taken:
                return True
        return False

    def empty(self, process: Process, placed: PlacedProcess) -> bool:
        """Whether the process has begun with every point and batch that its parents have made for it, sent or not.

        False where that cannot be known.
        """
        page = self._pages.page(process.slots[0])
        begun = page.parent_emitted(len(placed.parents))
        made = [self._made(path) for path, _ in placed.parents]
        return begun == made

    def _sent(self, path: str) -> int | None:
        found = self._sender.get(path)
        if found is None:
            return None if self._fork is None else self._fork.collector.messages
        process, child = found
        return self._pages.page(process.slots[0]).sent(child)

    def _made(self, path: str) -> int | None:
        found = self._sender.get(path)
        if found is None:
            return None if self._fork is None else self._fork.delivered
        process, _ = found
        return self._pages.page(process.slots[-1]).words[status.EMITTED] // self._children[process.id]
