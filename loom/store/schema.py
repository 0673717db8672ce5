"""The tables of a session file and how an earlier one becomes the present one.

Append a migration, never change one: MIGRATIONS[n] turns version n into version n + 1, and version
0 is an empty file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from loom.store.sums import COLUMNS, KEYS, sum_of

APPLICATION_ID = 0x4C4F4F4D  # "LOOM"

# References are declared for those who read the file, not enforced: a node whose recipe got lost is
# still a node, and a writer's text is never refused.
_VERSION_1 = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE model (
        id INTEGER PRIMARY KEY,
        fingerprint TEXT NOT NULL,
        label TEXT NOT NULL,
        spec TEXT NOT NULL,
        runtime TEXT NOT NULL  -- JSON
    ) STRICT""",
    """CREATE TABLE recipe (
        id INTEGER PRIMARY KEY,
        data TEXT NOT NULL  -- JSON
    ) STRICT""",
    """CREATE TABLE node (
        id INTEGER PRIMARY KEY,
        parent INTEGER REFERENCES node (id),
        at INTEGER NOT NULL,  -- bytes of the parent before it
        author TEXT NOT NULL,
        text BLOB NOT NULL,
        recipe INTEGER REFERENCES recipe (id),
        model INTEGER REFERENCES model (id),
        seed INTEGER,
        ended TEXT,  -- NULL while it grows
        created REAL NOT NULL,  -- Unix time
        token_count INTEGER,
        hash BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE tokens (
        node INTEGER PRIMARY KEY REFERENCES node (id),
        count INTEGER NOT NULL,
        top INTEGER NOT NULL,  -- alternatives a token
        checksum INTEGER NOT NULL,  -- CRC-32 of the columns that follow
        ids BLOB NOT NULL,
        ends BLOB NOT NULL,
        logprob BLOB NOT NULL,
        entropy BLOB NOT NULL,
        varentropy BLOB NOT NULL,
        rank BLOB NOT NULL,
        top_ids BLOB NOT NULL,
        top_logprobs BLOB NOT NULL,
        sampled_logprob BLOB,
        sampled_entropy BLOB,
        sampled_varentropy BLOB,
        top_sampled BLOB,
        mass_above BLOB,
        renyi BLOB
    ) STRICT""",
    """CREATE TABLE piece (
        model INTEGER NOT NULL REFERENCES model (id),
        id INTEGER NOT NULL,
        bytes BLOB NOT NULL,
        PRIMARY KEY (model, id)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE mark (
        node INTEGER NOT NULL REFERENCES node (id),
        start INTEGER NOT NULL,  -- bytes into the node
        kind TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (node, start, kind)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE reading (
        node INTEGER NOT NULL REFERENCES node (id),
        instrument TEXT NOT NULL,
        settings TEXT NOT NULL,  -- JSON
        state BLOB,
        data BLOB NOT NULL,
        PRIMARY KEY (node, instrument, settings)
    ) STRICT""",
    """CREATE TABLE event (
        id INTEGER PRIMARY KEY,
        time REAL NOT NULL,  -- Unix time
        kind TEXT NOT NULL,
        data TEXT NOT NULL  -- JSON
    ) STRICT""",
)

Migration = Callable[[sqlite3.Connection], None]


def _create(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for statement in _VERSION_1:
        connection.execute(statement)


def _add_sums(connection: sqlite3.Connection) -> None:
    """A checksum for every row of the tables that had none. Raises ValueError for what can't be
    summed, so that a damaged file stays what it was."""
    if any(row[1] == "sum" for row in connection.execute("PRAGMA table_info (node)")):
        raise ValueError("its version is not what was written")
    for table, columns in COLUMNS.items():
        connection.execute(f"ALTER TABLE {table} ADD COLUMN sum INTEGER NOT NULL DEFAULT 0")
        rows = connection.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
        keys = KEYS[table]
        where = " AND ".join(f"{key} = ?" for key in keys)
        places = [columns.index(key) for key in keys]
        sums = [(sum_of(table, row), *(row[i] for i in places)) for row in rows]
        if any(found < 0 for found, *_ in sums):
            raise ValueError(f"the table {table} holds what it can't hold")
        connection.executemany(f"UPDATE {table} SET sum = ? WHERE {where}", sums)


def _allow_squeezed(connection: sqlite3.Connection) -> None:
    """Nothing changes: from here on token columns may be squeezed (squeezing.py), which a program
    that only knows the version before would take for damaged ones."""


MIGRATIONS: tuple[Migration, ...] = (_create, _add_sums, _allow_squeezed)
VERSION = len(MIGRATIONS)


def version_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Every step that is still to do, each in a transaction of its own."""
    for version in range(version_of(connection), len(migrations)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            migrations[version](connection)
            connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
