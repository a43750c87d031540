"""The points (or batches) of a frame in the order in which they came, whatever section each lies in.

A group's rows may come from several sections (two measurements in one group, a field that comes and goes), and state
machines must see them in order. So kernels run over *arrivals*: arrays of one entry a point (a batch on batch edges) in
frame order. With one section, the common case, they are the section's own columns and nothing is copied.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.model import STREAM, EventKind, Groups, TagColumn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from engine.frames.model import Event, Frame, Section


class Arrivals:
    """Views of a frame by arrival. `n` units; `sections` are the frame's, `single` the only one, or None.

    `time` (int64[n]) is that of points, or of batches. `groups` (uint32[n]) is each unit's group code into `hashes`
    (uint64[g, 2]), the group hashes of all sections' tables, one after the other.
    """

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.sections = frame.sections
        self.single: Section | None = None
        if frame.order is None and self.sections:
            only = self.single = self.sections[0]
            batches = only.batches
            self.time = only.time if batches is None else batches.time
            self.n = len(self.time)
            self.groups = np.zeros(self.n, np.uint32) if only.group is None else only.group
            self.hashes = only.groups.hashes
        else:
            self._gather_all()

    def _gather_all(self) -> None:
        self.n = self.frame.count
        self._bases: list[int] = []
        if not self.n:
            self.time, self.groups = np.zeros(0, np.int64), np.zeros(0, np.uint32)
            self.hashes = np.zeros((0, 2), np.uint64)
            return
        base = 0
        for s in self.sections:
            self._bases.append(base)
            base += len(s.groups)
        self.time = self.gather([s.time if s.batches is None else s.batches.time for s in self.sections])
        codes = [s.group_codes() + np.uint32(b) for s, b in zip(self.sections, self._bases, strict=True)]
        self.groups = self.gather(codes)
        self.hashes = np.concatenate([s.groups.hashes for s in self.sections])

    @cached_property
    def places(self) -> list[NDArray[np.int64]]:
        """Per section the arrival numbers of its units, ascending."""
        if self.frame.order is None:
            return [np.arange(s.count) for s in self.sections]
        return [np.flatnonzero(self.frame.order == i) for i in range(len(self.sections))]

    def gather(self, columns: list[NDArray[Any]]) -> NDArray[Any]:
        """One array per section (an entry a unit) as one in order of arrival."""
        if len(columns) == 1:
            return columns[0]
        out = np.empty(self.n, columns[0].dtype)
        for place, column in zip(self.places, columns, strict=True):
            out[place] = column
        return out

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Rows of each batch, in order of arrival."""
        return self.gather([np.diff(s.batches.offsets) for s in self.sections if s.batches is not None])

    def by_row(self) -> Arrivals:
        """The rows of all batches as if they had come as points, without groups; a stream frame's are itself."""
        if self.frame.edge == STREAM:
            return self
        order = None if self.frame.order is None else np.repeat(self.frame.order, self.sizes)
        sections = tuple(s.with_(batches=None, group=None) for s in self.sections)
        return Arrivals(self.frame.with_(edge=STREAM, sections=sections, order=order, events=()))

    def row_slots(self, slots: NDArray[np.int32]) -> NDArray[np.int32]:
        """Slots of the units as slots of the rows."""
        return slots if self.frame.edge == STREAM else np.repeat(slots, self.sizes)

    def sections_of_groups(
        self, codes: NDArray[np.int64]
    ) -> Iterator[tuple[Section, NDArray[np.int64] | None, NDArray[np.int64]]]:
        """Whose the group codes are: the section, which of the codes (None: all), and its own codes for them."""
        if self.single is not None:
            yield self.single, None, codes
            return
        owner = np.searchsorted(np.array(self._bases), codes, "right") - 1
        for s in np.unique(owner).tolist():
            which = np.flatnonzero(owner == s)
            yield self.sections[s], which, codes[which] - self._bases[s]

    def section_at(self, unit: int) -> Section:
        """The section of one unit."""
        return self.single if self.single is not None else self.sections[self.frame.order[unit]]  # type: ignore[index]

    def segments(self) -> Iterator[tuple[int, int, Event | None]]:
        """The frame as (start, stop, the event that follows or None), in order."""
        at = 0
        for event in self.frame.events:
            yield at, event.at, event
            at = event.at
        if at < self.n:
            yield at, self.n, None


def of_groups(event: Event) -> bool:
    """Whether the event is for a group; others (markers) pass everywhere."""
    return event.kind in {EventKind.BARRIER, EventKind.DELETE_GROUP}


def group_tags(groups: Groups, codes: NDArray[np.uint32]) -> dict[str, TagColumn]:
    """Tag columns that hold exactly the group tags, for rows with these group codes."""
    return {d: TagColumn(codes, v) for d, v in zip(groups.dims, groups.values, strict=True)}
