"""A handler's queue and the task that empties it (alerts.md §9.3).

Bound: `size` events beside those being sent; when full the newest is not taken, which is counted and told once an episode. Order holds within one
handler; a handler that hangs holds up its own queue alone. `drain` waits for what is queued, `stop` does not.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tickscript.lambdas.errors import LambdaError

if TYPE_CHECKING:
    from engine.alerts.events import Delivery
    from engine.alerts.handlers.base import Handler
    from engine.alerts.matching import Match

_AT_ONCE = 4096
"""More than the service takes in of nodes in one turn, so that a handler that only writes keeps up with them."""


_PRESSING_S = 0.2
"""How long one send of a handler may make the service wait for it instead of dropping events."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Since the start: how many events were handed on, waited at this moment, and were not taken."""

    sent: int
    waiting: int
    dropped: int


class Worker:
    """One handler on one topic."""

    def __init__(self, handler: Handler, match: Match | None, size: int, log: Any) -> None:
        self._handler = handler
        self._match = match
        self._size = size
        self._log = log
        self._queue: deque[Delivery] = deque()
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._sent = 0
        self._dropped = 0
        self._full = False
        self._since: float | None = None
        handler.start()
        self._task = asyncio.create_task(self._run())

    @property
    def statistics(self) -> Statistics:
        return Statistics(self._sent, len(self._queue), self._dropped)

    def offer(self, delivery: Delivery) -> bool:
        """Queue an event, if it is one for this handler; False when the queue is full."""
        if not self._wanted(delivery):
            return True
        if len(self._queue) >= self._size:
            self._dropped += 1
            if not self._full:
                self._full = True
                self._log.error(
                    "a handler's queue is full: events are dropped", alert=delivery.event.id, size=self._size
                )
            return False
        self._queue.append(delivery)
        self._idle.clear()
        self._news.set()
        return True

    @property
    def crowded(self) -> bool:
        """Whether the queue is more than half full."""
        return len(self._queue) * 2 > self._size

    def presses(self, now: float) -> bool:
        """Whether it is better to wait a little for this handler than to queue more: a send that lasts is not waited for."""
        return self.crowded and (self._since is None or now - self._since < _PRESSING_S)

    def _wanted(self, delivery: Delivery) -> bool:
        if not delivery.event.external and not self._handler.internal:
            return False
        if self._match is None:
            return True
        try:
            return self._match.holds(delivery)
        except LambdaError as error:
            self._log.error("failed to evaluate match expression", alert=delivery.event.id, error=str(error))
            return False

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._queue:
                some = [self._queue.popleft() for _ in range(min(len(self._queue), _AT_ONCE))]
                self._since = asyncio.get_running_loop().time()
                try:
                    await self._handler.send(some)
                except Exception as error:  # noqa: BLE001 - whatever a service's code raises must not end its queue
                    self._log.error("handler failed", error=f"{type(error).__name__}: {error}")
                self._since = None
                self._sent += len(some)
                if self._full and not self._queue:
                    self._full = False
                    self._log.info("a handler's queue has room again", dropped=self._dropped)
            self._idle.set()

    async def drain(self) -> None:
        """Wait until nothing is queued, then end."""
        await self._idle.wait()
        await self.stop()

    async def stop(self) -> None:
        """End at once; what is queued is lost."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._handler.close()
