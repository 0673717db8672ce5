"""A line of cells cut into runs that look alike, the token cursor among them.

Knows component classes by name only; what they look like is the stylesheet's.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from loom.ui.widgets.page import Line
from loom.ui.widgets.tokens import NodeTokens

CURSOR = "text--cursor"

Names = tuple[str, ...]


class Look(NamedTuple):
    """Component classes of the bytes up to `stop`."""

    stop: int
    names: Names


class Run(NamedTuple):
    names: Names
    text: str
    width: int


def token_looks(
    tokens: NodeTokens, start: int, first: int, last: int, names: Names, prefix: str
) -> Iterator[Look]:
    """A look for each token with bytes in `first`..`last` of a node that begins at `start`; those
    of a step below 0 look as all of it does."""
    index = bisect_right(tokens.ends, first - start)
    at = first
    while index < len(tokens.steps) and at < last:
        at = min(last, start + tokens.ends[index])
        step = tokens.steps[index]
        yield Look(at, names if step < 0 else (*names, f"{prefix}{step}"))
        index += 1
    if at < last:
        yield Look(last, names)


def runs(
    line: Line, looks: Sequence[Look], cursor: tuple[int, int] | None, width: int
) -> list[Run]:
    """`cursor`: the bytes under it, if any are on this line of a page `width` columns wide.

    A cell belongs to the look of its first byte and is under the cursor if any of its bytes is. A
    cursor behind the text gets a cell of its own, over the space at the edge if it must.
    """
    found: list[Run] = []
    behind = cursor is not None and line.text_stop <= cursor[0]
    last = _within(line, width) if behind else len(line.drawn)
    under = range(0) if cursor is None or behind else _under(line, cursor)
    at = 0
    for look in looks:
        stop = min(last, bisect_left(line.bytes, look.stop))
        for edge in (min(stop, under.start), min(stop, under.stop), stop):
            if edge > at:
                names = (*look.names, CURSOR) if at in under else look.names
                found.append(_run(line, at, edge, names))
                at = edge
    if behind:
        names = looks[-1].names if looks else ()
        found.append(Run((*names, CURSOR), " ", 1))
    return found


def _under(line: Line, cursor: tuple[int, int]) -> range:
    """The cells under the cursor."""
    return range(
        max(0, bisect_right(line.bytes, cursor[0]) - 1), bisect_left(line.bytes, cursor[1])
    )


def _run(line: Line, first: int, last: int, names: Names) -> Run:
    return Run(names, "".join(line.drawn[first:last]), line.columns(first, last))


def _within(line: Line, width: int) -> int:
    """How many cells leave the column at the edge free."""
    count = len(line.drawn)
    while count and line.columns(0, count) > width:
        count -= 1
    return count
