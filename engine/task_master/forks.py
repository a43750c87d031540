"""Forks of the global stream: cursors into the ingest log (DESIGN §4).

There is one path: the next frame behind the cursor goes to the task, without ever blocking. A fork is *live* while its
cursor is at the head of the log (a frame that it does not want then costs it nothing), *lagging* from the moment that
its edge is full until it has caught up. Up to its `fence` it is given the next frame only when the task has dealt with the
one before: that is how the frame that kills a task is found. What always holds: frames reach a task in the order of their positions, each
once, none that it wants is left out unless the log's retention removed it (engine.task_master.retention counts that) or the
log is damaged there, which is counted in `damaged_rows`.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames import header as wire
from engine.ingest_log.segment import RETENTION, Lost, NotResident
from engine.task_master.routing import Routes, Selection
from transports.errors import EdgeAborted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.frames.header import Header
    from engine.ingest_log.log import IngestLog
    from transports.edge import Collector

_READ_BYTES = 1 << 20
_READ_FRAMES = 64
_CACHED = 64
_LEAST_PATIENCE_S = 0.002
_MOST_PATIENCE_S = 0.2


class Messages:
    """What each selection of a frame looks like on an edge; built once and shared by all forks that want it."""

    def __init__(self) -> None:
        self._headers: OrderedDict[int, Header] = OrderedDict()
        self._built: OrderedDict[tuple[int, Selection], tuple[list[Any], int]] = OrderedDict()

    def remember(self, position: int, header: Header) -> None:
        self._headers[position] = header
        if len(self._headers) > _CACHED:
            self._headers.popitem(last=False)

    def header(self, position: int, parts: Sequence[Any]) -> Header:
        found = self._headers.get(position)
        if found is None:
            found = wire.read_header(parts[0])
            self.remember(position, found)
        return found

    def build(self, position: int, parts: Sequence[Any], selection: Selection) -> tuple[Sequence[Any], int]:
        """The message's parts and its count of points."""
        header = self.header(position, parts)
        if selection.sections is None and not selection.twice:
            return parts, sum([s.rows for s in header.sections])
        key = (position, selection)
        found = self._built.get(key)
        if found is None:
            found = self._built[key] = _select(header, parts, selection)
            if len(self._built) > _CACHED:
                self._built.popitem(last=False)
        return found


def _select(header: Header, parts: Sequence[Any], selection: Selection) -> tuple[list[Any], int]:
    first = 2 if header.order else 1
    chosen = tuple(range(len(header.sections))) if selection.sections is None else selection.sections
    sections = [header.sections[i] for i in chosen]
    out: list[Any] = [b""]
    ordered = header.order and len(sections) > 1
    if ordered:
        out.append(_order(parts[1], len(header.sections), chosen))
    out.extend(parts[first + i] for i in chosen)
    out[0] = wire.write_header(
        wire.Header(
            header.v,
            header.batch,
            header.parent,
            header.position,
            header.db,
            header.rp,
            ordered,
            sections,
            twice=list(selection.twice),
        )
    )
    rows = sum([s.rows for s in sections]) + sum([sections[k].rows for k in selection.twice])
    return out, rows


def _order(part: Any, sections: int, chosen: Sequence[int]) -> bytes:
    order = np.frombuffer(part, np.uint8)[8:].view(np.uint16)
    number = np.full(sections, 0xFFFF, np.uint16)
    number[list(chosen)] = np.arange(len(chosen), dtype=np.uint16)
    renamed = number[order]
    return wire.vector(renamed[renamed != 0xFFFF])


@dataclass(slots=True, eq=False)
class Fork:
    """A task's place in the stream. `cursor`: the last position that was delivered or passed over (while lagging)."""

    task: str
    collector: Collector
    cursor: int
    live: bool
    stop_at: int | None = None
    drained: bool = False
    dead: bool = False
    damaged_rows: int = 0
    """Rows that the log could not give because it is damaged, not told yet."""
    lag_episodes: int = 0
    asked: Any = None
    delivered: int = 0
    rows_end: int | None = None
    """Rows of the log up to the cursor, where that is known: what counts a loss."""
    time: int = 0
    """When about what the fork comes to next was appended (ns since 1970), while it lags."""
    given: int = 0
    """The position of the last frame that went into the edge; where the fork began, before the first one."""
    fence: int = 0
    held: bool = False
    """Waits for the task to deal with what it was given."""
    patience: float = _LEAST_PATIENCE_S


