"""A checksum for every row that nothing else vouches for: a byte that flips on a disk is noticed.

CRC-32 of the table's name and the columns, as text with `|` between them; blobs follow as they are.
It is kept beside the row, in the column `sum`. Token columns have their own, see rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress, count
from operator import eq, ne
from typing import Any
from zlib import crc32

COLUMNS: dict[str, tuple[str, ...]] = {
    "meta": ("key", "value"),
    "model": ("id", "fingerprint", "label", "spec", "runtime"),
    "recipe": ("id", "data"),
    "node": (
        "id",
        "parent",
        "at",
        "author",
        "recipe",
        "model",
        "seed",
        "ended",
        "created",
        "token_count",
        "text",
        "hash",
    ),
    "piece": ("model", "id", "bytes"),
    "mark": ("node", "start", "kind", "value"),
    "event": ("id", "time", "kind", "data"),
}
"""In the order in which they are summed: blobs last."""

KEYS: dict[str, tuple[str, ...]] = {
    "meta": ("key",),
    "model": ("id",),
    "recipe": ("id",),
    "node": ("id",),
    "piece": ("model", "id"),
    "mark": ("node", "start", "kind"),
    "event": ("id",),
}

BLOBS = {"node": 2, "piece": 1}
_PLAIN = {table: len(columns) - BLOBS.get(table, 0) for table, columns in COLUMNS.items()}
_FORMAT = {table: "|".join([table] + ["%s"] * count) for table, count in _PLAIN.items()}


def sum_of(table: str, row: Sequence[Any]) -> int:
    """Of a row with its columns in the order of COLUMNS; −1 for values that no such row has."""
    plain = _PLAIN[table]
    try:
        found = crc32((_FORMAT[table] % tuple(row[:plain])).encode())
        for blob in row[plain:]:
            found = crc32(blob, found)
    except (TypeError, ValueError):
        return -1
    return found


def strangers(table: str, rows: Sequence[Sequence[Any]]) -> list[int]:
    """Indices of the rows whose last value isn't the sum of the others."""
    columns = list(zip(*rows, strict=True))
    try:
        return list(compress(count(), map(ne, _sums(table, columns), columns[-1])) if rows else ())
    except (TypeError, ValueError):  # a blob that is none, text that is no text
        return [i for i, row in enumerate(rows) if sum_of(table, row[:-1]) != row[-1]]


def are_whole(table: str, columns: Sequence[Sequence[Any]]) -> bool:
    """Whether rows, given column by column, all have a last value that is the sum of the others."""
    try:
        return all(map(eq, _sums(table, columns), columns[-1]))
    except (TypeError, ValueError):
        return False


def _sums(table: str, columns: Sequence[Sequence[Any]]) -> Iterator[int]:
    """Step by step for all rows, without a call of Python's a row: a session may have 100,000."""
    plain = _PLAIN[table]
    lines = map(_FORMAT[table].__mod__, zip(*columns[:plain], strict=True))
    found: Iterator[int] = map(crc32, map(str.encode, lines))
    for blobs in columns[plain:-1]:
        found = map(crc32, blobs, found)
    return found


def selection(table: str, order: str) -> str:
    """SQL for all rows with their sums, the columns in the order of COLUMNS."""
    return f"SELECT {', '.join(COLUMNS[table])}, sum FROM {table} ORDER BY {order}"


def insertion(table: str) -> str:
    """SQL that puts one row, columns in the order of COLUMNS, its sum last."""
    columns = (*COLUMNS[table], "sum")
    return (
        f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) "
        f"VALUES ({', '.join('?' * len(columns))})"
    )
