"""The ends of a process's edges, opened from its spec, and the input side: draining what has queued up into frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.frames.chunks import Assembler
from engine.frames.codec import decode
from engine.frames.reshape import concat_frames
from transports.errors import EdgeClosed
from transports.zmq_edge import ipc_collector, ipc_emitter

if TYPE_CHECKING:
    from engine.frames.model import Frame
    from engine.runner.spec import ProcessSpec
    from transports.context import Context
    from transports.edge import Collector, Emitter

_MERGE_BELOW = 1024


def open_parents(context: Context, spec: ProcessSpec) -> list[Emitter]:
    return [ipc_emitter(context, path, kind) for path, kind in spec.parents]  # type: ignore[arg-type]


def open_children(context: Context, spec: ProcessSpec) -> list[Collector]:
    return [ipc_collector(context, path, kind) for path, kind in spec.children]  # type: ignore[arg-type]


class Input:
    """The receiving side of one parent's edge."""

    def __init__(self, emitter: Emitter) -> None:
        self.emitter = emitter
        self._assembler = Assembler()

    def take(self, most: int) -> tuple[list[Frame], bool]:
        """The frames that wait on the edge, up to about `most` rows, small neighbours merged; and whether it has ended.

        Raises EdgeAborted, WireError.
        """
        frames: list[Frame] = []
        rows, ended = 0, False
        emitter = self.emitter
        while rows < most:
            try:
                parts = emitter.emit()
            except EdgeClosed:
                ended = True
                break
            if parts is None:
                break
            frame = self._assembler.take(decode(parts))
            if frame is None:
                continue
            emitter.counted(frame.count)
            rows += max(frame.rows, 1)
            frames.append(frame)
        return merge(frames), ended


def merge(frames: list[Frame]) -> list[Frame]:
    """Runs of small frames of one database and retention policy as one frame each."""
    if len(frames) < 2:
        return frames
    out: list[Frame] = []
    run: list[Frame] = []
    for frame in frames:
        fits = frame.rows < _MERGE_BELOW and not frame.events
        if run and (not fits or (frame.db, frame.rp) != (run[0].db, run[0].rp)):
            out.append(concat_frames(run))
            run = []
        if fits:
            run.append(frame)
        else:
            out.append(frame)
    if run:
        out.append(concat_frames(run))
    return out
