"""A session file as SQLite sees it: is it one, how it is opened, settled and copied.

Nothing here open()s the file: closing such a descriptor would drop SQLite's own locks on it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import tempfile
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
    application, version, page = _head(path)
    if application != APPLICATION_ID:
        raise _foreign(path)
    if version < 1:
        raise damaged(path, "it has no version")
    # SQLite takes part of a page for a page and reads zeros; with a log it is written again.
    if path.stat().st_size % page and not has_log(path):
        raise damaged(path, "it is cut short")
    return version


def _head(path: Path) -> tuple[int, int, int]:
    """Application, version, bytes a page; raises StoreError."""
    try:
        # Immutable: no journal is rolled back and no file is made beside what may not be ours.
        return _head_of(connect(path, "ro&immutable=1"))
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
            raise _foreign(path) from error
        first = error
    try:
        # A program that died while it moved pages from its log leaves a file that needs the log.
        if has_log(path):
            return _head_of(readable(path))
        if _beside(path, "-journal").exists():
            return _head_of(connect(path, "rw"))
    except sqlite3.DatabaseError as error:
        raise explained(error, path, "opened") from error
    raise explained(first, path, "opened") from first


def _head_of(connection: sqlite3.Connection) -> tuple[int, int, int]:
    with closing(connection):
        names = ("application_id", "user_version", "page_size")
        application, version, page = (
            int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in names
        )
        return application, version, page


def _foreign(path: Path) -> SessionForeign:
    return SessionForeign(
        f"{path.name} is not a Loom session.",
        f"Open a text with `loom new --file`, or choose another. If it was a session once, `loom "
        f"doctor {path}` looks for what is left of it.",
    )


def has_log(path: Path) -> bool:
    """Whether a write-ahead log with something in it lies beside."""
    log = _beside(path, "-wal")
    return log.is_file() and log.stat().st_size > 0


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def readable(path: Path) -> sqlite3.Connection:
    """A connection that can't write, with what the log holds."""
    connection = connect(path, "ro")
    try:
        version_of(connection)
    except sqlite3.OperationalError:
        connection.close()
        if not has_log(path):
            raise
        return _aside(path)
    return connection


def _aside(path: Path) -> sqlite3.Connection:
    """Of a killed Loom's file and log in a folder where SQLite may not put the index it needs.

    Reading the file itself is harmless here: where SQLite can't open it, it holds no locks on it.
    """
    with tempfile.TemporaryDirectory(prefix="loom-") as folder:
        copied = Path(folder, path.name)
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{path}{suffix}", f"{copied}{suffix}")
        connection = connect(copied, "ro")
        version_of(connection)  # opens the log too; both live on without their names
        return connection


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
    *,
    pages: int = -1,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """The whole session as one new file, `finish`ed before it appears under its name.

    Raises OSError (FileExistsError where one is, InterruptedError where `stop`, asked after every
    `pages`, said so) or sqlite3.Error and then leaves nothing.
    """

    def watch(status: int, remaining: int, total: int) -> None:
        if stop():
            raise InterruptedError

    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with closing(connect(temporary, "rwc")) as target:
            connection.backup(target, pages=pages, progress=watch)
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
