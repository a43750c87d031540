"""`|log()`: every point and batch as lines of the server's log (nodes.md §11.5).

Data pass unchanged. Lines are rate-limited by the report that they go through: what does not fit is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.frames.groups import group_id
from engine.frames.reshape import runs
from engine.operator import Report, Stateless
from engine.rows import time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.frames.model import Frame, Section

_LEVELS = {"DEBUG": "debug", "ERROR": "error"}


class LogOperator(Stateless):
    """`level` in any case; DEBUG and ERROR are honoured, all others log at info."""

    def __init__(self, *, level: str = "INFO", prefix: str = "") -> None:
        super().__init__()
        self._level = _LEVELS.get(level.upper(), "info")
        self._prefix = prefix

    def collect(self, frame: Frame, parent: int) -> Sequence[Frame]:  # noqa: ARG002  (one parent)
        for s, start, stop in runs(frame):
            section = frame.sections[s]
            for i in range(start, stop):
                if len(self.report.records) >= Report.LIMIT:
                    self.report.suppressed += stop - i
                    break
                if section.batches is None:
                    self._point(frame, section, i)
                else:
                    self._batch(section, i)
        return (frame,)

    def _point(self, frame: Frame, section: Section, i: int) -> None:
        code = int(section.group_codes()[i])
        groups = section.groups
        group = group_id(section.name, groups.dims, groups.by_name, [v[code] for v in groups.values])
        self._line(
            "point", name=section.name, db=frame.db, rp=frame.rp, group=group, dimension=",".join(groups.dims),
            **_cells(section, i),
        )  # fmt: skip

    def _batch(self, section: Section, b: int) -> None:
        assert section.batches is not None
        code = int(section.group_codes()[b])
        groups = section.groups
        group = group_id(section.name, groups.dims, groups.by_name, [v[code] for v in groups.values])
        tags = {f"tag_{k}": v for k, v in groups.tags(code).items()}
        self._line("begin batch", name=section.name, group=group, **tags, time=time_text(int(section.batches.time[b])))
        for i in range(int(section.batches.offsets[b]), int(section.batches.offsets[b + 1])):
            self._line("batch point", **_cells(section, i))
        self._line("end batch")

    def _line(self, message: str, **fields: Any) -> None:
        prefix = {"prefix": self._prefix} if self._prefix else {}
        self.report.log(self._level, message, **prefix, **fields)


def _cells(section: Section, i: int) -> dict[str, Any]:
    tags = {f"tag_{k}": v for k, c in section.tags.items() if (v := c.at(i)) is not None}
    fields = {f"field_{k}": v for k, c in sorted(section.fields.items()) if (v := c.at(i)) is not None}
    return {**tags, **fields, "time": time_text(int(section.time[i]))}
