"""What a belief is worth in bits: its entropy, what moved it, what the next token would tell.

Knows distributions, not what they are about.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def entropy_bits(shares: NDArray[Any]) -> Floats:
    """Of distributions along the last axis; 0 · log 0 is 0."""
    return np.asarray(0.0 - _plogp(np.asarray(shares, np.float64)).sum(axis=-1))


def surprise_bits(after: NDArray[Any], before: NDArray[Any]) -> Floats:
    """KL(after ‖ before) along the last axis: by how much a belief moved (Itti & Baldi 2009)."""
    new, old = np.asarray(after, np.float64), np.asarray(before, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(new > 0, new * np.log2(new / old), 0.0)
    return np.asarray(np.maximum(terms.sum(axis=-1), 0.0))


def information(
    weights: NDArray[Any], ids: NDArray[np.integer[Any]], logprobs: NDArray[Any]
) -> Floats:
    """What the next token is expected to tell about the source, in bits (SCIENCE A6).

    The Jensen-Shannon divergence of what the frames expect, weighted by the belief before it.
    `weights`: [F] or [T, F], of the frames that were scored, needn't add up to 1; `ids` and
    `logprobs` (nats): [F, k] or [T, F, k], the likeliest tokens under each frame, −inf or NaN where
    there are fewer. Over the union of these and "any other": a token that only other frames list
    has under a frame what they give it on average, at most what this frame gives its own k-th, all
    of them together at most what it has left. That is less than it would be over all tokens (half,
    for the bundled model and 20 of its 8,192), yet ranks places alike (.95). Shape [] or [T].
    """
    if ids.ndim == 2:
        return np.asarray(_information(np.asarray(weights, np.float64), ids, logprobs))
    shares = np.broadcast_to(np.asarray(weights, np.float64), ids.shape[:2])
    every = zip(shares, ids, logprobs, strict=True)
    return np.array([_information(*each) for each in every], np.float64)


def _information(weights: Floats, ids: NDArray[np.integer[Any]], logprobs: NDArray[Any]) -> float:
    """Of one token. In tables [U, F]: a row for each id of the union."""
    total = weights.sum()
    shares = weights / total if total > 0 else np.full(len(weights), 1 / len(weights))
    listed = np.isfinite(logprobs)
    union, row = np.unique(ids[listed], return_inverse=True)
    place = row, np.nonzero(listed)[0]
    chance, known = np.zeros((2, len(union), len(weights)))
    chance[place], known[place] = np.exp(logprobs[listed].astype(np.float64)), 1.0
    least = np.exp(np.where(listed, logprobs, 0.0).min(axis=1)) * listed.any(axis=1)
    left = _fill(chance, known, shares, least)
    together = _plogp(chance @ shares).sum() + _plogp(left @ shares)
    apart = _plogp(chance).sum(axis=0) + _plogp(left)
    return max(0.0, float(apart @ shares - together))


def _fill(chance: Floats, known: Floats, shares: Floats, least: Floats) -> Floats:
    """Puts what isn't known into `chance`; what each frame has left then, float64[F]."""
    left = np.maximum(1 - chance.sum(axis=0), 0.0)
    mean = (chance @ shares) / np.maximum(known @ shares, np.finfo(np.float64).tiny)
    guess = np.minimum(mean[:, None], least) * (1 - known)
    guessed = guess.sum(axis=0)
    guess *= np.divide(left, guessed, out=np.ones_like(left), where=guessed > left)
    chance += guess
    return np.asarray(np.maximum(left - guess.sum(axis=0), 0.0))


def _plogp(shares: Floats) -> Floats:
    return np.asarray(shares * np.log2(np.where(shares > 0, shares, 1.0)))
