from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from loom.store import schema
from loom.store.store import Batch, Store, StoreError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


ROOT_FOLDER = Path(__file__).parents[2]


def add_column(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE meta ADD COLUMN note TEXT")


def add_table(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE more (x TEXT) STRICT")
    connection.execute("INSERT INTO more SELECT value FROM meta")


def fail(connection: sqlite3.Connection) -> None:
    connection.execute("DROP TABLE node")
    raise sqlite3.OperationalError("no luck")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A session of the version of today."""
    store = Store.create(tmp_path / "story.loom")
    store.post(Batch(meta={"a": "b"}))
    store.close()
    return store.path


def tables(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    connection.close()
    return found


def version(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        found = schema.version_of(connection)
    connection.close()
    return found


def test_an_earlier_session_is_brought_up_to_date_after_a_copy_was_kept(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = old.read_bytes()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, add_table, add_table_again))
    store = Store.open(old)
    assert not store.read_only
    assert store.load().meta == {"a": "b"}
    store.close()
    assert version(old) == schema.VERSION + 2
    assert {"more", "again"} <= tables(old)
    backup = old.with_name(f"story.loom.v{schema.VERSION}")
    assert names(old.parent) == [old.name, backup.name]
    assert len(backup.read_bytes()) == len(before)
    assert version(backup) == schema.VERSION
    assert "more" not in tables(backup)


def add_table_again(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE again (x TEXT) STRICT")


def test_a_copy_that_is_there_is_not_overwritten(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = old.with_name(f"story.loom.v{schema.VERSION}")
    first.write_text("mine")
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, add_table))
    Store.open(old).close()
    assert first.read_text() == "mine"
    assert version(first.with_name(f"{first.name}-2")) == schema.VERSION


def test_a_step_that_fails_leaves_the_session_as_it_was(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tables(old)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, fail))
        with pytest.raises(StoreError, match="no luck"):
            Store.open(old)
    assert tables(old) == before
    assert names(old.parent) == [old.name]
    store = Store.open(old)
    assert store.load().meta == {"a": "b"}
    store.close()


def test_steps_before_the_one_that_fails_stay_and_so_does_the_copy(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, add_table, fail))
        with pytest.raises(StoreError):
            Store.open(old)
    assert version(old) == schema.VERSION + 1
    assert version(old.with_name(f"story.loom.v{schema.VERSION}")) == schema.VERSION


def test_an_earlier_session_can_be_read_without_being_changed(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = old.read_bytes()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, add_column))
    store = Store.open(old, read_only=True)
    assert store.load().meta == {"a": "b"}
    store.close()
    assert old.read_bytes() == before
    assert names(old.parent) == [old.name]


KILLED = """
import os, sys, pathlib
from loom.store import schema
from loom.store.store import Store


def step(connection):
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("CREATE TABLE more (x BLOB) STRICT")
    connection.executemany("INSERT INTO more VALUES (?)", [(bytes(50_000),)] * 20)
    connection.execute("UPDATE meta SET value = 'half done'")
    os.kill(os.getpid(), 9)
schema.MIGRATIONS = (*schema.MIGRATIONS, step)
Store.open(pathlib.Path(sys.argv[1]))
"""


def test_a_kill_in_the_middle_of_a_step_leaves_the_session_as_it_was(old: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, old], cwd=ROOT_FOLDER, check=False)
    assert Path(f"{old}-journal").exists()
    store = Store.open(old)
    assert store.load().meta == {"a": "b"}
    store.close()
    assert "more" not in tables(old)
    assert version(old.with_name(f"story.loom.v{schema.VERSION}")) == schema.VERSION


def test_every_step_there_is_makes_the_schema_from_an_empty_file(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "a", isolation_level=None)
    schema.migrate(connection)
    schema.migrate(connection)
    assert schema.version_of(connection) == schema.VERSION == len(schema.MIGRATIONS)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
