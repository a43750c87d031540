"""What an onlooker sees of the TaskMaster: tasks, their processes and nodes, forks, the ingest log, what came in.

Read from the status pages, so nothing here waits for a node, and a node that stands still is shown as well as any other.
docs/control-protocol.md has the shape.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Protocol

from engine import status
from engine.store.listing import BadPattern, matches
from engine.task_master import statistics

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from engine.ingest_log.log import IngestLog
    from engine.status import StatusFile
    from engine.task_master.forks import Fork, Forks
    from engine.task_master.ingress import Ingress
    from engine.task_master.lifecycle import Process, Task

_STATES: Final = {
    status.STARTING: "starting",
    status.RUNNING: "running",
    status.BLOCKED: "blocked",
    status.ENDED: "ended",
    status.FAILED: "failed",
}


def select(tasks: Iterable[Task], pattern: str) -> list[Task]:
    """The tasks whose ID matches a glob; all for the empty pattern, none for one that is malformed."""
    with suppress(BadPattern):
        return [t for t in tasks if not pattern or matches(pattern, t.id)]
    return []


class Health(Protocol):
    """What is known of a task beside its pages: rows that retention took, the nodes that are stalled, messages a second."""

    def lost(self, task: str) -> int: ...

    def stalled(self, task: str) -> Collection[str]: ...

    def rate(self, task: str) -> float: ...


def overview(
    tasks: Iterable[Task], forks: Forks, pages: StatusFile, log: IngestLog, ingress: Ingress, health: Health
) -> dict[str, Any]:
    """These tasks, and everything else, at this moment."""
    return {
        "tasks": [_task(t, forks.get(t.id), pages, log, health) for t in tasks],
        "log": asdict(log.statistics()),
        "ingress": ingress.statistics(),
        "refused": ingress.refused,
    }


def _task(t: Task, fork: Fork | None, pages: StatusFile, log: IngestLog, health: Health) -> dict[str, Any]:
    nodes = t.definition.plan["nodes"]
    kind = "batch" if any(n["kind"] == "batch" for n in nodes) else "stream"
    shown: dict[str, Any] = {
        "id": t.id,
        "type": kind,
        "state": t.state.value,
        "error": t.error,
        "restarts": t.restarts,
        "executing": t.executing,
        "fork": None,
        "processes": [],
        "edges": [],
    }
    if not t.executing:
        return shown
    figures = statistics.node_stats(t, pages)
    plan = {n["name"]: n for n in nodes}
    stalled = health.stalled(t.id)
    shown["processes"] = [
        _process(p, plan, figures, pages, stalled=p.nodes[-1] in stalled) for p in t.processes if not p.exited
    ]
    shown["edges"] = _edges(t, fork, pages, figures, kind)
    if fork is not None:
        shown["fork"] = _fork(fork, log, health.lost(t.id))
    return shown


def _process(
    p: Process, plan: Any, figures: dict[str, dict[str, int]], pages: StatusFile, *, stalled: bool
) -> dict[str, Any]:
    words = pages.page(p.slots[0]).words
    return {
        "id": p.id,
        "pid": p.pid,
        "state": "stalled" if stalled else _STATES.get(words[status.STATE], "starting"),
        "tick": words[status.TICK],
        "busy": words[status.WAITING] == 1,
        "nodes": [{"name": n, "kind": plan[n]["kind"], "stats": figures[n]} for n in p.nodes],
    }


def _edges(
    t: Task, fork: Fork | None, pages: StatusFile, figures: dict[str, dict[str, int]], kind: str
) -> list[tuple[str, str, int, int]]:
    """Parent, child, collected and emitted of every edge; the first is the one that the fork feeds."""
    children = {n["name"]: len(n["children"]) for n in t.definition.plan["nodes"]}
    out = []
    source = f"{kind}0"
    if source in figures:
        taken = figures[source]["collected"]
        out.append((kind, source, max(taken, 0 if fork is None else fork.delivered), taken))
    for parent, child, emitted in statistics.edge_counts(t, pages):
        if parent in figures:
            # A node hands the same messages to each of its children.
            collected = figures[parent]["emitted"] // max(1, children[parent])
            out.append((parent, child, max(collected, emitted), emitted))
    return out


def _fork(fork: Fork, log: IngestLog, lost: int) -> dict[str, Any]:
    """How far the task is behind the head of the log; a live fork is not."""
    behind = 0 if fork.live or fork.drained else max(0, log.head - fork.cursor)
    rows = 0
    if behind:
        before = log.rows_before(fork.cursor + 1) if fork.rows_end is None else fork.rows_end
        rows = max(0, log.rows_end - (before if isinstance(before, int) else before.rows_before))
    return {
        "live": fork.live,
        "lag_frames": behind,
        "lag_rows": rows,
        "lost_rows": lost,
        "episodes": fork.lag_episodes,
        "delivered": fork.delivered,
    }


def states(
    tasks: Iterable[Task], forks: Forks, pages: StatusFile, log: IngestLog, health: Health, *, brief: bool = False
) -> dict[str, dict[str, Any]]:
    """What the API shows of these tasks, by ID; without the figures of their nodes if `brief`."""
    return {t.id: _state(t, forks.get(t.id), pages, log, health, brief=brief) for t in tasks}


def _state(
    t: Task, fork: Fork | None, pages: StatusFile, log: IngestLog, health: Health, *, brief: bool
) -> dict[str, Any]:
    state: dict[str, Any] = {
        "executing": t.executing,
        "error": t.error,
        "stats": None,
        "edges": [],
        "nodes": [],
        "health": _health(t, fork, log, health),
    }
    if t.executing and not brief:
        state["stats"] = {
            "task-stats": {"throughput": health.rate(t.id)},
            "node-stats": statistics.node_stats(t, pages),
        }
        state["edges"] = statistics.edge_counts(t, pages)
        state["nodes"] = [
            {"name": n["name"], "kind": n["kind"], "children": n["children"]} for n in t.definition.plan["nodes"]
        ]
    return state


def _health(t: Task, fork: Fork | None, log: IngestLog, health: Health) -> dict[str, Any]:
    """How well a task keeps up, and what has gone wrong since it was started."""
    behind = fork is not None and not fork.live and not fork.drained
    return {
        "state": t.state.value,
        "stalled": health.stalled(t.id),
        "lag_bytes": log.bytes_behind(fork.cursor + 1) if fork is not None and behind else 0,
        "lag_episodes": fork.lag_episodes if fork is not None else 0,
        "lost": health.lost(t.id),
        "crashes": t.crashes,
    }
