"""Every row that can be found in the bytes of a session file, whatever is broken around it.

Knows SQLite's pages, cells and records (sqlite.org/fileformat.html) and the shapes of the tables,
not the trees that hold them together: each page is looked at by itself. Nothing is written.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator
from typing import Any, NamedTuple

from loom.store.columns import COLUMNS as SPAN
from loom.store.log import Log
from loom.store.sums import COLUMNS, sum_of

LEAF, INDEX_LEAF, INDEX_INTERIOR, INTERIOR = 13, 10, 2, 5
MAX_ROW = 1 << 30
GUESSES = 300  # pages that are searched byte by byte at most

Values = tuple[Any, ...]


class Found(NamedTuple):
    """A row with its columns as in sums.COLUMNS, or of `tokens` as in the file. `sound` says that
    its sum is right, None that it has none: a row of version 1."""

    table: str
    row: Values
    sound: bool | None


class Pages:
    """The file with its log, oldest state first; iterating yields every row of every page."""

    def __init__(self, data: bytes, log_data: bytes = b"", log: Log | None = None) -> None:
        self._data, self._log_data, self._log = data, log_data, log
        self.size = _page_size(data, log)
        self._usable = self.size - (data[20] if len(data) > 20 and data[20] < 32 else 0)
        self._newer: dict[int, bytes] = {}
        self._overflow: set[int] = set()

    def __iter__(self) -> Iterator[Found]:
        doubtful: list[tuple[int, bytes]] = []
        for number in range(1, len(self._data) // self.size + 2):
            page = self._page(number)
            if page is not None and not (yield from self._rows(number, page)):
                doubtful.append((number, page))
        for frame in self._log.frames if self._log else ():
            page = self._log_data[frame.start : frame.start + self.size]
            self._newer[frame.page] = page
            if not (yield from self._rows(frame.page, page)):
                doubtful.append((frame.page, page))
        mine = [page for n, page in doubtful if n not in self._overflow and any(page)]
        for page in mine[:GUESSES]:
            yield from self._guessed(page)

    def _page(self, number: int) -> bytes | None:
        if number in self._newer:
            return self._newer[number]
        start = (number - 1) * self.size
        page = self._data[start : start + self.size]
        return page.ljust(self.size, b"\0") if number > 0 and page else None

    def _rows(self, number: int, page: bytes) -> Generator[Found, None, bool]:
        """What the page's own list names; returns whether that was all there is."""
        head = 100 if number == 1 else 0
        kind = page[head]
        if kind == INTERIOR:
            return True
        if kind not in (LEAF, INDEX_LEAF, INDEX_INTERIOR):
            return False
        (count,) = struct.unpack_from(">H", page, head + 3)
        first = head + (12 if kind == INDEX_INTERIOR else 8)
        if first + 2 * count > len(page):
            return False
        complete = True
        for (at,) in struct.iter_unpack(">H", page[first : first + 2 * count]):
            found = self._cell(page, at, kind)
            complete = complete and found is not None and found.sound is not False
            if found is not None and found.table:
                yield found
        return complete

    def _guessed(self, page: bytes) -> Iterator[Found]:
        """Cells at any byte of a page whose own list is wrong; only what a sum vouches for."""
        for at in range(8, self.size - 4):
            for kind in (LEAF, INDEX_LEAF):
                found = self._cell(page, at, kind)
                if found is not None and found.sound:
                    yield found

    def _cell(self, page: bytes, at: int, kind: int) -> Found | None:
        """None for what is no cell; of no table where it is a row of something else."""
        try:
            if kind == INDEX_INTERIOR:
                at += 4
            length, at = _varint(page, at)
            key = None
            if kind == LEAF:
                key, at = _varint(page, at)
            if not 2 <= length <= min(MAX_ROW, len(self._data) + len(self._log_data)):
                return None
            return _found(_record(self._payload(page, at, length, kind)), key)
        except (IndexError, struct.error, ValueError):
            return None

    def _payload(self, page: bytes, at: int, length: int, kind: int) -> bytes:
        """A row's bytes, followed over other pages where it doesn't fit in one."""
        usable = self._usable
        most = usable - 35 if kind == LEAF else (usable - 12) * 64 // 255 - 23
        if length <= most:
            return page[at : at + length]
        least = (usable - 12) * 32 // 255 - 23
        local = least + (length - least) % (usable - 4)
        local = local if local <= most else least
        # What makes no record isn't worth following to other pages.
        if not _plausible(page, at):
            raise ValueError("no record begins here")
        parts, have = [page[at : at + local]], local
        (following,) = struct.unpack_from(">I", page, at + local)
        while have < length:
            more = self._page(following)
            if more is None:
                raise ValueError("the row goes on nowhere")
            self._overflow.add(following)
            (following,) = struct.unpack_from(">I", more)
            parts.append(more[4 : min(usable, 4 + length - have)])
            have += len(parts[-1])
        return b"".join(parts)


