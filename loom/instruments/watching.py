"""Columns folded along a path, the same bit for bit wherever it is cut, and alarms that are raised
once for an occurrence. For detectors; knows no model and no text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from loom.instruments.api import FLAG_BITS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SURE = 2**-FLAG_BITS * 1.01  # α of a flag; what passes larger ones only is for information
SETTLED = 0.5  # of its limit: below, a statistic may raise an alarm again


def cusum(steps: Floats, total: float) -> Floats:
    """The sum after each step, never below 0: one addition after the other, in order."""
    totals = []
    for step in steps.tolist():
        total = max(0.0, total + step)
        totals.append(total)
    return np.array(totals)


def run(yes: NDArray[np.bool_], before: int) -> Ints:
    """How many in a row up to each, `before` of them earlier."""
    places = np.arange(len(yes))
    broken = np.where(yes, -1 - before, places)
    return np.asarray(places - np.maximum.accumulate(np.maximum(broken, -1 - before)))


def since(settled: NDArray[np.bool_], before: int, places: Ints) -> Ints:
    """For each place the first one after the last that was settled, `before` where none was."""
    after = np.where(settled, places + 1, before)
    return np.asarray(np.maximum.accumulate(np.maximum(after, before)))


def crossings(
    series: Mapping[str, Floats],
    limits: Mapping[str, Sequence[float]],
    alphas: Sequence[float],
    raised: dict[str, int],
    explained: Mapping[str, str],
) -> Iterator[tuple[str, int, int]]:
    """(statistic, token, rung) where the first limit of a statistic is passed and again where that
    of a flag is; once each until it has settled. `raised` is brought up to date.

    limits: those of each statistic at `alphas`, which fall. A statistic in `explained` is raised
    silently while the one that explains it, named before it in `series`, is raised.
    """
    watched = [
        name
        for name, column in series.items()
        if limits.get(name) and (name in raised or column.max() > limits[name][0])
    ]
    columns = {name: series[name].tolist() for name in watched}
    for place in range(len(columns[watched[0]]) if watched else 0):
        for name in watched:
            rung = _rung(columns[name][place], limits[name], raised, name)
            level = 0 if rung is None else 2 if is_sure(alphas[rung]) else 1
            if rung is not None and level > raised.get(name, 0):
                raised[name] = level
                if explained.get(name) not in raised:
                    yield name, place, rung


def _rung(value: float, row: Sequence[float], raised: dict[str, int], name: str) -> int | None:
    """The last limit that is passed."""
    if value <= SETTLED * row[0]:
        raised.pop(name, None)
    passed = sum(value > limit for limit in row)
    return passed - 1 if passed else None


def is_sure(alpha: float) -> bool:
    return alpha <= SURE
