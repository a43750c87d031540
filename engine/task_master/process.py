"""The supervisor process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.settings import Addresses, Settings


def main(settings: Settings, addresses: Addresses) -> int:
    """Run the TaskMaster until SIGTERM."""
    from engine import heap, logs  # noqa: PLC0415 - the launcher stays small
    from engine.task_master.loop import Supervisor  # noqa: PLC0415 - the launcher stays small

    logs.configure(settings.log_level)
    supervisor = Supervisor(settings, addresses)
    heap.leave_alone()
    return supervisor.run()
