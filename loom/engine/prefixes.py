"""What an engine remembers of the texts it has read, bounded in bytes; the least used goes first.

A radix tree: a beginning that texts share is held once, each piece of text beside the value for it.
It knows token ids and sizes; what a value holds, and how it is cut in two, is the engine's.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

GONE = -1  # when a piece was used that isn't held any more
SMALL = 64  # leaves


@dataclass(frozen=True, slots=True)
class Stretch(Generic[T]):
    """`value` holds tokens `start`.. of the text; of them those before `stop` are of use."""

    value: T
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Values(Generic[T]):
    """How the engine's values are dealt with. `size` is in bytes; `cut(value, start, stop)` holds
    tokens start..stop of `value` and nothing else."""

    size: Callable[[T], int]
    cut: Callable[[T, int, int], T]


@dataclass(eq=False, slots=True)
class _Piece(Generic[T]):
    """`ids` from the end of `parent` on, at least one; `children` by their first id."""

    ids: NDArray[np.int32]
    value: T
    size: int
    parent: _Piece[T] | None
    used: int
    children: dict[int, _Piece[T]] = field(default_factory=dict)


_Leaf = tuple[int, int, _Piece[T]]  # when it was used, a number of its own, the piece


class Prefixes(Generic[T]):
    """`limit` is in bytes."""

    def __init__(self, limit: int, values: Values[T]) -> None:
        self._limit = limit
        self._values = values
        self._top: dict[int, _Piece[T]] = {}
        self._leaves: list[_Leaf[T]] = []  # a heap, the least used first; some are none any more
        self._pushed = itertools.count()
        self._tidied_at = SMALL
        self._clock = 0
        self.bytes = 0

    def __len__(self) -> int:
        """Pieces."""
        return sum(1 for _ in self._pieces())

    def longest(self, ids: Sequence[int]) -> list[Stretch[T]]:
        """The stretches, root first, that together hold the longest known beginning of `ids`; the
        last one's `stop` is its length. An empty list where nothing is known."""
        walked = self._walk(np.asarray(ids, np.int32))
        self._touch(walked)
        found: list[Stretch[T]] = []
        start = 0
        for piece, common in walked:
            found.append(Stretch(piece.value, start, start + common))
            start += common
        return found

    def known(self, ids: Sequence[int]) -> int:
        """How many of the first `ids` are held."""
        return sum(common for _, common in self._walk(np.asarray(ids, np.int32)))

    def put(self, ids: Sequence[int], start: int, value: T) -> None:
        """Keep `value` for ids[start:]; `start` is what `known(ids)` says. Raises ValueError if
        that isn't so."""
        row = np.array(ids, np.int32)
        walked = self._walk(row)
        known = sum(common for _, common in walked)
        if known != start:
            raise ValueError(f"{known} of these tokens are known, not {start}")
        size = self._values.size(value)
        if start == len(row) or size > self._limit:
            return
        parent = None
        if walked:
            parent, common = walked[-1]
            if common < len(parent.ids):
                parent = self._divide(parent, common)
        piece = _Piece(row[start:].copy(), value, size, parent, 0)
        self._beside(parent)[int(piece.ids[0])] = piece
        self.bytes += size
        self._touch([*walked[:-1], *([(parent, 0)] if parent else ()), (piece, 0)])
        self._shrink(piece)

    def clear(self) -> None:
        self._top.clear()
        self._leaves.clear()
        self.bytes = 0

    def _walk(self, ids: NDArray[np.int32]) -> list[tuple[_Piece[T], int]]:
        """Pieces along `ids`, root first, with how many tokens of each are the same."""
        walked: list[tuple[_Piece[T], int]] = []
        children, start = self._top, 0
        while start < len(ids) and (piece := children.get(int(ids[start]))) is not None:
            common = common_length(piece.ids, ids[start:])
            walked.append((piece, common))
            if common < len(piece.ids):
                break
            children, start = piece.children, start + common
        return walked

    def _beside(self, parent: _Piece[T] | None) -> dict[int, _Piece[T]]:
        return self._top if parent is None else parent.children

    def _divide(self, piece: _Piece[T], at: int) -> _Piece[T]:
        """Cuts a piece in two; the first half, which is new."""
        first = self._values.cut(piece.value, 0, at)
        rest = self._values.cut(piece.value, at, len(piece.ids))
        half = _Piece(piece.ids[:at].copy(), first, self._values.size(first), piece.parent, 0)
        self._beside(piece.parent)[int(half.ids[0])] = half
        self.bytes -= piece.size
        piece.ids, piece.value, piece.parent = piece.ids[at:].copy(), rest, half
        piece.size = self._values.size(rest)
        half.children[int(piece.ids[0])] = piece
        self.bytes += half.size + piece.size
        return half

    def _touch(self, walked: Sequence[tuple[_Piece[T], int]]) -> None:
        self._clock += 1
        for piece, _ in walked:
            piece.used = self._clock
            self._push(piece)
        self._tidy()

    def _push(self, piece: _Piece[T]) -> None:
        """Have it found among the leaves, if it is one, by when it was used."""
        if not piece.children:
            heapq.heappush(self._leaves, (piece.used, next(self._pushed), piece))

    def _shrink(self, newest: _Piece[T]) -> None:
        """Drops unused leaves; the newest and what it hangs on only when nothing else is left."""
        spared: list[_Leaf[T]] = []
        while self.bytes > self._limit:
            entry = heapq.heappop(self._leaves) if self._leaves else spared.pop()
            leaf = entry[-1]
            if not _is_current(entry):
                continue
            if leaf is newest and not spared and self._leaves:
                spared.append(entry)
                continue
            self._drop(leaf)
        for entry in spared:
            heapq.heappush(self._leaves, entry)

    def _drop(self, leaf: _Piece[T]) -> None:
        del self._beside(leaf.parent)[int(leaf.ids[0])]
        self.bytes -= leaf.size
        leaf.used = GONE
        if leaf.parent is not None:
            self._push(leaf.parent)

    def _tidy(self) -> None:
        """Once most of the heap are entries of before, which costs as much as they did to make."""
        if len(self._leaves) > self._tidied_at:
            self._leaves = [entry for entry in self._leaves if _is_current(entry)]
            heapq.heapify(self._leaves)
            self._tidied_at = 2 * len(self._leaves) + SMALL

    def _pieces(self) -> Iterator[_Piece[T]]:
        waiting = list(self._top.values())
        while waiting:
            piece = waiting.pop()
            waiting += piece.children.values()
            yield piece


