"""Structured logs: one line a record on standard error, for people on a terminal, as JSON otherwise.

Every record carries `process` (what kind of process wrote it), and `task` and `node` where there is one. A line is
written with one system call, so lines of many processes never mix.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import structlog

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class _Descriptor:
    """A file that writes each line whole, without a buffer that a fork could copy."""

    def write(self, text: str) -> int:
        data = text.encode("utf-8", "backslashreplace")
        while data:
            data = data[os.write(2, data) :]
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


def configure(level: str, *, colours: bool | None = None) -> None:
    """Set up this process's logs; call once, before the first logger is asked for. `colours` None: if a terminal reads."""
    terminal = sys.stderr.isatty() if colours is None else colours
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=True, exception_formatter=structlog.dev.plain_traceback)
        if terminal
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp" if terminal else "ts"),
    ]
    if not terminal:
        processors += [structlog.processors.EventRenamer("msg"), structlog.processors.format_exc_info]
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level.lower()]),
        logger_factory=structlog.WriteLoggerFactory(_Descriptor()),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )


def get_logger(**bound: Any) -> Any:
    """A logger with these keys on every record."""
    return structlog.get_logger().bind(**bound)
