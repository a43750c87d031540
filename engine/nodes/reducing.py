"""What InfluxQL functions that reduce a run of points share: aggregates, selectors and lists (nodes.md §16.4).

On batch edges a run is a batch; on stream edges it is the points of one time in a group, which `SameTime` makes batches
first. So a subclass only says what the batches of one section come to. Results have no database and no policy. Their
name is the first that the group was seen with, or on streams that of the run's first point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from engine.frames.model import BATCH, STREAM, FieldColumn, Frame, Kind, Section
from engine.frames.reshape import take_batches
from engine.nodes.arrivals import Arrivals, group_tags
from engine.nodes.assembly import Piece, assemble
from engine.nodes.grouped import Grouped
from engine.nodes.outbox import Outbox
from engine.nodes.same_time import SameTime
from engine.nodes.usable import Rule, Usable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from engine.frames.model import TagColumn
    from engine.slots import GroupSlots

_AGGREGATE = {True: "failed to aggregate point", False: "failed to aggregate point in batch"}
Part = tuple[Section, "NDArray[np.int64] | None"]
"""An output section and the batches of the input section that its units come from, ascending (None: all)."""


class Reducing(Grouped):
    """`stream`: the input edge is a stream. `field` and `as_` are names; `log` is False where the node is quiet.

    Class attributes: `provides`, the output edge; `kinds` that the function takes; `keeps_tags` and `keeps_fields`:
    whether results have more of a point than the field.
    """

    provides: ClassVar[str] = STREAM
    kinds: ClassVar[frozenset[Kind]] = frozenset({Kind.FLOAT, Kind.INT})
    keeps_tags: ClassVar[bool] = False
    keeps_fields: ClassVar[bool] = False

    def __init__(
        self, *, function: str, field: str, as_: str = "", stream: bool = False, use_point_times: bool = False,
        quiet: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self._field = field
        self._as = as_ or function
        self._point_times = use_point_times
        self._log = not quiet
        self._rule = Rule(function, field, self.kinds, _AGGREGATE[stream])
        self._runs = SameTime(self.slots) if stream else None

    def _reduce(self, section: Section) -> list[Part]:
        """What the section's batches come to."""
        raise NotImplementedError

    def _usable(self, section: Section) -> list[Usable]:
        assert section.batches is not None
        return self._rule.usable(section, section.batches.offsets, self.report, log=self._log)

    def _filled(self, section: Section) -> Iterator[tuple[Usable, NDArray[np.int64] | None, NDArray[np.int32]]]:
        """Usable rows, the runs (of the section; None: all) that have any, and these rows' offsets."""
        for usable in self._usable(section):
            runs, offsets = filled(usable)
            if len(offsets) > 1:
                yield usable, runs, offsets

    def _process(self, frame: Frame) -> Sequence[Frame]:
        template = Frame(self.provides, position=frame.position, parent=frame.parent)
        if not frame.sections:
            return assemble(template, (), frame.events)
        arrivals = Arrivals(frame)
        slots = self._map(arrivals)
        if self._runs is None:
            return self._reduced(first_named(arrivals, slots, self.slots), template, frame.events)
        base = self._runs.take_in(arrivals, [self._needed(s) for s in frame.sections])
        outbox = self._outbox(frame)
        for start, stop, event in arrivals.segments():
            if stop > start:
                runs = Outbox(BATCH)
                self._runs.run(slots, base, start, stop, runs)
                for batches in runs.frames(0):
                    outbox.join(self._reduced(batches, template, ()))
            if event is not None:
                outbox.event(event)
        return outbox.frames(frame.position)

    def _outbox(self, frame: Frame) -> Outbox:  # noqa: ARG002  (results have no database)
        return Outbox(self.provides)

    def _needed(self, section: Section) -> Section:
        """The columns that results are made of."""
        if self.keeps_tags and self.keeps_fields:
            return section
        fields = {k: c for k, c in section.fields.items() if k == self._field or self.keeps_fields}
        return section.with_(fields=fields, tags=section.tags if self.keeps_tags else {})

    def _reduced(self, source: Frame | list[Piece], template: Frame, events: Sequence[Any]) -> list[Frame]:
        if isinstance(source, Frame):
            arrivals = Arrivals(source)
            many = arrivals.single is None
            source = [(s, arrivals.places[i] if many else None) for i, s in enumerate(source.sections)]
        pieces: list[Piece] = []
        for section, places in source:
            for part, which in self._reduce(section):
                pieces.append((part, places if which is None else which if places is None else places[which]))
        return assemble(template, pieces, events)

    def _points(
        self,
        section: Section,
        runs: NDArray[np.int64] | None,
        kind: Kind,
        data: Any,
        time: NDArray[np.int64] | None = None,
    ) -> Part:
        """One point a run with the group's tags and the value alone, at the batch's time unless `time` is given."""
        times, group = of_runs(section, runs)
        if time is None:
            time = times
        tags = run_tags(section, group, len(time))
        out = Section(section.name, time, tags, {self._as: FieldColumn(kind, data)}, section.groups, group)
        return out, runs

    def _forget(self, slot: int) -> None:
        if self._runs is not None:
            self._runs.forget(slot)

    def _start(self, slots: NDArray[np.int64]) -> None:  # noqa: ARG002  (runs ask the slot table themselves)
        if self._runs is not None:
            self._runs.follow_slots()

    def snapshot(self) -> Any:
        return {**super().snapshot(), "runs": None if self._runs is None else self._runs.snapshot()}

    def restore(self, state: Any) -> None:
        super().restore(state)
        if self._runs is not None:
            self._runs.restore(state["runs"])


