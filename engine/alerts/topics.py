"""Topics: the latest state of every event ID, what was collected, and the level of the whole (alerts.md §9, §10).

Pure: no handlers, no storage, no clock. A state of level OK stays until the topic is closed or forgotten, so that the API
shows a recovery; storage keeps the others alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.alerts.events import Event


class State(msgspec.Struct, frozen=True, gc=False):
    """The latest event of an ID; times in ns."""

    level: int
    time: int
    duration: int = 0
    message: str = ""
    details: str = ""

    @classmethod
    def of(cls, event: Event) -> State:
        return cls(event.level, event.time, event.duration, event.message, event.details)


class Topic:
    """One topic. `closed`: it is not shown, and comes back with its states that are not OK."""

    __slots__ = ("closed", "collected", "id", "states")

    def __init__(self, topic: str) -> None:
        self.id = topic
        self.states: dict[str, State] = {}
        self.collected = 0
        self.closed = False

    @property
    def level(self) -> int:
        """The highest level of its events."""
        return max((s.level for s in self.states.values()), default=0)


class Topics:
    """All topics by name. A topic comes into being by an event, a registration or a restore."""

    def __init__(self) -> None:
        self._topics: dict[str, Topic] = {}

    def __iter__(self) -> Iterator[Topic]:
        """Those that are shown."""
        return (t for t in self._topics.values() if not t.closed)

    def find(self, topic: str) -> Topic | None:
        """The topic, if it is shown."""
        found = self._topics.get(topic)
        return None if found is None or found.closed else found

    def open(self, topic: str) -> Topic:
        """The topic, made or shown again if need be."""
        found = self._topics.get(topic)
        if found is None:
            found = self._topics[topic] = Topic(topic)
        found.closed = False
        return found

    def collect(self, topic: str, event: Event, otherwise: int = 0) -> tuple[int, State]:
        """Take over an event; the level of its ID before, or `otherwise` if the ID is new here, and its state now."""
        found = self.open(topic)
        before = found.states.get(event.id)
        state = found.states[event.id] = State.of(event)
        found.collected += 1
        return otherwise if before is None else before.level, state

    def update(self, topic: str, event: str, state: State) -> None:
        """Set the state of an ID without an event."""
        self.open(topic).states[event] = state

    def state(self, topic: str, event: str) -> State | None:
        found = self.find(topic)
        return None if found is None else found.states.get(event)

    def close(self, topic: str, *, keep: bool) -> None:
        """Hide a topic; what storage does not have is forgotten, and everything unless `keep`."""
        found = self._topics.get(topic)
        if found is None:
            return
        found.states = {k: s for k, s in found.states.items() if s.level}
        found.collected = 0
        found.closed = True
        if not keep or not found.states:
            del self._topics[topic]

    def forget(self, topic: str) -> None:
        self._topics.pop(topic, None)

    def beginning(self, prefix: str) -> list[str]:
        """The names that begin so, shown or not."""
        return [name for name in self._topics if name.startswith(prefix)]

    def restore(self, states: Iterable[tuple[str, str, State]]) -> None:
        """Take over what storage has: topic, event ID, state."""
        for topic, event, state in states:
            self.update(topic, event, state)
