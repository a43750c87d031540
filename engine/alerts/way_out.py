"""What an alert node needs of the alert service, whoever stands behind it (DESIGN §5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.alerts.events import Signal


class Inline(msgspec.Struct, frozen=True):
    """A handler that the script names: its kind and options as a topic handler has them."""

    kind: str
    options: dict[str, Any]


class Introduction(msgspec.Struct, frozen=True):
    """What a node says first. `anonymous` is the topic of its own handlers, `topic` the one the script names, or "".

    `inhibitors`: category and tag names of each.
    """

    task: str
    node: str
    anonymous: str
    topic: str = ""
    handlers: tuple[Inline, ...] = ()
    inhibitors: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Server(msgspec.Struct, frozen=True):
    """What the templates tell of the server."""

    hostname: str = "localhost"
    cluster: str = ""
    server: str = ""


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """The level and time (ns) of the last event of an ID."""

    level: int
    time: int


class WayOut(Protocol):
    """Order is kept: what `put` was given is dealt with before a later `levels` is answered."""

    def levels(self, ids: Sequence[str]) -> Sequence[Stored | None]:
        """The stored event of each ID, where its level is not OK; waits for the answer."""

    def put(self, signals: Sequence[Signal]) -> None:
        """Hand over; does not wait. Bound: what one frame triggers, since nothing is read while too much is under way."""


class Alerting:
    """An operator that has something to tell the alert service."""

    introduction: Introduction
    name: str

    def attach(self, way_out: WayOut, server: Server) -> None:
        """Called once, before the first frame."""
        raise NotImplementedError

    def dealt(self, counts: Sequence[int]) -> None:
        """The service has dealt with events: how many were inhibited, and how many of each level were not."""
        raise NotImplementedError
