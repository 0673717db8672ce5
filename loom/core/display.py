"""The tree as it is shown: every node cut at each place in use, so a branch is always a child.

Derived from tree and marks and cached node by node; `invalidate` says what has changed. It knows
bytes and places, not words or colours.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

from loom.core.marks import Kind, Marks, seen_place
from loom.core.node import ROOT, Author, Place
from loom.core.tree import Tree

REMARKS = frozenset({Kind.BOOKMARK, Kind.TAG, Kind.NOTE})


class Segment(NamedTuple):
    """Bytes `start` to `stop` of a node."""

    node: int
    start: int
    stop: int


class Row(NamedTuple):
    """One line of the tree; `hidden_count` segments lie folded away below it."""

    segment: Segment
    depth: int
    folded: bool
    hidden_count: int


class _Face(NamedTuple):
    """All that the place a node hangs at depends on; growing text leaves it as it is."""

    shown: bool
    keeps_start: bool
    twin_text: bytes | None
    child_count: int


@dataclass(slots=True)
class _Layout:
    """A node cut up: its segments (none when it is hidden) and what hangs at which byte."""

    segments: tuple[Segment, ...]
    hanging: Mapping[int, tuple[int, ...]]
    twins: Mapping[int, tuple[int, ...]]
    children: dict[int, tuple[Segment, ...]] = field(default_factory=dict)

    def same_rows(self, other: _Layout) -> bool:
        """Whether they differ by nothing but where the last segment stops."""
        return (
            len(self.segments) == len(other.segments)
            and self.segments[:-1] == other.segments[:-1]
            and self.hanging == other.hanging
            and self.twins == other.twins
        )


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

    __slots__ = ("_faces", "_layouts", "_rows", "_stale", "marks", "tree")

    def __init__(self, tree: Tree, marks: Marks) -> None:
        self.tree = tree
        self.marks = marks
        self._layouts: dict[int, _Layout] = {}
        self._faces: dict[int, _Face] = {}
        self._stale: dict[int, _Layout] = {}
        self._rows: _Rows | None = None

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

    def parent(self, segment: Segment) -> Segment | None:
        """The segment before; None for the root."""
        if segment.start:
            return self._segment_at(Place(segment.node, segment.start))
        if segment.node == ROOT:
            return None
        return self._segment_at(self._anchor(segment.node))

    def children(self, segment: Segment) -> tuple[Segment, ...]:
        """The tail of the same node first, if any, then the nodes that hang here, by id."""
        layout = self._layout(segment.node)
        if not layout.hanging:
            return ()
        stop = self._current(segment).stop
        found = layout.children.get(stop)
        if found is None:
            found = layout.children[stop] = tuple(self._find_children(layout, stop))
        return found

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
        host = self._layout(self._anchor(segment.node).node)
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
        top = self.root if top is None else self._current(top)
        cached = self._rows
        if cached is None or cached.top[:2] != top[:2] or cached.folded != folded:
            return self._build(top, folded)
        grown = self._grown()
        if grown is None:
            return self._build(top, folded)
        if grown:
            cached.patch(grown)
        return cached.rows

    def invalidate(self, node: int) -> None:
        """Say that `node` was added, grew, was sealed, or that a mark on it changed."""
        self._drop(node)
        while node != ROOT:
            anchor = self._anchor(node)
            host = self._layouts.get(anchor.node)
            if host is not None:
                host.children.pop(
                    min(anchor.at, host.segments[-1].stop) if host.segments else 0, None
                )
            if self._faces.get(node) == self._face(node):
                return
            self._faces.pop(node, None)
            node = anchor.node
            self._drop(node)

    def _drop(self, node: int) -> None:
        layout = self._layouts.pop(node, None)
        if layout is not None:
            self._stale.setdefault(node, layout)

    def _layout(self, node: int) -> _Layout:
        found = self._layouts.get(node)
        if found is None:
            found = self._layouts[node] = self._lay_out(node)
        return found

    def _lay_out(self, node: int) -> _Layout:
        if self.marks.hidden_from(node) == 0 and node != ROOT:
            return _Layout((), {}, {})
        stop = self._stop(node)
        if not self.tree.children(node):
            return _Layout((Segment(node, 0, stop),), {}, {})
        hanging: dict[int, list[int]] = {}
        for at, shown in self._hanging(node):
            hanging.setdefault(at, []).append(shown)
        edges = sorted({*hanging, stop})
        starts = (0, *edges[:-1])
        segments = tuple(Segment(node, a, b) for a, b in zip(starts, edges, strict=True))
        twins: dict[int, tuple[int, ...]] = {}
        merged = {at: self._merge(sorted(ids), twins) for at, ids in hanging.items()}
        return _Layout(segments, merged, twins)

    def _hanging(self, node: int) -> Iterator[tuple[int, int]]:
        """(byte, id) of every visible node shown as hanging on `node`; recalls the face of each."""
        stop = self._stop(node)
        first = 0 if self._keeps_start(node) else 1
        for child in self.tree.children(node):
            at = self.tree[child].at
            if not first <= at <= stop:
                continue
            for id_ in self._from_start(child):
                self._faces[id_] = face = self._face(id_)
                if face.shown:
                    yield at, id_

    def _from_start(self, node: int) -> Iterator[int]:
        """`node` and, chain by chain, what hangs at its start and so is shown beside it."""
        stack = [node]
        while stack:
            node = stack.pop()
            yield node
            children = self.tree.children(node)
            if children and not self._keeps_start(node):
                stack.extend(child for child in children if self.tree[child].at == 0)

    def _merge(self, ids: list[int], twins: dict[int, tuple[int, ...]]) -> tuple[int, ...]:
        """`ids` without those that are shown as another; notes in `twins` who is shown as whom."""
        if len(ids) == 1:
            return tuple(ids)
        groups: dict[bytes | int, list[int]] = {}
        for node in ids:
            text = self._faces[node].twin_text
            groups.setdefault(node if text is None else text, []).append(node)
        for group in groups.values():
            if len(group) > 1:
                twins.update(dict.fromkeys(group, tuple(group)))
        return tuple(group[0] for group in groups.values())

    def _face(self, node: int) -> _Face:
        return _Face(
            self.marks.hidden_from(node) != 0,
            self._keeps_start(node),
            self._twin_text(node),
            len(self.tree.children(node)),
        )

    def _twin_text(self, node: int) -> bytes | None:
        """What another must equal to be shown as one with it; None when it stands for itself."""
        found = self.tree[node]
        if found.author is not Author.MODEL or found.growing:
            return None
        if self.marks.hidden_from(node) is not None or not self._is_leaf(node):
            return None
        if any(mark.kind in REMARKS for mark, _ in self.marks.of(node)):
            return None
        return found.text

    def _is_leaf(self, node: int) -> bool:
        """Whether nothing visible hangs behind it, by the marks alone: no layout, no recursion."""
        first = 0 if self._keeps_start(node) else 1
        return not any(
            self.marks.hidden_from(shown) != 0
            for child in self.tree.children(node)
            if self.tree[child].at >= first
            for shown in self._from_start(child)
        )

    def _keeps_start(self, node: int) -> bool:
        """Whether a child at byte 0 is shown behind it: the root, or a node without text so far."""
        if node == ROOT:
            return True
        return not self.tree[node].text and self.marks.hidden_from(node) is None

    def _stop(self, node: int) -> int:
        hidden = self.marks.hidden_from(node)
        length = self.tree[node].length
        return length if hidden is None else min(hidden, length)

    def _anchor(self, node: int) -> Place:
        """Where `node`, which is not the root, hangs on the screen."""
        while True:
            found = self.tree[node]
            assert found.parent is not None, "the root hangs nowhere"
            if found.at or self._keeps_start(found.parent):
                return Place(found.parent, found.at)
            node = found.parent

    def _segment_at(self, place: Place) -> Segment:
        """Of a visible place; no look at copies."""
        node, at = place
        if at == 0 and not self._keeps_start(node):
            node, at = self._anchor(node)
        return _ending_at(self._layout(node).segments, at)

    def _current(self, segment: Segment) -> Segment:
        """`segment` as it is now: it may have been cut or have grown since it was given out."""
        segments = self._layout(segment.node).segments
        if not segments:
            return self.segment_of(Place(segment.node, segment.start))
        return _ending_at(segments, segment.stop)

    def _find_children(self, layout: _Layout, stop: int) -> Iterator[Segment]:
        for segment in layout.segments:
            if segment.start == stop and segment.stop > stop:
                yield segment
        for node in layout.hanging.get(stop, ()):
            yield self._layout(node).segments[0]

    def _build(self, top: Segment, folded: AbstractSet[Place]) -> list[Row]:
        rows: list[Row] = []
        stack = [(top, 0)]
        while stack:
            segment, depth = stack.pop()
            children = self.children(segment)
            is_folded = bool(children) and Place(segment.node, segment.start) in folded
            below = self._count_below(segment) if is_folded else 0
            rows.append(Row(segment, depth, is_folded, below))
            if children and not is_folded:
                deeper = depth + (len(children) > 1)
                stack.extend((child, deeper) for child in reversed(children))
        self._stale.clear()
        self._rows = _Rows(top, frozenset(folded), rows)
        return rows

    def _count_below(self, segment: Segment) -> int:
        count, stack = -1, [segment]
        while stack:
            count += 1
            stack.extend(self.children(stack.pop()))
        return count

    def _grown(self) -> list[Segment] | None:
        """The segments that only grew since the rows were built; None when more has changed."""
        grown: list[Segment] = []
        for node, before in self._stale.items():
            layout = self._layout(node)
            if not layout.same_rows(before):
                return None
            grown += layout.segments[-1:]
        self._stale.clear()
        return grown


def _ending_at(segments: tuple[Segment, ...], at: int) -> Segment:
    """The one that contains or ends at byte `at`, the last where none does."""
    if len(segments) == 1:
        return segments[0]
    return segments[min(bisect_left(segments, at, key=lambda s: s.stop), len(segments) - 1)]
