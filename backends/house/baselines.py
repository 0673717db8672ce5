"""What the house model is held against: character 5-grams and xz; knows bytes, not models.

Compression: an interpolated Witten-Bell model of order 5 over all training text (Witten & Bell
1991). Attribution: multinomial naive Bayes over 5-grams per source, add-α.
"""

from __future__ import annotations

import lzma
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ORDER = 5
SMOOTHING = 0.01  # α of naive Bayes
BITS_PER_BYTE = 8

Codes = NDArray[np.int64]


def grams(text: bytes, length: int) -> Codes:
    """Every stretch of `length` bytes as one integer; int64[len(text) − length + 1]."""
    data = np.frombuffer(text, np.uint8).astype(np.int64)
    count = max(0, len(data) - length + 1)
    codes = np.zeros(count, np.int64)
    for offset in range(length):
        codes = (codes << BITS_PER_BYTE) | data[offset : offset + count]
    return codes


@dataclass(frozen=True, slots=True)
class Counts:
    """Sorted codes and how often each occurs."""

    codes: Codes
    counts: Codes

    @classmethod
    def of(cls, codes: Codes) -> Counts:
        return cls(*np.unique(codes, return_counts=True))

    def __getitem__(self, codes: Codes) -> Codes:
        """Counts of `codes`, 0 where never seen."""
        if not len(self.codes):
            return np.zeros(len(codes), np.int64)
        places = np.searchsorted(self.codes, codes).clip(max=len(self.codes) - 1)
        return np.where(self.codes[places] == codes, self.counts[places], 0)


class CharacterModel:
    """p(byte | the 4 before it), each order interpolated with the next lower one."""

    def __init__(self, text: bytes) -> None:
        self._grams = [Counts.of(grams(text, length)) for length in range(1, ORDER + 1)]
        self._total = len(text)
        self._followers = [
            Counts.of(counts.codes >> BITS_PER_BYTE) for counts in self._grams
        ]  # distinct continuations of every context

    def bits(self, text: bytes) -> float:
        """−log2 p of the whole text."""
        probability = np.full(len(text), 1 / 256)
        for length, counts in enumerate(self._grams, start=1):
            codes = grams(text, length)
            seen = counts[codes].astype(float)
            if length == 1:
                total = np.full(len(codes), float(self._total))
                kinds = np.full(len(codes), float(len(counts.codes)))
            else:
                contexts = codes >> BITS_PER_BYTE
                total = self._grams[length - 2][contexts].astype(float)
                kinds = self._followers[length - 1][contexts].astype(float)
            lower = probability[length - 1 :]
            known = total > 0
            mixed = (seen + kinds * lower) / np.where(known, total + kinds, 1)
            probability[length - 1 :] = np.where(known, mixed, lower)
        return float(-np.log2(probability).sum())


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
