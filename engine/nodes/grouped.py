"""What operators with a state per group share: slots, the end of groups, and a frame cut where a group ends.

A group is known from its first point, batch or barrier until its delete-group (nodes.md §2.3). A delete-group of an
unknown group is swallowed; all other events pass, in their places (§3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.model import Event, EventKind, Frame
from engine.frames.reshape import concat_sections, slice_frame, take_rows, widen
from engine.nodes.outbox import Outbox
from engine.operator import Report, TaskError
from engine.slots import GroupSlots

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from engine.frames.model import Section
    from engine.nodes.arrivals import Arrivals


class Grouped:
    """Base of grouped operators: a subclass handles frames without delete-groups in `_process`."""

    def __init__(self) -> None:
        self.report = Report()
        self.slots = GroupSlots()

    @property
    def cardinality(self) -> int:
        return len(self.slots)

    def collect(self, frame: Frame, parent: int) -> Sequence[Frame]:  # noqa: ARG002  (one parent)
        if not frame.events:
            return self._process(frame) if frame.sections else ()
        outbox: Outbox | None = None
        start, begun = 0, 0
        for i, event in enumerate(frame.events):
            if not self._cuts(event):
                continue
            outbox = outbox or self._outbox(frame)
            self._put(outbox, frame, start, event.at, frame.events[begun:i])
            if self._met(event):
                outbox.event(event)
            start, begun = event.at, i + 1
        if outbox is None:
            return self._stretch(frame, 0, frame.count, frame.events)
        self._put(outbox, frame, start, frame.count, frame.events[begun:])
        return outbox.frames(frame.position)

    def _put(self, outbox: Outbox, frame: Frame, start: int, stop: int, events: Sequence[Event]) -> None:
        """What follows from a part of the frame, behind what is there; a definite error takes that along."""
        try:
            outbox.join(self._stretch(frame, start, stop, events))
        except TaskError as error:
            raise TaskError(str(error), [*outbox.frames(0), *error.frames]) from error

    def _cuts(self, event: Event) -> bool:
        """Whether the event changes which groups there are, so that what comes after it must be handled after it."""
        if event.group is None:
            return False
        return event.kind == EventKind.DELETE_GROUP or self.slots.find(event.group) < 0

    def _met(self, event: Event) -> bool:
        """Let a group begin or end; whether the event passes."""
        assert event.group is not None
        if event.kind == EventKind.DELETE_GROUP:
            slot = self.slots.delete(event.group)
            if slot >= 0:
                self._forget(slot)
            return slot >= 0
        self.slots.add(event.group)
        if len(self.slots.fresh):
            self._start(self.slots.fresh)
        return True

    def _outbox(self, frame: Frame) -> Outbox:
        """For what follows from the frame."""
        return Outbox(frame.edge, frame.db, frame.rp)

    def _stretch(self, frame: Frame, start: int, stop: int, events: Sequence[Event]) -> Sequence[Frame]:
        """A part of the frame without delete-groups."""
        if stop - start < frame.count:
            frame = slice_frame(frame.with_(events=()), start, stop)
        moved = tuple(Event(e.at - start, e.kind, e.time, e.group) for e in events)
        return self._process(frame.with_(events=moved))

    def _process(self, frame: Frame) -> Sequence[Frame]:
        """What follows from a frame whose events all pass."""
        raise NotImplementedError

    def _start(self, slots: NDArray[np.int64]) -> None:
        """Give these slots, perhaps used before, their first state."""

    def _forget(self, slot: int) -> None:
        """The group of the slot is gone."""

    def _map(self, arrivals: Arrivals) -> NDArray[np.int32]:
        """The slot of every unit of the frame, new ones in their first state."""
        slots = self.slots.map(arrivals, 0, arrivals.n)
        if len(self.slots.fresh):
            self._start(self.slots.fresh)
        return slots

    def finish(self) -> Sequence[Frame]:
        return ()

    def snapshot(self) -> Any:
        return {"slots": self.slots.snapshot()}

    def restore(self, state: Any) -> None:
        self.slots.restore(state["slots"])


def merged(arrivals: Arrivals, names: Collection[str]) -> Section:
    """The rows of all sections of a stream frame as one, in order of arrival, with the columns of these names.

    For what must see interleaved sections row by row; its name and groups have no meaning.
    """
    parts = [
        s.with_(
            name="",
            tags={k: c for k, c in s.tags.items() if k in names},
            fields={k: c for k, c in s.fields.items() if k in names},
            groups=arrivals.sections[0].groups,
            group=None,
        )
        for s in arrivals.sections
    ]
    joined = concat_sections(widen(parts))
    back = np.empty(arrivals.n, np.int64)
    back[np.concatenate(arrivals.places)] = np.arange(arrivals.n)
    return take_rows(joined, back)