class Wholes(Generic[T]):
    """The same for values that can't be cut: each holds all of its text, and is found only where a
    text begins with all of that."""

    def __init__(self, limit: int, size: Callable[[T], int]) -> None:
        self._limit = limit
        self._size = size
        self._values: dict[bytes, tuple[T, int]] = {}  # the least used first
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._values)

    def longest(self, ids: Sequence[int]) -> tuple[T, int] | None:
        """The value of the longest beginning of `ids` that is held, and that one's length."""
        text = np.asarray(ids, np.int32).tobytes()
        keys = [key for key in self._values if text.startswith(key)]
        if not keys:
            return None
        key = max(keys, key=len)
        found = self._values[key] = self._values.pop(key)
        return found[0], len(key) // 4

    def __contains__(self, ids: Sequence[int]) -> bool:
        return np.asarray(ids, np.int32).tobytes() in self._values

    def put(self, ids: Sequence[int], value: T) -> None:
        key, size = np.asarray(ids, np.int32).tobytes(), self._size(value)
        if not key or size > self._limit:
            return
        self.bytes += size - self._values.pop(key, (value, 0))[1]
        self._values[key] = (value, size)
        while self.bytes > self._limit:
            self.bytes -= self._values.pop(next(iter(self._values)))[1]

    def clear(self) -> None:
        self._values.clear()
        self.bytes = 0


def _is_current(entry: _Leaf[T]) -> bool:
    """Whether it is still a leaf, and was not used since."""
    used, _, piece = entry
    return piece.used == used and not piece.children


def common_length(a: NDArray[Any], b: NDArray[Any]) -> int:
    """Length of the common beginning."""
    count = min(len(a), len(b))
    if not count or a[0] != b[0]:
        return 0
    different = np.flatnonzero(a[:count] != b[:count])
    return int(different[0]) if len(different) else count
