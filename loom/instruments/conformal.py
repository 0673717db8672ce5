"""Limits that reference text passes with at most a chance α, whatever its distribution.

Windows of one work resemble one another, so works, not windows, are taken as exchangeable: a work
weighs 1/(K+1) whatever its length, and one more, the one to be judged, weighs as much and counts as
passing (hierarchical conformal prediction; Lee, Barber & Willett 2023). Several statistics share α:
a window is as strange as the strangest of them, and the limits are those of one strangeness, so
statistics that go together cost less than α divided by their number.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LADDER = (0.1, 0.05, 0.02, 0.01, 0.005)
"""The α for which limits are kept."""


def fewest_works(alpha: float) -> int:
    """Without so many works no limit holds at `alpha`."""
    return math.ceil(1 / alpha - 1 - 1e-9)


USUAL = 0.9  # share of reference windows below what is no longer usual
SPREAD = 0.5


@dataclass(frozen=True, slots=True)
class _Scale:
    """One statistic's strangeness: how rare so large a value is (−log), and how far above what is
    usual (log, over the spread up there). So of the largest of each, equally rare, those farthest
    out are given up first, and beyond all that was seen there is still a limit."""

    values: Floats  # rising
    reached: Floats  # weight of all that are at least as large
    usual: float
    spread: float

    @classmethod
    def of(cls, values: Floats, weights: Floats, spread: float) -> _Scale:
        order = np.argsort(values, kind="stable")
        rising = values[order]
        reached = np.cumsum(weights[order][::-1])[::-1]
        usual = rising[np.searchsorted(-reached, -(1 - USUAL) * reached[0], side="right") - 1]
        first_alike = np.searchsorted(rising, rising, side="left")
        return cls(rising, reached[first_alike], float(usual), spread)

    def strangeness(self, values: Floats, least: float) -> Floats:
        """Nothing is taken for rarer than `least`, the weight of a work."""
        reached = self.reached[np.searchsorted(self.values, values, side="left")]
        return self._far(values) - np.log(np.maximum(reached, least))

    def value(self, level: float, ours: float) -> float:
        """The largest that is not stranger than `level`; a new value adds its own work's weight."""
        low, high = np.append(0.0, self.values), np.append(self.values, np.inf)
        reached = ours + np.append(self.reached, 0.0)  # for values above `low`, up to `high`
        reach = np.expm1(np.log1p(self.usual) + self.spread * (level + np.log(reached)))
        return float(np.where(reach > low, np.minimum(reach, high), 0.0).max())

    def _far(self, values: Floats) -> Floats:
        return np.asarray((np.log1p(values) - np.log1p(self.usual)) / self.spread)


def limits(
    maxima: Floats, works: Sequence[Hashable], alpha: float, spreads: Sequence[float] = ()
) -> Floats | None:
    """One limit a statistic: P(any is exceeded in a window of a new work) ≤ `alpha`.

    maxima: float64[N, D], not below 0, the largest value of each statistic in each window; `works`
    says which window is of which work. `spreads` share α out: about how far apart large values lie
    (0.5: a half more is nothing much), known beforehand, since fitted ones would break the promise.
    None where there are too few works for so small an `alpha`.
    """
    weights, ours = _weights(works)
    if ours > alpha + 1e-12:
        return None
    wide = spreads or [SPREAD] * maxima.shape[1]
    scales = [_Scale.of(c, weights, spread) for c, spread in zip(maxima.T, wide, strict=True)]
    each = [scale.strangeness(column, ours) for scale, column in zip(scales, maxima.T, strict=True)]
    level = _exceeded_by(np.max(each, axis=0), weights, alpha - ours)
    return np.array([scale.value(level, ours) for scale in scales])


def ladder(
    maxima: Floats, works: Sequence[Hashable], spreads: Sequence[float] = ()
) -> tuple[list[float], list[list[float]]]:
    """The α of LADDER that so many works allow, and a list of limits at them for each statistic,
    rounded up to four digits."""
    rows = {alpha: limits(maxima, works, alpha, spreads) for alpha in LADDER}
    held = {alpha: row for alpha, row in rows.items() if row is not None}
    columns = range(maxima.shape[1])
    return list(held), [[_above(float(row[i])) for row in held.values()] for i in columns]


def _above(value: float) -> float:
    """The least number of four digits that is no smaller."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 3)
    return float(f"{math.ceil(value / unit - 1e-9) * unit:.4g}")


def _weights(works: Sequence[Hashable]) -> tuple[Floats, float]:
    """(weight of each window, weight of the work to be judged)."""
    counts: dict[Hashable, int] = {}
    for work in works:
        counts[work] = counts.get(work, 0) + 1
    ours = 1 / (len(counts) + 1)
    return np.array([ours / counts[work] for work in works]), ours


def _exceeded_by(values: Floats, weights: Floats, share: float) -> float:
    """The least value that no more than `share` of the weight lies above."""
    order = np.argsort(-values, kind="stable")
    above = np.cumsum(weights[order]) - weights[order]
    held = values[order][above <= share + 1e-12]
    return float(held.min())
