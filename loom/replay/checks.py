"""What replay finds out about one node, and the words for it; values only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """`good` ones are what a session that nobody touched shows on its own model."""

    SAME = "same"
    NEAR_TIE = "near-tie"  # rounding chose another token between two that were as good
    DIFFERS = "differs"  # the same tokens, other probabilities
    DIVERGES = "diverges"  # other tokens, from another distribution
    OTHER_MODEL = "other model"  # the weights or the tokenizer are not those that wrote it
    NO_MODEL = "no model"  # it can't be loaded here
    EDITED = "edited"  # the file doesn't say what its own checksums say

    @property
    def good(self) -> bool:
        return self in (Verdict.SAME, Verdict.NEAR_TIE)


@dataclass(frozen=True, slots=True)
class Check:
    """One node of `tokens` tokens.

    `difference` is the largest |Δ logprob| in nats (verify) or at the first divergence (regrow);
    `index` is where that divergence is and `gap` the difference of probabilities there.
    """

    node: int
    tokens: int
    verdict: Verdict
    reason: str = ""
    difference: float | None = None
    index: int | None = None
    gap: float | None = None
