"""Putting what became of a frame's sections back into one frame, in the order in which its units came.

For operators that treat each section by itself: a *piece* is an output section together with the arrival numbers of the
units it came from (ascending; None when all units of the frame stayed in place). Events keep their places among them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.frames.model import Event, Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.frames.model import Section

Piece = tuple["Section", "NDArray[np.int64] | None"]


def assemble(template: Frame, pieces: Sequence[Piece], events: Sequence[Event]) -> list[Frame]:
    """The pieces as one frame with the edge, database, policy and position of `template`; none if nothing is left.

    `events` have the places that they had in the input frame.
    """
    t = template
    if len(pieces) == 1 and not events:
        section = pieces[0][0]
        if not section.count:
            return []
        return [Frame(t.edge, t.db, t.rp, (section,), None, (), t.position, t.parent)]
    pieces = [p for p in pieces if p[0].count]
    if not pieces:
        if not events:
            return []
        moved = tuple(Event(0, e.kind, e.time, e.group) for e in events)
        return [Frame(t.edge, t.db, t.rp, (), None, moved, t.position, t.parent)]
    sections = tuple(section for section, _ in pieces)
    order, places = None, pieces[0][1]
    if len(pieces) > 1:
        places = np.concatenate([_places(*p) for p in pieces])
        owner = np.repeat(np.arange(len(pieces), dtype=np.uint16), [s.count for s in sections])
        by_place = np.argsort(places, kind="stable")
        places, order = places[by_place], owner[by_place]
    moved = tuple(events)
    if events and places is not None:
        at = np.searchsorted(places, [e.at for e in events]).tolist()
        moved = tuple(Event(a, e.kind, e.time, e.group) for a, e in zip(at, events, strict=True))
    return [Frame(t.edge, t.db, t.rp, sections, order, moved, t.position, t.parent)]


def _places(section: Section, places: NDArray[np.int64] | None) -> NDArray[np.int64]:
    return np.arange(section.count) if places is None else places
