"""What is known of the sources of a node's text once it was weighed, and how thoroughly it was.

Values only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from loom.instruments.sources.api import Belief, Scores
from loom.sources.evidence import Evidence
from loom.sources.spellings import Spelling


class Depth(IntEnum):
    """How much of a node and those before it is to be weighed: nothing that isn't yet; the null and
    the likeliest sources at least; every frame."""

    KEPT = 0
    SOME = 1
    EVERY = 2


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is believed before a node and after it. `scored` bool[F]: under which frames all of the
    passage was. `mark` is what stands for this in what was made of it, which needn't hold it."""

    spelling: Spelling
    evidence: Evidence
    before: Belief
    after: Belief
    scored: NDArray[np.bool_]
    mark: object = field(default_factory=object)

    @property
    def depth(self) -> Depth:
        return Depth.EVERY if self.scored.all() else Depth.SOME

    @property
    def size(self) -> int:
        return 4 * self.before.weights.nbytes

    def is_like(self, other: Known) -> bool:
        """Whether nothing has changed."""
        same = self.evidence is other.evidence and bool((self.scored == other.scored).all())
        return same and bool((self.before.weights == other.before.weights).all())


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """One up to a place: its tokens, the byte of the path at which it begins and where each token
    ends, and what each frame gave them."""

    ids: tuple[int, ...]
    start: int
    ends: tuple[int, ...]
    scores: Scores


@dataclass(frozen=True, slots=True)
class Base:
    """What a node goes on from."""

    belief: Belief
    scored: NDArray[np.bool_]
