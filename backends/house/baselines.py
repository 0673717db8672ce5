"""What the house model is held against: character 5-grams and xz; knows bytes, not models.

Compression: an interpolated Witten-Bell model of order 5 over all training text (Witten & Bell
1991). Attribution: multinomial naive Bayes over 5-grams per source, add-α.
"""

from __future__ import annotations

import lzma
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from loom.instruments.sources.letters import Counts, Letters, grams

ORDER = 5
SMOOTHING = 0.01  # α of naive Bayes
BITS_PER_BYTE = 8


class CharacterModel:
    """p(byte | the 4 before it), each order interpolated with the next lower one."""

    def __init__(self, text: bytes) -> None:
        self._letters = Letters([text], ORDER)

    def bits(self, text: bytes) -> float:
        """−log2 p of the whole text."""
        return float(-self._letters.logprobs(text).sum() / np.log(2))


class NaiveBayes:
    """log p(passage | source) by 5-gram counts of each source's training text."""

    def __init__(self, texts: Mapping[str, bytes]) -> None:
        self.sources = tuple(texts)
        self._counts = [Counts.of(grams(text, ORDER)) for text in texts.values()]
        self._kinds = len(np.unique(np.concatenate([c.codes for c in self._counts])))

    def scores(self, passage: bytes) -> NDArray[np.float64]:
        """float64[sources], nats."""
        codes = grams(passage, ORDER)
        return np.array(
            [
                np.log((c[codes] + SMOOTHING) / (c.counts.sum() + SMOOTHING * self._kinds)).sum()
                for c in self._counts
            ]
        )


def xz_bits_per_byte(texts: Sequence[bytes]) -> float:
    """`xz -9` over all the texts joined, without any training text before them."""
    joined = b"\n".join(texts)
    return len(lzma.compress(joined, preset=9)) * BITS_PER_BYTE / len(joined)
