"""The names by which the world knows this server: UUIDs that are made once and then stay (http-api.md §19)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.store.database import Database


def _random() -> str:
    return str(uuid.uuid4())


class Identities:
    """The cluster's and the server's ID."""

    def __init__(self, database: Database, make: Callable[[], str] = _random) -> None:
        self._database = database
        self._make = make

    def get(self, name: Literal["cluster", "server"]) -> str:
        """The ID, made now if there is none yet."""
        with self._database.transaction():
            self._database.execute("INSERT OR IGNORE INTO identities VALUES (?, ?)", (name, self._make()))
            row = self._database.execute("SELECT value FROM identities WHERE name = ?", (name,)).fetchone()
        return str(row[0])

    def set(self, name: Literal["cluster", "server"], value: str) -> None:
        """Take over an ID, as from another server's files."""
        self._database.change("INSERT OR REPLACE INTO identities VALUES (?, ?)", (name, value))
