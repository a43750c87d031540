"""The ends of a process's edges, opened from its spec, and the input side: draining what has queued up into frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.frames.chunks import Assembler
from engine.frames.codec import decode
from engine.frames.model import ALL_COLUMNS
from engine.frames.reshape import concat_frames
from transports.errors import EdgeClosed
from transports.zmq_edge import ipc_collector, ipc_emitter

if TYPE_CHECKING:
    from engine.frames.model import Columns, Frame
    from engine.runner.spec import ProcessSpec
    from transports.context import Context
    from transports.edge import Collector, Emitter

_MERGED_FRAMES = 4
"""So many frames' worth of rows are taken at once, as one: what a frame costs by itself is then paid once for them."""


def open_parents(context: Context, spec: ProcessSpec) -> list[Emitter]:
    return [ipc_emitter(context, path, kind) for path, kind in spec.parents]  # type: ignore[arg-type]


def open_children(context: Context, spec: ProcessSpec) -> list[Collector]:
    return [ipc_collector(context, path, kind) for path, kind in spec.children]  # type: ignore[arg-type]


class Input:
    """The receiving side of one parent's edge."""

    def __init__(self, emitter: Emitter, columns: Columns = ALL_COLUMNS) -> None:
        """`columns`: what anybody behind this edge can refer to."""
        self.emitter = emitter
        self._columns = columns
        self._assembler = Assembler()

    def take(self, size: int) -> tuple[list[Frame], bool]:
        """What waits on the edge, up to about `_MERGED_FRAMES` of `size` rows, neighbours merged; and whether it has ended.

        Raises EdgeAborted, WireError.
        """
        frames: list[Frame] = []
        rows, ended = 0, False
        emitter = self.emitter
        most = size if size == 1 else size * _MERGED_FRAMES
        while rows < most:
            try:
                parts = emitter.emit()
            except EdgeClosed:
                ended = True
                break
            if parts is None:
                break
            frame = self._assembler.take(decode(parts, self._columns))
            if frame is None:
                continue
            emitter.counted(frame.count)
            rows += max(frame.rows, 1)
            frames.append(frame)
        return merge(frames, most), ended


def merge(frames: list[Frame], most: int) -> list[Frame]:
    """Runs of frames without events, of one database and retention policy, as one frame each of at most `most` rows."""
    if len(frames) < 2:
        return frames
    out: list[Frame] = []
    run: list[Frame] = []
    rows = 0
    for frame in frames:
        if run and (frame.events or rows + frame.rows > most or (frame.db, frame.rp) != (run[0].db, run[0].rp)):
            out.append(concat_frames(run))
            run, rows = [], 0
        if frame.events:
            out.append(frame)
        else:
            run.append(frame)
            rows += frame.rows
    if run:
        out.append(concat_frames(run))
    return out
