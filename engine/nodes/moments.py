"""The points of a group that have one rounded time, for nodes that make something of all of them (combine, flatten).

On stream edges `SameTime` gathers them across frames; on batch edges they are runs of rows inside a batch. Either way a
subclass gets them as `Moments` of a section, and says what they become.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from engine.frames.jit import BOOL, I32, I32_OUT, I64, I64_OUT, INT, kernel
from engine.frames.model import BATCH, STREAM, Event, EventKind, Frame, Section
from engine.nodes.arrivals import Arrivals
from engine.nodes.assembly import assemble
from engine.nodes.grouped import Grouped
from engine.nodes.outbox import Outbox
from engine.nodes.same_time import SameTime
from engine.nodes.times import round_half_up
from engine.operator import TaskError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Moments:
    """Runs of rows of a section of batches, back to back: `offsets` (int32[r + 1]) and rounded times (int64[r]).

    `batch` (int64[r]) is the batch of the section that a moment lies in, `place` that batch's arrival number, not falling.
    `closing` (bool[r]): it was ended by the end of its batch, or by a barrier, and not by a point of another time.
    """

    section: Section
    offsets: NDArray[np.int32]
    time: NDArray[np.int64]
    batch: NDArray[np.int64]
    place: NDArray[np.int64]
    closing: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.time)


@kernel(INT, I32, I64, BOOL, I32_OUT, I64_OUT, I64_OUT)
def _split(batches: Any, times: Any, forward: Any, offsets: Any, when: Any, owner: Any) -> Any:
    """Cut batches where the time changes; how many moments. See `SameTime` for `forward`."""
    count = 0
    offsets[0] = 0
    for b in range(len(batches) - 1):
        current = np.int64(0)
        for i in range(batches[b], batches[b + 1]):
            first = i == batches[b]
            if first or times[i] != current:
                if first or not forward or times[i] > current:
                    current = times[i]
                when[count] = current
                owner[count] = b
                count += 1
            offsets[count] = i + 1
    return count


class MomentOperator(Grouped):
    """`stream`: the input edge is a stream. `tolerance` in ns.

    Class attributes: `provides`, the output edge; `forward`, see `SameTime`; `ends_at_barriers`: a later barrier ends a moment.
    """

    provides: str = STREAM
    forward: ClassVar[bool] = False
    ends_at_barriers: ClassVar[bool] = False

    def __init__(self, *, tolerance: int, stream: bool) -> None:
        super().__init__()
        self._tolerance = tolerance
        self._runs = SameTime(self.slots, tolerance, forward=self.forward, group_names=True) if stream else None

    def _made(self, frame: Frame, moments: list[Moments], template: Frame, events: Sequence[Event]) -> list[Frame]:
        """What the moments of a frame of batches become. Raises TaskError, with what came before it."""
        raise NotImplementedError

    def _outbox(self, frame: Frame) -> Outbox:  # noqa: ARG002  (results have no database)
        return Outbox(self.provides)

    def _cuts(self, event: Event) -> bool:
        return event.kind == EventKind.DELETE_GROUP and event.group is not None

    def _process(self, frame: Frame) -> Sequence[Frame]:
        template = Frame(self.provides, position=frame.position, parent=frame.parent)
        arrivals = Arrivals(frame)
        slots = self._map(arrivals) if arrivals.n else np.zeros(0, np.int32)
        for barrier in frame.events:
            if barrier.kind == EventKind.BARRIER and barrier.group is not None:
                self._met(barrier)
        if self._runs is None:
            if not arrivals.n:
                return assemble(template, (), frame.events)
            return self._made(frame, self._inside(arrivals), template, frame.events)
        outbox = self._outbox(frame)
        base = self._runs.take_in(arrivals, frame.sections) if arrivals.n else 0
        for start, stop, event in arrivals.segments():
            runs = Outbox(BATCH)
            if stop > start:
                self._runs.run(slots, base, start, stop, runs)
                self._gathered(runs, outbox, template, closing=False)
            if event is None:
                continue
            if self.ends_at_barriers and event.kind == EventKind.BARRIER and event.group is not None:
                runs = Outbox(BATCH)
                self._runs.end(self.slots.find(event.group), event.time, runs)
                self._gathered(runs, outbox, template, closing=True)
            outbox.event(event)
        return outbox.frames(frame.position)

    def _gathered(self, runs: Outbox, outbox: Outbox, template: Frame, *, closing: bool) -> None:
        """Hand on what the runs of points become."""
        for frame in runs.frames(0):
            moments = [
                Moments(s, s.batches.offsets, s.batches.time, np.arange(s.count), place, np.full(s.count, closing))
                for s, place in zip(frame.sections, Arrivals(frame).places, strict=True)
                if s.batches is not None
            ]
            try:
                outbox.join(self._made(frame, moments, template, ()))
            except TaskError as error:
                raise TaskError(str(error), [*outbox.frames(0), *error.frames]) from error

    def _inside(self, arrivals: Arrivals) -> list[Moments]:
        """The moments inside the batches of a frame."""
        found = []
        for section, places in zip(arrivals.sections, arrivals.places, strict=True):
            assert section.batches is not None
            n = section.rows
            offsets, when, owner = np.empty(n + 1, np.int32), np.empty(n, np.int64), np.empty(n, np.int64)
            times = round_half_up(section.time, self._tolerance)
            count = _split(section.batches.offsets, times, self.forward, offsets, when, owner)
            owner = owner[:count]
            closing = np.ones(count, np.bool_)
            closing[:-1] = owner[1:] != owner[:-1]
            found.append(Moments(section, offsets[: count + 1], when[:count], owner, places[owner], closing))
        return found

    def _start(self, slots: NDArray[np.int64]) -> None:  # noqa: ARG002  (runs ask the slot table themselves)
        if self._runs is not None:
            self._runs.follow_slots()

    def _forget(self, slot: int) -> None:
        if self._runs is not None:
            self._runs.forget(slot)

    def snapshot(self) -> Any:
        return {**super().snapshot(), "runs": None if self._runs is None else self._runs.snapshot()}

    def restore(self, state: Any) -> None:
        super().restore(state)
        if self._runs is not None:
            self._runs.restore(state["runs"])
