"""The tree as it is shown: every node cut at each place in use, so a branch is always a child.

Derived from tree and marks and cached node by node; `invalidate` says what has changed. It knows
bytes and places, not words or colours.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

from loom.core.layout import Cutter, Layout, Segment
from loom.core.marks import Marks, seen_place
from loom.core.node import ROOT, Place
from loom.core.tree import Tree

__all__ = ["Display", "Row", "Segment"]


class Row(NamedTuple):
    """One line of the tree; `hidden_count` segments lie folded away below it."""

    segment: Segment
    depth: int
    folded: bool
    hidden_count: int


@dataclass(slots=True)
class _Rows:
    """The rows last asked for, and what was asked."""

    top: Segment
    folded: frozenset[Place]
    rows: list[Row]
    index: dict[tuple[int, int], int] | None = None

    def patch(self, grown: Iterable[Segment]) -> None:
        """Show segments in the place of their shorter selves, in a new list."""
        if self.index is None:
            self.index = {row.segment[:2]: i for i, row in enumerate(self.rows)}
        self.rows = self.rows.copy()
        for segment in grown:
            position = self.index.get(segment[:2])
            if position is not None:
                self.rows[position] = self.rows[position]._replace(segment=segment)


class Display:
    """What hangs at the very start of a node hangs, on the screen, where that node hangs.

    Sealed leaves of the same text that the model grew at one place are shown once, as the first.
    """

    __slots__ = (
        "_children",
        "_cutter",
        "_grown",
        "_hidden",
        "_layouts",
        "_nodes",
        "_rows",
        "_steady",
        "marks",
        "tree",
    )

    def __init__(self, tree: Tree, marks: Marks) -> None:
        self.tree = tree
        self.marks = marks
        self._nodes = tree.nodes
        self._hidden = marks.hidden
        self._cutter = Cutter(tree, marks)
        self._layouts: dict[int, Layout] = {}  # of nodes that something hangs on
        self._children: dict[tuple[int, int], tuple[Segment, ...]] = {}
        self._rows: _Rows | None = None
        self._steady: dict[int, int] = {}  # growing node → how many children it had
        self._grown: set[int] = set()  # steady ones whose rows are behind

    @property
    def root(self) -> Segment:
        return self._layout(ROOT).segments[0]

    def segments(self, node: int) -> tuple[Segment, ...]:
        """The visible parts of `node`, in order, as if all before it were visible."""
        return self._layout(node).segments

    def segment_of(self, place: Place) -> Segment:
        """The segment in which `place` lies; on an edge, the one that ends there.

        For a hidden place, where the visible part of the path stops; for a place in a copy, the
        same in the one that is shown.
        """
        seen = seen_place(self.tree, self.marks, place)
        return self.twins(self._segment_at(seen))[0]

    def current(self, segment: Segment) -> Segment:
        """`segment` as it is now: since it was given out it may have grown, have been cut (its
        first part then), or have become one with what was before it."""
        node, start, stop = segment
        layout = self._layout(node)
        if not layout.segments:
            return self.segment_of(Place(node, start))
        return layout.ending_at(start + 1 if start < stop else start)

    def parent(self, segment: Segment) -> Segment | None:
        """The segment before; None for the root."""
        if segment.start:
            return self._segment_at(Place(segment.node, segment.start))
        if segment.node == ROOT:
            return None
        return self._segment_at(self._cutter.anchor(segment.node))

    def children(self, segment: Segment) -> tuple[Segment, ...]:
        """The tail of the same node first, if any, then the nodes that hang here, by id."""
        if not self.tree.children(segment.node):
            return ()
        return self._below(segment.node, self.current(segment).stop)

    def siblings(self, segment: Segment) -> tuple[Segment, ...]:
        """The children of its parent, itself among them."""
        parent = self.parent(segment)
        return (segment,) if parent is None else self.children(parent)

    def path(self, place: Place) -> list[Segment]:
        """Root first, to the segment of `place`."""
        found: list[Segment] = []
        segment: Segment | None = self.segment_of(place)
        while segment is not None:
            found.append(segment)
            segment = self.parent(segment)
        found.reverse()
        return found

    def twins(self, segment: Segment) -> tuple[Segment, ...]:
        """All that are shown as one with it, in order of creation; the first is the one shown."""
        if segment.node == ROOT or segment.start:
            return (segment,)
        host = self._layout(self._cutter.anchor(segment.node).node)
        nodes = host.twins.get(segment.node)
        if nodes is None:
            return (segment,)
        return tuple(Segment(node, segment.start, segment.stop) for node in nodes)

    def copies(self, segment: Segment) -> int:
        """How many nodes it stands for."""
        return len(self.twins(segment))

    def place_of_end(self, segment: Segment) -> Place:
        return Place(segment.node, segment.stop)

    def rows(
        self, top: Segment | None = None, folded: AbstractSet[Place] = frozenset()
    ) -> list[Row]:
        """`top` and all below it in reading order; `folded` are the starts of folded segments.

        Depth grows only where a segment has siblings. The list is cached: don't change it.
        """
        top = self.root if top is None else self.current(top)
        cached = self._rows
        if cached is None or cached.top[:2] != top[:2] or cached.folded != folded:
            return self._build(top, folded)
        if self._grown:
            cached.patch(self._layout(node).segments[-1] for node in self._grown)
            self._grown.clear()
        return cached.rows

    def invalidate(self, node: int) -> None:
        """Say that `node` was added, grew, was sealed, or that a mark on it changed."""
        if self._only_grew(node):
            anchor = self._cutter.anchor(node)
            self._children.pop((anchor.node, anchor.at), None)
            self._grown.add(node)
            return
        self._rows = None
        self._grown.clear()
        self._drop(node)
        self._note_steady(node)
        for _ in range(2):  # where it hangs; and there, whether that is still a leaf
            if node == ROOT:
                return
            node = self._cutter.anchor(node).node
            self._drop(node)

    def _only_grew(self, node: int) -> bool:
        """Whether nothing but the end of its last segment has moved; its layout is then renewed."""
        children = self._steady.get(node)
        self._note_steady(node)
        if children is None or children != self._steady.get(node):
            return False
        if not children:
            return True
        before = self._layouts.get(node)
        self._drop(node)
        return before is not None and before.segments[:-1] == self._layout(node).segments[:-1]

    def _note_steady(self, node: int) -> None:
        """Recall how many children a node has whose growing text changes nothing around it."""
        found = self._nodes[node]
        if found.ended is None and found.text and node not in self._hidden:
            self._steady[node] = len(self.tree.children(node))
        else:
            self._steady.pop(node, None)

    def _drop(self, node: int) -> None:
        self._forget_children(self._layouts.pop(node, None))

    def _forget_children(self, layout: Layout | None) -> None:
        for segment in layout.segments if layout else ():
            self._children.pop((segment.node, segment.stop), None)

    def _layout(self, node: int) -> Layout:
        found = self._layouts.get(node)
        if found is None:
            found = self._cutter.lay_out(node)
            if found.hanging:
                self._layouts[node] = found
        return found

    def _segment_at(self, place: Place) -> Segment:
        """Of a visible place; no look at copies."""
        node, at = place
        if at == 0 and not self._cutter.keeps_start(node):
            node, at = self._cutter.anchor(node)
        return self._layout(node).ending_at(at)

    def _below(self, node: int, stop: int) -> tuple[Segment, ...]:
        """The children of the segment of `node` that ends at byte `stop`."""
        cached = self._children.get((node, stop))
        if cached is not None:
            return cached
        layout = self._layout(node)
        found = [self._first(child) for child in layout.hanging.get(stop, ())]
        if layout.segments and stop < layout.segments[-1].stop:
            found.insert(0, layout.ending_at(stop + 1))
        if layout.hanging:
            self._children[node, stop] = tuple(found)
        return tuple(found)

    def _first(self, node: int) -> Segment:
        """The first segment of a visible node."""
        if self.tree.children(node):
            return self._layout(node).segments[0]
        return Segment(node, 0, self._cutter.stop(node))

    def _build(self, top: Segment, folded: AbstractSet[Place]) -> list[Row]:
        rows: list[Row] = []
        stack = [(top, 0)]
        while stack:
            segment, depth = stack.pop()
            node, start, stop = segment
            children = self._below(node, stop) if self.tree.children(node) else ()
            if not children:
                rows.append(Row(segment, depth, False, 0))
                continue
            if (node, start) in folded:
                rows.append(Row(segment, depth, True, self._count_below(segment)))
                continue
            rows.append(Row(segment, depth, False, 0))
            deeper = depth + (len(children) > 1)
            stack.extend(zip(reversed(children), repeat(deeper), strict=False))
        self._grown.clear()
        self._rows = _Rows(top, frozenset(folded), rows)
        return rows

    def _count_below(self, segment: Segment) -> int:
        count, stack = -1, [segment]
        while stack:
            count += 1
            below = stack.pop()
            stack.extend(self._below(below.node, below.stop))
        return count
