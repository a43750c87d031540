"""`|groupBy()`: other dimensions (nodes.md §10.1).

On a stream every point is regrouped where it stands. On batches those of equal time are pooled, divided by the tags of
their points, and leave when a batch or barrier of another time comes, in the order in which groups were first touched,
points sorted by time; what is pooled at the end of data never leaves. By-name can be switched on, never off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.groups import GroupMemo
from engine.frames.model import BATCH, EventKind
from engine.frames.reshape import slice_frame
from engine.nodes.arrivals import Arrivals
from engine.nodes.assembly import Piece, assemble
from engine.nodes.outbox import Outbox
from engine.nodes.queues import Queues
from engine.nodes.regroup import by_all_tags, by_tags
from engine.operator import Report, Stateless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.frames.model import Event, Frame


class _Dimensions:
    def __init__(self, group_by: Sequence[str], group_all: bool, exclude: Sequence[str], by_measurement: bool) -> None:
        self._dims = tuple(group_by)
        self._all = group_all
        self._exclude = frozenset(exclude)
        self._by_name = by_measurement
        self._memo = GroupMemo()

    def regroup(self, frame: Frame) -> list[Frame]:
        """A stream frame with the new groups; events stay as they are."""
        arrivals = Arrivals(frame)
        pieces: list[Piece] = []
        for i, section in enumerate(frame.sections):
            places = None if arrivals.single is not None else arrivals.places[i]
            by_name = self._by_name or section.groups.by_name
            if not self._all:
                pieces.append((by_tags(section, self._dims, by_name, self._memo), places))
                continue
            for part, chosen in by_all_tags(section, self._exclude, by_name):
                here = places if chosen is None else chosen if places is None else places[chosen]
                pieces.append((part, here))
        return assemble(frame, pieces, frame.events)


class StreamGroupByOperator(Stateless):
    """`group_by` are sorted tag names; `group_all` is `*`, without the tags in `exclude`."""

    def __init__(
        self, *, group_by: Sequence[str] = (), group_all: bool = False, exclude: Sequence[str] = (), by_measurement: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self._dimensions = _Dimensions(group_by, group_all, exclude, by_measurement)

    def collect(self, frame: Frame, parent: int) -> Sequence[Frame]:  # noqa: ARG002  (one parent)
        return self._dimensions.regroup(frame)


class BatchGroupByOperator:
    """As `StreamGroupByOperator`, for batches. The pool is bounded by the batches of one time."""

    def __init__(
        self, *, group_by: Sequence[str] = (), group_all: bool = False, exclude: Sequence[str] = (), by_measurement: bool = False,
    ) -> None:  # fmt: skip
        self.report = Report()
        self._dimensions = _Dimensions(group_by, group_all, exclude, by_measurement)
        self._time: int | None = None
        self._queues = Queues(compacts=False)
        self._slots: list[NDArray[np.int32]] = []

    @property
    def cardinality(self) -> int:
        return len(self._queues.slots)

    def collect(self, frame: Frame, parent: int) -> Sequence[Frame]:  # noqa: ARG002  (one parent)
        outbox = Outbox(BATCH)
        arrivals = Arrivals(frame)
        rows = arrivals.by_row()
        ends = np.cumsum(arrivals.sizes) if arrivals.n else np.zeros(0, np.int64)
        for start, stop, event in arrivals.segments():
            for first, last in _equal_runs(arrivals.time, start, stop) if stop > start else ():
                self._turn(int(arrivals.time[first]), outbox)
                self._pool(rows, int(ends[first - 1]) if first else 0, int(ends[last - 1]))
            if event is not None:
                self._event(event, outbox)
        return outbox.frames(frame.position)

    def _pool(self, rows: Arrivals, start: int, stop: int) -> None:
        """Add the rows `start:stop` of the frame."""
        if start == stop:
            return
        for piece in self._dimensions.regroup(slice_frame(rows.frame, start, stop)):
            arrivals = Arrivals(piece)
            self._queues.take_in(arrivals, piece.sections)
            self._slots.append(self._queues.slots.map(arrivals, 0, arrivals.n))

    def _turn(self, time: int, outbox: Outbox) -> None:
        """A batch or barrier of this time comes."""
        if time == self._time:
            return
        if self._slots and self._time is not None:
            queues = self._queues
            slots = np.concatenate(self._slots)
            alive = np.flatnonzero(slots >= 0)
            slots = slots[alive]
            order = np.lexsort((queues.time[alive], slots))
            used, counts = np.unique(slots, return_counts=True)
            offsets = np.zeros(len(used) + 1, np.int32)
            np.cumsum(counts, out=offsets[1:])
            if len(used):
                sections = queues.build(
                    queues.place[alive[order]],
                    offsets,
                    np.full(len(used), self._time, np.int64),
                    used.astype(np.int32),
                    queues.slots.name.take(used),
                )
                outbox.add(*sections)
        self._queues, self._slots = Queues(compacts=False), []
        self._time = time

    def _event(self, event: Event, outbox: Outbox) -> None:
        if event.kind == EventKind.BARRIER:
            self._turn(event.time, outbox)
        elif event.kind == EventKind.DELETE_GROUP and event.group is not None:
            slot = self._queues.slots.delete(event.group)
            if slot >= 0:
                for slots in self._slots:
                    slots[slots == slot] = -1
        outbox.event(event)

    def finish(self) -> Sequence[Frame]:
        return ()

    def snapshot(self) -> Any:
        slots = np.concatenate(self._slots) if self._slots else np.zeros(0, np.int32)
        return {"time": self._time, "queues": self._queues.snapshot_rows(), "slots": slots.tobytes()}

    def restore(self, state: Any) -> None:
        self._time = state["time"]
        self._queues.restore_rows(state["queues"])
        self._slots = [np.frombuffer(state["slots"], np.int32).copy()] if state["slots"] else []


def _equal_runs(time: NDArray[np.int64], start: int, stop: int) -> list[tuple[int, int]]:
    """Stretches of equal times within `start:stop`."""
    cuts = (np.flatnonzero(time[start + 1 : stop] != time[start : stop - 1]) + start + 1).tolist()
    return list(zip([start, *cuts], [*cuts, stop], strict=True))
