"""The shares of sources along a path as rows of cells, one above the other: the more cells of a
column, the larger the share. Without a calibration only who comes before whom.

Knows what is believed along a path; knows nothing of widgets and colours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from loom.core.text import visible
from loom.ui import glyphs
from loom.ui.along import Along, layers, order
from loom.ui.widgets.layers import LEADING, STEPS
from loom.ui.worlds import Floats

DIGITS = "1234"
OTHERS, NOBODY = "+", "·"  # any other source, and none of them


class Level(NamedTuple):
    """One row: what it is called, what is to be said of it at the cursor, its cells and the looks
    of those."""

    name: str
    value: str
    cells: str
    looks: Sequence[str]


@dataclass(frozen=True)
class Stack:
    """`shorts`: what sources are called in short."""

    along: Along
    shorts: Mapping[str, str]
    calibrated: bool

    @property
    def chosen(self) -> tuple[str, ...]:
        return self.along.slots

    @property
    def labels(self) -> list[str]:
        called = [visible(self.shorts.get(name, name)) for name in self.chosen]
        keys = [*DIGITS[: len(called)], OTHERS, NOBODY]
        return [f"{key} {name}" for key, name in zip(keys, (*called, "other", "none"), strict=True)]

    def levels(self, edges: Sequence[int], token: int) -> list[Level]:
        """As many rows as parts, a cell between each two of `edges`."""
        columns = self._columns(self.along.shares(self.chosen, edges))
        here = self.along.shares(self.chosen, [token, token + 1])[0] if len(self.along) else None
        looks = self._looks
        glyph = [label[0] for label in self.labels]
        found = []
        for level, label in enumerate(self.labels):
            parts = [column[level] for column in columns]
            cells = "".join(" " if part is None else glyph[part] for part in parts)
            names = ["" if part is None else looks[part] for part in parts]
            found.append(Level(label, self._value(here, level), cells, names))
        return found

    def _columns(self, shares: Floats) -> list[Sequence[int | None]]:
        """Which part stands in each cell, column by column from the top."""
        size = shares.shape[1]
        put = layers if self.calibrated else _ranked
        return [
            [None] * size if np.isnan(column).any() else put(column.tolist(), size)
            for column in shares
        ]

    @property
    def _looks(self) -> list[str]:
        own = [f"{LEADING}{step}" for step in range(1, len(self.chosen) + 1)]
        return [*own, f"{LEADING}{STEPS - 1}", f"{LEADING}0"]

    def _value(self, here: Floats | None, part: int) -> str:
        if here is None or np.isnan(here).any():
            return "–"
        if self.calibrated:
            return glyphs.percent(float(here[part]))
        return f"rank {order(here.tolist()).index(part) + 1}"


def _ranked(shares: Sequence[float], height: int) -> list[int]:
    return order(shares)[:height]
