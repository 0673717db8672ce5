"""The nodes of a path laid end to end: which byte of the page belongs to which node.

Knows places and lengths; knows nothing of text, tokens or lines.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from loom.core.node import ROOT, Place


class Course:
    """Stretches root first: stretch i is the first `at` bytes of its node."""

    def __init__(self) -> None:
        self._stretches: list[Place] = [Place(ROOT, 0)]
        self._starts = [0]
        self._indices = {ROOT: 0}

    @property
    def length(self) -> int:
        return self._starts[-1] + self._stretches[-1].at

    @property
    def end(self) -> Place:
        return self._stretches[-1]

    def lead(self, stretches: Sequence[Place]) -> int:
        """Follow another path; how many bytes it has in common with the one before."""
        keep = 0
        for one, other in zip(self._stretches, stretches, strict=False):
            if one != other:
                break
            keep += 1
        common = self._starts[keep] if keep < len(self._starts) else self.length
        if keep < min(len(stretches), len(self._stretches)):
            one, other = self._stretches[keep], stretches[keep]
            common += min(one.at, other.at) if one.node == other.node else 0
        for stretch in self._stretches[keep:]:
            del self._indices[stretch.node]
        del self._stretches[keep:], self._starts[keep:]
        for stretch in stretches[keep:]:
            start = self.length if self._stretches else 0
            self._indices[stretch.node] = len(self._stretches)
            self._stretches.append(stretch)
            self._starts.append(start)
        return common

    def stretch(self, byte: int) -> tuple[int, Place]:
        """(start, stretch) of the last one that begins before `byte`."""
        index = max(0, bisect_left(self._starts, byte) - 1)
        return self._starts[index], self._stretches[index]

    def place(self, byte: int) -> Place:
        """The place at `byte`; on an edge, the end of the node before."""
        start, stretch = self.stretch(byte)
        return Place(stretch.node, byte - start)

    def byte(self, place: Place) -> int | None:
        """Where `place` is; None if it isn't on the path."""
        index = self._indices.get(place.node)
        if index is None or place.at > self._stretches[index].at:
            return None
        return self._starts[index] + place.at

    def between(self, start: int, stop: int) -> list[tuple[int, Place]]:
        """(start, stretch) of every stretch with bytes in `start`..`stop`."""
        index = max(0, bisect_left(self._starts, start + 1) - 1)
        found = []
        while index < len(self._starts) and self._starts[index] < stop:
            if self._stretches[index].at:
                found.append((self._starts[index], self._stretches[index]))
            index += 1
        return found

    def next_place(self, byte: int) -> Place | None:
        """The place whose node's text goes on at `byte`; None at the end of the path."""
        found = self.between(byte, byte + 1)
        return Place(found[0][1].node, byte - found[0][0]) if found else None
