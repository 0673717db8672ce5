"""How much of a log-likelihood ratio counts as evidence, fitted on texts of known sources.

Frames are wrong in the same way for token after token, so that a ratio grows much faster than what
it is worth (SCIENCE A2). Knows scores; doesn't know which model they are of.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loom.instruments.sources.api import HAZARD, Scores, SourceSet, Tempering
from loom.instruments.sources.descent import lowest
from loom.instruments.sources.layout import layout

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

REFERENCE = 256  # tokens
DEFAULT = Tempering(eta=0.2, gamma=0.5)
"""About what the bundled model asks for under its own bylines: for models and sets of which nothing
is known, good enough to rank by and for nothing else. Character 6-grams on the Federalist papers
ask for (0.0145, 0.3)."""

LENGTHS = (16, 32, 64, 128, 256)
ETAS = tuple(float(eta) for eta in np.geomspace(0.004, 1.0, 7))
GAMMAS = (0.0, 0.3, 0.6)
LEAST_ETA, MOST_ETA = 1e-4, 4.0
LEAST_GAMMA, MOST_GAMMA = -0.5, 1.5
STEP = (0.4, 0.15)  # of log η and of γ, at first
LARGEST = 60.0  # nats; e^60 fits a float32


class Example(NamedTuple):
    """A passage from its first token on, the name of its source (NULL: none of the set's), and the
    work it is from."""

    scores: Scores
    source: str
    work: str


def eta_at(tempering: Tempering, tokens: NDArray[Any]) -> Floats:
    """What tokens number `tokens` (from 0) of a passage count; like it in shape."""
    lengths = (np.asarray(tokens, np.float64) + 1) / REFERENCE
    return np.minimum(1.0, tempering.eta * lengths**-tempering.gamma)


def fit(wanted: SourceSet, examples: Sequence[Example], hazard: float = HAZARD) -> Tempering:
    """The one under which the filter's posterior has the least log loss, on average over LENGTHS.

    Works weigh alike, however many passages they gave. Raises ValueError without any passage of
    the least of LENGTHS.
    """
    losses = Losses.of(wanted, examples, hazard)
    start = min(((eta, gamma) for eta in ETAS for gamma in GAMMAS), key=lambda at: losses(*at))
    log_eta, gamma = lowest(
        lambda at: losses(math.exp(at[0]), at[1]),
        (math.log(start[0]), start[1]),
        STEP,
        ((math.log(LEAST_ETA), math.log(MOST_ETA)), (LEAST_GAMMA, MOST_GAMMA)),
    )
    eta = math.exp(log_eta)
    tokens = sum(len(example.scores) for example in examples)
    return Tempering(eta, gamma, tokens, len({example.work for example in examples}))


@dataclass(frozen=True, slots=True)
class Losses:
    """The mean log loss (nats) of the filter over passages side by side, as a function of (η, γ).

    `ratio` [T, P, F]; `right` [P, F]: which part of a frame's weight is the right source's;
    `weight` [L, P] of each passage at each of LENGTHS, adding up to 1 in all.
    """

    ratio: Singles
    right: Singles
    prior: Singles
    weight: Floats
    hazard: float

    @classmethod
    def of(cls, wanted: SourceSet, examples: Sequence[Example], hazard: float = HAZARD) -> Losses:
        of = layout(wanted)
        row = {name: place for place, name in enumerate(of.names)}
        lengths = np.array([len(example.scores) for example in examples], int)
        works = [example.work for example in examples]
        weight = np.array([alike(works, lengths >= length) for length in LENGTHS])
        if not weight.any():
            raise ValueError(f"There is no passage of {LENGTHS[0]} tokens to fit on.")
        longest = min(max(LENGTHS), int(lengths.max()))
        ratio = np.zeros((longest, len(examples), len(of.prior)), np.float32)
        for place, example in enumerate(examples):
            given = np.nan_to_num(example.scores.ratio[:longest], nan=0.0)
            ratio[: len(given), place, 1:] = np.clip(given, -LARGEST, LARGEST)
        right = of.members[[row[example.source] for example in examples]]
        return cls(
            ratio,
            right.astype(np.float32),
            of.prior.astype(np.float32),
            weight / weight.sum(),
            hazard,
        )

    def __call__(self, eta: float, gamma: float) -> float:
        etas = eta_at(Tempering(eta, gamma), np.arange(len(self.ratio))).astype(np.float32)
        kept, renewed = np.float32(1 - self.hazard), np.float32(self.hazard) * self.prior
        weights = np.repeat(self.prior[None], self.ratio.shape[1], axis=0)
        grown = np.empty_like(weights)
        total = 0.0
        for step, count in enumerate(etas, start=1):
            np.multiply(self.ratio[step - 1], count, out=grown)
            np.exp(grown, out=grown)
            weights *= grown
            weights *= kept / weights.sum(axis=1, keepdims=True)
            weights += renewed
            if step in LENGTHS:
                share = np.maximum((weights * self.right).sum(axis=1), np.float32(1e-30))
                total -= float(self.weight[LENGTHS.index(step)] @ np.log(share.astype(np.float64)))
        return total


def alike(works: Sequence[str], there: NDArray[np.bool_]) -> Floats:
    """Of passages that are there, works alike; adding up to 1, or all 0."""
    count = Counter(work for work, is_there in zip(works, there, strict=True) if is_there)
    each = [1 / count[w] if t else 0.0 for w, t in zip(works, there, strict=True)]
    return np.array(each) / max(len(count), 1)


def closed_form(ratios: NDArray[Any]) -> float:
    """η = 2μ/σ² for log-likelihood ratios (nats) of right against wrong source, one per passage:
    what `fit` should find for two sources whose ratios are Gaussian, without a hazard."""
    spread = float(np.var(ratios, ddof=1)) if len(ratios) > 1 else 0.0
    return 2 * float(np.mean(ratios)) / spread if spread > 0 else 1.0
