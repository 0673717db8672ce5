"""From the model's distribution to the one a token is drawn from, and the draw.

Everything is float64 and depends on the numbers given only: no state, no generator. What can't be
drawn is left out as early as possible: sums over whole vocabularies are what takes time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loom.core.recipe import Sampling

Ids = NDArray[np.intp]
Logs = NDArray[np.float64]
Mask = NDArray[np.bool_]
Given = NDArray[np.floating[Any]]
HEAD = 1024  # so many of the likeliest are ranked before all are
SLACK = 1e-3  # nats by which a first, rough cut in the model's own precision keeps too much


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """What may be drawn in each of several rows, one row after the other.

    ids int[N], rising in each row, with log q and q, float64[N], normalised; row r lies between
    starts[r] and starts[r + 1], and there is at least one token in it.
    """

    ids: Ids
    logs: Logs
    weights: Logs
    starts: Ids
    counts: Ids

    @classmethod
    def of(cls, logq: Given) -> Choices:
        """All that rows [B, V] of log-probabilities allow, as likely as they say."""
        ids, given, starts, counts = _gathered(logq, logq > -np.inf)
        logs = given.astype(np.float64)
        return cls(ids, logs, np.exp(logs), starts, counts)

    def __len__(self) -> int:
        return len(self.counts)

    def row(self, index: int) -> slice:
        return slice(int(self.starts[index]), int(self.starts[index + 1]))

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """A value for each row as one for each token."""
        return values.repeat(self.counts)

    def totals(self, values: NDArray[Any]) -> NDArray[Any]:
        """The sum over each row of a value for each token."""
        total: NDArray[Any] = np.add.reduceat(values, self.starts[:-1])
        return total

    def draw(self, index: int, u: float) -> int:
        """The token whose stretch of the row's cumulative sum, in order of ids, holds `u`
        (0 ≤ u < 1)."""
        row = self.row(index)
        cumulative = self.weights[row].cumsum()
        place = int(cumulative.searchsorted(u * cumulative[-1], side="right"))
        if place == len(cumulative):
            place = int(cumulative.searchsorted(cumulative[-1], side="left"))
        return int(self.ids[row.start + place])

    def kept(self, keep: Mask) -> Choices:
        """Only these, normalised."""
        counts = self.totals(keep.astype(np.intp))
        starts = np.zeros(len(counts) + 1, np.intp)
        counts.cumsum(out=starts[1:])
        weights = self.weights[keep]
        totals = np.add.reduceat(weights, starts[:-1])
        weights /= totals.repeat(counts)
        logs = self.logs[keep] - np.log(totals).repeat(counts)
        return Choices(self.ids[keep], logs, weights, starts, counts)


def choices(
    logprobs: Given,
    sampling: Sampling,
    recent: Sequence[Sequence[int]],
    banned: Ids | None = None,
) -> Choices:
    """What each row may draw. `logprobs` are the model's, [B, V]; `recent` has each row's last
    token ids, oldest first; `banned` ids can't be drawn.

    Ties go to the lowest id. Every row keeps at least one token that `logprobs` allow; a row that
    allows none raises ValueError.
    """
    rows = logprobs
    if banned is not None and len(banned):
        rows = logprobs.copy()
        rows[:, banned] = -np.inf
    if sampling.logit_bias:
        rows = _biased(rows.astype(np.float64), sampling.logit_bias)
    if sampling.repetition_penalty != 1 and sampling.repetition_window:
        rows = _penalised(rows.astype(np.float64), sampling, recent)
    tops = rows.max(axis=1, initial=-np.inf)
    if not (tops > -np.inf).all():
        raise ValueError("a distribution without any possible token can't be sampled")
    if sampling.temperature == 0:
        return _greedy(rows)
    keep = rows >= _floors(rows, tops, sampling)
    return _filtered(_normalised(rows, keep, sampling.temperature), sampling)


def sampled_logprobs(
    logprobs: Given, sampling: Sampling, recent: Sequence[Sequence[int]]
) -> NDArray[np.float64]:
    """`choices` as log q, float64[B, V], −inf where nothing can be drawn."""
    found = choices(logprobs, sampling, recent)
    logs = np.full(logprobs.shape, -np.inf)
    logs[found.spread(np.arange(len(found))), found.ids] = found.logs
    return logs


def draw(logq: Logs, u: float) -> int:
    """A token of one row of log q; see `Choices.draw`."""
    return Choices.of(logq[None]).draw(0, u)


def _gathered(rows: Given, keep: Mask) -> tuple[Ids, Given, Ids, Ids]:
    """(ids, values, starts, counts) of what is kept."""
    count, width = rows.shape
    flat = keep.reshape(-1).nonzero()[0]
    edges = width * np.arange(count + 1)
    starts = flat.searchsorted(edges)
    counts = starts[1:] - starts[:-1]
    return flat - edges[:-1].repeat(counts), rows.reshape(-1)[flat], starts, counts


def _greedy(rows: Given) -> Choices:
    count = len(rows)
    starts, counts = np.arange(count + 1), np.ones(count, np.intp)
    return Choices(rows.argmax(axis=1), np.zeros(count), np.ones(count), starts, counts)


def _floors(rows: Given, tops: Given, sampling: Sampling) -> Given:
    """What is below this in each row, [B, 1], will be cut, whatever the others add up to."""
    least = np.finfo(rows.dtype).min
    if 0 < sampling.top_k < rows.shape[1]:
        place = rows.shape[1] - sampling.top_k
        floors: Given = np.partition(rows, place, axis=1)[:, place, None]
        return np.maximum(floors, least)
    if sampling.min_p > 0 and sampling.top_p == 1:
        reach = sampling.temperature * float(np.log(sampling.min_p)) - SLACK
        floors = tops[:, None] + reach
        return np.maximum(floors, least)
    return np.full((len(rows), 1), least)


def _normalised(rows: Given, keep: Mask, temperature: float) -> Choices:
    ids, given, starts, counts = _gathered(rows, keep)
    logs = given.astype(np.float64)
    if temperature != 1:
        logs /= temperature
    logs -= np.maximum.reduceat(logs, starts[:-1]).repeat(counts)
    weights = np.exp(logs)
    totals = np.add.reduceat(weights, starts[:-1])
    logs -= np.log(totals).repeat(counts)
    weights /= totals.repeat(counts)
    return Choices(ids, logs, weights, starts, counts)


def _filtered(found: Choices, sampling: Sampling) -> Choices:
    if sampling.top_k:
        found = found.kept(_by_row(found, found.logs, _likeliest, sampling.top_k))
    if sampling.top_p < 1:
        found = found.kept(_by_row(found, -found.logs, _cheapest, sampling.top_p))
    if sampling.min_p > 0:
        least = np.maximum.reduceat(found.logs, found.starts[:-1]) + np.log(sampling.min_p)
        found = found.kept(found.logs >= found.spread(least))
    if sampling.typical_p < 1:
        entropy = -found.totals(found.weights * found.logs)
        odd = np.abs(-found.logs - found.spread(entropy))  # Meister et al. 2023
        found = found.kept(_by_row(found, odd, _cheapest, sampling.typical_p))
    return found


def _by_row(
    found: Choices, costs: Logs, pick: Callable[[Logs, Logs, Any], Mask | Ids], limit: float
) -> Mask:
    keep = np.zeros(len(found.ids), dtype=np.bool_)
    for index in range(len(found)):
        row = found.row(index)
        keep[row][pick(found.weights[row], costs[row], limit)] = True
    return keep


def _biased(rows: Logs, bias: Sequence[tuple[int, float]]) -> Logs:
    """Ids that this model doesn't have are passed over; so is a bias that would ban everything."""
    biased = rows.copy()
    for token, amount in bias:
        if 0 <= token < rows.shape[1]:
            biased[:, token] += amount
    banned = np.isneginf(biased).all(axis=1)
    biased[banned] = rows[banned]
    return biased


