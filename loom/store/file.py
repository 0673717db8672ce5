"""A session file as SQLite sees it: is it one, how it is opened, settled and copied.

Nothing here open()s the file: closing such a descriptor would drop SQLite's own locks on it.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal

from loom.store.atomic import sync_folder
from loom.store.errors import (
    SessionForeign,
    SessionMissing,
    StoreError,
    damaged,
    explained,
)
from loom.store.schema import APPLICATION_ID, version_of

BUSY_SECONDS = 5.0


def connect(path: Path, mode: Literal["ro", "rw", "rwc", "ro&immutable=1"]) -> sqlite3.Connection:
    """In autocommit, for one thread at a time."""
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def identify(path: Path) -> int:
    """The version of the session at `path`; raises StoreError for anything but a session."""
    if path.is_dir():
        raise SessionForeign(f"{path.name} is a folder, not a session.", "Name a file in it.")
    if not path.exists():
        raise SessionMissing(
            f"There is no session {path}.", "Check the name; `loom new` makes a new one."
        )
    if not path.is_file():
        raise SessionForeign(f"{path.name} is not a file.", "Name a session file.")
    if not os.access(path, os.R_OK):
        raise StoreError(f"You may not read {path.name}.", "Allow yourself to read the file.")
    return _version(path)


def _version(path: Path) -> int:
    if path.stat().st_size == 0:
        if has_log(path):
            raise damaged(path, "the file is empty, but its log is not")
        raise SessionForeign(f"{path.name} is empty.", "Remove it, or choose another name.")
    try:
        # Immutable: no journal is rolled back and no file is made beside what may not be ours.
        with closing(connect(path, "ro&immutable=1")) as connection:
            application = int(connection.execute("PRAGMA application_id").fetchone()[0])
            version = version_of(connection)
            page = int(connection.execute("PRAGMA page_size").fetchone()[0])
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
            raise _foreign(path) from error
        raise explained(error, path, "opened") from error
    if application != APPLICATION_ID:
        raise _foreign(path)
    if version < 1:
        raise damaged(path, "it has no version")
    # SQLite takes part of a page for a page and reads zeros; with a log it is written again.
    if path.stat().st_size % page and not has_log(path):
        raise damaged(path, "it is cut short")
    return version


def _foreign(path: Path) -> SessionForeign:
    return SessionForeign(
        f"{path.name} is not a Loom session.",
        "Open a text with `loom new --file`, or choose another.",
    )


def has_log(path: Path) -> bool:
    """Whether a write-ahead log with something in it lies beside."""
    log = path.with_name(path.name + "-wal")
    return log.is_file() and log.stat().st_size > 0


def prepare(connection: sqlite3.Connection) -> None:
    """For writing: a write-ahead log, every commit on the disk before it returns."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")


def settle(connection: sqlite3.Connection) -> None:
    """Everything into the one file, as far as other readers let it; closes the connection."""
    with suppress(sqlite3.Error), closing(connection):
        connection.execute("PRAGMA busy_timeout = 500")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")


def copy(
    connection: sqlite3.Connection,
    path: Path,
    finish: Callable[[sqlite3.Connection], None] = lambda copied: None,
) -> None:
    """The whole session as one new file, `finish`ed before it appears under its name.

    Raises OSError (FileExistsError where one is) or sqlite3.Error and then leaves nothing.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with closing(connect(temporary, "rwc")) as target:
            connection.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")
            finish(target)
        place_new(temporary, path)
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            temporary.with_name(temporary.name + suffix).unlink(missing_ok=True)


def place_new(temporary: Path, path: Path) -> None:
    """Gives `temporary` its name unless that is taken (FileExistsError)."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        temporary.rename(path)
    sync_folder(path.parent)
