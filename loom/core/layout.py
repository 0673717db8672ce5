"""One node cut up as it is shown: its segments, what hangs where, and which of those are one.

Works from tree and marks each time it is asked; it keeps nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import NamedTuple

from loom.core.marks import Kind, Marks
from loom.core.node import ROOT, Author, Place
from loom.core.tree import Tree

REMARKS = frozenset({Kind.BOOKMARK, Kind.TAG, Kind.NOTE})


class Segment(NamedTuple):
    """Bytes `start` to `stop` of a node."""

    node: int
    start: int
    stop: int


class Layout(NamedTuple):
    """A node cut up: its segments (none when it is hidden), what hangs where, who is twin."""

    segments: tuple[Segment, ...]
    hanging: Mapping[int, list[int]]
    twins: Mapping[int, tuple[int, ...]]

    def ending_at(self, at: int) -> Segment:
        """The segment that contains or ends at byte `at`, the last where none does."""
        if len(self.segments) == 1:
            return self.segments[0]
        index = bisect_left(self.segments, at, key=lambda segment: segment.stop)
        return self.segments[min(index, len(self.segments) - 1)]


class Cutter:
    """Cuts nodes. What hangs at the very start of a node is shown where that node hangs."""

    __slots__ = ("_children_of", "_hidden", "_marks", "_nodes")

    def __init__(self, tree: Tree, marks: Marks) -> None:
        self._children_of = tree.children
        self._nodes = tree.nodes
        self._marks = marks
        self._hidden = marks.hidden

    def lay_out(self, node: int) -> Layout:
        stop = self.stop(node)
        if stop == 0 and not self.keeps_start(node):
            return Layout((), {}, {})
        hanging = self._hanging(node, stop) if self._children_of(node) else {}
        if not hanging:
            return Layout((Segment(node, 0, stop),), {}, {})
        twins: dict[int, tuple[int, ...]] = {}
        for at, ids in hanging.items():
            if len(ids) > 1:
                hanging[at] = self._merge(ids, twins)
        edges = sorted({*hanging, stop})
        segments = map(Segment, repeat(node), (0, *edges), edges)
        return Layout(tuple(segments), hanging, twins)

    def _hanging(self, node: int, stop: int) -> dict[int, list[int]]:
        """byte → the visible nodes that are shown as hanging there."""
        first = 0 if self.keeps_start(node) else 1
        found: dict[int, list[int]] = {}
        for child in self._children_of(node):
            at = self._nodes[child].at
            if first <= at <= stop:
                for one in self._from_start(child):
                    if self._hidden.get(one) != 0:
                        found.setdefault(at, []).append(one)
        return found

    def _from_start(self, node: int) -> Sequence[int]:
        """`node` and, chain by chain, what hangs at its start and so is shown beside it."""
        if not self._children_of(node):
            return (node,)
        found = [node]
        for one in found:
            children = self._children_of(one)
            if children and not self.keeps_start(one):
                found.extend(child for child in children if self._nodes[child].at == 0)
        return found

    def _merge(self, ids: list[int], twins: dict[int, tuple[int, ...]]) -> list[int]:
        """`ids` without those that are shown as another; notes in `twins` who is shown as whom."""
        ids.sort()
        if len({self._nodes[node].text for node in ids}) == len(ids):
            return ids
        groups: dict[bytes | int, list[int]] = {}
        for node in ids:
            text = self._twin_text(node)
            groups.setdefault(node if text is None else text, []).append(node)
        for group in groups.values():
            if len(group) > 1:
                twins.update(dict.fromkeys(group, tuple(group)))
        return [group[0] for group in groups.values()]

    def _twin_text(self, node: int) -> bytes | None:
        """What another must equal to be shown as one with it; None when it stands for itself."""
        found = self._nodes[node]
        if found.ended is None or found.author is not Author.MODEL:
            return None
        if node in self._hidden or not self._is_leaf(node):
            return None
        if any(mark.kind in REMARKS for mark, _ in self._marks.of(node)):
            return None
        return found.text

    def _is_leaf(self, node: int) -> bool:
        """Whether nothing visible hangs behind it; asks no layout, so that nothing recurses."""
        return not self._children_of(node) or not self._hanging(node, self.stop(node))

    def keeps_start(self, node: int) -> bool:
        """Whether a child at byte 0 is shown behind it: the root, or a node without text so far."""
        if node == ROOT:
            return True
        return not self._nodes[node].text and node not in self._hidden

    def stop(self, node: int) -> int:
        hidden = self._hidden.get(node)
        length = len(self._nodes[node].text)
        return length if hidden is None else min(hidden, length)

    def anchor(self, node: int) -> Place:
        """Where `node`, which is not the root, hangs on the screen."""
        while True:
            found = self._nodes[node]
            assert found.parent is not None, "the root hangs nowhere"
            if found.at or self.keeps_start(found.parent):
                return Place(found.parent, found.at)
            node = found.parent
