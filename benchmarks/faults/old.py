"""A session as the first version of the file kept it: no checksums, so anything may stand in it."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from benchmarks.faults.noise import misread
from loom.store import schema
from loom.store.file import connect
from loom.store.sums import COLUMNS, KEYS

JSON = {"meta": "value", "recipe": "data", "event": "data", "model": "runtime"}


def as_first_version(session: Path, target: Path) -> bytes:
    """What is in `session`, in a file of version 1; its bytes."""
    target.touch()
    with closing(connect(target, "rw")) as connection:
        schema.migrate(connection, schema.MIGRATIONS[:1])
        connection.execute("ATTACH ? AS present", (str(session),))
        for table, columns in COLUMNS.items():
            names = ", ".join(columns)
            connection.execute(
                f"INSERT INTO main.{table} ({names}) SELECT {names} FROM present.{table}"
            )
        connection.execute("INSERT INTO main.tokens SELECT * FROM present.tokens")
        connection.execute("DETACH present")
    return target.read_bytes()


def misread_values(path: Path, source: random.Random) -> None:
    """Other values, of which some make sense, in a few rows that hold JSON and in a column."""
    with closing(connect(path, "rw")) as connection:
        for _ in range(source.choice((1, 1, 1, 2))):
            table = source.choice(list(JSON))
            column = JSON[table]
            key = KEYS[table][0]
            rows = connection.execute(f"SELECT {key}, {column} FROM {table}").fetchall()
            row, text = source.choice(rows)
            other = misread(text.encode(), source).decode("utf-8", "replace")
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (other, row))
        if source.random() < 0.2:
            _numbers(connection, source)


def _numbers(connection: sqlite3.Connection, source: random.Random) -> None:
    table = source.choice(("node", "event"))
    plain = [name for name in COLUMNS[table] if name not in ("text", "hash", "data")]
    values = (source.choice((-1, 0, 3, 2**40, None, "x", 1.5)), source.randrange(9))
    with suppress(sqlite3.Error):  # the table takes no such value
        connection.execute(f"UPDATE {table} SET {source.choice(plain)} = ? WHERE id = ?", values)
