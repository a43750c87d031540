"""From a task's layout to what each of its processes is told: status pages taken, specs made. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.runner import spec as specs
from engine.task_master.lifecycle import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.settings import Addresses, Settings
    from engine.task_master.lifecycle import Task
    from engine.task_master.placement import Layout, PlacedProcess

_PROGRESS_MS = 250
_ALL = (None, None)


class Orders:
    """Makes the processes of tasks; what is the same for all of them is known from the start."""

    def __init__(self, settings: Settings, addresses: Addresses) -> None:
        self._addresses = addresses
        self._engine = settings.engine
        self._settings = {
            "endpoints": settings.endpoints,
            "hostname": settings.hostname,
            "join_buffer_bytes": settings.engine.join_buffer_bytes,
            "alerts": f"ipc://{addresses.alerts}",
            "ingest": f"ipc://{addresses.loopback}",
        }

    def make(
        self, task: Task, layout: Layout, new_id: Callable[[str, str], str], take_page: Callable[[], int]
    ) -> list[tuple[Process, specs.ProcessSpec]]:
        """A process for each placed one, in order, with its orders. Raises RuntimeError where no status page is left."""
        nodes = {n["name"]: n for n in task.definition.plan["nodes"]}
        made = []
        for placed in layout.processes:
            identity = new_id(task.id, placed.nodes[-1])
            slots = tuple(take_page() for _ in placed.nodes)
            process = Process(identity, task.id, tuple(placed.nodes), slots, max(1, len(placed.parents)))
            made.append((process, self._spec(task, placed, process, layout, nodes)))
        return made

    def _spec(
        self, task: Task, placed: PlacedProcess, process: Process, layout: Layout, nodes: Mapping[str, Any]
    ) -> specs.ProcessSpec:
        members = [
            specs.NodeSpec(
                name,
                nodes[name]["kind"],
                slot,
                nodes[name],
                len(nodes[name]["children"]),
                layout.keep.get(name, _ALL),
            )
            for name, slot in zip(placed.nodes, process.slots, strict=True)
        ]
        return specs.ProcessSpec(
            process.id,
            task.id,
            members,
            placed.parents,
            placed.children,
            f"ipc://{self._addresses.control}",
            self._addresses.status,
            placed.outside,
            self._engine.max_frame_rows,
            self._engine.max_frame_bytes,
            self._engine.zone,
            self._settings,
            placed.columns,
            # What follows a crash is given frame by frame, each waiting for the one before it.
            0 if task.suspects.fence else _PROGRESS_MS,
            early=task.early,
        )
