"""The front end's end of the log channel: reads what comes and hands it to the hub, a bounded amount a turn."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from engine.logs.channel import Reader
from engine.logs.sessions import Hub

if TYPE_CHECKING:
    from engine.board import Board
    from engine.settings import EyesSettings


class LogReader:
    """`number` is this front end's among those that there are; it is unique while it runs."""

    def __init__(self, board: Board, base: str, settings: EyesSettings) -> None:
        """Raises OSError when there are too many front ends."""
        self._board = board
        self._reader = Reader(board, base)
        self.number = self._reader.number
        self.hub = Hub(
            history_bytes=settings.history_bytes,
            history_records=settings.history_records,
            limit=settings.reader_records,
            want=self._reader.want,
        )
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._reader.descriptor, self._readable)

    def _readable(self) -> None:
        records, lost = self._reader.read()
        if lost:
            self._board.count(self.number, "log_lines_lost", lost)
        self.hub.take(records, lost)

    def write_answered(self, status: int) -> None:
        """Count a write by its status."""
        counter = "writes" if status < 400 else "writes_rejected" if status < 500 else "writes_failed"
        self._board.count(self.number, counter)

    def close(self) -> None:
        self._loop.remove_reader(self._reader.descriptor)
        self._reader.close()
