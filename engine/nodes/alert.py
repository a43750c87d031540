"""`|alert()`: a level for every point or batch, and an event when there is something to tell (alerts.md §5-8).

Levels are found by column; only what triggers is looked at in Python. Of that, each unit that sends an event is passed
on with its annotations. A group begins with the level that the alert service has stored for the id of its first point.
Unlike the reference, a group that is deleted takes its inhibitors with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.alerts.events import Signal
from engine.alerts.levels import NAMES
from engine.alerts.text_columns import Verdicts
from engine.alerts.texts import ServerInfo
from engine.alerts.way_out import Alerting, Server
from engine.frames.model import STREAM
from engine.frames.reshape import take
from engine.nodes.alert_conditions import Conditions
from engine.nodes.alert_events import SectionEvents, Teller, identities_of
from engine.nodes.alert_levels import EMIT, NEVER, SKIP, trigger
from engine.nodes.alert_rows import Triggers
from engine.nodes.arrivals import Arrivals
from engine.nodes.assembly import Piece, assemble
from engine.nodes.grouped import Grouped
from engine.operator import TaskError
from engine.slots import grown
from engine.templates import ExecutionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from engine.alerts.texts import Texts
    from engine.alerts.way_out import Introduction, WayOut
    from engine.frames.model import Frame, Section
    from engine.nodes.alert_output import Annotations
    from engine.operator import Context
    from tickscript import ast

_COUNTERS = ("oks_triggered", "infos_triggered", "warns_triggered", "crits_triggered")


@dataclass(frozen=True, slots=True)
class Rules:
    """When something is told. `interval` (ns) repeats an unchanged level under `changes_only`; 0: never.

    `flapping`: the low and the high share of changes; None: off. `every`: all points of a batch must have the level.
    """

    changes_only: bool = False
    interval: int = 0
    no_recoveries: bool = False
    flapping: tuple[float, float] | None = None
    history: int = 21
    every: bool = False


class AlertOperator(Grouped, Alerting):
    """`lambdas`: info, warn, crit, and their resets. Raises TaskError for what cannot start."""

    def __init__(
        self, *, lambdas: Sequence[ast.Lambda | None], texts: Texts, rules: Rules, annotations: Annotations,
        introduction: Introduction, category: str = "", context: Context | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.introduction = introduction
        self.name = introduction.node
        self._conditions = Conditions(lambdas, context, self.report)
        if rules.flapping is not None and max(rules.flapping) > 1.0:
            raise TaskError("alert flap thresholds are percentages and should be between 0 and 1")
        self._rules = rules
        self._annotations = annotations
        self._category = category
        self._texts = texts
        self._inhibitors = [tags for _, tags in introduction.inhibitors]
        self._listened = bool(introduction.topic or introduction.handlers)
        self._way_out: WayOut | None = None
        self._teller = self._new_teller(Server())
        for name in ("alerts_triggered", "alerts_inhibited", *_COUNTERS):
            self.report.count(name, 0)
        size = max(2, rules.history) if rules.flapping is not None else 1
        # State by slot. `current` runs ahead of `recorded` within a frame.
        self._current = np.zeros(1, np.uint8)
        self._recorded = np.zeros(1, np.uint8)
        self._first = np.full(1, NEVER, np.int64)
        self._last = np.full(1, NEVER, np.int64)
        self._flaps = np.zeros(1, np.uint8)
        self._newest = np.zeros(1, np.int32)
        self._rings = np.zeros((1, size), np.uint8)
        self._known = np.zeros(1, np.uint8)
        self._inhibiting = np.zeros(1, np.uint8)
        # Groups whose stored level was not asked for yet: those of which only barriers have come, too.
        self._unknown = 0

    def attach(self, way_out: WayOut, server: Server) -> None:
        self._way_out = way_out
        self._teller = self._new_teller(server)

    def _new_teller(self, server: Server) -> Teller:
        info = ServerInfo(server.hostname, server.cluster, server.server)
        return Teller(
            self.introduction.task, self._category, self._texts, info, self._listened, not self._rules.no_recoveries
        )

    def dealt(self, counts: Sequence[int]) -> None:
        self.report.count("alerts_inhibited", counts[0])
        self.report.count("alerts_triggered", sum(counts[1:]))
        for name, count in zip(_COUNTERS, counts[1:], strict=True):
            self.report.count(name, count)

    # ------------------------------------------------------------------ groups

    def _start(self, slots: NDArray[np.int64]) -> None:
        room = self.slots.room
        for name, fill in _STATE:
            values = grown(getattr(self, name), room, fill)
            values[slots] = fill
            setattr(self, name, values)
        self._unknown += len(slots)

    def _forget(self, slot: int) -> None:
        self._unknown -= int(self._known[slot] == 0)
        if self._inhibitors and self._way_out is not None:
            self._way_out.put([Signal(slot, -2)])

    def _restore_groups(self, frame: Frame, arrivals: Arrivals, slots: NDArray[np.int32]) -> None:
        """Give groups that are here for the first time the level that their first unit's id has in the service.

        A batch without points does not count as a unit here: it has no level, but its header has an id.
        """
        fresh = np.flatnonzero(self._known[slots] == 0)
        if not len(fresh) or self._way_out is None:
            return
        found, first = np.unique(slots[fresh], return_index=True)
        units = fresh[np.sort(first)]
        self._known[found] = 1
        self._unknown -= len(found)
        ids: dict[int, str] = {}
        for section, places, index in _parts(frame, arrivals, units):
            try:
                found_ids = identities_of(self._teller, Triggers(section, index, None))
            except ExecutionError as error:
                raise TaskError(str(error)) from error
            ids.update(zip(places.tolist(), found_ids, strict=True))
        order = sorted(ids)
        inhibiting = []
        for place, stored in zip(order, self._way_out.levels([ids[p] for p in order]), strict=True):
            if stored is None or not stored.level:
                continue
            slot = int(slots[place])
            self._current[slot] = self._recorded[slot] = stored.level
            self._rings[slot, self._newest[slot]] = stored.level
            self._first[slot] = self._last[slot] = stored.time
            if self._inhibitors:
                section, index = _unit(frame, arrivals, place)
                self._inhibiting[slot] = 1
                inhibiting.append(Signal(slot, 1, self._values(Triggers(section, index, None), 0)))
        if inhibiting:
            self._way_out.put(inhibiting)

    def _values(self, triggers: Triggers, unit: int) -> tuple[tuple[str, ...], ...]:
        """The tag values of each inhibitor: those of the group."""
        group = triggers.dimensions(unit)
        return tuple(tuple(group.get(k, "") for k in tags) for tags in self._inhibitors)

    # ------------------------------------------------------------------ frames

    def _process(self, frame: Frame) -> Sequence[Frame]:
        if not frame.sections:
            return assemble(frame, (), frame.events)
        arrivals = Arrivals(frame)
        slots = self._map(arrivals)
        if self._unknown and self._listened:
            self._restore_groups(frame, arrivals, slots)
        rules = self._rules
        levels, deciding = self._conditions.levels(arrivals, slots, self._current, every=rules.every)
        times = arrivals.time
        if frame.edge != STREAM:
            times = _batch_times(arrivals, levels, deciding, every=rules.every)
        actions = np.empty(arrivals.n, np.uint8)
        durations = np.zeros(arrivals.n, np.int64)
        low, high = rules.flapping or (0.0, 0.0)
        triggered = trigger(
            slots, times, levels, frame.edge != STREAM, rules.changes_only, rules.no_recoveries, rules.interval > 0,
            rules.interval, rules.flapping is not None, low, high, self._flaps, self._rings, self._newest,
            self._recorded, self._first, self._last, actions, durations,
        )  # fmt: skip
        if not triggered:
            return assemble(frame, (), frame.events)
        return self._tell(frame, arrivals, _Found(slots, levels, times, actions, durations, deciding))

    def _tell(self, frame: Frame, arrivals: Arrivals, found: _Found) -> Sequence[Frame]:
        """Send what is triggered to the service, in order, and pass on what sent an event."""
        chosen = np.flatnonzero(found.actions == EMIT)
        told: list[tuple[SectionEvents, NDArray[np.int64]]] = []
        at: dict[int, SectionEvents] = {}
        for section, places, index in _parts(frame, arrivals, chosen):
            rows = None
            if section.batches is not None:
                # Within the section: the batch's first row there, and how far behind it the deciding row is.
                begins = found.deciding[places] - _starts(arrivals)[places]
                rows = section.batches.offsets[index].astype(np.int64) + begins
            verdicts = Verdicts(
                found.levels[places].tolist(), found.times[places].tolist(), found.durations[places].tolist()
            )
            events = SectionEvents(self._teller, Triggers(section, index, rows), verdicts)
            told.append((events, places))
            at.update(dict.fromkeys(places.tolist(), events))
        signals: list[Signal] = []
        failure: ExecutionError | None = None
        for place in np.flatnonzero(found.actions).tolist():
            try:
                signal = self._signal(frame, arrivals, found, place, at.get(place))
            except ExecutionError as error:
                failure = error
                break
            if signal is not None:
                signals.append(signal)
        if signals and self._way_out is not None:
            self._way_out.put(signals)
        out = self._passed(frame, told, found)
        if failure is not None:
            raise TaskError(str(failure), out)
        return out

    def _signal(
        self, frame: Frame, arrivals: Arrivals, found: _Found, place: int, events: SectionEvents | None
    ) -> Signal | None:
        """What the service is told of one unit that triggers, the next one of `events`. Raises ExecutionError."""
        slot, level = int(found.slots[place]), int(found.levels[place])
        event = None if events is None else events.next()
        switch = -1
        values: tuple[tuple[str, ...], ...] = ()
        if self._inhibitors and bool(self._inhibiting[slot]) != bool(level):
            self._inhibiting[slot] = level > 0
            switch = int(level > 0)
            section, index = _unit(frame, arrivals, place)
            values = self._values(Triggers(section, index, None), 0)
        if event is not None and not self._listened and not self._category:
            # Nobody hears it and nothing can inhibit it: it only counts.
            self.dealt([0, *(int(level == i) for i in range(len(NAMES)))])
            event = None
        if event is None and switch < 0:
            return None
        return Signal(slot, switch, values, event)

    def _passed(
        self, frame: Frame, told: Sequence[tuple[SectionEvents, NDArray[np.int64]]], found: _Found
    ) -> Sequence[Frame]:
        pieces: list[Piece] = []
        for events, places in told:
            section, done = events.triggers.taken, events.done
            if not done:
                continue
            if done < len(places):
                section = take(section, np.arange(done))
            levels, durations = found.levels[places[:done]].astype(np.int64), found.durations[places[:done]]
            section = self._annotations.add(section, events.ids, events.messages, levels, durations)
            pieces.append((section, places[:done]))
        return assemble(frame, pieces, frame.events)

    # ------------------------------------------------------------------ state

    def snapshot(self) -> Any:
        state = {name: getattr(self, name).tobytes() for name, _ in _STATE}
        return {
            **super().snapshot(),
            "conditions": self._conditions.snapshot(),
            "state": state,
            "unknown": self._unknown,
        }

    def restore(self, state: Any) -> None:
        super().restore(state)
        self._conditions.restore(state["conditions"])
        self._unknown = state["unknown"]
        for name, _ in _STATE:
            values = getattr(self, name)
            read = np.frombuffer(state["state"][name], values.dtype).copy()
            setattr(self, name, read.reshape(-1, *values.shape[1:]))


# State arrays and what a group begins with.
_STATE: tuple[tuple[str, int], ...] = (
    ("_current", 0), ("_recorded", 0), ("_first", NEVER), ("_last", NEVER), ("_flaps", 0), ("_newest", 0),
    ("_rings", 0), ("_known", 0), ("_inhibiting", 0),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found of every unit, in order of arrival."""

    slots: NDArray[np.int32]
    levels: NDArray[np.uint8]
    times: NDArray[np.int64]
    actions: NDArray[np.uint8]
    durations: NDArray[np.int64]
    deciding: NDArray[np.int64]


