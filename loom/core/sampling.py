"""From the model's distribution to the one a token is drawn from, and the draw.

Everything is float64 and depends on the numbers given only: no state, no generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loom.core.recipe import Sampling

Logs = NDArray[np.float64]
HEAD = 1024  # so many of the likeliest are ranked before all are


def sampled_logprobs(
    logprobs: NDArray[np.floating[Any]], sampling: Sampling, recent: Sequence[Sequence[int]]
) -> Logs:
    """log q, float64[B, V], each row normalised, −inf where a filter cut.

    `logprobs` are the model's, [B, V]; `recent` has each row's last token ids, oldest first. Ties
    go to the lowest id. Every row keeps at least one token that `logprobs` allow.
    """
    logs = _normalised(np.array(logprobs, dtype=np.float64))
    if sampling.logit_bias:
        logs = _biased(logs, sampling.logit_bias)
    if sampling.repetition_penalty != 1 and sampling.repetition_window:
        logs = _penalised(logs, sampling, recent)
    if sampling.temperature == 0:
        return _greedy(logs)
    if sampling.temperature != 1:
        logs = _normalised(logs / sampling.temperature)
    if 0 < sampling.top_k < logs.shape[1]:
        logs = _kept(logs, _top_k(logs, sampling.top_k))
    if sampling.top_p < 1:
        logs = _kept(logs, _likeliest(logs, -logs, sampling.top_p))
    if sampling.min_p > 0:
        logs = _kept(logs, logs >= logs.max(axis=1, keepdims=True) + np.log(sampling.min_p))
    if sampling.typical_p < 1:
        logs = _kept(logs, _likeliest(logs, _oddness(logs), sampling.typical_p))
    return logs


def draw(logq: Logs, u: float) -> int:
    """The token whose stretch of the cumulative sum, in order of ids, holds `u` (0 ≤ u < 1)."""
    cumulative = np.cumsum(np.exp(logq))
    index = int(np.searchsorted(cumulative, u * cumulative[-1], side="right"))
    if index < len(cumulative):
        return index
    return int(np.searchsorted(cumulative, cumulative[-1], side="left"))


def _normalised(logs: Logs) -> Logs:
    """Subtracts log Σ exp of each row; a row of nothing but −inf raises ValueError."""
    top = logs.max(axis=1, keepdims=True, initial=-np.inf)
    if not np.isfinite(top).all():
        raise ValueError("a distribution without any possible token can't be sampled")
    shifted: Logs = logs - top
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


def _kept(logs: Logs, keep: NDArray[np.bool_]) -> Logs:
    return _normalised(np.where(keep, logs, -np.inf))


def _biased(logs: Logs, bias: Sequence[tuple[int, float]]) -> Logs:
    """Ids that this model doesn't have are passed over; so is a bias that would ban everything."""
    biased = logs.copy()
    for token, amount in bias:
        if 0 <= token < logs.shape[1]:
            biased[:, token] += amount
    banned = np.isneginf(biased).all(axis=1)
    biased[banned] = logs[banned]
    return _normalised(biased)


def _penalised(logs: Logs, sampling: Sampling, recent: Sequence[Sequence[int]]) -> Logs:
    """Recent tokens have their log-probability multiplied (Keskar et al. 2019, on logprobs)."""
    for row, ids in enumerate(recent):
        window = np.unique(np.asarray(ids[-sampling.repetition_window :], dtype=np.int64))
        window = window[(window >= 0) & (window < logs.shape[1])]
        logs[row, window] *= sampling.repetition_penalty
    return _normalised(logs)


def _greedy(logs: Logs) -> Logs:
    chosen = logs.argmax(axis=1)
    certain = np.full_like(logs, -np.inf)
    certain[np.arange(len(logs)), chosen] = 0.0
    return certain


def _top_k(logs: Logs, k: int) -> NDArray[np.bool_]:
    """The k likeliest of each row."""
    least = -np.partition(-logs, k - 1, axis=1)[:, k - 1 : k]
    above = logs > least
    tied = logs == least
    places = k - above.sum(axis=1, keepdims=True)
    keep: NDArray[np.bool_] = above | (tied & (np.cumsum(tied, axis=1) <= places))
    return keep


def _likeliest(logs: Logs, cost: Logs, mass: float) -> NDArray[np.bool_]:
    """The fewest tokens of least `cost` whose probabilities reach `mass` in each row."""
    keep = np.zeros(logs.shape, dtype=np.bool_)
    for row in range(len(logs)):
        keep[row, _cheapest(np.exp(logs[row]), cost[row], mass)] = True
    return keep


def _cheapest(probabilities: Logs, cost: Logs, mass: float) -> NDArray[np.intp]:
    """Ids in order of cost until `mass` is reached; all are ranked only if need be."""
    candidates = np.arange(len(cost))
    for head in (HEAD, 8 * HEAD):
        if head < len(cost):
            cheap = np.flatnonzero(cost <= np.partition(cost, head - 1)[head - 1])
            if probabilities[cheap].sum() > mass:
                candidates = cheap
                break
    order = candidates[np.argsort(cost[candidates], kind="stable")]
    reached = np.cumsum(probabilities[order])
    return order[: int(np.searchsorted(reached, mass, side="left")) + 1]


def _oddness(logs: Logs) -> Logs:
    """How far each token's surprise is from the entropy of its row (Meister et al. 2023)."""
    possible = np.where(np.isfinite(logs), logs, 0.0)
    entropy = -(np.exp(logs) * possible).sum(axis=1, keepdims=True)
    distance: Logs = np.abs(-logs - entropy)
    return distance
