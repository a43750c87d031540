"""The store's one SQLite connection: opening, migrating, transactions, backup.

What always holds:

- One process has one connection, and all changes go through `transaction`: either all of it is on the disk when
  it returns (WAL, synchronous FULL), or nothing is.
- The schema is what `schema/*.sql` make in the order of their numbers; `PRAGMA user_version` says how many were
  applied. All missing ones are applied in one transaction.
- A database of a newer program is refused and not touched.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, Self

from engine.store.errors import StoreError, StoreVersion
from engine.store.listing import matches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# "TWrk": tells our files from other SQLite databases.
_APPLICATION_ID: Final = 0x5457726B
_LOCK_TIMEOUT: Final = 5.0


class Database:
    """An open database; `path` is its file."""

    def __init__(self, path: Path) -> None:
        """Open or create the database and bring its schema up to date. Raises StoreVersion, StoreError."""
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._depth = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            # Transactions are begun and ended by `transaction` alone.
            connection = sqlite3.connect(path, timeout=_LOCK_TIMEOUT, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{path}: {error}: the store cannot be opened") from error
        try:
            self._prepare(connection)
        except sqlite3.Error as error:
            connection.close()
            raise StoreError(f"{path}: {error}: the store cannot be opened") from error
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if application != _APPLICATION_ID and tables:
            raise StoreError(f"{self.path}: this is another program's database: give the store a file of its own")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        scripts = migrations()
        if version > len(scripts):
            raise StoreVersion(
                f"{self.path}: its schema is version {version}, this program knows up to {len(scripts)}: "
                "start the newer program, or restore a backup"
            )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.create_function("path_match", 2, matches, deterministic=True)
        connection.execute("BEGIN IMMEDIATE")
        try:
            for script in scripts[version:]:
                for statement in _statements(script):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(scripts)}")
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError(f"{self.path}: the store is closed")
        return self._connection

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes within are on the disk when it ends, or, after an exception, none; may be nested.

        Raises StoreError when the database refuses (disk full, disk broken).
        """
        connection = self._open()
        if self._depth:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            return
        self.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
            self.execute("COMMIT")
        finally:
            self._depth = 0
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement. Raises sqlite3.IntegrityError as it is, StoreError for everything else."""
        try:
            return self._open().execute(statement, values)
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}: the store cannot be used") from error

    def execute_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one changing statement for each row of values, within a transaction. Raises as `execute`."""
        try:
            self._open().executemany(statement, rows)
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}: the store cannot be used") from error

    def change(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Run one changing statement, in a transaction of its own if there is none; returns the rows changed."""
        with self.transaction():
            return self.execute(statement, values).rowcount

    def backup(self, target: Path) -> None:
        """Write a consistent copy to `target`, which must not exist. Raises StoreError."""
        if target.exists():
            raise StoreError(f"{target}: there is such a file already")
        try:
            copy = sqlite3.connect(target)
            try:
                self._open().backup(copy)
            finally:
                copy.close()
        except sqlite3.Error as error:
            target.unlink(missing_ok=True)
            raise StoreError(f"{target}: {error}: the backup cannot be written") from error

    def close(self) -> None:
        """Close the connection; the write-ahead log is folded in. Idempotent."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def migrations() -> list[str]:
    """The schema's SQL scripts in the order of their numbers, which are 1, 2, 3 and so on."""
    folder = resources.files("engine.store") / "schema"
    scripts = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    for number, entry in enumerate(scripts, 1):
        if int(entry.name.split("_", 1)[0]) != number:
            raise StoreError(f"{entry.name}: the schema's files must be numbered without holes")
    return [entry.read_text(encoding="utf-8") for entry in scripts]


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: `executescript` would end the transaction."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        raise StoreError(f"a schema file ends within a statement: {pending.strip()[:40]}")
