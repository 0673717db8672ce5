"""What is believed when a text has been read under frames and the model has been asked, too.

Both are opinions of one model that err in different ways: together they say more than either. A
logarithmic pool of two calibrated logits (SCIENCE A4; Genest & Zidek 1986), in which a source's
log-odds against none are `read` × those of the posterior + `asked` × its PMI by probe, both less
after a short text, as its tokens are. The null has no name to be asked for: its share is what
reading leaves it. Knows numbers; asks nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from loom.instruments.sources import filtering
from loom.instruments.sources.api import Pooling, Posterior, SourceSet
from loom.instruments.sources.descent import lowest
from loom.instruments.sources.measures import entropy_bits
from loom.instruments.sources.tempering import alike

Floats = NDArray[np.float64]

LN2 = float(np.log(2.0))
LEAST = 1e-30  # share that what is thought impossible is taken for
WHOLE = 256  # tokens after which both count fully
START, STEP = (1.0, 0.5, 0.0), (0.4, 0.2, 0.1)
BOUNDS = ((0.0, 4.0), (0.0, 4.0), (0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Example:
    """A passage of known source: `shares` float64[S + 1] believed after reading it, the null first;
    `bits` float64[S], PMI by probe of each source; `truth` the source's column in `shares`;
    `tokens` of it."""

    shares: Floats
    bits: Floats
    truth: int
    work: str
    tokens: int = WHOLE


def pooled(
    shares: Floats, bits: Floats, its: Pooling, tokens: int | NDArray[np.int64] = WHOLE
) -> Floats:
    """float64[…, S + 1] adding up to 1, of `shares` […, S + 1] and `bits` […, S] after so many
    `tokens` […]."""
    by = ((np.clip(tokens, 1, WHOLE) / WHOLE) ** its.rise)[..., None]
    odds = its.read * by * np.log(np.maximum(shares, LEAST))
    odds[..., 1:] += its.asked * by * LN2 * bits
    odds -= odds.max(axis=-1, keepdims=True)
    weights = np.exp(odds)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True), np.float64)


def fit(examples: Sequence[Example]) -> Pooling:
    """The one with the least log loss; works weigh alike, however many passages they gave. Raises
    ValueError where there are no examples."""
    if not examples:
        raise ValueError("There is no passage to fit on.")

    cost = losses(examples)
    read, asked, rise = lowest(lambda at: cost(Pooling(at[0], at[1], at[2])), START, STEP, BOUNDS)
    return Pooling(read, asked, rise)


def losses(examples: Sequence[Example]) -> Callable[[Pooling], float]:
    """The mean log loss, in bits, as a function of the pooling; works weigh alike."""
    shares = np.stack([example.shares for example in examples])
    bits = np.stack([example.bits for example in examples])
    weight = alike([example.work for example in examples], np.ones(len(examples), bool))
    right = np.arange(len(examples)), [example.truth for example in examples]
    tokens = np.array([example.tokens for example in examples])

    def loss(its: Pooling) -> float:
        found = pooled(shares, bits, its, tokens)[right]
        return float(-weight @ np.log2(np.maximum(found, LEAST)))

    return loss


def posterior(
    wanted: SourceSet, read: Posterior, asked: Mapping[str, float], its: Pooling
) -> Posterior:
    """`read` with what each source of its set is worth as an answer (bits); one that wasn't asked
    for is taken to be worth what it is after any text, 0. Evidence, and what is expected of the
    next token, stay those of reading."""
    standings = read.standings
    shares = np.array([read.null, *(one.probability for one in standings)])
    bits = np.array([asked.get(one.name, 0.0) for one in standings])
    found = pooled(shares, bits, its, read.tokens)
    both = [
        replace(one, probability=float(share))
        for one, share in zip(standings, found[1:], strict=True)
    ]
    both.sort(key=lambda one: (-one.probability, -one.bits))
    by_name = {one.name: one.probability for one in both}
    return replace(
        read,
        standings=tuple(both),
        null=float(found[0]),
        entropy=float(entropy_bits(found)),
        pairs=filtering.pairs(wanted, by_name),
        read=read,
    )
