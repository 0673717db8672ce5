"""The branches of one job as one stretch, in the order in which their tokens were drawn, and what
was read of it dealt out to them again. Knows spans and readings; no nodes and no sessions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loom.core.node import Author
from loom.core.span import Span, joined
from loom.instruments.api import Context, Drawn, Flag, Reading
from loom.instruments.folding import Stretch


@dataclass(frozen=True, slots=True)
class InNode(Flag):
    """A flag of an instrument that reads the log: `began` too is a token of the node it is kept
    with, for what stands on the path before a node may come to have other tokens."""


def side_by_side(
    job: int,
    branches: Mapping[int, tuple[Span, Sequence[bytes]]],
    *,
    position: int = 0,
    offset: int = 0,
    temperature: float | None = None,
) -> Stretch:
    """Of each branch its span and the bytes of its tokens; step by step, and in each by branch.

    Raises ValueError for no branches, or where they have different numbers of alternatives.
    """
    spans = [span for span, _ in branches.values()]
    steps = np.concatenate([np.arange(len(span)) for span in spans])
    numbers = np.repeat(list(branches), [len(span) for span in spans])
    order = np.lexsort((numbers, steps))
    pieces = [piece for _, some in branches.values() for piece in some]
    ordered = tuple(pieces[row] for row in order.tolist())
    columns: dict[str, NDArray[Any] | None] = {
        name: None if column is None else column[order] for name, column in joined(spans).columns()
    }
    columns["ends"] = np.cumsum([len(piece) for piece in ordered], dtype=np.int32)
    drawn = Drawn(job, tuple(steps[order].tolist()), tuple(numbers[order].tolist()))
    context = Context(position, offset, Author.MODEL, ordered, temperature, drawn=drawn)
    return Stretch(Span(**columns), context)  # type: ignore[arg-type]


def dealt(reading: Reading, stretch: Stretch) -> dict[int, Reading]:
    """By branch: its own values and flags. The summary is that of the whole, with each."""
    drawn = stretch.context.drawn
    assert drawn is not None
    numbers = np.asarray(drawn.branches)
    return {
        branch: _share(reading, np.flatnonzero(numbers == branch), stretch.context.position)
        for branch in dict.fromkeys(drawn.branches)
    }


def _share(reading: Reading, rows: NDArray[np.intp], position: int) -> Reading:
    places = {row: token for token, row in enumerate(rows.tolist())}
    flags = tuple(
        InNode(**{**asdict(flag), "at": places[flag.at], "began": _first(flag, rows, position)})
        for flag in reading.flags
        if flag.at in places
    )
    values = {name: column[rows] for name, column in reading.values.items()}
    return replace(reading, values=values, flags=flags)


def _first(flag: Flag, rows: NDArray[np.intp], position: int) -> int:
    """The first token of the branch that the flag is about."""
    return int(np.searchsorted(rows, flag.began - position))
