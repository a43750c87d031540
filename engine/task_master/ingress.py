"""Ingress counters: points received by (database, retention policy, measurement) (spec "TaskMaster" §5).

Bound: `LIMIT` measurements; what comes under further names is counted together under empty names, so that whoever
writes names at random does not fill the memory (the reference has no bound).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from engine.frames.header import Header

LIMIT: Final = 10_000
_OTHERS: Final = ("", "", "")


class Ingress:
    """Counts what comes in, and the frames that were refused."""

    def __init__(self) -> None:
        self._points: dict[tuple[str, str, str], int] = {}
        self.refused = 0

    def count(self, header: Header) -> int:
        """Count a frame; its rows."""
        points = self._points
        rows = 0
        for s in header.sections:
            key = (header.db, header.rp, s.name)
            if key not in points and len(points) >= LIMIT:
                key = _OTHERS
            points[key] = points.get(key, 0) + s.rows
            rows += s.rows
        return rows

    @property
    def total(self) -> int:
        return sum(self._points.values())

    def statistics(self) -> list[tuple[str, str, str, int]]:
        """Database, retention policy, measurement and points, in order."""
        return [(*key, points) for key, points in sorted(self._points.items())]
