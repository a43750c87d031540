"""`|from()`: picks points of the stream and says how they are grouped (nodes.md §6.2).

Database, policy, measurement and lambda are looked at in that order, with the point's own time and tags; what passes
gets its time truncated, then rounded, and its dimensions set. One state of the lambda serves all points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.groups import GroupMemo
from engine.frames.reshape import select_sections, take_rows
from engine.nodes.arrivals import Arrivals
from engine.nodes.assembly import Piece, assemble
from engine.nodes.condition import Condition
from engine.nodes.regroup import by_all_tags, by_tags
from engine.nodes.times import round_half_up, truncate
from engine.operator import Report, TaskError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.frames.model import Frame, Section
    from engine.operator import Context
    from tickscript import ast


class FromOperator:
    """Empty names match all. `truncate` and `round` are int64 ns. `group_by` are sorted tag names; `group_all` is `*`."""

    def __init__(
        self, *, database: str = "", retention_policy: str = "", measurement: str = "", truncate: int = 0, round_to: int = 0,
        group_by: Sequence[str] = (), group_all: bool = False, group_by_measurement: bool = False,
        where: ast.Lambda | None = None, context: Context | None = None, quiet: bool = False,
    ) -> None:  # fmt: skip
        self.report = Report()
        self._database = database
        self._policy = retention_policy
        self._measurement = measurement
        self._truncate = truncate
        self._round = round_to
        self._dims = tuple(group_by)
        self._all = group_all
        self._by_name = group_by_measurement
        self._memo = GroupMemo()
        self._where: Condition | None = None
        if where is not None:
            self._where = Condition(where, context, self.report, "failed to evaluate WHERE expression", quiet)

    @property
    def cardinality(self) -> int:
        return 0

    def collect(self, frame: Frame, parent: int) -> Sequence[Frame]:  # noqa: ARG002  (one parent)
        if frame.edge != "stream":
            raise TaskError("from does not support batch data")
        frame = self._matching(frame)
        if not frame.sections:
            return assemble(frame, (), frame.events)
        arrivals = Arrivals(frame)
        masks = None if self._where is None else self._where.masks(arrivals, None)[0]
        pieces: list[Piece] = []
        for i, section in enumerate(frame.sections):
            kept = section
            places = None if arrivals.single is not None else arrivals.places[i]
            if masks is not None and not masks[i].all():
                rows = np.flatnonzero(masks[i])
                if not len(rows):
                    continue
                kept = take_rows(section, rows)
                places = rows if places is None else places[rows]
            for part, chosen in self._regrouped(self._retimed(kept)):
                if chosen is None:
                    pieces.append((part, places))
                else:
                    pieces.append((part, chosen if places is None else places[chosen]))
        return assemble(frame, pieces, frame.events)

    def _matching(self, frame: Frame) -> Frame:
        if (self._database and frame.db != self._database) or (self._policy and frame.rp != self._policy):
            return select_sections(frame, ())
        if not self._measurement or (len(frame.sections) == 1 and frame.sections[0].name == self._measurement):
            return frame
        return select_sections(frame, [i for i, s in enumerate(frame.sections) if s.name == self._measurement])

    def _retimed(self, section: Section) -> Section:
        if self._truncate <= 0 and self._round <= 0:
            return section
        return section.with_(time=round_half_up(truncate(section.time, self._truncate), self._round))

    def _regrouped(self, section: Section) -> list[tuple[Section, Any]]:
        if self._all:
            return by_all_tags(section, (), self._by_name)
        return [(by_tags(section, self._dims, self._by_name, self._memo), None)]

    def finish(self) -> Sequence[Frame]:
        return ()

    def snapshot(self) -> Any:
        return None if self._where is None else {"where": self._where.snapshot()}

    def restore(self, state: Any) -> None:
        if self._where is not None:
            self._where.restore(state["where"])
