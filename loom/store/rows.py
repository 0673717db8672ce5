"""Rows of the tables from values, and spans and pieces from rows; see loading for the rest."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import astuple
from itertools import chain
from typing import Any

from loom.core.node import Node
from loom.core.span import Span
from loom.store.batch import Batch, EventRow, ModelRow, ReadingRow
from loom.store.columns import COLUMNS, decode, encode
from loom.store.squeezing import squeezed, unsqueezed
from loom.store.sums import insertion, sum_of

Statement = tuple[str, list[tuple[Any, ...]]]
"""SQL and the rows it is run with."""

_INTEGERS = range(-(2**63), 2**63)
_ANY = {bytes, float, type(None)}  # types of which SQLite takes every value


TOKENS = f"INSERT OR REPLACE INTO tokens VALUES ({','.join('?' * (4 + len(COLUMNS)))})"
_UNMARK = "DELETE FROM mark WHERE node = ? AND start = ? AND kind = ?"
_UNMETA = "DELETE FROM meta WHERE key = ?"
_UNREAD = "DELETE FROM reading WHERE node = ? AND instrument = ?"
_READING = "INSERT INTO reading (node, instrument, settings, state, data) VALUES (?, ?, ?, ?, ?)"
_READINGS = (
    "SELECT node, instrument, settings, state, data FROM reading WHERE node = ? ORDER BY instrument"
)
_SPAN = f"SELECT count, top, checksum, {', '.join(COLUMNS)} FROM tokens WHERE node = ?"


def statements(batch: Batch) -> list[Statement]:
    """What writes `batch`. Raises ValueError or TypeError for values that no file can hold."""
    spans = [(node, span) for node, span in batch.nodes if span is not None]
    marks = [((mark.node, mark.start, str(mark.kind)), value) for mark, value in batch.marks]
    event = batch.event
    found: list[Statement] = [
        _puts("model", [_model_row(model) for model in batch.models]),
        _puts("recipe", [(number, _json(data)) for number, data in batch.recipes]),
        _puts("piece", [(model, token, bytes(piece)) for model, token, piece in batch.pieces]),
        _puts("node", [_node_row(node) for node, _ in batch.nodes]),
        (TOKENS, [_tokens_row(node, span) for node, span in spans]),
        *[
            (_UNMARK, [key]) if value is None else _puts("mark", [(*key, value)])
            for key, value in marks
        ],
        *[
            (_UNMETA, [(key,)]) if value is None else _puts("meta", [(key, value)])
            for key, value in batch.meta.items()
        ],
        _puts("event", [_event_row(event)] if event else []),
        (_UNREAD, [(row.node, row.instrument) for row in batch.readings]),
        (_READING, [astuple(row) for row in batch.readings]),
    ]
    found = [(sql, rows) for sql, rows in found if rows]
    _check(chain.from_iterable(rows for _, rows in found))
    return found


def _puts(table: str, rows: Sequence[tuple[Any, ...]]) -> Statement:
    return insertion(table), [(*row, sum_of(table, row)) for row in rows]


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
    return None if row is None else span_of((node, *row))


def span_of(row: Sequence[Any]) -> Span:
    """A row of `tokens`. Raises ValueError or TypeError for a damaged one."""
    node, count, top, checksum, *blobs = row
    if _checksum(blobs) != checksum:
        raise ValueError(f"the tokens of node {node} are not what was written")
    return decode(count, top, unsqueezed(count, top, blobs))


def read_readings(connection: sqlite3.Connection, node: int) -> tuple[ReadingRow, ...]:
    """What instruments have read in the node, in the order of their names."""
    return tuple(ReadingRow(*row) for row in connection.execute(_READINGS, (node,)))


def read_pieces(connection: sqlite3.Connection, model: int, ids: Iterable[int]) -> dict[int, bytes]:
    """Those of `ids` whose bytes are known. Raises ValueError for a damaged row."""
    sql = (
        "SELECT model, id, bytes, sum FROM piece"
        " WHERE model = ? AND id IN (SELECT value FROM json_each(?))"
    )
    found: dict[int, bytes] = {}
    for *row, checksum in connection.execute(sql, (model, _json([int(i) for i in ids]))):
        if sum_of("piece", row) != checksum:
            raise ValueError(f"the bytes of token {row[1]} are not what was written")
        found[row[1]] = row[2]
    return found


def _node_row(node: Node) -> tuple[Any, ...]:
    return (
        node.id,
        node.parent,
        node.at,
        str(node.author),
        node.recipe,
        node.model,
        node.seed,
        None if node.ended is None else str(node.ended),
        float(node.created) + 0.0,  # SQLite knows no −0.0
        node.token_count,
        bytes(node.text),
        bytes(node.hash),
    )


def _event_row(event: EventRow) -> tuple[Any, ...]:
    return (event.id, float(event.time) + 0.0, event.kind, _json(event.data))


def _tokens_row(node: Node, span: Span) -> tuple[Any, ...]:
    """Squeezed once the node is complete: while it grows it is written again and again."""
    count, top, blobs = encode(span)
    blobs = blobs if node.growing else squeezed(count, top, blobs)
    return (node.id, count, top, _checksum(blobs), *blobs)


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
        if type(value) in _ANY:
            continue
        if isinstance(value, int) and value not in _INTEGERS:
            raise ValueError(f"{value} doesn't fit in 64 bits")
        if isinstance(value, str):
            value.encode()
        elif not isinstance(value, int | float | bytes):
            raise TypeError(f"a {type(value).__name__} can't be kept in a session")
