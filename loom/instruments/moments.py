"""What a model makes of reference text on average, by position: surprise, entropy, the excess of
the one over the other, in nats; and how many σ from it other text lies.

The first tokens of a document differ from the rest; works weigh alike, whatever their length. Of
tokens whose sampler is known the excess is that under the sampler: what its settings explain is no
news.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loom.core.span import Span

Floats = NDArray[np.float64]
Moments = Mapping[str, Sequence[Sequence[float]]]
"""Column → (mean, σ) from each of EDGES on."""

EDGES = (0, 4, 16, 64, 256)
COLUMNS = ("surprise", "entropy", "excess")
LEAST_SIGMA = 1e-3


def columns_of(span: Span) -> dict[str, Floats]:
    surprise, entropy = -span.logprob.astype(np.float64), span.entropy.astype(np.float64)
    excess = surprise - entropy
    if span.sampled_logprob is not None and span.sampled_entropy is not None:
        drawn = -span.sampled_logprob.astype(np.float64) - span.sampled_entropy
        excess = np.where(np.isfinite(drawn), drawn, excess)
    return {"surprise": surprise, "entropy": entropy, "excess": excess}


def moments_of(spans: Sequence[Span], works: Sequence[str]) -> dict[str, list[list[float]]]:
    """Of spans that begin documents; `works` says which work each is of."""
    count = Counter(works)
    weights = _joined(np.full(len(s), 1 / count[w]) for s, w in zip(spans, works, strict=True))
    rows = _rows(_joined(np.arange(len(span)) for span in spans))
    columns = [columns_of(span) for span in spans]
    found: dict[str, list[list[float]]] = {}
    for name in COLUMNS:
        column = _joined(each[name] for each in columns)
        found[name] = [_moment(column, weights, rows, row) for row in range(len(EDGES))]
    return found


def standardised(span: Span, places: NDArray[np.int64], moments: Moments) -> dict[str, Floats]:
    """Each column of tokens at these positions of the path, in σ from the mean."""
    rows = _rows(places)
    found = {}
    for name, column in columns_of(span).items():
        mean, sigma = np.array(moments[name])[rows].T
        found[name] = (column - mean) / sigma
    return found


def _rows(places: NDArray[Any]) -> NDArray[np.int64]:
    return np.searchsorted(EDGES, places, side="right") - 1


def _joined(parts: Iterable[NDArray[Any]]) -> Floats:
    return np.concatenate(list(parts)).astype(np.float64)


def _moment(column: Floats, weights: Floats, rows: NDArray[np.int64], row: int) -> list[float]:
    """Of a row, or of everything where no text is long enough for that."""
    those = rows == row if (rows == row).any() else rows >= 0
    mean = float(np.average(column[those], weights=weights[those]))
    variance = float(np.average((column[those] - mean) ** 2, weights=weights[those]))
    return [round(mean, 4), round(max(variance**0.5, LEAST_SIGMA), 4)]
