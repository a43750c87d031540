"""`|union()`: messages of several parents as one, ordered by time (nodes.md §13).

`MergeOrder` decides whose message leaves next, by times alone; the frames themselves wait in a `FrameQueue` a parent. What
leaves is put together from slices, in that order. Barriers wait like data; delete-groups jump the queue.

Bound: see `skew`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.groups import make_groups
from engine.frames.model import BATCH, STREAM, Event, EventKind
from engine.frames.reshape import concat_frames, slice_frame, take
from engine.nodes.frame_queue import FrameQueue
from engine.nodes.merge_order import MergeOrder
from engine.nodes.outbox import Outbox
from engine.nodes.skew import DEFAULT_BYTES, Skew
from engine.operator import Report, TaskError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from engine.frames.model import Frame, Section


class UnionOperator:
    """`parents` are the names of the parents, in order; `rename` "" keeps the measurements' names."""

    def __init__(
        self, *, parents: Sequence[str], rename: str = "", batch: bool = False, most: int = DEFAULT_BYTES
    ) -> None:
        self.report = Report()
        self._edge = BATCH if batch else STREAM
        self._rename = rename
        self._order = MergeOrder(len(parents))
        self._queues = [FrameQueue() for _ in parents]
        self._skew = Skew(parents, most)

    @property
    def cardinality(self) -> int:
        return 0

    def collect(self, frame: Frame, parent: int) -> Sequence[Frame]:
        out = _Merged(self._edge)
        if self._rename and frame.sections:
            frame = frame.with_(sections=tuple(self._renamed(s) for s in frame.sections))
        for piece, event in _pieces(frame):
            if piece is not None:
                times = self._queues[parent].put(piece)
                self._skew.saw(parent, int(times.max()))
                self._leave(self._order.offer(times, parent), out)
            if event is not None:
                out.event(event)
        if self._skew.over(sum(q.bytes for q in self._queues)):
            raise TaskError(str(self._skew.fail()), out.frames(0))
        return out.frames(frame.position)

    def _renamed(self, section: Section) -> Section:
        groups = section.groups
        if groups.by_name:
            groups = make_groups(groups.dims, True, self._rename, groups.values, len(groups))
        return section.with_(name=self._rename, groups=groups)

    def _leave(self, parents: NDArray[np.int32], out: _Merged) -> None:
        """Hand on the next message of each of these parents, in this order."""
        if not len(parents):
            return
        pieces: list[Frame] = []
        places: list[NDArray[np.int64]] = []
        barriers: list[tuple[int, Event]] = []
        is_unit = np.ones(len(parents), np.bool_)
        for parent, count in enumerate(np.bincount(parents, minlength=len(self._queues)).tolist()):
            if not count:
                continue
            mine = np.flatnonzero(parents == parent)
            taken, marks = self._queues[parent].take(count)
            for item, event in marks:
                barriers.append((int(mine[item]), event))
                is_unit[mine[item]] = False
            pieces += taken
            places.append(mine)
        before = np.cumsum(is_unit)
        units = [before[mine[is_unit[mine]]] - 1 for mine in places]
        events = [Event(int(before[at]), e.kind, e.time, e.group) for at, e in sorted(barriers, key=lambda b: b[0])]
        out.add(pieces, np.concatenate(units), events)

    def finish(self) -> Sequence[Frame]:
        """Everything that waits, merged by the time of the fronts."""
        out = _Merged(self._edge)
        self._leave(self._order.drain(), out)
        return out.frames(0)

    def snapshot(self) -> Any:
        """Plain msgpack values."""
        return {
            "order": self._order.snapshot(),
            "queues": [q.snapshot() for q in self._queues],
            "skew": self._skew.snapshot(),
        }

    def restore(self, state: Any) -> None:
        self._order.restore(state["order"])
        for queue, held in zip(self._queues, state["queues"], strict=True):
            queue.restore(held)
        self._skew.restore(state["skew"])


