"""`|kapacitorLoopback()`: points go back into the global stream (nodes.md §17.4, task-master.md §14).

They enter like those of a front end: at the TaskMaster's ingest, without dimensions, in another database. A batch enters
point by point under its own name, whatever `.measurement` says. The next frame is taken when the TaskMaster has this one,
so the log position that the node has dealt with never runs ahead of it: at least once. Barriers and delete-groups end here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from engine.frames.model import STREAM, Frame, Section, TagColumn, nil_groups
from engine.frames.strings import Strings
from engine.nodes.arrivals import Arrivals
from engine.operator import Report
from engine.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Way(Protocol):
    """What brings frames to the TaskMaster. Used from one event loop."""

    async def open(self) -> None: ...

    async def write(self, frames: Sequence[Frame]) -> None:
        """Returns when all of them are acknowledged. Raises RpcError when they are not taken."""

    async def close(self) -> None: ...


class LoopbackOperator:
    """Properties as the declaration has them; `way` is set before `open`. Counter: points_written."""

    way: Way | None = None

    def __init__(
        self, *, database: str, retention_policy: str, measurement: str = "", tags: Mapping[str, str] | None = None
    ) -> None:
        self.report = Report()
        self._database = database
        self._policy = retention_policy
        self._measurement = measurement
        self._tags = dict(tags or {})

    @property
    def cardinality(self) -> int:
        return 0

    async def open(self) -> None:
        assert self.way is not None
        await self.way.open()

    async def close(self) -> None:
        if self.way is not None:
            await self.way.close()

    async def finish(self) -> Sequence[Frame]:
        return ()

    async def collect(self, frame: Frame, parent: int) -> Sequence[Frame]:  # noqa: ARG002  (one parent)
        """Write the frame's points; what cannot be written is counted and told."""
        out = self.points(frame)
        if not out.count:
            return ()
        assert self.way is not None
        try:
            await self.way.write([out])
        except RpcError as error:
            self.report.error("failed to write point over loopback", str(error), times=out.count)
        else:
            self.report.count("points_written", out.count)
        return ()

    def points(self, frame: Frame) -> Frame:
        """The frame's points as they enter the stream."""
        rows = Arrivals(frame).by_row().frame
        name = "" if frame.edge != STREAM else self._measurement
        sections = tuple(self._section(s, name or s.name) for s in rows.sections)
        return Frame(STREAM, db=self._database, rp=self._policy, sections=sections, order=rows.order)

    def _section(self, section: Section, name: str) -> Section:
        fixed = {k: TagColumn(np.zeros(section.rows, np.uint32), Strings.of([v])) for k, v in self._tags.items()}
        tags = dict(sorted({**section.tags, **fixed}.items()))
        return Section(name, section.time, tags, section.fields, nil_groups())
