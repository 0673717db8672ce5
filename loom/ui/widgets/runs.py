"""A line of cells cut into runs that look alike, the token cursor among them.

Knows component classes by name only; what they look like is the stylesheet's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from loom.ui.widgets.page import Cell, Line
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
    """A look for each token with bytes in `first`..`last` of a node that begins at `start`."""
    index = bisect_right(tokens.ends, first - start)
    at = first
    while index < len(tokens.steps) and at < last:
        at = min(last, start + tokens.ends[index])
        yield Look(at, (*names, f"{prefix}{tokens.steps[index]}"))
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
    stops = [look.stop for look in looks]
    cells = line.cells
    if cursor is not None and line.text_stop <= cursor[0]:
        cells = (*_within(cells, width), Cell(cursor[0], " ", 1))
    nexts = [*(cell.byte for cell in cells[1:]), line.text_stop]
    for cell, next_byte in zip(cells, nexts, strict=False):
        index = bisect_right(stops, cell.byte)
        names = looks[index].names if index < len(looks) else ()
        if (
            cursor is not None
            and cell.byte < cursor[1]
            and max(next_byte, cell.byte + 1) > cursor[0]
        ):
            names = (*names, CURSOR)
        _append(found, names, cell)
    return found


def _append(found: list[Run], names: Names, cell: Cell) -> None:
    if found and found[-1].names == names:
        last = found.pop()
        found.append(Run(names, last.text + cell.drawn, last.width + cell.width))
    else:
        found.append(Run(names, cell.drawn, cell.width))


def _within(cells: Sequence[Cell], width: int) -> Sequence[Cell]:
    used = 0
    for count, cell in enumerate(cells):
        used += cell.width
        if used > width:
            return cells[:count]
    return cells
