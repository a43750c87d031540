"""`log`: appends each alert as a line of JSON to a file, which is opened and closed each time."""

from __future__ import annotations

import asyncio
import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from engine.alerts.handlers.base import MODE, STRING, Handler, Kind, OptionsError, Surroundings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.alerts.events import Delivery

_DEFAULT_MODE = 0o600
_OWNER_WRITES = 0o200


class LogHandler(Handler):
    """`mode` is that of a new file. Lines of one turn are written in one go, so files are opened less often than told."""

    def __init__(self, path: str, mode: int, log: Any) -> None:
        self._path = path
        self._mode = mode
        self._log = log

    async def send(self, deliveries: Sequence[Delivery]) -> None:
        lines = []
        for delivery in deliveries:
            try:
                lines.append(delivery.json)
            except ValueError as error:
                self._log.error("failed to handle event", alert=delivery.event.id, error=str(error))
        try:
            # A disk may stall: other handlers go on meanwhile.
            await asyncio.to_thread(self._append, b"".join(lines))
        except OSError as error:
            self._log.error("failed to write alert", path=self._path, error=error.strerror, events=len(lines))

    def _append(self, data: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, self._mode)
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)


def _make(options: dict[str, Any], surroundings: Surroundings) -> LogHandler:
    path, mode = options["path"], options["mode"] or _DEFAULT_MODE
    if not PurePosixPath(path).is_absolute():
        raise OptionsError(f"log path must be absolute: {path} is not absolute")
    if not mode & _OWNER_WRITES:
        raise OptionsError(f"invalid file mode {_mode_text(mode)}, must be user writable")
    return LogHandler(path, mode, surroundings.log)


def _mode_text(mode: int) -> str:
    """As `ls` has it, a dash in front."""
    return "-" + "".join(c if mode >> (8 - i) & 1 else "-" for i, c in enumerate("rwxrwxrwx"))


KIND = Kind(
    "log", "*alert.LogHandlerConfig", {"path": STRING, "mode": MODE}, _make,
    lambda declared: {"path": declared.file_path, "mode": declared.mode},
)  # fmt: skip
