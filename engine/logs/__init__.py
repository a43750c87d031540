"""Structured logs: one line a record on standard error, for people on a terminal, as JSON otherwise.

Every record carries `process` (what kind of process wrote it), and `task` and `node` where there is one. A line is
written with one system call, so lines of many processes never mix. A record also goes to those that serve readers of
logs (`channel`), whatever the level of standard error; the level can be changed at any time, for all processes at once
(`engine.board`). A record that nobody wants costs one look at the board.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from engine import clock
from engine.board import Board
from engine.logs.channel import Sender
from engine.logs.lean import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}


class _Server:
    """What this process knows of its server: the board, and the way to the readers of logs where there is one."""

    board = Board(logging.INFO)
    sender: Sender | None = None


class _Descriptor:
    """A file that writes each line whole, without a buffer that a fork could copy."""

    def write(self, text: str) -> int:
        data = text.encode("utf-8", "backslashreplace")
        while data:
            data = data[os.write(2, data) :]
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


class _Logger(structlog.make_filtering_bound_logger(logging.NOTSET)):  # type: ignore[misc]
    """Leaves out at once what nobody wants at this moment."""

    def debug(self, event: str | None = None, *args: Any, **fields: Any) -> Any:
        return super().debug(event, *args, **fields) if _Server.board.least <= logging.DEBUG else None

    def info(self, event: str | None = None, *args: Any, **fields: Any) -> Any:
        return super().info(event, *args, **fields) if _Server.board.least <= logging.INFO else None


def board() -> Board:
    """The server's board; outside a server, this process's own."""
    return _Server.board


def open_board(level: str) -> Board:
    """Make the board of a server; the launcher calls it before it forks anybody."""
    _Server.board = Board(LEVELS[level.lower()])
    _Server.sender = None
    return _Server.board


def open_channel(base: str) -> None:
    """From now on, records of this process and of its children also go to the readers at `base`."""
    _Server.sender = Sender(_Server.board, base)


def configure(level: str, *, colours: bool | None = None) -> None:
    """Set up this process's logs; call once, before the first logger is asked for. `colours` None: if a terminal reads.

    In a server's process the level is the board's; `level` counts outside one.
    """
    if _Server.sender is None:
        _Server.board.level = LEVELS[level.lower()]
    terminal = sys.stderr.isatty() if colours is None else colours
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=True, exception_formatter=structlog.dev.plain_traceback)
        if terminal
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    processors: list[Any] = [structlog.processors.add_log_level, _to_readers, _by_level]
    processors.append(structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp" if terminal else "ts"))
    if not terminal:
        processors += [structlog.processors.EventRenamer("msg"), structlog.processors.format_exc_info]
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=_Logger,
        logger_factory=structlog.WriteLoggerFactory(_Descriptor()),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )


def _to_readers(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Give a copy of the record to the readers of logs."""
    sender = _Server.sender
    if sender is not None:
        record = {**event, "ts": clock.now(), "msg": event.get("event")}
        record.pop("event", None)
        if record.get("exc_info"):
            record = dict(structlog.processors.format_exc_info(None, "", record))
        sender.send(LEVELS[event["level"]], record)
    return event


def _by_level(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if LEVELS[event["level"]] < _Server.board.level:
        raise structlog.DropEvent
    return event


def get_logger(**bound: Any) -> Any:
    """A logger with these keys on every record; it costs nothing before its first record."""
    return structlog.get_logger(**bound)
