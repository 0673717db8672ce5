"""The belief about who is writing, token by token: Bayes, and a small chance of a change.

w_t ∝ (1 − h) · w_(t−1) · exp(η(t) · ratio_t) + h · π, the fixed share of Herbster & Warmuth (1998).
As a belief goes back about 1/h tokens, η falls no further from there on: else all that is read
later would come to nothing beside the chance of a change. Knows scores, not where they come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from loom.instruments.sources.api import (
    HAZARD,
    Belief,
    Course,
    Posterior,
    Scores,
    SourceSet,
    Standing,
    Tempering,
)
from loom.instruments.sources.layout import Layout, layout
from loom.instruments.sources.measures import entropy_bits, surprise_bits
from loom.instruments.sources.tempering import eta_at

Floats = NDArray[np.float64]

LN2 = float(np.log(2.0))
MEMORY = round(1 / HAZARD)  # tokens that a belief goes back, about


def begin(wanted: SourceSet) -> Belief:
    """Before the first token: the prior."""
    prior = layout(wanted).prior
    return Belief(prior.copy(), np.zeros(len(prior)))


def advance(
    wanted: SourceSet,
    belief: Belief,
    scores: Scores,
    tempering: Tempering,
    hazard: float = HAZARD,
) -> tuple[Belief, Course]:
    """The belief after the tokens of `scores`, and how it came to be. In two parts or in one: the
    same."""
    weights = beliefs_along(wanted, belief, scores.ratio, tempering, hazard)
    evidence = np.empty((len(scores) + 1, len(belief.bits)))
    evidence[0] = belief.bits
    evidence[1:, 0] = 0.0
    evidence[1:, 1:] = np.nan_to_num(scores.ratio.astype(np.float64), nan=0.0) / LN2
    bits = np.add.accumulate(evidence, axis=0)[-1]
    after = Belief(weights[-1].copy(), bits, belief.tokens + len(scores))
    return after, _course(layout(wanted), weights, scores)


def shares_after(
    wanted: SourceSet,
    scores: Scores,
    its: Tempering,
    lengths: Sequence[int],
    hazard: float = HAZARD,
) -> Floats:
    """float64[len(lengths), S + 1]: what is believed after so many tokens (≥ 1) of a passage, the
    null first."""
    _, course = advance(wanted, begin(wanted), scores, its, hazard)
    shares = course.shares[np.array(lengths) - 1].astype(np.float64)
    return np.asarray(shares / shares.sum(1, keepdims=True), np.float64)


def beliefs_along(
    wanted: SourceSet,
    belief: Belief,
    ratio: NDArray[np.float32],
    tempering: Tempering,
    hazard: float = HAZARD,
) -> Floats:
    """float64[T + 1, F]: the weights of the frames before each token, and after the last.

    `ratio` [T, F − 1] as in `Scores`; a frame that wasn't rescored (NaN) keeps its share relative
    to the null.
    """
    count, renewed = len(ratio), hazard * layout(wanted).prior
    grown = np.zeros((count, len(renewed)))
    grown[:, 1:] = np.nan_to_num(ratio.astype(np.float64), nan=0.0)
    tokens = belief.tokens + np.arange(count)
    grown *= eta_at(tempering, np.minimum(tokens, MEMORY - 1) if hazard else tokens)[:, None]
    grown -= grown.max(axis=1, keepdims=True, initial=-np.inf)
    np.exp(grown, out=grown)
    found = np.empty((count + 1, len(renewed)))
    found[0] = weights = belief.weights
    for step in range(count):
        weights = weights * grown[step]
        weights *= (1 - hazard) / weights.sum()
        weights += renewed
        found[step + 1] = weights
    return found


def _course(of: Layout, weights: Floats, scores: Scores) -> Course:
    shares = weights @ of.members.T
    return Course(
        of.names,
        shares[1:].astype(np.float32),
        entropy_bits(shares[1:]).astype(np.float32),
        surprise_bits(shares[1:], shares[:-1]).astype(np.float32),
        scores.information,
    )


def posterior(
    wanted: SourceSet,
    belief: Belief,
    *,
    calibrated: bool,
    rescored: NDArray[np.bool_] | None = None,
    following: float | None = None,
) -> Posterior:
    """What is believed there. `rescored` bool[F]: which frames were; all, where it isn't given."""
    of = layout(wanted)
    shares = of.members @ belief.weights
    seen = np.ones(len(belief.weights), bool) if rescored is None else rescored
    standings = [
        Standing(
            source.name,
            source.short or source.name,
            float(share),
            _evidence(of.prior, belief.bits, row > 0),
            bool(seen[row > 0].all()),
        )
        for source, share, row in zip(wanted.sources, shares[1:], of.members[1:], strict=True)
    ]
    standings.sort(key=lambda one: (-one.probability, -one.bits))
    by_name = dict(zip(of.names, shares, strict=True))
    return Posterior(
        tuple(standings),
        float(shares[0]),
        float(entropy_bits(shares)),
        belief.tokens,
        calibrated,
        following,
        pairs(wanted, by_name),
    )


def pairs(wanted: SourceSet, shares: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    """`Posterior.pairs` of what is believed of each source, by name."""
    return tuple((p.name, _log_odds(shares[p.first], shares[p.second])) for p in wanted.pairs)


def _evidence(prior: Floats, bits: Floats, frames: NDArray[np.bool_]) -> float:
    """Of the mean of the frames' likelihoods against the null."""
    of, weight = bits[frames], prior[frames] / prior[frames].sum() if frames.any() else prior[:0]
    if not len(of):
        return 0.0
    most = float(of.max())
    return most + float(np.log2((weight * np.exp2(of - most)).sum()))


def _log_odds(first: float, second: float) -> float:
    tiny = float(np.finfo(np.float64).tiny)
    return float(np.log2(max(first, tiny)) - np.log2(max(second, tiny)))
