"""A model of bytes by counting: each order interpolated with the next lower one, as much as there
are kinds of continuations (Witten & Bell 1991). Learns from any text in no time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]

ORDER = 6
MOST_ORDER = 7  # bytes fit an int64
_BITS = 8


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


class Letters:
    """p(byte | up to `order` − 1 before it) as in `texts`."""

    def __init__(self, texts: list[bytes], order: int = ORDER) -> None:
        if not 1 <= order <= MOST_ORDER:
            raise ValueError(f"order must be between 1 and {MOST_ORDER}, not {order}")
        self._grams = [
            Counts.of(np.concatenate([grams(text, length) for text in texts] or [grams(b"", 1)]))
            for length in range(1, order + 1)
        ]
        heads = [counts.codes >> _BITS for counts in self._grams]
        self._kinds = [Counts.of(head) for head in heads]
        self._totals = [
            Counts(kinds.codes, _summed(kinds.codes, head, counts.counts))
            for kinds, head, counts in zip(self._kinds, heads, self._grams, strict=True)
        ]

    def logprobs(self, text: bytes) -> Floats:
        """float64[bytes], nats; the first ones have a shorter context."""
        chance = np.full(len(text), 1 / 256)
        for length, counts in enumerate(self._grams, start=1):
            codes = grams(text, length)
            head = codes >> _BITS
            seen, kinds = counts[codes], self._kinds[length - 1][head]
            total = self._totals[length - 1][head]
            lower = chance[length - 1 :]
            known = total > 0
            mixed = (seen + kinds * lower) / np.where(known, total + kinds, 1)
            chance[length - 1 :] = np.where(known, mixed, lower)
        return np.asarray(np.log(chance))


def grams(text: bytes, length: int) -> Codes:
    """Every stretch of `length` bytes as one integer; int64[len(text) − length + 1]."""
    data = np.frombuffer(text, np.uint8).astype(np.int64)
    count = max(0, len(data) - length + 1)
    codes = np.zeros(count, np.int64)
    for offset in range(length):
        codes = (codes << _BITS) | data[offset : offset + count]
    return codes


def _summed(codes: Codes, heads: Codes, counts: Codes) -> Codes:
    """For each of `codes`, the counts of the grams that begin with it."""
    found = np.zeros(len(codes), np.int64)
    np.add.at(found, np.searchsorted(codes, heads), counts)
    return found
