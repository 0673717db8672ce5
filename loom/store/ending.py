"""The end of the text where the writer was, read without loading the session: a few rows, through
a connection that can't write."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from loom.store.errors import StoreError
from loom.store.file import connect, has_log, identify
from loom.store.schema import VERSION

MOST = 1 << 15  # bytes that are read


@dataclass(frozen=True, slots=True)
class End:
    """The last stretches of the path, in order: (author, bytes). `whole`: nothing is before it."""

    title: str
    stretches: tuple[tuple[str, bytes], ...]
    whole: bool


def end_of_text(path: Path, most: int = MOST) -> End | None:
    """None where that is not so simple: the file is in use, was left by a program that was killed,
    is of another version, damaged, or no session. Loading it tells which."""
    try:
        path = path.resolve()
        if has_log(path) or identify(path) != VERSION:
            return None
        with closing(connect(path, "ro")) as connection:
            return _read(connection, path, most)
    except (StoreError, sqlite3.Error, OSError, ValueError, TypeError):
        return None


def _read(connection: sqlite3.Connection, path: Path, most: int) -> End:
    meta = dict(connection.execute("SELECT key, value FROM meta WHERE key IN ('place', 'title')"))
    node, at = json.loads(meta.get("place", "[0, 0]"))
    found, room = [], most
    for author, text in _upwards(connection, node, at, most):
        found.append((author, text[-room:]))
        room -= len(text)
        if room <= 0:
            break
    return End(meta.get("title") or path.stem, tuple(reversed(found)), room > 0)


def _upwards(
    connection: sqlite3.Connection, node: int | None, at: int, most: int
) -> Iterator[tuple[str, bytes]]:
    """(author, the last bytes) of every stretch of the path, the last one first."""
    sql = "SELECT author, substr(text, ?, ?), parent, at FROM node WHERE id = ?"
    while node is not None:
        first = max(0, at - most)
        row = connection.execute(sql, (first + 1, at - first, node)).fetchone()
        if row is None:
            return
        author, text, node, above = row
        if at:
            yield author, text
        at = above
