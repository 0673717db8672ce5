"""The shares of sources along a path as rows of cells, one above the other: the more cells of a
column, the larger the share. Without a calibration only who comes before whom.

Knows what is believed along a path; knows nothing of widgets and colours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from loom.core.text import visible
from loom.instruments.sources.api import NULL
from loom.ui import glyphs
from loom.ui.along import Along, layers, order
from loom.ui.widgets.layers import LEADING, STEPS
from loom.ui.worlds import Floats, ranks

DIGITS = "1234"
OTHERS, NOBODY = "+", "·"  # any other source, and none of them


class Part(NamedTuple):
    """`column` of it among the shares along a path; `sources` are those that it stands for."""

    glyph: str
    name: str
    column: int
    sources: tuple[str, ...]

    @property
    def look(self) -> str:
        steps = {OTHERS: STEPS - 1, NOBODY: 0}
        return f"{LEADING}{steps.get(self.glyph, self.column + 1)}"

    @property
    def title(self) -> str:
        return f"{self.glyph} {self.name}"


class Level(NamedTuple):
    """A row of cells, and the looks of those."""

    cells: str
    looks: Sequence[str]


@dataclass(frozen=True)
class Stack:
    """`shorts`: what sources are called in short."""

    along: Along
    shorts: Mapping[str, str]
    calibrated: bool

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """From the top. Of many sources together there is no rank."""
        slots, names = self.along.slots, self.along.names
        found = [
            Part(DIGITS[number], visible(self.shorts.get(name, name)), number, (name,))
            for number, name in enumerate(slots)
        ]
        if self.calibrated:
            rest = tuple(name for name in names if name not in (*slots, NULL))
            found.append(Part(OTHERS, "other", len(slots), rest))
        return (*found, Part(NOBODY, "none", len(slots) + 1, (NULL,)))

    def levels(self, edges: Sequence[int]) -> list[Level]:
        """As many rows as parts, a cell between each two of `edges`."""
        parts = self.parts
        shares = self.along.shares(self.along.slots, edges)[:, [part.column for part in parts]]
        columns = [self._put(column) for column in shares]
        return [
            Level(
                "".join(" " if put is None else parts[put[row]].glyph for put in columns),
                ["" if put is None else parts[put[row]].look for put in columns],
            )
            for row in range(len(parts))
        ]

    def _put(self, shares: Floats) -> list[int] | None:
        """Which part stands in each cell of a column, from the top."""
        if np.isnan(shares).any():
            return None
        return layers(shares.tolist(), len(shares)) if self.calibrated else order(shares.tolist())

    def value(self, part: Part, token: int) -> str:
        """Of a part after one token."""
        found = self.along.at(token)
        if found is None or not set(part.sources) <= set(found[0]):
            return "–"
        names, shares = found
        columns = [names.index(name) for name in part.sources]
        if not self.calibrated:
            return f"rank {ranks(shares)[columns[0]]}"
        return glyphs.percent(float(shares[columns].sum()))
