"""The tables of a session as values, each row checked against its sum.

Raises ValueError for what makes no sense or is not what was written.
"""

from __future__ import annotations

import gc
import json
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat
from operator import ge, gt
from typing import Any

from loom.core.marks import Kind, Mark
from loom.core.node import ROOT, Author, Ending, Node
from loom.core.nodes import CHUNK, Unmade
from loom.store.batch import EventRow, Loaded, ModelRow
from loom.store.rows import read_pieces, read_span
from loom.store.sums import COLUMNS, KEYS, are_whole, selection, strangers

Row = tuple[Any, ...]
"""Columns in the order of sums.COLUMNS, the sum last."""

NAMES = {
    "meta": "setting",
    "model": "model",
    "recipe": "recipe",
    "node": "node",
    "piece": "token byte",
    "mark": "mark",
    "event": "event",
}

Columns = list[Sequence[Any]]
"""The same column by column."""

_ID, _PARENT, _AT, _TEXT = map(COLUMNS["node"].index, ("id", "parent", "at", "text"))
_AUTHOR, _ENDED = map(COLUMNS["node"].index, ("author", "ended"))
_MEANINGS: dict[int, dict[Any, Any]] = {
    _AUTHOR: {str(author): author for author in Author},
    _ENDED: {None: None} | {str(ending): ending for ending in Ending},
}
"""Of columns that are more than what is kept of them."""


def read_all(connection: sqlite3.Connection, recent: int | None = None) -> Loaded:
    """With all events, or the most `recent` ones. Raises ValueError for what makes no sense."""
    connection.execute("BEGIN")  # one state of the file, whatever is written meanwhile
    try:
        with collector_paused():
            return _all(connection, recent)
    finally:
        connection.execute("ROLLBACK")


def read_events(connection: sqlite3.Connection, recent: int | None = None) -> tuple[EventRow, ...]:
    """All, or the most `recent` ones. Raises ValueError where one isn't what was written."""
    if recent is None:
        return tuple(events_of(checked_rows(connection, "event")))
    sql = selection("event", f"id DESC LIMIT {recent}")
    rows = connection.execute(sql).fetchall()[::-1]
    return tuple(events_of(_checked("event", rows)))


def read_ordinal(connection: sqlite3.Connection, place: str) -> int:
    """How many generations there have been at the place of that hash."""
    sql = "SELECT data FROM event WHERE kind = 'grow' AND instr(data, ?)"
    found = [json.loads(data) for (data,) in connection.execute(sql, (place,))]
    ordinals = [data["ordinal"] for data in found if data.get("place") == place]
    return max(ordinals, default=-1) + 1


def _all(connection: sqlite3.Connection, recent: int | None) -> Loaded:
    eager = [table for table in COLUMNS if table not in ("node", "piece", "event")]
    rows = {table: checked_rows(connection, table) for table in eager}
    nodes = _nodes(connection)
    read_span(connection, ROOT)  # these two are read when asked for: are their tables there?
    read_pieces(connection, ROOT, ())
    return Loaded(
        nodes=nodes,
        marks=tuple(marks_of(rows["mark"])),
        recipes=tuple(recipe_of(row) for row in rows["recipe"]),
        models=tuple(model_of(row) for row in rows["model"]),
        events=read_events(connection, recent),
        meta={key: value for key, value, _ in rows["meta"]},
    )


def checked_rows(connection: sqlite3.Connection, table: str) -> list[Row]:
    """Every row with its sum; raises ValueError where one isn't what was written."""
    order = ", ".join(KEYS[table])
    return _checked(table, connection.execute(selection(table, order)).fetchall())


def _checked(table: str, rows: list[Row]) -> list[Row]:
    strange = strangers(table, rows)
    if strange:
        raise ValueError(_complaint(table, len(strange), len(rows)))
    return rows


def _complaint(table: str, count: int, total: int) -> str:
    name = NAMES[table]
    if total == 1:
        return f"its one {name} is not what was written"
    return f"{count} of its {total:,} {name}s {'is' if count == 1 else 'are'} not what was written"


