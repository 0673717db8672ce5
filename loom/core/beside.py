"""Two readings of the same bytes side by side, in stretches at whose ends both have a token edge.

Knows no models: two tokenizers may cut the bytes differently, and a reading may have gaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Reading = tuple[int, int, float]
"""(start, stop, logprob) of a token, bytes and nats; tokens are in order and don't overlap."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes from `start` to `stop`, and what each reading gives them, nats; None where it has a
    gap."""

    start: int
    stop: int
    first: float | None
    second: float | None


def beside(length: int, first: Iterable[Reading], second: Iterable[Reading]) -> list[Stretch]:
    """The shortest stretches that cover `length` bytes; none where there is nothing."""
    mine, other = (_filled(length, list(reading)) for reading in (first, second))
    edges = np.intersect1d(mine[0], other[0])
    columns = [_sums(*part, edges) for part in (mine, other)]
    starts = [0, *edges.tolist()]
    return [
        Stretch(start, stop, *(None if np.isnan(x) else float(x) for x in logprobs))
        for start, stop, *logprobs in zip(starts, edges.tolist(), *columns, strict=False)
    ]


def _filled(
    length: int, tokens: Sequence[Reading]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(stops, logprobs) without gaps: they become tokens of no known probability. Tokens without
    bytes count for those before them."""
    stops: list[int] = []
    logprobs: list[float] = []
    at = 0
    for start, stop, logprob in (*tokens, (length, length, 0.0)):
        if start > at:
            stops.append(start)
            logprobs.append(np.nan)
        if stop > start:
            stops.append(stop)
            logprobs.append(logprob)
        elif stops:
            logprobs[-1] += logprob
        at = stop
    return np.array(stops, dtype=np.int64), np.array(logprobs)


def _sums(
    stops: NDArray[np.int64], logprobs: NDArray[np.float64], edges: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Of the tokens between one edge and the next."""
    if not len(edges):
        return np.empty(0)
    firsts = np.concatenate([[0], np.searchsorted(stops, edges[:-1], side="right")])
    sums: NDArray[np.float64] = np.add.reduceat(logprobs, firsts)
    return sums
