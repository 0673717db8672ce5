"""Beliefs against the truth: proper scores, calibration, ranks; errors are clustered by work.

A belief is a row of shares, the null's first; the truth is one of its columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.instruments.judging import rate

BINS = 10
LEAST = 1e-30  # share that a truth thought impossible is charged for
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Fact = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Beliefs:
    """`shares` float64[N, S + 1] after as many texts, `truth` int[N] their columns, `works` what
    they are from."""

    shares: Floats
    truth: Ints
    works: tuple[str, ...]

    @property
    def given(self) -> Beliefs:
        """The same, had one been told that it is one of the sources."""
        sources = self.shares.copy()
        sources[:, 0] = 0.0
        return Beliefs(sources / sources.sum(1, keepdims=True), self.truth, self.works)

    def facts(self) -> dict[str, Fact]:
        """Log loss and entropy in bits; ECE of the likeliest source, null or not."""
        confidence, right = self.likeliest()
        return {
            "log_loss": mean(self.log_loss(), self.works),
            "brier": mean(self.brier(), self.works),
            "entropy": mean(entropies(self.shares), self.works),
            "ece": ece_fact(confidence, right, self.works),
            "top1": mean(self.ranks() < 1, self.works),
            "top3": mean(self.ranks() < 3, self.works),
            "null": mean(self.shares[:, 0], self.works),
        }

    def log_loss(self) -> Floats:
        """Bits; float64[N]."""
        right = self.shares[np.arange(len(self.truth)), self.truth]
        return np.asarray(-np.log2(np.maximum(right, LEAST)), np.float64)

    def brier(self) -> Floats:
        missed = self.shares.copy()
        missed[np.arange(len(self.truth)), self.truth] -= 1
        return np.asarray((missed**2).sum(1), np.float64)

    def ranks(self) -> Ints:
        """Of the right source among the sources."""
        return ranks(self.shares[:, 1:], self.truth - 1)

    def likeliest(self) -> tuple[Floats, NDArray[np.bool_]]:
        """What the likeliest hypothesis is given, and whether it is right."""
        first = self.shares.argmax(1)
        return self.shares[np.arange(len(first)), first], first == self.truth


def ranks(scores: Floats, truth: Ints) -> Ints:
    """How many score higher than the right column, half of those that score the same."""
    right = scores[np.arange(len(truth)), truth][:, None]
    return np.asarray((scores > right).sum(1) + ((scores == right).sum(1) - 1) // 2, np.int64)


def entropies(shares: Floats) -> Floats:
    """Bits; float64[N]."""
    return np.asarray(-(shares * np.log2(np.maximum(shares, LEAST))).sum(1), np.float64)


def mean(values: Sequence[float] | NDArray[np.generic], works: Sequence[str]) -> Fact:
    """Works weigh alike."""
    found = rate([float(value) for value in values], works)
    return {"mean": found.share, "error": found.error}


def ece(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """Of what is said to be likeliest, over BINS bins of equal width."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, confidence - right, BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def ece_fact(confidence: Floats, right: NDArray[np.bool_], works: Sequence[str]) -> Fact:
    """`honest`: what one would see, in the mean, of beliefs that are exactly right, for there are
    only so many of them."""
    chance = np.random.default_rng(0)
    drawn = [ece(confidence, chance.random(len(confidence)) < confidence) for _ in range(400)]
    without = jackknifed(lambda rows: ece(confidence[rows], right[rows]), works)
    return {"mean": ece(confidence, right), "error": without, "honest": float(np.mean(drawn))}


def jackknifed(statistic: Callable[[Ints], float], works: Sequence[str]) -> float:
    """The standard error of a statistic of rows, leaving out one work at a time."""
    labels = np.array(works)
    names = np.unique(labels)
    if len(names) < 2:
        return 0.0
    found = np.array([statistic(np.flatnonzero(labels != name)) for name in names])
    return math.sqrt((len(names) - 1) / len(names) * float(((found - found.mean()) ** 2).sum()))
