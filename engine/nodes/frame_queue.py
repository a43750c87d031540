"""The frames of one parent that wait in a union, first in, first out.

An *item* is a point (a batch) or a barrier; barriers stand among the units as they came. A frame that has come is kept as it
is until its last item has left. Small neighbours are joined, so that many frames of one row take up what their rows do.
Bound: the owner looks at `bytes`, which counts columns whole.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.codec import decode, encode
from engine.frames.model import DTYPES, Kind
from engine.frames.reshape import concat_frames, slice_frame
from engine.nodes.arrivals import Arrivals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.frames.model import Event, FieldColumn, Frame

_JOIN_BELOW = 8192
_COLUMN_BYTES = 256
_OBJECT_BYTES = 48


@dataclass(slots=True)
class _Waiting:
    """A frame, the item numbers of its barriers, its size in bytes, and how many of its items have left."""

    frame: Frame
    barriers: list[int]
    bytes: int
    taken: int = 0

    @property
    def items(self) -> int:
        return self.frame.count + len(self.barriers)

    def units_before(self, item: int) -> int:
        return item - bisect_left(self.barriers, item)


def _waiting(frame: Frame) -> _Waiting:
    return _Waiting(frame, [e.at + i for i, e in enumerate(frame.events)], frame_bytes(frame))


class FrameQueue:
    """See the module's text."""

    def __init__(self) -> None:
        self._frames: deque[_Waiting] = deque()
        self.bytes = 0

    def put(self, frame: Frame) -> NDArray[np.int64]:
        """Append a frame whose events are barriers alone; the times of its items."""
        self._append(_waiting(frame))
        times = Arrivals(frame).time
        if frame.events:
            times = np.insert(times, [e.at for e in frame.events], [e.time for e in frame.events])
        return times

    def _append(self, last: _Waiting) -> None:
        """Join it with those before it as long as they are not much larger."""
        self.bytes += last.bytes
        while self._frames:
            before = self._frames[-1]
            alike = (before.frame.db, before.frame.rp) == (last.frame.db, last.frame.rp)
            size, more = before.frame.rows, last.frame.rows
            if before.taken or not alike or size > 2 * more or size + more > _JOIN_BELOW:
                break
            self._frames.pop()
            self.bytes -= before.bytes + last.bytes
            last = _waiting(concat_frames([before.frame, last.frame]).with_(position=0))
            self.bytes += last.bytes
        self._frames.append(last)

    def take(self, count: int) -> tuple[list[Frame], list[tuple[int, Event]]]:
        """Take the next `count` items: pieces of frames without events, and the barriers with their item numbers."""
        pieces: list[Frame] = []
        barriers: list[tuple[int, Event]] = []
        done = 0
        while done < count:
            w = self._frames[0]
            start, stop = w.taken, min(w.items, w.taken + count - done)
            a, b = w.units_before(start), w.units_before(stop)
            if b > a:
                pieces.append(slice_frame(w.frame.with_(events=()), a, b))
            inside = range(bisect_left(w.barriers, start), bisect_left(w.barriers, stop))
            barriers += [(done + w.barriers[i] - start, w.frame.events[i]) for i in inside]
            done += stop - start
            w.taken = stop
            if stop == w.items:
                self._frames.popleft()
                self.bytes -= w.bytes
        return pieces, barriers

    def snapshot(self) -> list[Any]:
        """Plain msgpack values."""
        return [[w.taken, [bytes(part) for part in encode(w.frame)]] for w in self._frames]

    def restore(self, state: list[Any]) -> None:
        """Take over what `snapshot` gave."""
        self._frames = deque()
        for taken, parts in state:
            w = _waiting(decode(parts))
            w.taken = taken
            self._frames.append(w)
        self.bytes = sum(w.bytes for w in self._frames)


def frame_bytes(frame: Frame) -> int:
    """What a frame's columns take up, and a little for each column and event by itself."""
    total = _COLUMN_BYTES * (1 + len(frame.events)) + 2 * frame.count
    for s in frame.sections:
        total += 8 * s.rows + 4 * s.count + s.groups.hashes.nbytes + sum(v.data.nbytes for v in s.groups.values)
        total += sum(4 * s.rows + t.values.offsets.nbytes + t.values.data.nbytes for t in s.tags.values())
        total += sum(_field_bytes(f, s.rows) for f in s.fields.values())
        total += _COLUMN_BYTES * (1 + len(s.tags) + len(s.fields))
    return total


def _field_bytes(column: FieldColumn, rows: int) -> int:
    mask = 0 if column.valid is None else rows
    if column.kind == Kind.STRING:
        return int(mask + column.data.offsets.nbytes + column.data.data.nbytes)
    return int(mask + rows * (_OBJECT_BYTES if column.kind == Kind.MIXED else DTYPES[column.kind].itemsize))
