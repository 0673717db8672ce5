"""Is a session file whole? Every row, every token column, every hash is looked at.

Changes nothing. Works on a session that another Loom has open, too.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from loom.store.batch import Loaded
from loom.store.errors import SessionMissing, StoreError
from loom.store.file import identify
from loom.store.findings import Findings, Tally
from loom.store.hashes import Hashes
from loom.store.loading import checked_rows, read_all
from loom.store.log import lost_in_log
from loom.store.opening import for_reading
from loom.store.rows import read_span
from loom.store.salvage import salvage
from loom.store.schema import VERSION

Watch = Callable[[float], None]


def examine(path: Path, watch: Watch = lambda fraction: None) -> Findings:
    """What is in the file, and what of it is damaged; `watch` hears how far it is.

    Raises StoreError where there is no file, or nothing that could be a session.
    """
    path = path.absolute()
    trouble: list[str] = []
    try:
        version = identify(path)
        if version > VERSION:
            raise StoreError(f"{path.name} was written by a later Loom.", "Update Loom.")
        lost = lost_in_log(path)
        trouble += [f"its log is damaged: {lost} changes in it can't be read."] if lost else []
        with closing(for_reading(path)) as connection:
            tallies, more = _seen(connection, watch)
            trouble += more
    except SessionMissing:
        raise
    except (sqlite3.Error, ValueError, TypeError) as error:
        trouble.append(f"{str(error).rstrip('.')}.")
    except StoreError as error:
        trouble.append(str(error))
    return _listed(path, trouble) if trouble else Findings(tallies)


def _seen(connection: sqlite3.Connection, watch: Watch) -> tuple[tuple[Tally, ...], list[str]]:
    loaded = read_all(connection)
    pieces = checked_rows(connection, "piece")
    trouble = [
        f"{row[0]}." for row in connection.execute("PRAGMA integrity_check (3)") if row[0] != "ok"
    ]
    spans = 0
    for count, complaint in _nodes_seen(connection, loaded, watch):
        spans += count
        trouble += [complaint] if complaint else []
    tallies = (
        Tally("nodes", len(loaded.nodes)),
        Tally("token columns", spans),
        Tally("marks", len(loaded.marks)),
        Tally("recipes", len(loaded.recipes)),
        Tally("models", len(loaded.models)),
        Tally("token bytes", len(pieces)),
        Tally("settings", len(loaded.meta)),
        Tally("events", len(loaded.events)),
    )
    return tallies, trouble


def _nodes_seen(
    connection: sqlite3.Connection, loaded: Loaded, watch: Watch
) -> Iterator[tuple[int, str]]:
    """For each node how many columns it has (0 or 1), and what is wrong with it."""
    fingerprints = {row.id: row.fingerprint for row in loaded.models}
    hashes = Hashes(fingerprints, lambda node: read_span(connection, node))
    for index, node in enumerate(loaded.nodes):
        if index % 256 == 0:
            watch(index / len(loaded.nodes))
        span = read_span(connection, node.id) if node.token_count else None
        right = hashes.add(node)  # also of one without columns: others hang on it
        if node.token_count and (span is None or len(span) != node.token_count):
            yield 0, f"the token columns of node {node.id} are not what was written."
        elif not right:
            yield 0, f"node {node.id} is not what its hash says."
        else:
            yield int(span is not None), ""


def _listed(path: Path, trouble: list[str]) -> Findings:
    """The same trouble row by row, by saving what can be saved into nowhere."""
    with tempfile.TemporaryDirectory(prefix="loom-") as folder:
        found = salvage(path, Path(folder, path.name))
    return replace(found, damage=(*trouble[:3], *found.damage))
