"""The store: what must survive a restart and is not a stream, in one SQLite file of one process (DESIGN §2).

No network code here: `Store` is what the store process serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from engine.store.alerts import EventState, EventStates, Handler, Handlers
from engine.store.configuration import LoadItems, Override, Overrides
from engine.store.database import Database
from engine.store.errors import AlreadyExists, NotFound, StoreError, StoreVersion
from engine.store.identities import Identities
from engine.store.listing import Page
from engine.store.replays import Recording, Recordings, Replay, Replays
from engine.store.tasks import DBRP, Task, Tasks, Template, Templates

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "DBRP",
    "AlreadyExists",
    "Database",
    "EventState",
    "EventStates",
    "Handler",
    "Handlers",
    "Identities",
    "LoadItems",
    "NotFound",
    "Override",
    "Overrides",
    "Page",
    "Recording",
    "Recordings",
    "Replay",
    "Replays",
    "Store",
    "StoreError",
    "StoreVersion",
    "Task",
    "Tasks",
    "Template",
    "Templates",
]


class Store:
    """All families over one database. Several changes belong together within `with store.database.transaction():`."""

    def __init__(self, path: Path) -> None:
        """Open or create the database file. Raises StoreVersion, StoreError."""
        self.database = Database(path)
        self.tasks = Tasks(self.database)
        self.templates = Templates(self.database)
        self.identities = Identities(self.database)
        self.handlers = Handlers(self.database)
        self.event_states = EventStates(self.database)
        self.recordings = Recordings(self.database)
        self.replays = Replays(self.database)
        self.overrides = Overrides(self.database)
        self.load_items = LoadItems(self.database)

    def close(self) -> None:
        """Close the database; idempotent."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
