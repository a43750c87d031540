"""`aggregate`: one event on a topic for all events of an interval of the wall clock (alerts.md §11)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

from engine.alerts.events import Event
from engine.alerts.handlers.base import DURATION, STRING, Handler, Kind, OptionsError, Surroundings
from engine.frames.model import Span
from engine.templates import ExecutionError, ParseError, Struct, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.alerts.events import Delivery
    from engine.alerts.handlers.base import Collect
    from engine.templates import Template

_DEFAULT: Final = "Received {{ .Count }} events in the last {{.Interval}}."
_S: Final = 1e9


class _Data(Struct):
    """What the message's template sees."""

    go_type = "alert.aggregateData"

    def __init__(self, count: int, interval: int) -> None:
        self._fields = {"Count": count, "Interval": Span(interval)}

    def go_field(self, name: str) -> Any:
        return self._fields[name]


def aggregated(events: Sequence[Event], identity: str, interval: int, message: Template) -> Event:
    """The event that stands for these. Raises ExecutionError."""
    return Event(
        identity,
        max(e.level for e in events),
        max(e.time for e in events),
        max(e.duration for e in events),
        message.render(_Data(len(events), interval)),
        "\n".join(e.message for e in events),
        series=tuple(s for e in events for s in e.series),
        failure=next((e.failure for e in events if e.failure), ""),
        external=any(e.external for e in events),
    )


class AggregateHandler(Handler):
    """`interval` in ns. Bound: the events of one interval. They are lost when the handler is closed."""

    internal: ClassVar[bool] = True

    def __init__(
        self, identity: str, interval: int, topic: str, message: Template, log: Any,
        collect: Collect,
    ) -> None:  # fmt: skip
        self._id = identity
        self._interval = interval
        self._topic = topic
        self._message = message
        self._log = log
        self._collect = collect
        self._waiting: list[Event] = []
        self._ticker: asyncio.Task[None] | None = None

    async def send(self, deliveries: Sequence[Delivery]) -> None:
        self._waiting += [d.event for d in deliveries]

    def start(self) -> None:
        self._ticker = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += self._interval / _S
            await asyncio.sleep(max(0.0, due - loop.time()))
            self.flush()

    def flush(self) -> None:
        """The end of an interval."""
        if not self._waiting:
            return
        events, self._waiting = self._waiting, []
        try:
            event = aggregated(events, self._id, self._interval, self._message)
        except ExecutionError as error:
            self._log.error("failed to aggregate events", topic=self._topic, error=str(error))
            return
        self._collect(self._topic, event)

    async def close(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticker


def _make(options: dict[str, Any], surroundings: Surroundings) -> AggregateHandler:
    if options["interval"] <= 0:
        raise OptionsError("interval must be a positive number of nanoseconds")
    try:
        message = parse(options["message"] or _DEFAULT, "message")
    except ParseError as error:
        raise OptionsError(str(error)) from error
    return AggregateHandler(
        options["id"], options["interval"], options["topic"], message, surroundings.log, surroundings.collect
    )


KIND = Kind(
    "aggregate",
    "*alert.AggregateHandlerConfig",
    {"id": STRING, "interval": DURATION, "topic": STRING, "message": STRING},
    _make,
)
