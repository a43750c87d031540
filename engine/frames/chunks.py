"""Batches too large for one frame: cutting them into begin / points / end pieces, and putting them together again.

The pieces of a batch follow each other on an edge with nothing between them. A piece that does not continue the batch
before it is a WireError: pieces are never mixed up in silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.frames.header import WireError
from engine.frames.model import BEGIN, LAST, MIDDLE, WHOLE, Batches, Frame, Section
from engine.frames.reshape import concat_sections, slice_columns, widen

if TYPE_CHECKING:
    from collections.abc import Iterator


def chunk(frame: Frame, most: int) -> Iterator[Frame]:
    """A frame of one batch with more than `most` rows as pieces of at most `most` rows; any other frame as it is."""
    if len(frame.sections) != 1 or frame.sections[0].batches is None or frame.events:
        yield frame
        return
    section = frame.sections[0]
    batches = section.batches
    assert batches is not None
    n = section.rows
    if len(batches) != 1 or n <= most:
        yield frame
        return
    for start in range(0, n, most):
        stop = min(start + most, n)
        tags, fields = slice_columns(section, slice(start, stop))
        kind = BEGIN if start == 0 else LAST if stop == n else MIDDLE
        piece = section.with_(
            time=section.time[start:stop],
            tags=tags,
            fields=fields,
            batches=Batches(np.array([0, stop - start], np.int32), batches.time, kind),
        )
        yield frame.with_(sections=(piece,), position=frame.position if stop == n else 0)


def is_whole(frame: Frame) -> bool:
    """Whether a batch of the frame counts: it is whole, or this is its last piece."""
    batches = frame.sections[0].batches if frame.sections else None
    return batches is None or batches.chunk in (WHOLE, LAST)


class Assembler:
    """Puts the pieces that arrive on one edge together. Bound: the largest batch."""

    def __init__(self) -> None:
        self._pieces: list[Section] = []

    def take(self, frame: Frame) -> Frame | None:
        """The frame, or the whole batch with its last piece; None while pieces are missing. Raises WireError."""
        batches = frame.sections[0].batches if frame.sections else None
        kind = WHOLE if batches is None else batches.chunk
        if kind == WHOLE:
            if self._pieces and (frame.sections or frame.events):
                raise WireError("a batch was not completed")
            return frame
        if (kind == BEGIN) == bool(self._pieces):
            raise WireError("a piece of a batch out of order")
        self._pieces.append(frame.sections[0])
        if kind != LAST:
            return None
        whole = concat_sections([s.with_(batches=_stand_alone(s)) for s in widen(self._pieces)])
        self._pieces = []
        assert whole.batches is not None
        ends = np.array([0, whole.rows], np.int32)
        group = None if whole.group is None else whole.group[:1]
        return frame.with_(sections=(whole.with_(batches=Batches(ends, whole.batches.time[:1]), group=group),))


def _stand_alone(section: Section) -> Batches:
    assert section.batches is not None
    return Batches(section.batches.offsets, section.batches.time)
