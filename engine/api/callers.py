"""What the API's resources need of the other processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from engine import rpc

if TYPE_CHECKING:
    from engine.settings import Settings

DRAIN_MARGIN_S = 30.0


class Caller(Protocol):
    """Asks another process. Raises rpc.RpcError."""

    async def call(self, operation: str, timeout: float = 30.0, **arguments: Any) -> Any: ...  # noqa: ASYNC109


@dataclass(frozen=True, slots=True)
class Servers:
    """The store, the supervisor, and the settings."""

    store: Caller
    supervisor: Caller
    settings: Settings

    async def act(self, actions: list[Any]) -> None:
        """Have the supervisor do what a change of the store asks for, in order. Raises rpc.RpcError."""
        engine = self.settings.engine
        for action in actions:
            match action:
                case ["stop", str(task)]:
                    wait = engine.drain_timeout_s + DRAIN_MARGIN_S
                    await self.supervisor.call("stop_task", wait, id=task)
                case ["start", str(), dict(definition)]:
                    wait = engine.start_timeout_s + DRAIN_MARGIN_S
                    await self.supervisor.call("start_task", wait, **definition)
                case ["deleted", str()]:
                    continue
                case _:
                    raise rpc.RpcError(500, f"unknown action {action!r}")
