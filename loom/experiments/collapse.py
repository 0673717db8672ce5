"""The distribution over worlds collapses: its entropy against tokens read, on known sources.

Texts are drawn under frames of a set and read under all of them. The frames are what wrote the
texts, so nothing is tempered and no source hands over to another; log loss must then equal the mean
entropy (SCIENCE A6, E14). That tests the plumbing and says nothing about texts by people.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loom.asking.framing import frames_of, score_frames
from loom.asking.process import Asking
from loom.core.recipe import Recipe, Sampling
from loom.experiments.runs import Grown, Report, grow
from loom.instruments.sources import filtering
from loom.instruments.sources.api import BLOCK, NULL, Course, Scores, SourceSet, Tempering
from loom.instruments.sources.layout import layout
from loom.instruments.sources.measures import entropy_bits

UNTEMPERED = Tempering(1.0, 0.0)
LEAST = 1e-9  # a share that float32 may have lost
MOST = 2 * BLOCK  # tokens: further on a frame no longer sees all that it has drawn

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class World:
    """One text: who it was drawn as (NULL: as nobody), its tokens' bytes, and what was believed."""

    source: str
    pieces: tuple[bytes, ...]
    course: Course

    def __len__(self) -> int:
        return len(self.pieces)


@dataclass(frozen=True, slots=True)
class Stage:
    """After so many tokens, over the texts that are so long, weighed by the prior: `entropy` and
    `loss` in bits, `accuracy` the share of texts whose source is held likeliest."""

    tokens: int
    texts: int
    entropy: float
    accuracy: float
    loss: float

    @property
    def worlds(self) -> float:
        return float(2**self.entropy)


def some_of(wanted: SourceSet, count: int, seed: int) -> SourceSet:
    """`count` of its sources, drawn by `seed`, all alike to begin with."""
    count = min(count, len(wanted.sources))
    drawn = np.random.default_rng(seed).choice(len(wanted.sources), count, replace=False)
    sources = tuple(replace(wanted.sources[place], prior=1.0) for place in sorted(drawn.tolist()))
    return replace(wanted, sources=sources, pairs=())


async def worlds(
    asking: Asking, wanted: SourceSet, each: int, length: int, seed: int, report: Report
) -> list[World]:
    """`each` texts under every source, its frames in turn, and as many under none."""
    recipe, frames = Recipe(tokens=length, sampling=Sampling()), await frames_of(asking, wanted)
    found = []
    hypotheses = [(NULL, ("",)), *((source.name, source.frames) for source in wanted.sources)]
    for number, (name, texts) in enumerate(hypotheses):
        report(f"written as {name or 'nobody'}", number / len(hypotheses))
        for place, text in enumerate(texts):
            seeds = range(seed + place, seed + each, len(texts))
            for run in await grow(asking, text, recipe, seeds):
                if run.span is not None:
                    scores = await score_frames(asking, wanted, run.ids, frames=frames)
                    found.append(_world(wanted, name, run, scores))
    return found


def _world(wanted: SourceSet, name: str, run: Grown, scores: Scores) -> World:
    believed = filtering.begin(wanted)
    _, course = filtering.advance(wanted, believed, scores, UNTEMPERED, hazard=0.0)
    return World(name, run.pieces, course)


def stages(wanted: SourceSet, found: Sequence[World], length: int) -> Iterator[Stage]:
    """Before the first token, then after 1, 2, 4 … and at the end; lengths that no text under some
    hypothesis has reached are left out."""
    of = layout(wanted)
    prior = of.members @ of.prior
    for tokens in _lengths(length):
        there = [world for world in found if len(world) >= tokens]
        columns = np.array([of.names.index(world.source) for world in there], int)
        counts = np.bincount(columns, minlength=len(prior))
        if not counts.all():
            return
        shares = np.stack([prior if not tokens else w.course.shares[tokens - 1] for w in there])
        weights = prior[columns] / counts[columns]
        truth = shares[np.arange(len(there)), columns]
        yield Stage(
            tokens,
            len(there),
            float(weights @ entropy_bits(shares)),
            float(weights @ _right(shares, truth)),
            float(weights @ -np.log2(np.maximum(truth, LEAST))),
        )


def _lengths(length: int) -> Iterator[int]:
    tokens = 0
    while tokens < length:
        yield tokens
        tokens = max(1, 2 * tokens)
    yield length


def _right(shares: Floats, truth: Floats) -> Floats:
    """1 where the truth is likeliest; its part where several are."""
    best = shares.max(axis=1, keepdims=True)
    ties = (shares == best).sum(axis=1)
    return np.where(truth == best[:, 0], 1.0 / ties, 0.0)
