"""What the ingest log's retention takes from tasks that are too far behind: counted exactly, told, or refused.

The oldest segment goes when the log is beyond its bounds. If a task has not dealt with all of it, what it wants of the rest
is counted first, by reading the segment's headers, a bounded amount a turn and never waiting for the disk; then the segment
goes. So what always holds:

- A row that a task wanted is given to it, or counted in its `lost`, once.
- What was given to a task and not dealt with when its segment went is not lost yet: it is if the task crashes (`reopened`).
- With `refuse` nothing that a task still needs goes; `refusing` says why writes are to be refused meanwhile.

Bound: the rows of one segment by frame, and of frames that were given and not dealt with. Pure but for reading the log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from engine.task_master.span import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.frames.header import Header
    from engine.ingest_log.log import Dropped, IngestLog
    from engine.ingest_log.segment import NotResident
    from engine.task_master.routing import Selection


class Need(NamedTuple):
    """A task has dealt with everything up to `dealt`, and was given everything up to `given`."""

    dealt: int
    given: int


class Loss(NamedTuple):
    """A task has lost `rows`, `total` since it was started; `first` is whether it had caught up since the loss before."""

    task: str
    rows: int
    total: int
    first: bool


@dataclass(slots=True)
class _Count:
    """A segment under count: what is left to read of it, and what each frame so far holds for whom."""

    span: Span
    frames: list[tuple[int, Sequence[tuple[str, Selection]], Sequence[int]]] = field(default_factory=list)


class Retention:
    """The bounds of one log, and what they have cost its tasks."""

    def __init__(
        self,
        log: IngestLog,
        wanted: Callable[[Header], Sequence[tuple[str, Selection]]],
        needs: Callable[[], Mapping[str, Need]],
        *,
        refuse: bool,
    ) -> None:
        """`wanted` tells who wants what of a frame; `needs` which tasks need the log, and from where on."""
        self.refusing = ""
        self.asked: NotResident | None = None
        self._log = log
        self._wanted = wanted
        self._needs = needs
        self._refuse = refuse
        self._count: _Count | None = None
        self._lost: dict[str, int] = {}
        self._behind: set[str] = set()
        self._unbacked: dict[str, list[tuple[int, int]]] = {}

    def lost(self, task: str) -> int:
        """Rows that a task has lost since it was started."""
        return self._lost.get(task, 0)

    def forget(self, task: str) -> None:
        """A task has ended."""
        for kept in (self._lost, self._unbacked):
            kept.pop(task, None)
        self._behind.discard(task)

    @property
    def counting(self) -> bool:
        """Whether `turn` has more to do at once."""
        return self._count is not None and self.asked is None

    @property
    def behind(self) -> frozenset[str]:
        """Tasks that have lost rows and have not caught up since."""
        return frozenset(self._behind)

    def damaged(self, task: str, rows: int) -> Loss:
        """A task could not be given `rows` because the log is damaged."""
        return self._lose(task, rows)

    def caught_up(self, task: str) -> bool:
        """A task is at the head again: whether that ends an episode of losses."""
        if task in self._behind:
            self._behind.discard(task)
            return True
        return False

    def reopened(self, task: str, position: int) -> list[Loss]:
        """A task resumes behind `position`: what it had been given beyond, and is not in the log any more, is lost."""
        rows = self.unbacked(task, position)
        self._unbacked.pop(task, None)
        return [self._lose(task, rows)] if rows else []

    def unbacked(self, task: str, position: int) -> int:
        """Rows behind `position` that a task was given and that are not in the log any more."""
        return sum(rows for at, rows in self._unbacked.get(task, []) if at > position)

    def turn(self) -> tuple[list[Dropped], list[Loss]]:
        """Let go of what is beyond the bounds, or go on counting. Raises LogError where a new segment is needed."""
        self._log.retain(0)
        expiring = self._log.expiring()
        if not expiring:
            self.refusing = ""
            return [], []
        oldest = expiring[0]
        if self._count is None:
            needy = {task: need for task, need in self._needs().items() if need.dealt < oldest.last}
            if not needy:
                self.refusing = ""
                return self._log.retain(1), []
            if self._refuse:
                slowest = min(needy, key=lambda task: needy[task].dealt)
                self.refusing = f"the ingest log is full: task {slowest} is behind by all of it"
                return [], []
            start = max(oldest.first, min(need.dealt for need in needy.values()) + 1)
            self._count = _Count(Span(start, oldest.last))
        self.refusing = ""
        if not self._read(self._count):
            return [], []
        losses = self._charge(self._count)
        self._count = None
        return self._log.retain(1), losses

    def _read(self, count: _Count) -> bool:
        """Read on; whether the segment is counted."""
        count.span.asked = self.asked
        for position, header in count.span.read(self._log):
            wanted = self._wanted(header)
            if wanted:
                count.frames.append((position, wanted, [s.rows for s in header.sections]))
        self.asked = count.span.asked
        return count.span.done

    def _charge(self, count: _Count) -> list[Loss]:
        """The segment goes: who loses what of it."""
        everybody = self._needs()
        for task, frames in self._unbacked.items():
            self._unbacked[task] = [f for f in frames if task in everybody and f[0] > everybody[task].dealt]
        needs = {task: need for task, need in everybody.items() if need.dealt < count.span.last}
        rows: dict[str, int] = {}
        for position, wanted, sizes in count.frames:
            for task, selection in wanted:
                need = needs.get(task)
                if need is None or position <= need.dealt:
                    continue
                n = selection.rows(sizes)
                if position <= need.given:
                    self._unbacked.setdefault(task, []).append((position, n))
                else:
                    rows[task] = rows.get(task, 0) + n
        # Whose rows a damaged frame held cannot be known: it counts for each that had yet to be given it.
        for position, n in count.span.missing:
            for task, need in needs.items():
                if position > need.given:
                    rows[task] = rows.get(task, 0) + n
        return [self._lose(task, n) for task, n in rows.items() if n]

    def _lose(self, task: str, rows: int) -> Loss:
        first = task not in self._behind
        self._behind.add(task)
        total = self._lost[task] = self._lost.get(task, 0) + rows
        return Loss(task, rows, total, first)
