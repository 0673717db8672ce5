"""Plumbing tests: simulated sources that are exactly what the frames say. They show that the filter
does its arithmetic (SCIENCE E13, E15 in small); never how good a model's own frames are."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from loom.instruments.sources.api import HAZARD, Scores, Source, SourceSet, Tempering
from loom.instruments.sources.filtering import advance, begin
from loom.instruments.sources.layout import layout
from loom.instruments.sources.measures import entropy_bits

K, LETTERS = 6, 12
ALIKE = 4.0  # accuracy .67 after 16 tokens and .95 after 64, as between frames of a small model
AS_IT_IS = Tempering(1.0, 0.0)
WANTED = SourceSet("chains", "", tuple(Source(f"s{row}", (f"{row}",)) for row in range(K)))
BINS = 10


@pytest.fixture(scope="module")
def chains() -> NDArray[np.float64]:
    """Markov chains [K + 1, V, V], the null's first: all variations of one."""
    rng = np.random.default_rng(7)
    base = rng.dirichlet(np.full(LETTERS, 2.0), LETTERS)
    own = [[rng.dirichlet(ALIKE * LETTERS * row) for row in base] for _ in range(K)]
    return np.stack([base, *(np.array(each) for each in own)])


def simulated(
    chains: NDArray[np.float64], states: NDArray[np.int64], rng: np.random.Generator
) -> list[Scores]:
    """Texts [N, T] drawn token by token from the chain that `states` names."""
    count, tokens = states.shape
    steps = np.cumsum(chains, axis=2)
    last = rng.integers(LETTERS, size=count)
    drawn = np.empty((count, tokens, K + 1))
    for t in range(tokens):
        above = steps[states[:, t], last] < rng.random((count, 1))
        following = np.minimum(above.sum(axis=1), LETTERS - 1)
        drawn[:, t] = np.log(chains[:, last, following]).T
        last = following
    unknown = np.full(tokens, np.nan, np.float32)
    return [
        Scores(one[:, 0].astype(np.float32), (one[:, 1:] - one[:, :1]).astype(np.float32), unknown)
        for one in drawn
    ]


def shares_of(scores: list[Scores], hazard: float) -> NDArray[np.float64]:
    """[N, T, K + 1]."""
    courses = (advance(WANTED, begin(WANTED), one, AS_IT_IS, hazard)[1] for one in scores)
    return np.array([course.shares for course in courses], np.float64)


def calibration_error(shares: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """Of the likeliest source, over ten bins of its probability."""
    sure, right = shares.max(axis=1), shares.argmax(axis=1) == truth
    of = np.minimum((sure * BINS).astype(int), BINS - 1)
    parts = (of == one for one in range(BINS))
    return float(sum(abs(sure[p].mean() - right[p].mean()) * p.mean() for p in parts if p.any()))


def test_plumbing_the_posterior_is_calibrated_where_the_frames_are_true(
    chains: NDArray[np.float64],
) -> None:
    rng = np.random.default_rng(11)
    truth = rng.choice(K + 1, size=1500, p=layout(WANTED).prior)
    states = np.repeat(truth[:, None], 64, axis=1)
    shares = shares_of(simulated(chains, states, rng), hazard=0.0)
    for tokens in (1, 4, 16, 32, 64):
        at = shares[:, tokens - 1]
        loss = -np.log2(at[np.arange(len(at)), truth]).mean()
        assert calibration_error(at, truth) <= 0.04
        assert abs(loss / entropy_bits(at).mean() - 1) <= 0.10
    right = shares.argmax(axis=2) == truth[:, None]
    assert right[:, 15].mean() >= 0.6 and right[:, 63].mean() >= 0.9


def test_plumbing_it_is_calibrated_through_changes_that_come_at_the_hazard(
    chains: NDArray[np.float64],
) -> None:
    """What is believed after a token is about the source that the next one comes from."""
    rng, hazard, prior = np.random.default_rng(12), 1 / 32, layout(WANTED).prior
    states = np.empty((2500, 33), np.int64)
    states[:, 0] = rng.choice(K + 1, size=len(states), p=prior)
    for t in range(1, 33):
        fresh = rng.choice(K + 1, size=len(states), p=prior)
        states[:, t] = np.where(rng.random(len(states)) < hazard, fresh, states[:, t - 1])
    shares = shares_of(simulated(chains, states[:, :32], rng), hazard)
    for tokens in (8, 16, 32):
        at, truth = shares[:, tokens - 1], states[:, tokens]
        loss = -np.log2(at[np.arange(len(at)), truth]).mean()
        assert calibration_error(at, truth) <= 0.04
        assert abs(loss / entropy_bits(at).mean() - 1) <= 0.10


def spliced(chains: NDArray[np.float64], hazard: float, within: int = 64) -> tuple[float, float]:
    """How often the new source leads within so many tokens, and after how many in the median."""
    rng = np.random.default_rng(13)
    pairs = np.array([rng.permutation(K)[:2] + 1 for _ in range(200)])
    states = np.repeat(pairs, [48, within], axis=1)
    shares = shares_of(simulated(chains, states, rng), hazard)[:, 48:]
    leads = shares.argmax(axis=2) == pairs[:, 1:]
    delays = np.where(leads.any(axis=1), leads.argmax(axis=1) + 1, within + 1)
    return float(leads.any(axis=1).mean()), float(np.median(delays))


def test_plumbing_a_splice_is_seen_within_64_tokens(chains: NDArray[np.float64]) -> None:
    seen, delay = spliced(chains, 1 / 64)
    assert seen >= 0.85 and delay <= 25
    stubborn, _ = spliced(chains, 0.0)
    assert stubborn < seen - 0.3


def test_plumbing_the_null_is_rarely_beaten_by_much_where_it_is_true(
    chains: NDArray[np.float64],
) -> None:
    """P(evidence for one source ever reaches 1/α) ≤ α (Ville 1939), at any time one looks."""
    rng = np.random.default_rng(14)
    scores = simulated(chains, np.zeros((1000, 96), np.int64), rng)
    ever = np.array([one.ratio.astype(np.float64).cumsum(axis=0).max(axis=0) for one in scores])
    for alpha in (0.05, 0.2):
        crossed = (ever >= np.log(1 / alpha)).mean(axis=0)
        error = np.sqrt(alpha * (1 - alpha) / len(ever))
        assert (crossed <= alpha + 3 * error).all()
        assert crossed.max() > alpha / 20
    bits = np.array(
        [advance(WANTED, begin(WANTED), one, AS_IT_IS, HAZARD)[0].bits for one in scores]
    )
    assert bits[:, 1:].max(axis=0) == pytest.approx(
        np.array([one.ratio.sum(axis=0) for one in scores]).max(axis=0) / np.log(2), rel=1e-3
    )
