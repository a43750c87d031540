"""`tcp`: connects for each alert, sends it as JSON with an empty line behind it, and closes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from engine.alerts.handlers.base import STRING, Handler, Kind, Surroundings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.alerts.events import Delivery

_PATIENCE_S = 30.0


class TcpHandler(Handler):
    """`address` is host:port. Errors of writing are ignored, those of connecting are logged."""

    def __init__(self, address: str, log: Any) -> None:
        self._address = address
        self._log = log

    async def send(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await self._send(delivery.json)
            except (OSError, ValueError) as error:
                self._log.error(
                    "failed to send alert", address=self._address, alert=delivery.event.id, error=str(error)
                )

    async def _send(self, line: bytes) -> None:
        host, _, port = self._address.rpartition(":")
        _, writer = await asyncio.open_connection(host.strip("[]") or "localhost", int(port))
        try:
            with suppress(OSError):
                writer.write(line + b"\n")
                await writer.drain()
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def _make(options: dict[str, Any], surroundings: Surroundings) -> TcpHandler:
    return TcpHandler(options["address"], surroundings.log)


KIND = Kind(
    "tcp", "*alert.TCPHandlerConfig", {"address": STRING}, _make, lambda declared: {"address": declared.address}
)
