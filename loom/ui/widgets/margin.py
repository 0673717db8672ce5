"""Flags beside a text: a line along what one is about, its glyph where it was raised; and tokens of
a text set off.

Knows bytes of a page; knows nothing of tokens, nodes or colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from loom.instruments.api import Level
from loom.ui.glyphs import FLAGS
from loom.ui.widgets.page import Line
from loom.ui.widgets.runs import Look

RAISED, MOVED = "text--raised", "text--moved"
ALONG: dict[Level, str] = {"info": "╎", "flag": "┃"}


Spot = tuple[int, int]
"""The first byte of a token, and the one after its last."""


class Passage(NamedTuple):
    """What a flag is about, bytes `first` to `last`; the token that raised it begins at `token`."""

    first: int
    token: int
    last: int
    level: Level


def flag_beside(line: Line, passages: Iterable[Passage]) -> str:
    """What stands beside a line: of several the gravest, and where one was raised that."""
    raised: set[Level] = set()
    along: set[Level] = set()
    for passage in passages:
        if line.start < passage.last <= line.stop:
            raised.add(passage.level)
        elif passage.first < line.stop and line.start < passage.last:
            along.add(passage.level)
    for levels, glyphs in ((raised, FLAGS), (along, ALONG)):
        if levels:
            return glyphs["flag" if "flag" in levels else "info"]
    return ""


def raised_spots(passages: Sequence[Passage], start: int, stop: int) -> list[Spot]:
    """The tokens that raised flags, of those with bytes in `start`..`stop`."""
    return sorted({(p.token, p.last) for p in passages if p.token < stop and start < p.last})


def with_spots(
    looks: Iterable[Look], start: int, spots: Sequence[Spot], name: str
) -> Iterator[Look]:
    """The looks of bytes from `start` on, those of `spots` set off by one more class."""
    at = start
    for look in looks:
        edges = sorted({edge for spot in spots for edge in spot if at < edge < look.stop})
        for edge in (*edges, look.stop):
            inside = any(first <= at < last for first, last in spots)
            yield Look(edge, (*look.names, name) if inside else look.names)
            at = edge
