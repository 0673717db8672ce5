"""The nodes of a path laid end to end: which byte of the page belongs to which node.

Knows places and lengths; knows nothing of text, tokens or lines.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Set as AbstractSet

from loom.core.node import ROOT, Place
from loom.core.tree import Tree


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

    @property
    def nodes(self) -> AbstractSet[int]:
        return self._indices.keys()

    def lead(self, place: Place, tree: Tree) -> int:
        """Follow the path to another place; how many bytes it has in common with the one before.

        Climbs only as far as the two paths differ.
        """
        fresh = [place]
        while not self._holds(fresh[-1].node, tree):
            fresh.append(tree[fresh[-1].node].hangs_at)
        parting = fresh[-1]
        index = self._indices[parting.node]
        common = self._starts[index] + min(self._stretches[index].at, parting.at)
        for stretch in self._stretches[index:]:
            del self._indices[stretch.node]
        del self._stretches[index:], self._starts[index:]
        for stretch in reversed(fresh):
            self._append(stretch)
        return common

    def _holds(self, node: int, tree: Tree) -> bool:
        """Whether the node is on the path, where it hangs now: it may hang elsewhere when it
        begins."""
        index = self._indices.get(node)
        if index is None:
            return False
        return not index or self._stretches[index - 1] == tree[node].hangs_at

    def _append(self, stretch: Place) -> None:
        start = self.length if self._stretches else 0
        self._indices[stretch.node] = len(self._stretches)
        self._stretches.append(stretch)
        self._starts.append(start)

    def stop_in(self, node: int) -> int:
        """How many bytes of a node are on the path; -1 for a node that isn't."""
        index = self._indices.get(node)
        return -1 if index is None else self._stretches[index].at

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
