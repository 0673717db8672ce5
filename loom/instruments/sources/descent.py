"""The least of a smooth function of a few numbers, found downhill along one axis after another.

For losses that are cheap and have one valley; knows nothing of what they are losses of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

FINE = 1 / 64  # of the first step, which is not gone below


def lowest(
    loss: Callable[[Sequence[float]], float],
    start: Sequence[float],
    step: Sequence[float],
    bounds: Sequence[tuple[float, float]],
) -> tuple[float, ...]:
    """Where `loss` is least, within `bounds`, from `start` on: of the neighbours one `step` away
    along each axis the lowest is gone to, and where none is lower the step is halved."""
    at, size = np.array(start, float), np.array(step, float)
    low, high = np.array(bounds, float).T
    axes = np.eye(len(at))
    ways = np.concatenate([axes, -axes])
    best, left = loss(at.tolist()), 1.0
    while left > FINE:
        near = [np.clip(at + way * size * left, low, high) for way in ways]
        found = [loss(there.tolist()) for there in near]
        first = int(np.argmin(found))
        if found[first] < best - 1e-9:
            at, best = near[first], found[first]
        else:
            left /= 2
    return tuple(at.tolist())
