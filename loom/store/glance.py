"""What a list of sessions shows of one, read without loading it: a few rows, through a connection
that can't write."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from loom.core.marks import Kind
from loom.core.node import ROOT
from loom.store.errors import SessionNewer, StoreError, damaged, explained
from loom.store.file import identify
from loom.store.numbers import count
from loom.store.opening import for_reading
from loom.store.schema import VERSION

FIRST_NODES = 64  # looked at for the first words
FIRST_BYTES = 400


@dataclass(frozen=True, slots=True)
class Glance:
    """`title` None where none was given; `nodes` counts hidden ones too; `opening` is how the text
    begins; `models` as they were asked for, the newest first."""

    title: str | None
    nodes: int
    opening: bytes
    models: tuple[str, ...]


def glance(path: Path) -> Glance:
    """Raises StoreError for what is no session or can't be read. Works while another writes."""
    path, version = path.absolute(), 0
    try:
        version = identify(path)
        with closing(for_reading(path)) as connection:
            return _read(connection)
    except sqlite3.Error as error:
        if version > VERSION:
            raise SessionNewer(f"{path.name} is of a later Loom.", "Update Loom.") from error
        raise explained(error, path, "read") from error
    except OSError as error:
        raise StoreError(f"{path.name} can't be read: {error.strerror}.", "") from error
    except (TypeError, ValueError) as error:
        raise damaged(path, error) from error


def _read(connection: sqlite3.Connection) -> Glance:
    run = connection.execute
    title = run("SELECT value FROM meta WHERE key = 'title'").fetchone()
    models = [spec for (spec,) in run("SELECT spec FROM model ORDER BY id DESC")]
    return Glance(
        title=title[0] if title else None,
        nodes=count(connection),
        opening=_opening(connection),
        models=tuple(dict.fromkeys(models)),
    )


def _opening(connection: sqlite3.Connection) -> bytes:
    """Along the first visible nodes, each at the end of the one before."""
    hidden = connection.execute(
        "SELECT node FROM mark WHERE kind = ? AND start = 0 AND node <= ?",
        (str(Kind.HIDDEN), FIRST_NODES),
    )
    gone = {node for (node,) in hidden}
    rows = connection.execute(
        "SELECT id, parent, at, length(text), substr(text, 1, ?) FROM node"
        " WHERE id <> ? ORDER BY id LIMIT ?",
        (FIRST_BYTES, ROOT, FIRST_NODES),
    )
    text, end = b"", (ROOT, 0)
    for node, parent, at, length, words in rows:
        if (parent, at) == end and length and node not in gone and len(text) < FIRST_BYTES:
            text, end = text + words, (node, length)
    return text[:FIRST_BYTES]
