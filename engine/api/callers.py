"""What the API's resources need of the other processes, and the order in which they ask the supervisor.

Always: changes of one task reach the supervisor in the order in which the store committed them, however their requests
overlap; changes of different tasks never wait for each other.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from engine import rpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from engine.settings import Settings

DRAIN_MARGIN_S = 30.0


class Caller(Protocol):
    """Asks another process. Raises rpc.RpcError."""

    async def call(self, operation: str, timeout: float = 30.0, **arguments: Any) -> Any: ...  # noqa: ASYNC109


class Turns:
    """Who acts next on a task. Bound: one entry a task with a change under way."""

    def __init__(self) -> None:
        self._last: dict[str, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def of(self, tasks: Iterable[str]) -> AsyncIterator[None]:
        """Within, nobody else acts on these tasks. The place in the queue is taken before the first wait."""
        names = set(tasks)
        before = {self._last[name] for name in names if name in self._last}
        mine = asyncio.get_running_loop().create_future()
        for name in names:
            self._last[name] = mine
        try:
            if before:
                await asyncio.wait(before)
            yield
        finally:
            mine.set_result(None)
            for name in names:
                if self._last.get(name) is mine:
                    del self._last[name]


class Nobody:
    """Stands for a process that is not there."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def call(self, operation: str, timeout: float = 30.0, **_: Any) -> Any:  # noqa: ARG002, ASYNC109
        raise rpc.PeerUnavailableError(f"{self._name} is not there to answer {operation}")


@dataclass(frozen=True, slots=True)
class Servers:
    """The store, the supervisor, the settings, and the alert service."""

    store: Caller
    supervisor: Caller
    settings: Settings
    turns: Turns = field(default_factory=Turns)
    alerts: Caller = field(default_factory=lambda: Nobody("the alert service"))

    async def act(self, actions: Sequence[Any]) -> None:
        """Have the supervisor do what a change of the store asks for, in order. Raises rpc.RpcError at the first failure.

        To be called at once when the store has answered: turns go by the order of these calls.
        """
        async with self.turns.of(action[1] for action in actions):
            for action in actions:
                await self.act_once(action)

    async def act_once(self, action: Sequence[Any]) -> None:
        """One action, in a turn that the caller has. Raises rpc.RpcError."""
        engine = self.settings.engine
        match action:
            case ["stop", str(task)]:
                wait = engine.drain_timeout_s + DRAIN_MARGIN_S
                await self.supervisor.call("stop_task", wait, id=task)
            case ["start", str(), dict(definition)]:
                wait = engine.start_timeout_s + DRAIN_MARGIN_S
                await self.supervisor.call("start_task", wait, **definition)
            case ["fail", str(), str(error)]:
                raise rpc.RpcError(500, error)
            case ["deleted", str(task)]:
                await self.alerts.call("task_deleted", id=task)
            case _:
                raise rpc.RpcError(500, f"unknown action {action!r}")
