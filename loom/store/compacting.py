"""Nodes taken out of a session for good: a new file without them takes the place of the old one,
which is kept as a backup."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from loom.store.atomic import sync_folder
from loom.store.batch import COMPACTED
from loom.store.errors import StoreError, explained
from loom.store.file import connect, copy, has_log, settle
from loom.store.lock import Lock
from loom.store.numbers import keep_gaps
from loom.store.opening import for_writing, seen_whole
from loom.store.sums import insertion, sum_of

BY_NODE = {"node": "id", "tokens": "node", "mark": "node", "reading": "node"}


def compact(path: Path, nodes: Collection[int], backup: Path, now: float) -> None:
    """Remove `nodes` and what belongs to them; the file as it was is then at `backup`.

    Either all of it happens or nothing. Raises StoreError, SessionLocked where somebody has the
    session open.
    """
    lock = Lock(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.compact")
    try:
        if seen_whole(path) is None or has_log(path):
            settle(for_writing(path))  # what a killed Loom left in its log belongs to the file
        with closing(connect(path, "ro")) as connection:
            copy(connection, temporary, lambda copied: _remove(copied, nodes, now))
        _keep(path, backup)
        temporary.replace(path)
        sync_folder(path.parent)
    except sqlite3.Error as error:
        raise explained(error, path, "compacted") from error
    except OSError as error:
        why = f"{path.name} can't be compacted: {error.strerror or error}."
        raise StoreError(why, "It is as it was. Make room and allow writing.") from error
    finally:
        temporary.unlink(missing_ok=True)
        lock.release()


def _remove(copied: sqlite3.Connection, nodes: Collection[int], now: float) -> None:
    copied.execute("BEGIN")
    (highest,) = copied.execute("SELECT max(id) FROM node").fetchone()
    for table, column in BY_NODE.items():
        copied.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(n,) for n in nodes])
    (last,) = copied.execute("SELECT max(id) FROM event").fetchone()
    event = ((last or 0) + 1, now, COMPACTED, json.dumps({"removed": sorted(nodes)}))
    copied.execute(insertion("event"), (*event, sum_of("event", event)))
    keep_gaps(copied, highest)
    copied.execute("COMMIT")
    copied.execute("VACUUM")


def _keep(path: Path, backup: Path) -> None:
    """The old file under another name, on the disk before the new one takes its place."""
    backup.parent.mkdir(parents=True, exist_ok=True)
    try:
        backup.hardlink_to(path)
    except FileExistsError:
        raise
    except OSError:  # another disk, or one without links
        shutil.copyfile(path, backup)
        descriptor = os.open(backup, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    sync_folder(backup.parent)
