"""From an operator's report to the log: structured lines with task and node, so many a second and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine import clock, logs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.operator import Report

LINES_A_SECOND = 100.0


class Diagnostics:
    """A bucket of `LINES_A_SECOND`; what does not fit is counted and said in one line later."""

    def __init__(self, task: str, nodes: Sequence[str], reports: Sequence[Report]) -> None:
        self._logs = [logs.get_logger(process="node", task=task, node=n) for n in nodes]
        self._nodes = list(nodes)
        self._reports = list(reports)
        self._level = LINES_A_SECOND
        self._at = clock.monotonic()
        self._lost = 0

    def write(self) -> None:
        """Log what has come up since the last call."""
        for log, report in zip(self._logs, self._reports, strict=True):
            if not report.records and not report.suppressed:
                continue
            self._refill()
            self._lost += report.suppressed
            report.suppressed = 0
            while report.records:
                record = report.records.popleft()
                if self._level < 1.0:
                    self._lost += 1
                    continue
                self._level -= 1.0
                if self._lost:
                    log.warning("log lines suppressed", count=self._lost)
                    self._lost = 0
                getattr(log, record.level)(record.message, **record.fields)

    def failed(self, node: str, error: str) -> None:
        """A node has failed, and the task with it."""
        self._logs[self._nodes.index(node)].error("node failed", error=error)

    def _refill(self) -> None:
        at = clock.monotonic()
        self._level = min(LINES_A_SECOND, self._level + (at - self._at) * LINES_A_SECOND)
        self._at = at
