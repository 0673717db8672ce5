"""A node's number is given once: what is removed or lost leaves a gap, which the file remembers."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from loom.store.sums import insertion, sum_of

NEXT, GONE = "next", "removed"  # keys of meta: the first number that was never given; how many gaps


def keep_gaps(connection: sqlite3.Connection, highest: int) -> None:
    """Numbers up to `highest`, and those that were gone before, are not to be given again."""
    given = max(highest, first_free(_meta(connection)) - 1)
    gone = given - _counted(connection)
    rows = [(NEXT, str(given + 1)), (GONE, str(gone))] if gone else []
    connection.executemany(insertion("meta"), [(*row, sum_of("meta", row)) for row in rows])


def first_free(meta: Mapping[str, str]) -> int:
    """The number that the next node has at least."""
    number = meta.get(NEXT, "")
    return int(number) if number.isdecimal() else 0


def count(connection: sqlite3.Connection) -> int:
    """Nodes in the file, without looking at each. Raises ValueError for what is no number."""
    meta = _meta(connection)
    if GONE in meta and NEXT not in meta:  # before this was kept, numbers were given again
        return _counted(connection)
    (last,) = connection.execute("SELECT max(id) FROM node").fetchone()
    return max(last or 0, first_free(meta) - 1) - int(meta.get(GONE, 0))


def _counted(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM node WHERE id > 0").fetchone()[0])


def _meta(connection: sqlite3.Connection) -> dict[str, str]:
    sql = "SELECT key, value FROM meta WHERE key IN (?, ?)"
    return dict(connection.execute(sql, (NEXT, GONE)))
