"""What the alert service keeps over restarts: topic handlers, and the last event of each ID (alerts.md §9, §11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from engine.store.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.store.database import Database


class Handler(msgspec.Struct, frozen=True, kw_only=True):
    """A topic handler's specification; `options` as the user gave them, None for none."""

    topic: str
    id: str
    kind: str
    options: dict[str, Any] | None = None
    match: str = ""


class EventState(msgspec.Struct, frozen=True, kw_only=True):
    """The latest event of an ID on a topic: `time` in ns since 1970, `duration` in ns, `level` 0 (OK) to 3 (CRITICAL)."""

    topic: str
    id: str
    message: str = ""
    details: str = ""
    time: int
    duration: int = 0
    level: int


class Handlers(Repository[Handler]):
    """Handler specifications by topic and ID."""

    kind = "handler"
    table = "handlers"
    row = Handler
    key = ("topic", "id")
    order = "topic, id"

    def of_topic(self, topic: str, pattern: str = "") -> list[Handler]:
        """A topic's handlers whose ID matches the glob, in ID order."""
        rows = self._database.execute(
            f"{self._select} WHERE topic = ? AND path_match(?, id) ORDER BY id", (topic, pattern)
        )
        return [self.decode(row) for row in rows]

    def all(self) -> list[Handler]:
        """Every handler, by topic and ID: what a start registers."""
        return [self.decode(row) for row in self._database.execute(f"{self._select} ORDER BY topic, id")]


class EventStates:
    """The events whose level is not OK, by topic and ID."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def commit(self, events: Sequence[EventState]) -> None:
        """Take over events in their order, all or none: an OK removes the stored one, anything else replaces it."""
        self.commit_rows([msgspec.structs.astuple(event) for event in events])

    def commit_rows(self, rows: Sequence[Sequence[Any]]) -> None:
        """As `commit`, each event as the members of EventState in order."""
        latest = {(row[0], row[1]): row for row in rows}
        raised = [row for row in latest.values() if row[6]]
        with self._database.transaction():
            if len(raised) < len(latest):
                self._database.execute_many(
                    "DELETE FROM event_states WHERE topic = ? AND id = ?", [k for k, r in latest.items() if not r[6]]
                )
            if raised:
                self._database.execute_many("INSERT OR REPLACE INTO event_states VALUES (?, ?, ?, ?, ?, ?, ?)", raised)

    def find(self, topic: str, event_id: str) -> EventState | None:
        """The stored event, None when it is OK or unknown."""
        found = self._read("WHERE topic = ? AND id = ?", (topic, event_id))
        return found[0] if found else None

    def of_topic(self, topic: str) -> list[EventState]:
        """A topic's events, in ID order."""
        return self._read("WHERE topic = ?", (topic,))

    def all(self) -> list[EventState]:
        """Every event, by topic and ID: what a start restores."""
        return self._read("", ())

    def _read(self, where: str, values: tuple[str, ...]) -> list[EventState]:
        rows = self._database.execute(
            f"SELECT topic, id, message, details, time, duration, level FROM event_states {where} ORDER BY topic, id",  # noqa: S608 - constants
            values,
        )
        return [EventState(**dict(zip(EventState.__struct_fields__, row, strict=True))) for row in rows]

    def delete_topic(self, topic: str) -> int:
        """Forget a topic's events; returns how many there were."""
        return self._database.change("DELETE FROM event_states WHERE topic = ?", (topic,))

    def delete_prefix(self, prefix: str) -> int:
        """Forget the events of all topics that begin with `prefix`, as a task's anonymous ones do (`main:<task>:`)."""
        return self._database.change("DELETE FROM event_states WHERE substr(topic, 1, length(?1)) = ?1", (prefix,))
