"""Which node is to be read next: the newest first, those that have just come before the rest.

Knows numbers only.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

FEW = 64  # are put in one by one


class Agenda:
    """Two heaps of nodes, newest on top, and those that can't be read for the moment."""

    def __init__(self) -> None:
        self._fresh: list[int] = []
        self._backlog: list[int] = []
        self._queued: set[int] = set()  # of the fresh ones
        self._aside: set[int] = set()

    def __len__(self) -> int:
        """How many are to be read, those put aside left out."""
        return len(self._fresh) + len(self._backlog)

    @property
    def urgent(self) -> bool:
        """Whether there is something that has just come."""
        return bool(self._fresh)

    def add(self, nodes: Iterable[int]) -> None:
        """These have just come, or changed."""
        for node in nodes:
            if node not in self._queued:
                self._queued.add(node)
                heapq.heappush(self._fresh, -node)

    def add_backlog(self, nodes: Iterable[int]) -> None:
        """These can wait until nothing else is to be done."""
        found = list(nodes)
        if len(found) < FEW:
            for node in found:
                heapq.heappush(self._backlog, -node)
        else:
            self._backlog += [-node for node in found]
            heapq.heapify(self._backlog)

    def next(self, *, idle: bool) -> int | None:
        """The backlog has its turn only while one is `idle`."""
        if self._fresh:
            node = -heapq.heappop(self._fresh)
            self._queued.discard(node)
            return node
        return -heapq.heappop(self._backlog) if idle and self._backlog else None

    def put_aside(self, node: int) -> None:
        self._aside.add(node)

    @property
    def waits(self) -> bool:
        """Whether anything was put aside."""
        return bool(self._aside)

    def recall(self, nodes: Iterable[int] | None = None) -> None:
        """What was put aside, of these nodes or at all, may be possible now."""
        recalled = set(self._aside) if nodes is None else self._aside.intersection(nodes)
        self._aside -= recalled
        self.add(recalled)
