"""The database file: made, migrated, refused, backed up; a transaction is whole or not at all."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from engine.store import Database, Store, StoreError, StoreVersion
from engine.store import database as database_module
from engine.store.database import migrations

ROOT = Path(__file__).parents[3]


def tables(database: Database) -> set[str]:
    return {name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def test_a_new_file_has_the_whole_schema_and_is_private(tmp_path):
    path = tmp_path / "data" / "store.db"
    with Database(path) as database:
        assert {"tasks", "templates", "template_tasks", "handlers", "event_states", "recordings"} <= tables(database)
        assert database.execute("PRAGMA user_version").fetchone() == (len(migrations()),)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o077 == 0


def test_an_older_schema_is_brought_up_to_date_and_keeps_its_rows(tmp_path, monkeypatch):
    scripts = migrations()
    for applied in range(1, len(scripts)):
        path = tmp_path / f"{applied}.db"
        monkeypatch.setattr(database_module, "migrations", lambda applied=applied: scripts[:applied])
        with Database(path) as database:
            database.change("INSERT INTO identities VALUES ('cluster', 'c')")
        monkeypatch.undo()
        with Database(path) as database, Database(tmp_path / "fresh.db") as fresh:
            assert tables(database) == tables(fresh)
            assert database.execute("SELECT value FROM identities").fetchone() == ("c",)
            assert database.execute("PRAGMA user_version").fetchone() == (len(scripts),)


def test_a_migration_that_fails_changes_nothing(tmp_path, monkeypatch):
    path = tmp_path / "store.db"
    Database(path).close()
    scripts = [*migrations(), "CREATE TABLE one (x TEXT);\nCREATE TABLE tasks (x TEXT);\n"]
    monkeypatch.setattr(database_module, "migrations", lambda: scripts)
    with pytest.raises(StoreError, match="already exists"):
        Database(path)
    monkeypatch.undo()
    with Database(path) as database:
        assert "one" not in tables(database)


def test_a_newer_schema_is_refused_and_untouched(tmp_path):
    path = tmp_path / "store.db"
    with Database(path) as database:
        database.execute("PRAGMA user_version = 999")
    before = path.read_bytes()
    with pytest.raises(StoreVersion, match="999"):
        Database(path)
    assert path.read_bytes() == before


def test_another_programs_database_is_refused_and_untouched(tmp_path):
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        Database(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_one_clear_error(tmp_path):
    path = tmp_path / "store.db"
    path.write_text("not a database, but long enough to be looked at as one " * 20)
    with pytest.raises(StoreError, match="not a database"):
        Database(path)


def test_a_directory_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be opened"):
        Database(tmp_path / "file" / "store.db")


def fail_halfway(database: Database) -> None:
    with database.transaction():
        database.change("INSERT INTO identities VALUES ('a', '1')")
        with database.transaction():
            database.change("INSERT INTO identities VALUES ('b', '2')")
        raise KeyError


def test_a_transaction_that_raises_leaves_nothing(tmp_path):
    with Database(tmp_path / "store.db") as database:
        with pytest.raises(KeyError):
            fail_halfway(database)
        assert database.execute("SELECT count(*) FROM identities").fetchone() == (0,)
        with database.transaction():
            database.change("INSERT INTO identities VALUES ('a', '1')")
        assert database.execute("SELECT count(*) FROM identities").fetchone() == (1,)


def test_a_database_that_is_locked_by_another_is_an_error_and_usable_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr(database_module, "_LOCK_TIMEOUT", 0.0)
    path = tmp_path / "store.db"
    with Database(path) as database:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            database.change("INSERT INTO identities VALUES ('a', '1')")
        other.execute("ROLLBACK")
        other.close()
        assert database.change("INSERT INTO identities VALUES ('a', '1')") == 1


def test_a_full_disk_is_an_error_and_leaves_the_last_whole_state(tmp_path):
    with Database(tmp_path / "store.db") as database:
        database.change("INSERT INTO identities VALUES ('a', '1')")
        database.execute("PRAGMA max_page_count = 1")
        with pytest.raises(StoreError, match="full"):
            database.change("INSERT INTO identities VALUES ('b', ?)", ("x" * 1_000_000,))
        assert database.execute("SELECT name FROM identities").fetchall() == [("a",)]


def test_what_was_committed_survives_the_death_of_the_process(tmp_path):
    script = f"""
import os, signal
from pathlib import Path
from engine.store import Database
database = Database(Path({str(tmp_path / "store.db")!r}))
database.change("INSERT INTO identities VALUES ('kept', '1')")
database.execute("BEGIN IMMEDIATE")
database.execute("INSERT INTO identities VALUES ('lost', '2')")
os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", script], env=environment, check=False).returncode == -9
    with Database(tmp_path / "store.db") as database:
        assert database.execute("SELECT name FROM identities").fetchall() == [("kept",)]


def test_a_backup_is_a_store_of_its_own(tmp_path):
    with Store(tmp_path / "store.db") as store:
        identity = store.identities.get("cluster")
        store.database.backup(tmp_path / "copy.db")
        with pytest.raises(StoreError, match="such a file already"):
            store.database.backup(tmp_path / "copy.db")
        with pytest.raises(StoreError, match="cannot be written"):
            store.database.backup(tmp_path / "none" / "copy.db")
    with Store(tmp_path / "copy.db") as copy:
        assert copy.identities.get("cluster") == identity


def test_a_closed_store_says_so_and_closes_twice(tmp_path):
    store = Store(tmp_path / "store.db")
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.tasks.count()
    assert [path.name for path in tmp_path.iterdir()] == ["store.db"]


def test_the_schemas_files_are_numbered_without_holes(tmp_path, monkeypatch):
    assert len(migrations()) >= 4
    folder = tmp_path / "schema"
    folder.mkdir()
    (folder / "0002_late.sql").write_text("")
    monkeypatch.setattr(database_module.resources, "files", lambda _: tmp_path)
    with pytest.raises(StoreError, match="without holes"):
        migrations()
    (folder / "0002_late.sql").rename(folder / "0001_cut.sql")
    (folder / "0001_cut.sql").write_text("CREATE TABLE x (y")
    with pytest.raises(StoreError, match="within a statement"):
        Database(tmp_path / "store.db")
