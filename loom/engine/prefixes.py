"""What an engine remembers of the texts it has read, bounded in bytes; the least used goes first.

A radix tree: a beginning that texts share is held once, each piece of text beside the value for it.
It knows token ids and sizes; what a value holds, and how it is cut in two, is the engine's.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
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


class Prefixes(Generic[T]):
    """`limit` is in bytes."""

    def __init__(self, limit: int, values: Values[T]) -> None:
        self._limit = limit
        self._values = values
        self._top: dict[int, _Piece[T]] = {}
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

    def _shrink(self, newest: _Piece[T]) -> None:
        """Drops unused leaves; the newest and what it hangs on only when nothing else is left.

        All pieces are looked at once, however many go.
        """
        if self.bytes <= self._limit:
            return
        leaves = [_ranked(piece, newest) for piece in self._pieces() if not piece.children]
        heapq.heapify(leaves)
        while self.bytes > self._limit:
            leaf = heapq.heappop(leaves)[-1]
            self._drop(leaf)
            if leaf.parent is not None and not leaf.parent.children:
                heapq.heappush(leaves, _ranked(leaf.parent, newest))

    def _drop(self, leaf: _Piece[T]) -> None:
        del self._beside(leaf.parent)[int(leaf.ids[0])]
        self.bytes -= leaf.size

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


def _ranked(piece: _Piece[T], newest: _Piece[T]) -> tuple[bool, int, int, _Piece[T]]:
    """In the order in which leaves go; no two are the same."""
    return piece is newest, piece.used, id(piece), piece


def common_length(a: NDArray[Any], b: NDArray[Any]) -> int:
    """Length of the common beginning."""
    count = min(len(a), len(b))
    if not count or a[0] != b[0]:
        return 0
    different = np.flatnonzero(a[:count] != b[:count])
    return int(different[0]) if len(different) else count