def _penalised(rows: Logs, sampling: Sampling, recent: Sequence[Sequence[int]]) -> Logs:
    """Recent tokens have their log-probability multiplied (Keskar et al. 2019, on logprobs)."""
    rows = rows - np.logaddexp.reduce(rows, axis=1, keepdims=True)
    for row, ids in zip(rows, recent, strict=True):
        window = np.unique(np.asarray(ids[-sampling.repetition_window :], dtype=np.int64))
        window = window[(window >= 0) & (window < len(row))]
        row[window] *= sampling.repetition_penalty
    return rows


def _likeliest(weights: Logs, logs: Logs, count: int) -> Mask:
    """The `count` likeliest."""
    if count >= len(logs):
        return np.ones(len(logs), dtype=np.bool_)
    least = np.partition(logs, len(logs) - count)[len(logs) - count]
    above, tied = logs > least, logs == least
    places = count - np.count_nonzero(above)
    keep: Mask = above | (tied & (np.cumsum(tied) <= places))
    return keep


def _cheapest(weights: Logs, cost: Logs, mass: float) -> Ids:
    """Places of the fewest of least cost whose weights reach `mass`; all are ranked only if need
    be."""
    candidates = np.arange(len(cost))
    for head in (HEAD, 8 * HEAD):
        if head < len(cost):
            cheap = np.flatnonzero(cost <= np.partition(cost, head - 1)[head - 1])
            if weights[cheap].sum() > mass:
                candidates = cheap
                break
    order = candidates[np.argsort(cost[candidates], kind="stable")]
    reached = np.cumsum(weights[order])
    return order[: int(np.searchsorted(reached, mass, side="left")) + 1]