def _nodes(connection: sqlite3.Connection) -> Unmade:
    """Every row checked, none made a node yet. Raises ValueError where they make no tree.

    A chunk is looked at as soon as it is read, while the processor still has it at hand. Its
    columns are kept: what the rows of 100,000 nodes take besides costs as much as checking them.
    """
    cursor = connection.execute(selection("node", "id"))
    chunks, strange, total = list[Columns](), 0, 0
    ids, parents, growing = list[int](), list[int | None](), list[int]()
    lengths = dict[int | None, int]()
    while rows := cursor.fetchmany(CHUNK):
        total += len(rows)
        columns = list[Sequence[Any]](zip(*rows, strict=True))
        if strange or not are_whole("node", columns):
            strange += len(strangers("node", rows))
            continue
        _understand(columns)
        _hang(columns, lengths)
        chunks.append(columns[:-1])  # without the sums
        ids += columns[_ID]
        parents += columns[_PARENT]
        if None in columns[_ENDED]:
            ended = zip(columns[_ID], columns[_ENDED], strict=True)
            growing += [id_ for id_, ending in ended if ending is None]
    if strange:
        raise ValueError(_complaint("node", strange, total))

    def make(start: int, stop: int) -> list[Node]:
        found, chunks[start // CHUNK] = chunks[start // CHUNK], []  # they are needed once
        return _made(found)

    return Unmade(ids, parents, growing, make)


def _hang(columns: Columns, lengths: dict[int | None, int]) -> None:
    """See that each node hangs on an earlier one; `lengths` are those of the texts up to here.

    Raises ValueError where one doesn't.
    """
    ids, ups, places, texts = (columns[index] for index in (_ID, _PARENT, _AT, _TEXT))
    lengths.update(zip(ids, map(len, texts), strict=True))
    lengths[ROOT] = 0
    reach = map(lengths.get, ups, repeat(-1))
    is_forest = None not in ups and all(map(gt, ids, ups))
    if is_forest and min(places) >= 0 and all(map(ge, reach, places)):
        return
    for id_, up, at in zip(ids, ups, places, strict=True):
        hangs = up is None if id_ == ROOT else up is not None and up < id_
        if not hangs or (up is not None and not 0 <= at <= lengths.get(up, -1)):
            raise ValueError(f"node {id_} hangs on byte {at} of {up}")


def nodes_of(rows: Sequence[Row]) -> list[Node]:
    """Raises ValueError for an author or ending that there is none of."""
    columns = list[Sequence[Any]](zip(*rows, strict=True))
    _understand(columns)
    return _made(columns[:-1])


def _made(columns: Columns) -> list[Node]:
    """Column by column through the slots: calling Node for each takes thrice as long."""
    nodes = list(map(object.__new__, repeat(Node, len(columns[_ID]))))
    for name, values in zip(COLUMNS["node"], columns, strict=True):
        deque(map(getattr(Node, name).__set__, nodes, values), maxlen=0)
    return nodes


def _understand(columns: Columns) -> None:
    """Put what is meant in the place of what is kept of it.

    Raises ValueError for an author or ending that there is none of.
    """
    for index, meanings in _MEANINGS.items():
        try:
            columns[index] = tuple(map(meanings.__getitem__, columns[index]))
        except KeyError as error:
            raise ValueError(f"a node has {error} as its author or ending") from error


def mark_of(row: Row) -> tuple[Mark, str]:
    """Raises ValueError for a kind that there is none of."""
    return marks_of([row])[0]


def marks_of(rows: Iterable[Row]) -> list[tuple[Mark, str]]:
    kinds = {str(kind): kind for kind in Kind}
    try:
        return [(Mark(node, start, kinds[kind]), value) for node, start, kind, value, _ in rows]
    except KeyError as error:
        raise ValueError(f"a mark has {error} as its kind") from error


def recipe_of(row: Row) -> tuple[int, dict[str, Any]]:
    return row[0], json.loads(row[1])


def model_of(row: Row) -> ModelRow:
    number, fingerprint, label, spec, runtime, _ = row
    return ModelRow(number, fingerprint, label, spec, json.loads(runtime))


def events_of(rows: Sequence[Row]) -> Iterator[EventRow]:
    """Raises ValueError where the data are not one value each."""
    # One parse of all is three times as fast as one a row.
    parsed = json.loads(f"[{','.join(row[3] for row in rows)}]")
    if len(parsed) != len(rows):
        raise ValueError("an event holds more than one value")
    for (number, time, kind, _, _), data in zip(rows, parsed, strict=True):
        yield EventRow(number, time, kind, data)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Half the time of loading 100,000 nodes is the collector looking at them again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