class _Merged:
    """The output for one input frame: an outbox for each run of frames of one database and retention policy."""

    def __init__(self, edge: str) -> None:
        self._edge = edge
        self._of: tuple[str, str] | None = None
        self._boxes: list[Outbox] = []

    def _box(self, of: tuple[str, str] | None) -> Outbox:
        """The outbox for data of this database and policy; None: of any."""
        if not self._boxes or (of is not None and self._of is not None and of != self._of):
            self._boxes.append(Outbox(self._edge, *(of or ("", ""))))
            self._of = of
        elif of is not None and self._of is None:
            # Only events so far: they go with any data.
            events = self._boxes.pop()
            self._boxes.append(Outbox(self._edge, *of))
            self._boxes[-1].join(events.frames(0))
            self._of = of
        return self._boxes[-1]

    def event(self, event: Event) -> None:
        self._box(None).event(event)

    def add(self, pieces: list[Frame], places: NDArray[np.int64], events: list[Event]) -> None:
        """Units of the pieces, one after the other, at these places of the output; events stand before their place."""
        by_source: dict[tuple[str, str], tuple[list[Frame], list[NDArray[np.int64]]]] = {}
        at = 0
        for piece in pieces:
            frames, where = by_source.setdefault((piece.db, piece.rp), ([], []))
            frames.append(piece)
            where.append(places[at : at + piece.count])
            at += piece.count
        if len(by_source) < 2:
            merged = [(of, *_arranged(f, np.concatenate(w))) for of, (f, w) in by_source.items()]
            for of, frame, _ in merged:
                self._box(of).join([frame.with_(events=tuple(events))])
            if not merged:
                for event in events:
                    self.event(event)
            return
        self._add_runs(by_source, at, events)

    def _add_runs(
        self, by_source: dict[tuple[str, str], tuple[list[Frame], list[NDArray[np.int64]]]], n: int, events: list[Event]
    ) -> None:
        """Data of several databases or policies: a frame a run of one of them."""
        owner = np.empty(n, np.int64)
        frames: list[tuple[tuple[str, str], Frame]] = []
        for i, (of, (pieces, where)) in enumerate(by_source.items()):
            frame, places = _arranged(pieces, np.concatenate(where))
            owner[places] = i
            frames.append((of, frame))
        ends = [*(np.flatnonzero(np.diff(owner)) + 1).tolist(), n]
        used = [0] * len(frames)
        start = 0
        for end in ends:
            of, frame = frames[owner[start]]
            first = used[owner[start]]
            used[owner[start]] += end - start
            inside = tuple(
                Event(e.at - start, e.kind, e.time, e.group)
                for e in events
                if start <= e.at < end or (end == n and e.at == n)
            )
            piece = slice_frame(frame, first, first + end - start)
            self._box(of).join([piece.with_(events=inside)])
            start = end

    def frames(self, position: int) -> list[Frame]:
        out = [frame for box in self._boxes for frame in box.frames(0)]
        if position and out:
            out[-1] = out[-1].with_(position=position)
        return out


def _pieces(frame: Frame) -> Iterator[tuple[Frame | None, Event | None]]:
    """The frame cut at what does not wait in line: stretches whose events are barriers, each with what follows it."""
    start, begun = 0, 0
    for i, event in enumerate(frame.events):
        if event.kind == EventKind.BARRIER:
            continue
        yield _stretch(frame, start, event.at, frame.events[begun:i]), event
        start, begun = event.at, i + 1
    last = _stretch(frame, start, frame.count, frame.events[begun:])
    if last is not None:
        yield last, None


def _stretch(frame: Frame, start: int, stop: int, events: Sequence[Event]) -> Frame | None:
    if start == stop and not events:
        return None
    moved = tuple(Event(e.at - start, e.kind, e.time, e.group) for e in events)
    if stop - start == frame.count:
        return frame.with_(events=moved, position=0)
    bare = frame.with_(events=(), position=0)
    return (slice_frame(bare, start, stop) if stop > start else bare.with_(sections=(), order=None)).with_(events=moved)


def _arranged(pieces: Sequence[Frame], places: NDArray[np.int64]) -> tuple[Frame, NDArray[np.int64]]:
    """The pieces as one frame, its units in the order of their places; and the places, ascending."""
    frame = concat_frames(pieces)
    if (places[1:] > places[:-1]).all():
        return frame, places
    index = np.argsort(places, kind="stable")
    if frame.order is None:
        return frame.with_(sections=(take(frame.sections[0], index),)), places[index]
    order = frame.order[index]
    inside = np.empty(len(index), np.int64)
    for i in range(len(frame.sections)):
        mine = np.flatnonzero(frame.order == i)
        inside[mine] = np.arange(len(mine))
    moved = inside[index]
    sections = tuple(_rearranged(s, moved[order == i]) for i, s in enumerate(frame.sections))
    return frame.with_(sections=sections, order=order), places[index]


def _rearranged(section: Section, index: NDArray[np.int64]) -> Section:
    return section if (index[1:] > index[:-1]).all() else take(section, index)