class Forks:
    """All forks over one log."""

    def __init__(self, log: IngestLog, dealt: Callable[[str], int] = lambda _: 0) -> None:
        """`dealt` tells up to which position a task has dealt with its input; asked only below a fence."""
        self._log = log
        self._dealt = dealt
        self.routes = Routes()
        self._forks: dict[str, Fork] = {}
        self._messages = Messages()
        self.waiting: dict[str, Fork] = {}
        """Forks that something waits for: room in their edge, or a part of the log from the disk."""

    def get(self, task: str) -> Fork | None:
        return self._forks.get(task)

    def __iter__(self) -> Any:
        return iter(self._forks.values())

    def open(
        self,
        task: str,
        collector: Collector,
        dbrps: Sequence[tuple[str, str]],
        measurements: Sequence[str],
        position: int | None,
        fence: int = 0,
    ) -> Fork:
        """Route to the task what comes after `position` (None: after the head), one frame at a time up to `fence`."""
        head = self._log.head
        cursor = head if position is None else min(position, head)
        fork = Fork(task, collector, cursor, live=cursor == head, given=cursor, fence=fence if fence > cursor else 0)
        before = self._log.rows_before(cursor + 1)
        fork.rows_end = before if isinstance(before, int) else None
        self._forks[task] = fork
        self.want(task, dbrps, measurements)
        if not fork.live:
            self.waiting[task] = fork
        return fork

    def want(self, task: str, dbrps: Sequence[tuple[str, str]], measurements: Sequence[str]) -> None:
        """From now on what the task wants is kept for it in the log, whether it has a fork at the time or not."""
        self.routes.add(task, dbrps, measurements)

    def unwant(self, task: str) -> None:
        """The task wants nothing more."""
        self.routes.remove(task)

    def close(self, task: str) -> None:
        """End the fork; what the task wants is still kept, until `unwant`."""
        fork = self._forks.pop(task, None)
        self.waiting.pop(task, None)
        if fork is not None:
            fork.collector.close()

    def wanted(self, header: Header) -> Sequence[tuple[str, Selection]]:
        return self.routes.lookup(header)

    def appended(
        self, position: int, header: Header, parts: Sequence[Any], wanted: Sequence[tuple[str, Selection]]
    ) -> None:
        """A frame has been appended: hand it to the live forks that want it."""
        self._messages.remember(position, header)
        for task, selection in wanted:
            fork = self._forks.get(task)
            if fork is None or not fork.live or fork.drained or fork.dead:
                continue
            message, count = self._messages.build(position, parts, selection)
            if not self._collect(fork, message, count, position):
                fork.live = False
                fork.cursor = position - 1
                fork.rows_end = self._log.rows_end - sum([s.rows for s in header.sections])
                fork.time = self._log.last_time
                fork.lag_episodes += 1
                self.waiting[task] = fork
            elif fork.dead:
                fork.live = False
                fork.cursor = position - 1

    def _collect(self, fork: Fork, message: Sequence[Any], count: int, position: int) -> bool:
        try:
            if fork.collector.collect(message, count):
                fork.delivered += count
                fork.given = position
                return True
        except EdgeAborted:
            # The process is on its way out; its exit says what becomes of the task.
            fork.dead = True
            self.waiting.pop(fork.task, None)
            return True
        return False

    def pump(self, fork: Fork) -> NotResident | None:
        """Send a lagging fork what it has room for, a bounded amount; NotResident when the disk must be asked first."""
        if fork.dead or self._holds(fork):
            return None
        for _ in range(_READ_FRAMES):
            entries = self._log.read(fork.cursor + 1, _READ_BYTES)
            if isinstance(entries, NotResident):
                fork.asked = entries
                return entries
            if isinstance(entries, Lost):
                if entries.reason != RETENTION:
                    before = self._log.rows_before(fork.cursor + 1) if fork.rows_end is None else fork.rows_end
                    if isinstance(before, int):
                        fork.damaged_rows += max(0, entries.rows_before - before)
                fork.cursor = entries.oldest - 1
                fork.rows_end = entries.rows_before
                continue
            if not entries:
                self._caught_up(fork)
                return None
            for entry in entries:
                if fork.stop_at is not None and entry.position > fork.stop_at:
                    self._caught_up(fork)
                    return None
                selection = self._selection(fork, self._messages.header(entry.position, entry.parts))
                if selection is not None:
                    message, count = self._messages.build(entry.position, entry.parts, selection)
                    if not self._collect(fork, message, count, entry.position):
                        return None
                    if fork.dead:
                        return None
                fork.cursor = entry.position
                fork.rows_end = entry.rows_before + entry.rows
                fork.time = entry.time
                if fork.fence and self._holds(fork):
                    return None
        return None

    def _holds(self, fork: Fork) -> bool:
        """Whether the fork is below its fence and the task has not dealt with what it was given."""
        if fork.fence:
            fork.held = self._dealt(fork.task) < fork.given
            fork.patience = min(fork.patience * 1.5, _MOST_PATIENCE_S) if fork.held else _LEAST_PATIENCE_S
            if not fork.held and fork.cursor >= fork.fence:
                fork.fence = 0
        return fork.held

    def _selection(self, fork: Fork, header: Header) -> Selection | None:
        for task, selection in self.routes.lookup(header):
            if task == fork.task:
                return selection
        return None

    def _caught_up(self, fork: Fork) -> None:
        self.waiting.pop(fork.task, None)
        fork.live = fork.stop_at is None
        if fork.stop_at is not None:
            self._drain(fork)

    @property
    def patience(self) -> float | None:
        """Seconds until a held fork is to be looked at again; None for no need."""
        return min((f.patience for f in self.waiting.values() if f.held and not f.dead), default=None)

    def drain(self, task: str) -> None:
        """End the fork at the head of this moment."""
        fork = self._forks.get(task)
        if fork is None:
            return
        fork.stop_at = self._log.head
        if fork.live and not fork.dead:
            self._drain(fork)

    def _drain(self, fork: Fork) -> None:
        fork.drained = True
        self.routes.remove(fork.task)
        try:
            fork.collector.drain()
        except EdgeAborted:
            fork.dead = True
