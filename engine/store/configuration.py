"""What changes the configuration over restarts: overrides made by the API, and the memory of the load directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from engine.store.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.store.database import Database


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """The merged changes of one element; `element` is empty for a section that is no list, `added` if the API made it."""

    section: str
    element: str = ""
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    added: bool = False


class Overrides(Repository[Override]):
    """Overrides by section and element."""

    kind = "config override"
    table = "config_overrides"
    row = Override
    key = ("section", "element")
    order = "section, element"

    def of_section(self, section: str) -> list[Override]:
        """A section's overrides, by element."""
        rows = self._database.execute(f"{self._select} WHERE section = ? ORDER BY element", (section,))
        return [self.decode(row) for row in rows]

    def all(self) -> list[Override]:
        """Every override, by section and element: what a start applies."""
        return [self.decode(row) for row in self._database.execute(f"{self._select} ORDER BY section, element")]


class LoadItems:
    """What the load directory has created: (kind, ID) with kind `tasks`, `templates` or `handlers`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> set[tuple[str, str]]:
        """Everything remembered."""
        return {(str(kind), str(item)) for kind, item in self._database.execute("SELECT kind, id FROM load_items")}

    def replace(self, items: Iterable[tuple[str, str]]) -> None:
        """Remember these and nothing else."""
        with self._database.transaction():
            self._database.execute("DELETE FROM load_items")
            for item in items:
                self._database.execute("INSERT OR IGNORE INTO load_items VALUES (?, ?)", item)