def first_named(arrivals: Arrivals, slots: NDArray[np.int32], groups: GroupSlots) -> list[Piece]:
    """The sections of a batch frame, cut up by the name that each batch's group was first seen with."""
    names = groups.name.take(slots)
    pieces: list[Piece] = []
    for i, section in enumerate(arrivals.sections):
        places = None if arrivals.single is not None else arrivals.places[i]
        mine = names if places is None else names[places]
        if (mine == groups.name_number(section.name)).all():
            pieces.append((section, places))
            continue
        for name in np.unique(mine).tolist():
            which = np.flatnonzero(mine == name)
            part = take_batches(section, which).with_(name=groups.names[name])
            pieces.append((part, which if places is None else places[which]))
    return pieces


def of_runs(section: Section, runs: NDArray[np.int64] | None) -> tuple[NDArray[np.int64], NDArray[np.uint32] | None]:
    """The times of some runs of a section (None: all), and their group codes as `Section.group` has them."""
    assert section.batches is not None
    if runs is None:
        return section.batches.time, section.group
    return section.batches.time[runs], None if section.group is None else section.group[runs]


def run_tags(
    section: Section, group: NDArray[np.uint32] | None, count: int, ends: NDArray[np.int32] | None = None
) -> dict[str, TagColumn]:
    """The group tags of `count` runs with these group codes, for one row each, or for as many as lie between `ends`."""
    codes = np.zeros(count, np.uint32) if group is None else group
    return group_tags(section.groups, codes if ends is None else np.repeat(codes, np.diff(ends)))


def times_of(section: Section, usable: Usable) -> NDArray[np.int64]:
    """The times of the usable rows."""
    return section.time if usable.rows is None else section.time.take(usable.rows)


def filled(usable: Usable) -> tuple[NDArray[np.int64] | None, NDArray[np.int32]]:
    """The runs (of the section; None: all) that have usable rows, and the offsets of these rows."""
    some = usable.offsets[1:] > usable.offsets[:-1]
    if some.all():
        return usable.runs, usable.offsets
    which = np.flatnonzero(some)
    # Empty runs have no rows, so the ends of the others are the offsets.
    return usable.of_runs(which), np.append(usable.offsets[:1], usable.offsets[1:][which])
