"""How a session file is made, opened and brought to the present version."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from loom.store import schema
from loom.store.batch import Loaded
from loom.store.errors import SessionNewer
from loom.store.file import connect, copy, place_new, prepare, readable
from loom.store.loading import read_all
from loom.store.log import lost_in_log
from loom.store.schema import Migration, migrate, version_of

RECENT = 1000  # events that are looked at when a session is opened


def make(path: Path) -> None:
    """An empty session, which appears under its name when it is complete.

    Raises FileExistsError, OSError, sqlite3.Error.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.touch(exist_ok=False)
        with closing(connect(temporary, "rw")) as connection:
            migrate(connection, schema.MIGRATIONS)
        place_new(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def unwritable(path: Path, version: int) -> str:
    """Why the file can only be read, as a sentence; "" where nothing speaks against writing."""
    if version > len(schema.MIGRATIONS):
        return "It was written by a later version of Loom."
    if not os.access(path, os.W_OK):
        return "You may not write in the file."
    if not os.access(path.parent, os.W_OK):
        return "You may not write in its folder."
    return ""


def for_writing(path: Path) -> sqlite3.Connection:
    """The writing connection, at the present version; raises SessionNewer, sqlite3.Error."""
    migrations = schema.MIGRATIONS
    connection = connect(path, "rw")
    try:
        version = version_of(connection)  # the log may know of a later one than the file
        if version > len(migrations):
            raise SessionNewer(f"{path.name} was written by a later Loom.", "Update Loom.")
        if version < len(migrations):
            _migrated(connection, path, version, migrations)
        prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def seen_whole(path: Path) -> Loaded | None:
    """What is in the file, read before anything is written: a damaged one stays what it is.

    None for one of another version, and for one that can only be read by somebody who may write: a
    journal has to be rolled back first. Raises ValueError, sqlite3.Error.
    """
    if path.with_name(f"{path.name}-journal").exists():
        return None
    lost = lost_in_log(path)
    if lost:
        raise ValueError(f"{lost} changes in its log can't be read")
    with closing(readable(path)) as connection:
        current = version_of(connection) == len(schema.MIGRATIONS)
        return read_all(connection, RECENT) if current else None


def _migrated(
    connection: sqlite3.Connection, path: Path, version: int, migrations: Sequence[Migration]
) -> None:
    backup = _backup_path(path, version)
    copy(connection, backup)
    try:
        migrate(connection, migrations)
    except Exception:
        if version_of(connection) == version:  # the file is what it was
            backup.unlink()
        raise


def _backup_path(path: Path, version: int) -> Path:
    stem = f"{path.name}.v{version}"
    names = (path.with_name(f"{stem}{more}") for more in ("", *(f"-{n}" for n in range(2, 1000))))
    return next(name for name in names if not name.exists())


def for_reading(path: Path) -> sqlite3.Connection:
    """A connection that can't write the file; an earlier version is made the present in memory."""
    connection = readable(path)
    if version_of(connection) >= len(schema.MIGRATIONS):
        return connection
    memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    with closing(connection):
        connection.backup(memory)
    migrate(memory, schema.MIGRATIONS)
    return memory
