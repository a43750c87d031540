"""Statistics of running tasks, read from the status pages (spec "Pipeline nodes" §2.5, "HTTP API" §11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine import status

if TYPE_CHECKING:
    from engine.status import StatusFile
    from engine.task_master.lifecycle import Task


def node_stats(task: Task, pages: StatusFile) -> dict[str, dict[str, int]]:
    """Per node: its counters, `collected` and `emitted`."""
    out: dict[str, dict[str, int]] = {}
    for p in task.processes:
        for name, slot in zip(p.nodes, p.slots, strict=True):
            page = pages.page(slot)
            words = page.words
            out[name] = {
                "avg_exec_time_ns": words[status.AVG_EXEC_NS],
                "collected": words[status.COLLECTED],
                "emitted": words[status.EMITTED],
                "errors": words[status.ERRORS],
                "working_cardinality": words[status.CARDINALITY],
                **page.read_counters(),
            }
    return out


def edge_counts(task: Task, pages: StatusFile) -> list[list[Any]]:
    """`[parent, child, taken out by the child]` for every link, parents in slot order."""
    out: list[list[Any]] = []
    plan = {n["name"]: n for n in task.definition.plan["nodes"]}
    for p in task.processes:
        for name, slot in zip(p.nodes, p.slots, strict=True):
            parents = plan[name]["parents"]
            taken = pages.page(slot).parent_emitted(len(parents))
            out.extend([parent, name, n] for parent, n in zip(parents, taken, strict=False))
    return out


def dealt_position(task: Task, pages: StatusFile) -> int | None:
    """The lowest position that the task's processes have dealt with; where it began, while one has not dealt with any.

    None for a task that has no place in the stream yet.
    """
    lowest = min([pages.page(p.slots[0]).words[status.DEALT] for p in task.processes], default=0)
    return lowest if lowest > 0 else task.resume


def source_count(task: Task, pages: StatusFile) -> int:
    """Messages that the task's sources have taken."""
    total = 0
    for p in task.processes:
        if p.parents and p.nodes[0].startswith(("stream", "batch")):
            total += pages.page(p.slots[0]).words[status.COLLECTED]
    return total
