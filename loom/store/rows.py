"""Rows of the tables from and to values: a Batch as statements, the tables as a Loaded."""

from __future__ import annotations

import gc
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any

from loom.core.marks import Kind, Mark
from loom.core.node import ROOT, Author, Ending, Node
from loom.core.span import Span
from loom.store.batch import Batch, EventRow, Loaded, ModelRow
from loom.store.columns import COLUMNS, decode, encode

Statement = tuple[str, list[tuple[Any, ...]]]
"""SQL and the rows it is run with."""

_INTEGERS = range(-(2**63), 2**63)


def _put(table: str, width: int) -> str:
    return f"INSERT OR REPLACE INTO {table} VALUES ({','.join('?' * width)})"


_NODE = _put("node", 12)
_TOKENS = _put("tokens", 4 + len(COLUMNS))
_MODEL = _put("model", 5)
_RECIPE = _put("recipe", 2)
_PIECE = _put("piece", 3)
_MARK = _put("mark", 4)
_META = _put("meta", 2)
_EVENT = _put("event", 4)
_UNMARK = "DELETE FROM mark WHERE node = ? AND start = ? AND kind = ?"
_UNMETA = "DELETE FROM meta WHERE key = ?"
_SPAN = f"SELECT count, top, checksum, {', '.join(COLUMNS)} FROM tokens WHERE node = ?"


def statements(batch: Batch) -> list[Statement]:
    """What writes `batch`. Raises ValueError or TypeError for values that no file can hold."""
    spans = [(node.id, span) for node, span in batch.nodes if span is not None]
    marks = [((mark.node, mark.start, str(mark.kind)), value) for mark, value in batch.marks]
    event = batch.event
    found: list[Statement] = [
        (_MODEL, [_model_row(model) for model in batch.models]),
        (_RECIPE, [(number, _json(data)) for number, data in batch.recipes]),
        (_PIECE, [(model, token, bytes(piece)) for model, token, piece in batch.pieces]),
        (_NODE, [_node_row(node) for node, _ in batch.nodes]),
        (_TOKENS, [_tokens_row(node, span) for node, span in spans]),
        *[(_UNMARK, [key]) if value is None else (_MARK, [(*key, value)]) for key, value in marks],
        *[
            (_UNMETA, [(key,)]) if value is None else (_META, [(key, value)])
            for key, value in batch.meta.items()
        ],
        (_EVENT, [(event.id, float(event.time), event.kind, _json(event.data))] if event else []),
    ]
    found = [(sql, rows) for sql, rows in found if rows]
    _check(chain.from_iterable(rows for _, rows in found))
    return found


