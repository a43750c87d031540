"""`publish`: puts each event on further topics, in turn. Unlike the reference, which publishes in a circle for ever, an event comes
to no topic twice.

The level of before, where an ID is new on a topic, is that of the topic it came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from engine.alerts.handlers.base import STRINGS, Handler, Kind, Surroundings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.alerts.events import Delivery
    from engine.alerts.handlers.base import Collect


class PublishHandler(Handler):
    """To `topics`, by `collect`."""

    internal: ClassVar[bool] = True

    def __init__(self, topics: Sequence[str], collect: Collect) -> None:
        self._topics = list(topics)
        self._collect = collect

    async def send(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            path = (*delivery.path, delivery.topic)
            for topic in self._topics:
                if topic not in path:
                    self._collect(topic, delivery.event, delivery.previous, path)


def _make(options: dict[str, Any], surroundings: Surroundings) -> PublishHandler:
    return PublishHandler(options["topics"], surroundings.collect)


KIND = Kind("publish", "*alert.PublishHandlerConfig", {"topics": STRINGS}, _make)
