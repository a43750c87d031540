"""Events, deliveries and logs for tests of the alert service."""

from __future__ import annotations

import threading
from typing import Any

from engine.alerts.events import Delivery, Event

SECOND = 1_000_000_000


def event(identity: str = "id", level: int = 3, time: int = SECOND, **more: Any) -> Event:
    given: dict[str, Any] = {
        "duration": 0,
        "message": f"{identity} is {level}",
        "details": "",
        "name": "cpu",
        "task": "t",
    }
    return Event(identity, level, time, **{**given, **more})


def delivery(previous: int = 0, topic: str = "topic", **more: Any) -> Delivery:
    return Delivery(topic, event(**more), previous)


class Log:
    """Keeps what is logged; `wait` for the next line of a message."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []
        self._news = threading.Condition()

    def _add(self, level: str, message: str, fields: dict[str, Any]) -> None:
        with self._news:
            self.lines.append((level, message, fields))
            self._news.notify_all()

    def debug(self, message: str, **fields: Any) -> None:
        """Say nothing."""

    def info(self, message: str, **fields: Any) -> None:
        self._add("info", message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        self._add("warning", message, fields)

    def error(self, message: str, **fields: Any) -> None:
        self._add("error", message, fields)

    def messages(self) -> list[str]:
        return [message for _, message, _ in self.lines]
