"""What a backend's model must give so that `loom.engine.turns` can run jobs on it.

Log-probabilities come as numpy; knows no library and no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from loom.engine.bytetable import ByteExact

Floats = NDArray[np.floating[Any]]


class Interrupted(Exception):
    """A forward pass was broken off from outside; its rows are as they were before, or empty."""


class Rows(Protocol):
    """Texts of equal length that the model has read, one a row."""

    length: int

    def read(self, tokens: Sequence[Sequence[int]], keep: int) -> NDArray[np.float32]:
        """Reads as many tokens on in every row, in one forward pass; the natural log-probabilities
        after the last `keep` of them, float32[rows, keep, V]."""
        ...

    def fork(self, count: int) -> None:
        """`count` rows of the one there is."""
        ...

    def select(self, rows: Sequence[int]) -> None:
        """Goes on with these rows only, in this order."""
        ...

    def save(self, row: int, ids: Sequence[int]) -> None:
        """Remembers what was read in `row`: `ids`, all of it."""
        ...


@dataclass(frozen=True, slots=True)
class Language:
    """The model's tokens and how much of a text it sees.

    `first` stands before every text; `opening` is all that the model sees of an empty text if there
    is no `first`. `ends` end a document. `banned` are never drawn.
    """

    spelling: ByteExact
    context: int
    first: int | None
    opening: int | None
    ends: frozenset[int]
    banned: NDArray[np.bool_]

    @property
    def size(self) -> int:
        return len(self.banned)


class Network(Protocol):
    """A loaded model."""

    language: Language

    def rows(self, ids: Sequence[int]) -> Rows:
        """One row that has read as much of `ids` as is remembered."""
        ...


@dataclass(frozen=True, slots=True)
class Sight:
    """What the model sees of a text of n tokens: `head`, then the tokens from `start` on."""

    head: tuple[int, ...]
    start: int

    def of(self, *parts: Sequence[int], start: int = 0, stop: int | None = None) -> list[int]:
        """The ids seen of the text that `parts` make up, or those from `start` to `stop`."""
        ids = list(self.head[start:stop])
        offset = len(self.head) - self.start
        for part in parts:
            first = max(start, len(self.head)) - offset
            last = len(part) if stop is None else stop - offset
            ids += part[max(0, first) : max(0, last)]
            offset += len(part)
        return ids


def sight(language: Language, count: int) -> Sight:
    """The sight of a text of `count` tokens, whatever way it came about.

    Everything while it fits the context; then its tail, whose start moves on by a quarter of the
    context at a time, so that what was read stays of use in between.
    """
    head = () if language.first is None else (language.first,)
    if not count and not head and language.opening is not None:
        return Sight((language.opening,), 0)
    room = language.context - len(head)
    if count <= room:
        return Sight(head, 0)
    step = max(1, language.context // 4)
    return Sight(head, -(-(count - room) // step) * step)
