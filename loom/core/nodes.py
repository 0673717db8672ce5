"""Nodes that are made when they are first asked for: of 100,000 a writer sees a hundred.

Knows numbers and places of nodes, not where they are kept.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import overload

from loom.core.node import Node

CHUNK = 256  # made together: one at a time takes several times as long


class Unmade(Sequence[Node]):
    """Nodes in the order of their ids, equal to any sequence of the same.

    `make(start, stop)` makes those nodes of it and is called once for each. What every tree is
    asked for at once is there without: `ids`, `parents` (None for a root), and which are `growing`.
    """

    def __init__(
        self,
        ids: Sequence[int],
        parents: Sequence[int | None],
        growing: Iterable[int],
        make: Callable[[int, int], Sequence[Node]],
    ) -> None:
        self.ids, self.parents, self.growing = ids, parents, frozenset(growing)
        self._make = make
        self._chunks: list[Sequence[Node] | None] = [None] * -(-len(ids) // CHUNK)

    @classmethod
    def of(cls, nodes: Sequence[Node]) -> Unmade:
        """Of nodes that are made already."""
        ids, parents = [node.id for node in nodes], [node.parent for node in nodes]
        growing = (node.id for node in nodes if node.growing)
        return cls(ids, parents, growing, lambda start, stop: nodes[start:stop])

    @classmethod
    def none(cls) -> Unmade:
        return cls.of(())

    def chunk(self, index: int) -> Sequence[Node]:
        """The nodes that are made together with the one at `index`."""
        number = index // CHUNK
        found = self._chunks[number]
        if found is None:
            start = number * CHUNK
            found = self._make(start, min(start + CHUNK, len(self.ids)))
            self._chunks[number] = found
        return found

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> Node: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Node]: ...
    def __getitem__(self, index: int | slice) -> Node | Sequence[Node]:
        if isinstance(index, slice):
            return tuple(self)[index]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        return self.chunk(index)[index % CHUNK]

    def __iter__(self) -> Iterator[Node]:
        return chain.from_iterable(map(self.chunk, range(0, len(self), CHUNK)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]


class Nodes(dict[int, Node]):
    """Those that were asked for, by id; the rest come in, a chunk at a time, when they are."""

    __slots__ = ("_unmade",)

    def __init__(self, root: Node, unmade: Unmade | None = None) -> None:
        super().__init__({root.id: root})
        self._unmade = unmade

    def __missing__(self, node: int) -> Node:
        if self._unmade is not None:
            index = bisect_left(self._unmade.ids, node)
            for found in self._unmade.chunk(index) if index < len(self._unmade) else ():
                self.setdefault(found.id, found)
            if node in self:
                return self[node]
        raise KeyError(node)
