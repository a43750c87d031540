"""An event on its way: from the alert node to the service, and there, with its topic, to the handlers.

Always: an event never changes. Its data is the JSON text of its series, made once in the node; the alert as JSON, which
several handlers send, is put together once a topic (alerts.md §12).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec

from engine.alerts.levels import NAMES
from engine.rows import time_text
from engine.templates.functions import go_json


class Event(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Times and durations in ns. `series`: JSON texts, or `failure`: why the data has none. `group` is "" for none."""

    id: str
    level: int
    time: int
    duration: int
    message: str
    details: str
    name: str = ""
    task: str = ""
    group: str = ""
    category: str = ""
    tags: dict[str, str] = {}
    fields: dict[str, Any] = {}
    series: tuple[str, ...] = ()
    failure: str = ""
    recoverable: bool = False
    external: bool = True


class Signal(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a node says when an alert is triggered: the inhibitors of the group numbered `group` switch, an event leaves.

    `switch` is 1 for on, 0 for off, -1 for no change, -2 for the end of the group; `values` has the tag values of each
    inhibitor of the node.
    """

    group: int
    switch: int = -1
    values: tuple[tuple[str, ...], ...] = ()
    event: Event | None = None


class Delivery:
    """An event on a topic, with the level that its ID had there before, and the topics that it was published from."""

    def __init__(self, topic: str, event: Event, previous: int, path: tuple[str, ...] = ()) -> None:
        self.topic = topic
        self.event = event
        self.previous = previous
        self.path = path

    @cached_property
    def data(self) -> str:
        """The event's data as JSON. Raises ValueError where a value has none."""
        event = self.event
        if event.failure:
            raise ValueError(f"failed to marshal alert data json: {event.failure}")
        return f'{{"series":[{",".join(event.series)}]}}' if event.series else '{"series":null}'

    @cached_property
    def json(self) -> bytes:
        """The alert as one line of JSON with its newline. Raises ValueError where a value has none."""
        event = self.event
        text = (
            f'{{"id":{go_text(event.id)},"message":{go_text(event.message)},"details":{go_text(event.details)},'
            f'"time":"{time_text(event.time)}","duration":{event.duration},"level":"{NAMES[event.level]}",'
            f'"data":{self.data},"previousLevel":"{NAMES[self.previous]}",'
            f'"recoverable":{"true" if event.recoverable else "false"}}}\n'
        )
        return text.encode()


def go_text(value: str) -> str:
    """A string as Go's JSON has it."""
    return go_json(value)


def go_safe(text: str) -> str:
    """JSON text with the escapes that Go adds, in which those characters only stand within strings."""
    if text.isascii() and "<" not in text and ">" not in text and "&" not in text:
        return text
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text
