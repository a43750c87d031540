"""What `tickworks top` shows, made of two answers of the server: rates, shares of a processor, and who stands still.

Pure. The first answer may be absent: then there are no rates yet. A process that was replaced in between begins at zero.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NS: Final = 10**9
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Row:
    """One node. Rates are rows a second, `lag` rows of the log that its task has still to be sent; None: not known yet.

    `cpu` (percent of one processor) and `memory` (resident bytes) are of the process, which nodes may share.
    """

    task: str
    node: str
    pid: int
    state: str
    rows_in: float | None
    rows_out: float | None
    queue: int
    lag: int
    lost: int
    errors: int
    cpu: float | None
    memory: int


SORTS: Final[Mapping[str, str]] = {
    "task": "task",
    "in": "rows_in",
    "out": "rows_out",
    "queue": "queue",
    "lag": "lag",
    "errors": "errors",
    "cpu": "cpu",
    "memory": "memory",
}
"""What rows can be sorted by. By task they stand in the order of the pipeline, by anything else the greatest comes first."""


def rows(before: Mapping[str, Any] | None, after: Mapping[str, Any], sort: str = "task") -> list[Row]:
    """A row for every node; for a task without processes one that tells its state."""
    old = {} if before is None else _by_process(before)
    seconds = 0.0 if before is None else max(0, after["time"] - before["time"]) / _NS
    out: list[Row] = []
    for task in sorted(after["tasks"], key=lambda t: t["id"]):
        out += _of_task(task, old, seconds)
    if sort != "task":
        out.sort(key=lambda row: -(getattr(row, SORTS[sort]) or 0))
    return out


def _by_process(answer: Mapping[str, Any]) -> dict[tuple[str, int], Mapping[str, Any]]:
    return {(p["id"], p["pid"]): p for task in answer["tasks"] for p in task["processes"]}


def _of_task(task: Mapping[str, Any], old: Mapping[tuple[str, int], Mapping[str, Any]], seconds: float) -> list[Row]:
    fork = task["fork"] or {"lag_rows": 0, "lost_rows": 0}
    if not task["processes"]:
        state = task["state"]
        return [Row(task["id"], "", 0, state, None, None, 0, fork["lag_rows"], fork["lost_rows"], 0, None, 0)]
    out = []
    for process in task["processes"]:
        was = old.get((process["id"], process["pid"]))
        counted = {} if was is None else {n["name"]: n for n in was["nodes"]}
        for node in process["nodes"]:
            earlier = counted.get(node["name"])

            def rate(key: str, now: Mapping[str, Any] = node, then: Mapping[str, Any] | None = earlier) -> float | None:
                return None if then is None or not seconds else (now[key] - then[key]) / seconds

            cpu = None if was is None or not seconds else 100 * (process["cpu_s"] - was["cpu_s"]) / seconds
            out.append(
                Row(
                    task["id"],
                    node["name"],
                    process["pid"],
                    _state(process, was, node["queue"]),
                    rate("collected"),
                    rate("emitted"),
                    node["queue"],
                    fork["lag_rows"],
                    fork["lost_rows"],
                    node["errors"],
                    cpu,
                    process["rss_bytes"],
                )
            )
    return out


def _state(process: Mapping[str, Any], was: Mapping[str, Any] | None, queue: int) -> str:
    """Stalled: its loop has not moved between the two answers although it has work."""
    state = str(process["state"])
    if state != "running" or was is None or process["tick"] != was["tick"]:
        return state
    return "stalled" if process["busy"] and queue > 0 else "idle" if not process["busy"] else state


HEADINGS: Final = ("TASK", "NODE", "PID", "STATE", "IN/S", "OUT/S", "QUEUE", "LAG", "LOST", "ERRORS", "CPU%", "MEM MIB")


def cells(row: Row) -> tuple[str, ...]:
    """The row as text, in the order of HEADINGS."""
    return (
        row.task,
        row.node,
        str(row.pid or ""),
        row.state,
        _rate(row.rows_in),
        _rate(row.rows_out),
        str(row.queue),
        str(row.lag),
        str(row.lost),
        str(row.errors),
        "-" if row.cpu is None else f"{row.cpu:.0f}",
        f"{row.memory / _MIB:.0f}" if row.memory else "",
    )


def _rate(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.0f}"


def document(found: Sequence[Row]) -> dict[str, Any]:
    """The rows as JSON."""
    return {"nodes": [asdict(row) for row in found]}