def _parts(
    frame: Frame, arrivals: Arrivals, units: NDArray[np.int64]
) -> Iterator[tuple[Section, NDArray[np.int64], NDArray[np.int64]]]:
    """The units (ascending) by section: the section, their arrival numbers, and their numbers within the section."""
    if not len(units):
        return
    if arrivals.single is not None:
        yield arrivals.single, units, units
        return
    assert frame.order is not None
    owners = frame.order[units]
    for s in np.unique(owners).tolist():
        places = units[owners == s]
        yield frame.sections[s], places, np.searchsorted(arrivals.places[s], places)


def _unit(frame: Frame, arrivals: Arrivals, place: int) -> tuple[Section, NDArray[np.int64]]:
    section, _, index = next(_parts(frame, arrivals, np.array([place])))
    return section, index


def _starts(arrivals: Arrivals) -> NDArray[np.int64]:
    """The first row of every batch, in order of arrival."""
    sizes: NDArray[np.int64] = arrivals.sizes
    return np.cumsum(sizes) - sizes


def _batch_times(
    arrivals: Arrivals, levels: NDArray[np.uint8], deciding: NDArray[np.int64], *, every: bool
) -> NDArray[np.int64]:
    """The time of each batch's event: that of its deciding point, or of the batch for a recovery and under all()."""
    of_batch: NDArray[np.int64] = arrivals.time
    rows = arrivals.by_row().time
    if every or not len(rows):
        return of_batch
    takes = (levels != SKIP) & (levels != 0)
    return np.where(takes, rows[np.minimum(deciding, len(rows) - 1)], of_batch)
