"""What a model makes of human text: bits, excess of surprise over entropy, effective temperature,
calibration of its likeliest token. Errors are clustered by work.

The effective temperature is the T at which softmax(log p / T) makes the text likeliest. Text that
is read has no full distributions on record, only S, H and V of each; with K(β) = log Σ p^β,
K′(1) = −H and K″(1) = V, so one Newton step from T = 1 gives 1/T = 1 + Σ(H − S) / ΣV. Such a step
is as good as the maximum itself when T is near 1, and uses all of the vocabulary, where the
likeliest twenty and the rest as one would leave out most of a small model's.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loom.instruments.api import Passage
from loom.instruments.moments import EDGES, columns_of, moments_of

LN2 = math.log(2)
BINS = 10
FEWEST_WORKS = 2  # of a genre that is told apart

Floats = NDArray[np.float64]


def facts_of(passages: Sequence[Passage]) -> dict[str, Any]:
    """Of all passages, by genre and by position; bits a token unless it says otherwise."""
    spans, works = [p.span for p in passages], [p.work for p in passages]
    genres: dict[str, list[Passage]] = defaultdict(list)
    for passage in passages:
        genres[passage.genre].append(passage)
    return {
        **_measured(passages),
        "positions": [
            {
                "from": edge,
                **{name: round(rows[i][0] / LN2, 4) for name, rows in _means(spans, works)},
            }
            for i, edge in enumerate(EDGES)
        ],
        "genres": {
            name: _measured(some)
            for name, some in sorted(genres.items())
            if name and len({p.work for p in some}) >= FEWEST_WORKS
        },
    }


def _means(spans: Sequence[Any], works: Sequence[str]) -> Iterable[tuple[str, list[list[float]]]]:
    return moments_of(spans, works).items()


def _measured(passages: Sequence[Passage]) -> dict[str, Any]:
    works = _by_work(passages)
    tokens = works[:, 0]
    surprise, surprise_error = _ratio(works[:, 1], tokens)
    entropy, _ = _ratio(works[:, 2], tokens)
    excess, excess_error = _ratio(works[:, 1] - works[:, 2], tokens)
    colder, error = _ratio(works[:, 2] - works[:, 1], works[:, 3])
    confidence, hit = _likeliest(passages)
    return {
        "works": len(works),
        "tokens": int(tokens.sum()),
        "surprise": round(surprise / LN2, 4),
        "surprise_error": round(surprise_error / LN2, 4),
        "entropy": round(entropy / LN2, 4),
        "excess": round(excess / LN2, 4),
        "excess_error": round(excess_error / LN2, 4),
        "temperature": round(1 / (1 + colder), 4) if colder > -1 else None,
        "temperature_error": round(error / (1 + colder) ** 2, 4) if colder > -1 else None,
        "ece": round(_ece(confidence, hit, np.linspace(0, 1, BINS + 1)[1:-1]), 4),
        "ece_adaptive": round(
            _ece(confidence, hit, np.quantile(confidence, np.linspace(0, 1, BINS + 1)[1:-1])), 4
        ),
    }


def _by_work(passages: Sequence[Passage]) -> Floats:
    """float64[works, 4]: tokens and the sums of S, H and V, in nats."""
    sums: dict[str, Floats] = defaultdict(lambda: np.zeros(4))
    for passage in passages:
        columns = columns_of(passage.span)
        varentropy = passage.span.varentropy.astype(np.float64)
        rows = (columns["surprise"], columns["entropy"], varentropy)
        sums[passage.work] += (len(passage.span), *(float(row.sum()) for row in rows))
    return np.array(list(sums.values()))


def _ratio(above: Floats, below: Floats) -> tuple[float, float]:
    """Σ above / Σ below over works, and its standard error (NaN-free: 0 for a single work)."""
    ratio = float(above.sum() / below.sum()) if below.sum() else 0.0
    count = len(above)
    if count < 2 or not below.sum():
        return ratio, 0.0
    spread = float(((above - ratio * below) ** 2).sum()) * count / (count - 1)
    return ratio, math.sqrt(spread) / float(below.sum())


def _likeliest(passages: Sequence[Passage]) -> tuple[Floats, Floats]:
    """The model's probability of its likeliest token, and whether that is the one that came."""
    spans = [passage.span for passage in passages]
    logprobs = np.concatenate([span.top_logprobs[:, 0] for span in spans])
    hit = np.concatenate([span.rank == 0 for span in spans])
    return np.exp(logprobs.astype(np.float64)), hit.astype(np.float64)


def _ece(confidence: Floats, hit: Floats, edges: Floats) -> float:
    """Mean distance of confidence and hits, over bins that weigh what is in them."""
    bins = np.searchsorted(edges, confidence, side="right")
    apart = np.bincount(bins, confidence - hit, minlength=BINS)
    return float(np.abs(apart).sum() / len(confidence))
