"""What every family of stored objects shares: a frozen Struct a row, found, created, changed, deleted and listed.

A family declares its table, its Struct (whose fields are the columns, in any order) and its key; dictionaries and
sequences are JSON text in their column, everything else is as SQLite has it. SQL is made of these declarations alone,
never of what a client sent.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from engine.store.errors import AlreadyExists, NotFound
from engine.store.listing import Page

if TYPE_CHECKING:
    from engine.store.database import Database

T = TypeVar("T", bound=msgspec.Struct)


class Repository(Generic[T]):
    """Objects of one kind in one table."""

    kind: ClassVar[str]
    table: ClassVar[str]
    row: type[T]
    key: ClassVar[tuple[str, ...]] = ("id",)
    order: ClassVar[str] = "id"
    # What a negative limit lists: everything, pattern and offset ignored, or nothing (http-api.md §4).
    negative_limit_lists_all: ClassVar[bool] = True

    def __init__(self, database: Database) -> None:
        self._database = database
        self._columns = tuple(self.row.__struct_fields__)
        hints = get_type_hints(self.row)
        self._json = frozenset(name for name in self._columns if _is_json(hints[name]))
        names = ", ".join(self._columns)
        where = " AND ".join(f"{name} = ?" for name in self.key)
        values = ", ".join("?" * len(self._columns))
        assignments = ", ".join(f"{name} = ?" for name in self._columns)
        self._select = f"SELECT {names} FROM {self.table}"  # noqa: S608 - names come from the declaration
        self._where = f" WHERE {where}"
        self._insert = f"INSERT INTO {self.table} ({names}) VALUES ({values})"  # noqa: S608 - same
        self._upsert = f"INSERT OR REPLACE INTO {self.table} ({names}) VALUES ({values})"  # noqa: S608 - same
        self._update = f"UPDATE {self.table} SET {assignments}{self._where}"  # noqa: S608 - same
        self._delete = f"DELETE FROM {self.table}{self._where}"  # noqa: S608 - same

    def encode(self, item: T) -> list[Any]:
        """The column values of `item`."""
        return [
            msgspec.json.encode(getattr(item, name)).decode() if name in self._json else getattr(item, name)
            for name in self._columns
        ]

    def decode(self, row: tuple[Any, ...]) -> T:
        """The object of a row of `SELECT` with all columns."""
        values = {
            name: msgspec.json.decode(value) if name in self._json else value
            for name, value in zip(self._columns, row, strict=True)
        }
        # SQLite has no booleans; nothing else is converted, the tables being strict.
        return msgspec.convert(values, self.row, strict=False)

    def keys(self, item: T) -> tuple[str, ...]:
        """The key of `item`."""
        return tuple(getattr(item, name) for name in self.key)

    def find(self, *key: str) -> T | None:
        """The object with this key, or None."""
        row = self._database.execute(self._select + self._where, key).fetchone()
        return None if row is None else self.decode(row)

    def get(self, *key: str) -> T:
        """The object with this key. Raises NotFound."""
        item = self.find(*key)
        if item is None:
            raise NotFound(self.kind, "/".join(key))
        return item

    def create(self, item: T) -> None:
        """Add `item`. Raises AlreadyExists."""
        try:
            self._database.change(self._insert, self.encode(item))
        except sqlite3.IntegrityError as error:
            raise self._conflict(item, error) from error

    def put(self, item: T) -> None:
        """Add `item`, or replace the one with its key."""
        self._database.change(self._upsert, self.encode(item))

    def update(self, item: T) -> None:
        """Replace the object with the key of `item`. Raises NotFound."""
        self.rename(self.keys(item), item)

    def rename(self, key: tuple[str, ...], item: T) -> None:
        """Replace the object with `key` by `item`, whose key may differ. Raises NotFound, AlreadyExists."""
        try:
            changed = self._database.change(self._update, [*self.encode(item), *key])
        except sqlite3.IntegrityError as error:
            raise self._conflict(item, error) from error
        if not changed:
            raise NotFound(self.kind, "/".join(key))

    def delete(self, *key: str) -> bool:
        """Remove the object with this key; whether there was one."""
        return self._database.change(self._delete, key) > 0

    def list(self, page: Page = Page()) -> list[T]:  # noqa: B008 - a Page is immutable
        """The part of the list that `page` says, in the order of the family."""
        statement = self._select
        values: tuple[Any, ...] = ()
        if page.limit >= 0 or not self.negative_limit_lists_all:
            statement += f" WHERE path_match(?, id) ORDER BY {self.order} LIMIT ? OFFSET ?"
            values = (page.pattern, *page.window)
        else:
            statement += f" ORDER BY {self.order}"
        return [self.decode(row) for row in self._database.execute(statement, values)]

    def count(self) -> int:
        """How many there are."""
        found = self._database.execute(f"SELECT count(*) FROM {self.table}").fetchone()  # noqa: S608 - declared
        return int(found[0])

    def _conflict(self, item: T, error: sqlite3.IntegrityError) -> Exception:
        if error.sqlite_errorname in {"SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE"}:
            return AlreadyExists(self.kind, "/".join(self.keys(item)))
        return ValueError(f"{self.kind} {'/'.join(self.keys(item))}: {error}")


def _is_json(hint: Any) -> bool:
    return any(get_origin(part) in {dict, list, tuple} for part in (hint, *get_args(hint)))
