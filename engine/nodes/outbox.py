"""What an operator emits for one input frame, piece by piece, with events in their places among the pieces.

Small pieces join into one frame; a frame closes when it has `FRAME_ROWS` rows (one batch may exceed that). The log
position of the input goes on the last frame alone (DESIGN §5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.frames.model import Event, Frame
from engine.frames.reshape import concat_frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from engine.frames.model import Section

FRAME_ROWS = 8192


class Outbox:
    """Collects for one edge type, database and retention policy; `frames` ends it."""

    def __init__(self, edge: str, db: str = "", rp: str = "") -> None:
        self._empty = Frame(edge, db, rp)
        self._done: list[Frame] = []
        self._pieces: list[Frame] = []
        self._events: list[Event] = []
        self._count = 0
        self._rows = 0

    def add(self, sections: Sequence[Section], order: NDArray[np.uint16] | None = None) -> None:
        """Points (batches) in the order that `order` gives; None: those of the only section."""
        piece = self._empty.with_(sections=tuple(sections), order=order)
        rows, count = piece.rows, piece.count
        if not count:
            return
        if self._pieces and self._rows + rows > FRAME_ROWS:
            self._close()
        self._pieces.append(piece)
        self._count += count
        self._rows += rows

    def join(self, frames: Sequence[Frame]) -> None:
        """Whole frames with their events, behind what is there."""
        for frame in frames:
            base = self._count
            self.add(frame.sections, frame.order)
            if self._count != base + frame.count:
                base = self._count - frame.count
            self._events += [Event(e.at + base, e.kind, e.time, e.group) for e in frame.events]

    def event(self, event: Event) -> None:
        """The event stands behind everything added so far."""
        self._events.append(Event(self._count, event.kind, event.time, event.group))

    def _close(self) -> None:
        if self._pieces or self._events:
            frame = concat_frames(self._pieces) if self._pieces else self._empty
            self._done.append(frame.with_(events=tuple(self._events)) if self._events else frame)
        self._pieces, self._events, self._count, self._rows = [], [], 0, 0

    def frames(self, position: int) -> list[Frame]:
        """All that was added; the last frame carries the position."""
        self._close()
        if position and self._done:
            self._done[-1] = self._done[-1].with_(position=position)
        return self._done
