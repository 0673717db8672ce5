"""The rows of the display tree, kept up to date where it changes, and the rails that run past them.

Knows segments and depths; knows nothing of text, colours or the screen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

import numpy as np

from loom.core.display import Display, Row, Segment
from loom.core.marks import is_hidden
from loom.core.node import ROOT, Place

Rails = tuple[bool, ...]  # for every level from 1 on: whether a branch comes further down


class Rows:
    """`Display.rows`, but a change costs by what hangs below it and not by the tree.

    Segments are known by node and start, so text that grows leaves all rows as they are: where a
    row's segment stops may be out of date.
    """

    def __init__(
        self,
        display: Display,
        top: Segment | None = None,
        folded: AbstractSet[Place] = frozenset(),
        *,
        empty: bool = False,
    ) -> None:
        self._display = display
        self._folded = folded
        self.version = 0  # another number wherever rows came or went
        self._rows = [] if empty else list(display.rows(top, folded))
        self._keys = _keys(self._rows)
        self._known = set(self._keys.tolist())
        self._depths = _depths(self._rows)
        self._heads = _heads(self._rows, display)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Row:
        return self._rows[index]

    def find(self, segment: Segment) -> int | None:
        """The row of a segment; None where it is folded away or hidden."""
        key = _key(segment)
        return int((self._keys == key).argmax()) if key in self._known else None

    def nearest(self, segment: Segment | None) -> int | None:
        """The row of a segment or of the first one above it that has a row."""
        while segment is not None:
            index = self.find(segment)
            if index is not None:
                return index
            segment = self._display.parent(segment)
        return None

    def of_node(self, node: int, first: int, last: int) -> list[int]:
        """Rows from `first` up to `last` that show some of `node`."""
        found: list[int] = np.flatnonzero(self._keys[first:last] >> 32 == node).tolist()
        return [first + index for index in found]

    def is_head(self, index: int) -> bool:
        """Whether the row is one branch of several; not one that just goes on the row above."""
        return bool(self._heads[index])

    # ── keeping up ─────────────────────────────────────────────────────────────────────────

    def renew(self, nodes: Iterable[int], folded: AbstractSet[Place]) -> None:
        """Follow what was added, hidden, restored, folded or sealed."""
        self._folded = folded
        for node in list(nodes):
            host = self._host(node)
            for touched in dict.fromkeys((host.node, self._tree_parent(node), node)):
                self._renew(touched)

    def _tree_parent(self, node: int) -> int:
        return self._display.tree[node].parent or ROOT

    def _host(self, node: int) -> Segment:
        """The segment that `node` hangs at."""
        found = self._display.tree[node]
        return self._display.segment_of(found.hangs_at)

    def _renew(self, node: int) -> None:
        display = self._display
        hidden = is_hidden(display.tree, display.marks, node)
        for segment in (self._host(node), *(() if hidden else display.segments(node))):
            index = self.nearest(segment)
            if index is not None and not self._is_renewed(index, segment):
                self._replace(index)

    def _is_renewed(self, index: int, segment: Segment) -> bool:
        """Whether the row, found for `segment`, is right, and all has been done below it."""
        row = self._rows[index]
        if self._keys[index] != _key(segment) or row.folded or self._should_fold(segment):
            return False
        self._rows[index] = row._replace(segment=segment)
        return self._children_renewed(index, segment)

    def _should_fold(self, segment: Segment) -> bool:
        place = Place(segment.node, segment.start)
        return place in self._folded and bool(self._display.children(segment))

    def _children_renewed(self, index: int, host: Segment) -> bool:
        """Take out and put in single branches below a row, if that is all it needs."""
        fresh = self._display.children(host)
        before = self._children(index)
        keys = [_key(segment) for segment in fresh]
        known = [int(self._keys[row]) for row in before]
        if keys == known:
            return True
        if len(before) < 2 or len(fresh) < 2:
            return False
        for row in reversed(before):
            if int(self._keys[row]) not in keys:
                self._splice(row, self.end(row), ())
        self._insert(index, fresh)
        return True

    def _insert(self, index: int, children: Sequence[Segment]) -> None:
        """Add those that have no row yet, each behind the one before."""
        at, depth = index + 1, self._rows[index].depth + 1
        for child in children:
            if at >= len(self) or self._keys[at] != _key(child):
                self._splice(at, at, self._listed(child, depth))
            at = self.end(at)

    def _children(self, index: int) -> list[int]:
        """The rows of a row's children."""
        first, last = index + 1, self.end(index)
        if first == last:
            return []
        if not self._heads[first]:
            return [first]
        below = self._heads[first:last] & (self._depths[first:last] == self._rows[index].depth + 1)
        found: list[int] = np.flatnonzero(below).tolist()
        return [first + step for step in found]

    def end(self, index: int) -> int:
        """The row after all that hangs below a row."""
        return self._next_head(index + 1, self._rows[index].depth)

    def _next_head(self, at: int, level: int) -> int:
        """The first branch from row `at` on that is no deeper than `level`, else the end.

        Looks ever further ahead, as it is mostly near.
        """
        reach = 64
        while at < len(self):
            ahead = self._heads[at : at + reach] & (self._depths[at : at + reach] <= level)
            step = int(ahead.argmax())
            if ahead[step]:
                return at + step
            at, reach = at + reach, reach * 4
        return len(self)

    def _replace(self, index: int) -> None:
        row, is_head = self._rows[index], self._heads[index]
        self._splice(index, self.end(index), self._listed(row.segment, row.depth))
        self._heads[index] = is_head

    def _listed(self, segment: Segment, depth: int) -> list[Row]:
        rows = self._display.rows(segment, self._folded)
        return [row._replace(depth=row.depth + depth) for row in rows]

    def _splice(self, first: int, last: int, rows: Sequence[Row]) -> None:
        self.version += 1
        self._rows[first:last] = rows
        self._known.difference_update(self._keys[first:last].tolist())
        self._known.update(_keys(rows).tolist())
        self._keys = np.concatenate([self._keys[:first], _keys(rows), self._keys[last:]])
        self._depths = np.concatenate([self._depths[:first], _depths(rows), self._depths[last:]])
        heads = _heads(rows, self._display)
        heads[:1] = first > 0
        self._heads = np.concatenate([self._heads[:first], heads, self._heads[last:]])

    # ── rails ──────────────────────────────────────────────────────────────────────────────

    def rails(self, first: int, last: int, floor: int = 0) -> list[Rails]:
        """Of the rows from `first` up to `last`; levels up to `floor` are left open."""
        last = min(last, len(self))
        if first >= last:
            return []
        found = [self._rails_below(last - 1, floor)]
        for index in range(last - 1, first, -1):
            found.append(self._rails_above(index, found[-1]))
        return found[::-1]

    def _rails_above(self, index: int, rails: Rails) -> Rails:
        """Those of the row before `index`, given those of `index`."""
        depth, above = self._rows[index].depth, self._rows[index - 1].depth
        if above < depth or not self._heads[index]:
            return rails[:above]
        return (*rails[: depth - 1], True, *(False,) * (above - depth))

    def _rails_below(self, index: int, floor: int) -> Rails:
        """Looks ahead, level by level, to the next branch that is as shallow."""
        level = self._rows[index].depth
        found, at = [False] * level, index + 1
        while level > floor:
            at = self._next_head(at, level)
            level = self._rows[at].depth if at < len(self) else 0
            if level:
                found[level - 1] = True
                level -= 1
        return tuple(found)


def _key(segment: Segment) -> int:
    return segment.node << 32 | segment.start


def _keys(rows: Sequence[Row]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.fromiter((_key(row.segment) for row in rows), np.int64, len(rows))


def _depths(rows: Sequence[Row]) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.fromiter((row.depth for row in rows), np.int32, len(rows))


def _heads(rows: Sequence[Row], display: Display) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.fromiter(_are_heads(rows, display), np.bool_, len(rows))


def _are_heads(rows: Sequence[Row], display: Display) -> Iterator[bool]:
    """For each row, whether it is one branch of several; the first is taken not to be."""
    above: Row | None = None
    for row in rows:
        if above is None or row.depth != above.depth:
            yield above is not None
        else:
            yield not _goes_on(above.segment, row.segment, display)
        above = row


def _goes_on(above: Segment, segment: Segment, display: Display) -> bool:
    """Whether `segment` hangs at `above`; both have the same depth."""
    if segment.start:
        return above.node == segment.node and above.stop == segment.start
    node = display.tree[segment.node]
    if node.at == 0:
        parent = display.parent(segment)
        return parent is not None and parent[:2] == above[:2]
    return node.parent == above.node and node.at == above.stop
