"""Kinds of handlers whose service is not enabled: they are accepted, and each event says so in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.alerts.handlers.base import Handler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.alerts.events import Delivery


class AbsentHandler(Handler):
    """`kind` is the service."""

    def __init__(self, kind: str, log: Any) -> None:
        self._kind = kind
        self._log = log

    async def send(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self._log.error(
                "failed to send event", service=self._kind, alert=delivery.event.id, error="service is not enabled"
            )
