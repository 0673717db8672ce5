"""What a backend's model must give so that `loom.engine.turns` can run jobs on it.

Knows no library and no file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from loom.engine.bytetable import ByteExact

Floats = NDArray[np.floating[Any]]

STEPWISE = "stepwise"  # the sight of a long text, as `sight` moves it on
SLIDING = "sliding"  # or token by token


class Interrupted(Exception):
    """A forward pass was broken off from outside; its rows are as they were before, or empty."""


class Rows(Protocol):
    """Texts of equal length that the model has read, one a row. What is asked of them while a pass
    is under way waits for its end."""

    @property
    def length(self) -> int:
        """Tokens read in each row."""
        ...

    def read(self, tokens: Sequence[Sequence[int]], keep: int) -> Any:
        """Reads as many tokens on in every row, in one forward pass; the natural log-probabilities
        after the last `keep` of them, float32[rows, keep, V], as an array of numpy or of whatever
        the `Arithmetic` that comes with the network takes."""
        ...

    def begin(self, tokens: Sequence[Sequence[int]], keep: int) -> Callable[[], Any]:
        """The same beside what else is done, where the network can: a call that waits for the end
        of it. What `read` would raise, it raises."""
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

    @property
    def seeing(self) -> dict[str, str]:
        """What a runtime tells those who want to know what the model saw of a text."""
        named = {"first": self.first, "opening": self.opening}
        ids = {name: str(token) for name, token in named.items() if token is not None}
        return {"sight": STEPWISE, **ids}


@dataclass(frozen=True, slots=True)
class Reading:
    """One text that is to be read on by `tokens`: the single row of `rows`. What follows the last
    `keep` of them is asked for."""

    rows: Rows
    tokens: Sequence[int]
    keep: int


class Network(Protocol):
    """A loaded model. `room` is how many tokens of several texts it reads in one pass, 0 where it
    reads one text at a time."""

    language: Language
    room: int

    def together(self, readings: Sequence[Reading]) -> Callable[[], list[Any]]:
        """Begins one forward pass for all of these: a call that waits for float32[keep, V] of each,
        or raises what `Rows.read` would."""
        ...

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


def sight(language: Language, count: int, piece: Callable[[int], bytes]) -> Sight:
    """The sight of a text of `count` tokens, whatever way it came about; see `seen_from`."""
    head = () if language.first is None else (language.first,)
    if not count and not head and language.opening is not None:
        return Sight((language.opening,), 0)
    return Sight(head, seen_from(language.context, len(head), count, piece))


def seen_from(
    context: int, head: int, count: int, piece: Callable[[int], bytes] = lambda index: b""
) -> int:
    """The first of `count` tokens that is seen with `head` ids put before them.

    Everything while it fits the context; then the tail, whose start moves on by a quarter of the
    context at a time, so that what was read stays of use in between, and from there to the next
    paragraph, if there is one in the quarter. `piece(i)` are the bytes of the text's token i.
    """
    room = context - head
    if count <= room:
        return 0
    return _paragraph(piece, *window(context, count - room))


def window(context: int, excess: int) -> tuple[int, int]:
    """The tokens, from and to, at one of which the sight of a text begins that has so many more
    than the context has room for."""
    step = max(1, context // 4)
    start = -(-excess // step) * step
    return start, start + step


def _paragraph(piece: Callable[[int], bytes], start: int, stop: int) -> int:
    """The first token from `start` on with a blank line before it; else one that opens a line; else
    `start`."""
    line = start
    before = b"".join(piece(index) for index in range(max(0, start - 2), start))
    for index in range(start, stop):
        if before.endswith(b"\n") and not piece(index).startswith(b"\n"):
            if before.endswith(b"\n\n"):
                return index
            line = index if line == start else line
        before = before[-1:] + piece(index)
    return line
