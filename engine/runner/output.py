"""What waits to be sent: frames cut to size, encoded once, and handed to every child in order.

Bound: what one input frame produced. Policy when a child is full: the node reads no input until every child has taken
everything; the children that have room are served meanwhile.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from engine.frames.chunks import chunk, is_whole
from engine.frames.codec import encode
from engine.frames.reshape import cut, slice_frame
from transports.errors import EdgeAborted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.frames.model import Frame
    from transports.edge import Collector


CHUNK_ROWS = 65536
"""A batch with more rows than this travels in pieces."""


def row_cuts(frame: Frame, most: int) -> list[Frame]:
    """Pieces of at most `most` rows; a batch is never cut, so one with more rows is a piece of its own."""
    if frame.rows <= most or frame.count <= 1:
        return [frame]
    if all(s.batches is None for s in frame.sections):
        return cut(frame, most)
    sizes = [np.diff(s.batches.offsets) for s in frame.sections if s.batches is not None]
    if frame.order is None:
        rows = sizes[0]
    else:
        rows = np.empty(frame.count, np.int64)
        for i, size in enumerate(sizes):
            rows[frame.order == i] = size
    pieces, start, held = [], 0, 0
    for i, n in enumerate(rows.tolist()):
        if i > start and held + n > most:
            pieces.append(slice_frame(frame, start, i))
            start, held = i, 0
        held += n
    pieces.append(slice_frame(frame, start, frame.count))
    return [p.with_(position=0) for p in pieces[:-1]] + pieces[-1:]


def messages(frame: Frame, max_rows: int, max_bytes: int) -> Iterator[tuple[list[bytes], int]]:
    """The frame as encoded messages within both bounds, each with its count; a single row may exceed the bytes."""
    for piece in row_cuts(frame, max_rows):
        if piece.count == 1 and piece.rows > max(max_rows, CHUNK_ROWS):
            for part in chunk(piece, max(max_rows, CHUNK_ROWS)):
                yield encode(part), int(is_whole(part))
            continue
        parts = encode(piece)
        size = sum(map(len, parts))
        count = piece.count
        if size > max_bytes and count > 1:
            most = max(1, piece.rows * max_bytes // (size + 1) // 2)
            smaller = row_cuts(piece, most)
            if len(smaller) > 1:
                for small in smaller:
                    yield encode(small), small.count
                continue
        yield parts, count


class Output:
    """The way to all children."""

    def __init__(self, children: Sequence[Collector], max_rows: int, max_bytes: int) -> None:
        self._children = list(children)
        self._queues: list[deque[tuple[list[bytes], int]]] = [deque() for _ in children]
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self.pending = False

    def put(self, frames: Sequence[Frame]) -> None:
        if not self._children:
            return
        for frame in frames:
            for message in messages(frame, self._max_rows, self._max_bytes):
                for queue in self._queues:
                    queue.append(message)
                self.pending = True

    def flush(self) -> bool:
        """Hand over what the children have room for; whether all is gone. Raises EdgeAborted if a child has ended."""
        left = False
        for child, queue in zip(self._children, self._queues, strict=True):
            while queue:
                parts, count = queue[0]
                if not child.collect(parts, count):
                    left = True
                    break
                queue.popleft()
        self.pending = left
        return not left

    def full(self) -> list[Collector]:
        """The children that something waits for."""
        return [c for c, q in zip(self._children, self._queues, strict=True) if q]

    def flush_rest(self) -> None:
        """Hand over what still can be, ignoring children that have ended: a failing node's last word."""
        for child, queue in zip(self._children, self._queues, strict=True):
            try:
                while queue and child.collect(*queue[0]):
                    queue.popleft()
            except EdgeAborted:
                queue.clear()
