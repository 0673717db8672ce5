"""What an engine remembers of the texts it has read, bounded in bytes; the least used goes first.

Each stretch hangs on the first `start` tokens of another one, so a shared beginning is held once.
It knows token ids and sizes; what a stretch holds is the engine's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stretch(Generic[T]):
    """`value` holds tokens `start`.. of the text; of them those before `stop` are of use."""

    value: T
    start: int
    stop: int


@dataclass(eq=False, slots=True)
class _Entry(Generic[T]):
    ids: NDArray[np.int32]
    start: int
    value: T
    size: int
    parent: _Entry[T] | None
    used: int = 0
    children: int = field(default=0)

    def chain(self) -> Iterator[_Entry[T]]:
        """The entry and what it hangs on, root last."""
        entry: _Entry[T] | None = self
        while entry is not None:
            yield entry
            entry = entry.parent


class Prefixes(Generic[T]):
    """`limit` is in bytes. With `whole` a value can't be cut: it holds all of its text itself, and
    is found only where a text begins with all of that."""

    def __init__(self, limit: int, *, whole: bool = False) -> None:
        self._limit = limit
        self._whole = whole
        self._entries: list[_Entry[T]] = []
        self._clock = 0
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def longest(self, ids: Sequence[int]) -> list[Stretch[T]]:
        """The stretches, root first, that together hold the longest known beginning of `ids`; the
        last one's `stop` is its length. An empty list where nothing is known."""
        entry, common = self._best(np.asarray(ids, np.int32))
        if entry is None:
            return []
        self._touch(entry)
        found: list[Stretch[T]] = []
        stop = common
        for part in entry.chain():
            if part.start < stop:
                found.append(Stretch(part.value, part.start, stop))
                stop = part.start
        return found[::-1]

    def known(self, ids: Sequence[int]) -> int:
        """How many of the first `ids` are held."""
        return self._best(np.asarray(ids, np.int32))[1]

    def put(self, ids: Sequence[int], start: int, value: T, size: int) -> None:
        """Keep `value` for ids[start:], `size` bytes; `start` is what `known(ids)` said, or 0 with
        `whole`. Raises ValueError if the tokens before `start` are not held."""
        row = np.array(ids, np.int32)
        parent: _Entry[T] | None = None
        if start:
            parent, common = self._best(row[:start])
            if common < start:
                raise ValueError(f"only {common} of the {start} tokens before are known")
        if size > self._limit or start >= len(row):
            return
        while parent is not None and parent.start >= start:
            parent = parent.parent
        entry = _Entry(row, start, value, size, parent)
        if parent is not None:
            parent.children += 1
        self._entries.append(entry)
        self.bytes += size
        self._touch(entry)
        self._shrink(entry)

    def clear(self) -> None:
        self._entries.clear()
        self.bytes = 0

    def _best(self, ids: NDArray[np.int32]) -> tuple[_Entry[T] | None, int]:
        best: _Entry[T] | None = None
        length = 0
        for entry in self._entries:
            common = common_length(entry.ids, ids)
            if self._whole and common < len(entry.ids):
                continue
            if common > length:
                best, length = entry, common
        return best, length

    def _touch(self, entry: _Entry[T]) -> None:
        self._clock += 1
        for part in entry.chain():
            part.used = self._clock

    def _shrink(self, newest: _Entry[T]) -> None:
        """Drops unused ends of chains; never the newest, nor what it hangs on."""
        while self.bytes > self._limit:
            ends = [e for e in self._entries if not e.children and e is not newest]
            if not ends:
                self._drop(newest)
                continue
            self._drop(min(ends, key=lambda e: e.used))

    def _drop(self, entry: _Entry[T]) -> None:
        self._entries.remove(entry)
        self.bytes -= entry.size
        if entry.parent is not None:
            entry.parent.children -= 1


def common_length(a: NDArray[Any], b: NDArray[Any]) -> int:
    """Length of the common beginning."""
    count = min(len(a), len(b))
    if not count or a[0] != b[0]:
        return 0
    different = np.flatnonzero(a[:count] != b[:count])
    return int(different[0]) if len(different) else count