def write(connection: sqlite3.Connection, batch: Iterable[Statement]) -> None:
    """In one transaction; raises what SQLite raises and has then changed nothing."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        for sql, rows in batch:
            connection.executemany(sql, rows)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise


def read_span(connection: sqlite3.Connection, node: int) -> Span | None:
    """None where no model has read the node. Raises ValueError for a damaged row."""
    row = connection.execute(_SPAN, (node,)).fetchone()
    if row is None:
        return None
    count, top, checksum, *blobs = row
    if _checksum(blobs) != checksum:
        raise ValueError(f"the tokens of node {node} are not what was written")
    return decode(count, top, blobs)


def read_pieces(connection: sqlite3.Connection, model: int, ids: Iterable[int]) -> dict[int, bytes]:
    """Those of `ids` whose bytes are known."""
    sql = "SELECT id, bytes FROM piece WHERE model = ? AND id IN (SELECT value FROM json_each(?))"
    return dict(connection.execute(sql, (model, _json([int(i) for i in ids]))))


def read_all(connection: sqlite3.Connection) -> Loaded:
    """Raises ValueError where a value makes no sense."""
    connection.execute("BEGIN")  # one state of the file, whatever is written meanwhile
    try:
        with _collector_paused():
            return _all(connection)
    finally:
        connection.execute("ROLLBACK")


def _all(connection: sqlite3.Connection) -> Loaded:
    run = connection.execute
    nodes = tuple(_nodes(connection))
    _check_tree(nodes)
    marks = run("SELECT node, start, kind, value FROM mark ORDER BY node, start, kind")
    models = run("SELECT id, fingerprint, label, spec, runtime FROM model ORDER BY id")
    return Loaded(
        nodes=nodes,
        marks=tuple((Mark(node, start, Kind(kind)), value) for node, start, kind, value in marks),
        recipes=tuple((i, json.loads(data)) for i, data in run("SELECT * FROM recipe ORDER BY id")),
        models=tuple(
            ModelRow(i, fingerprint, label, spec, json.loads(runtime))
            for i, fingerprint, label, spec, runtime in models
        ),
        events=tuple(_events(connection)),
        meta=dict(run("SELECT key, value FROM meta ORDER BY key")),
    )


def _nodes(connection: sqlite3.Connection) -> list[Node]:
    authors = {str(author): author for author in Author}
    endings: dict[str | None, Ending | None] = {str(ending): ending for ending in Ending}
    endings[None] = None
    rows = connection.execute(
        "SELECT id, parent, at, author, text, recipe, model, seed, ended, created, token_count,"
        " hash FROM node ORDER BY id"
    )
    try:
        # One expression with every column by name takes half the time of a loop that yields.
        return [
            Node(
                i,
                parent,
                at,
                authors[who],
                text,
                recipe,
                model,
                seed,
                endings[end],
                when,
                count,
                digest,
            )
            for i, parent, at, who, text, recipe, model, seed, end, when, count, digest in rows
        ]
    except KeyError as error:
        raise ValueError(f"a node has {error} as its author or ending") from error


def _check_tree(nodes: Iterable[Node]) -> None:
    """Raises ValueError for a node without text, or that hangs on nothing, or on a later one."""
    lengths: dict[int | None, int] = {ROOT: 0}
    for node in nodes:
        if not isinstance(node.text, bytes):
            raise ValueError(f"node {node.id} has no text")
        if node.id != ROOT and not 0 <= node.at <= lengths.get(node.parent, -1):
            raise ValueError(f"node {node.id} hangs on byte {node.at} of {node.parent}")
        lengths[node.id] = len(node.text)


def _events(connection: sqlite3.Connection) -> Iterator[EventRow]:
    rows = connection.execute("SELECT id, time, kind, data FROM event ORDER BY id").fetchall()
    # One parse of all is three times as fast as one a row.
    parsed = json.loads(f"[{','.join(row[3] for row in rows)}]")
    if len(parsed) != len(rows):
        raise ValueError("an event holds more than one value")
    for (number, time, kind, _), data in zip(rows, parsed, strict=True):
        yield EventRow(number, time, kind, data)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Half the time of loading 100,000 nodes is the collector looking at them again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _node_row(node: Node) -> tuple[Any, ...]:
    return (
        node.id,
        node.parent,
        node.at,
        str(node.author),
        bytes(node.text),
        node.recipe,
        node.model,
        node.seed,
        None if node.ended is None else str(node.ended),
        float(node.created),
        node.token_count,
        bytes(node.hash),
    )


def _tokens_row(node: int, span: Span) -> tuple[Any, ...]:
    count, top, blobs = encode(span)
    return (node, count, top, _checksum(blobs), *blobs)


def _checksum(blobs: Iterable[bytes | None]) -> int:
    checksum = 0
    for blob in blobs:
        checksum = zlib.crc32(blob or b"", checksum)
    return checksum


def _model_row(model: ModelRow) -> tuple[Any, ...]:
    return (model.id, model.fingerprint, model.label, model.spec, _json(model.runtime))


def _json(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _check(rows: Iterable[tuple[Any, ...]]) -> None:
    """Refuses here, in the caller's hands, what SQLite would refuse later in the writer's."""
    for value in chain.from_iterable(rows):
        if isinstance(value, int) and value not in _INTEGERS:
            raise ValueError(f"{value} doesn't fit in 64 bits")
        if isinstance(value, str):
            value.encode()
        if not isinstance(value, int | float | str | bytes | None):
            raise TypeError(f"a {type(value).__name__} can't be kept in a session")