def _page_size(data: bytes, log: Log | None) -> int:
    if log is not None:
        return log.page_size
    size = int.from_bytes(data[16:18], "big") if len(data) >= 18 else 0
    return 4096 if size < 512 or size & (size - 1) else size


def _plausible(page: bytes, at: int) -> bool:
    """Whether a record with as many columns as one of our tables may begin here."""
    head, _ = _varint(page, at)
    return 3 <= head <= 64


def _varint(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    if byte < 0x80:
        return byte, at + 1
    value = byte & 0x7F
    for index in range(at + 1, at + 8):
        byte = data[index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, index + 1
    value = value << 8 | data[at + 8]
    return (value - (1 << 64) if value >> 63 else value), at + 9


_WIDTHS = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)


def _record(payload: bytes) -> Values:
    head, at = _varint(payload, 0)
    kinds = []
    while at < head:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    if at != head or not 2 <= len(kinds) <= 4 + len(SPAN):
        raise ValueError("no record of ours")
    values = []
    for kind in kinds:
        width = (kind - 12) // 2 if kind >= 12 else _WIDTHS[kind]
        values.append(_value(kind, payload[at : at + width], width))
        at += width
    if at != len(payload):
        raise ValueError("a record that is cut short")
    return tuple(values)


def _value(kind: int, raw: bytes, width: int) -> Any:
    if len(raw) != width or kind < 0:
        raise ValueError("a value that is cut short")
    if kind == 0:
        return None
    if kind == 7:
        return struct.unpack(">d", raw)[0]
    if kind < 7:
        return int.from_bytes(raw, "big", signed=True)
    if kind < 10:
        return kind - 8
    return raw.decode() if kind % 2 else raw


# Columns in the order in which the file has them, where that isn't the order of their sum.
_STORED = {
    "node": (
        *("id", "parent", "at", "author", "text", "recipe", "model", "seed"),
        *("ended", "created", "token_count", "hash"),
    )
}
_ORDER = {
    table: [_STORED.get(table, columns).index(name) for name in columns]
    for table, columns in COLUMNS.items()
}
_REALS = {"node": 8, "event": 1}  # SQLite keeps a whole number as an integer
_NUMBERED = {"model", "recipe", "node", "event"}
_KINDS: dict[str, tuple[type, ...]] = {
    "meta": (str, str),
    "model": (str, str, str, str),
    "recipe": (str,),
    "piece": (int, int, bytes),
    "mark": (int, int, str, str),
}


def _found(values: Values, key: int | None) -> Found | None:
    count = len(values)
    if key is not None and count == 4 + len(SPAN):
        return Found("tokens", (key, *values[1:]), None)
    for table, columns in COLUMNS.items():
        if count in (len(columns), len(columns) + 1) and _fits(table, values, key):
            row = _ordered(table, values, key)
            if count == len(columns):
                return Found(table, (*row, None), None)
            return Found(table, (*row, values[-1]), sum_of(table, row) == values[-1])
    return Found("", (), None)


def _fits(table: str, values: Values, key: int | None) -> bool:
    """Whether the row may be of this table: those with row numbers have a key, the first null."""
    numbered = table in _NUMBERED
    if numbered != (key is not None) or (numbered and values[0] is not None):
        return False
    if table == "node":
        return isinstance(values[4], bytes) and isinstance(values[11], bytes)
    if table == "event":
        return isinstance(values[1], float | int) and isinstance(values[3], str)
    kinds = _KINDS[table]
    return all(map(isinstance, values[numbered : numbered + len(kinds)], kinds))


def _ordered(table: str, values: Values, key: int | None) -> Values:
    whole = (key, *values[1:]) if key is not None else values
    row = [whole[i] for i in _ORDER[table]]
    real = _REALS.get(table)
    if real is not None and isinstance(row[real], int):
        row[real] = float(row[real])
    return tuple(row)
