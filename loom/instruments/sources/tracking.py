"""The belief as it goes from block to block of a passage, and what each next token would tell.

Knows scores and what was expected under each frame; asks no engine.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from loom.instruments.sources.api import HAZARD, Belief, Scores, SourceSet, Tempering
from loom.instruments.sources.filtering import advance, beliefs_along
from loom.instruments.sources.measures import information
from loom.instruments.sources.windows import Block, Tops


def informed(block: Block, weights: NDArray[np.float64]) -> Scores:
    """The scores of a block with the information of each token, from the belief before each:
    float64[T, F] or more rows of it."""
    return replace(block.scores, information=_bits(block.tops, weights[: len(block.scores)]))


def bits_following(block: Block, weights: NDArray[np.float64]) -> float | None:
    """Expected information of the token after the block, from the belief after its last one."""
    if block.following is None:
        return None
    (bits,) = _bits(block.following, weights[None])
    return None if np.isnan(bits) else float(bits)


def _bits(tops: Tops, weights: NDArray[np.float64]) -> NDArray[np.float32]:
    found = information(weights[:, list(tops.frames)], tops.ids, tops.logprobs)
    known = np.isfinite(tops.logprobs).any(axis=(1, 2))
    return np.where(known, found, np.nan).astype(np.float32)


class Follower:
    """The belief as it goes from block to block."""

    def __init__(
        self,
        wanted: SourceSet,
        belief: Belief,
        tempering: Tempering,
        hazard: float = HAZARD,
    ) -> None:
        self.belief = belief
        self._wanted, self._tempering, self._hazard = wanted, tempering, hazard

    def read(self, block: Block) -> Scores:
        """Its scores, with the information of each token."""
        by = (self._wanted, self.belief)
        along = beliefs_along(*by, block.scores.ratio, self._tempering, self._hazard)
        scores = informed(block, along)
        self.belief, _ = advance(*by, scores, self._tempering, self._hazard)
        return scores
