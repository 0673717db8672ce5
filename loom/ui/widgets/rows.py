"""The rows of the display tree with what drawing needs: where a row is and which rails run past it.

Knows segments and depths; knows nothing of text, colours or the screen.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np

from loom.core.display import Display, Row, Segment

Rails = tuple[bool, ...]  # for every level from 1 on: whether a branch comes further down


class Rows:
    """An index over `Display.rows`; segments are known by node and start, so growing keeps them."""

    def __init__(self, rows: Sequence[Row], display: Display) -> None:
        self._rows = rows
        self._display = display
        self._keys = array("q", [_key(row.segment) for row in rows])
        self._depths = np.fromiter((row.depth for row in rows), np.int32, len(rows))
        self._heads = np.fromiter((self._is_head(i) for i in range(len(rows))), np.bool_, len(rows))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Row:
        return self._rows[index]

    def find(self, segment: Segment) -> int | None:
        """The row of a segment; None where it is folded away or hidden."""
        try:
            return self._keys.index(_key(segment))
        except ValueError:
            return None

    def of_node(self, node: int, first: int, last: int) -> list[int]:
        """Rows from `first` up to `last` that show some of `node`."""
        return [i for i in range(first, min(last, len(self))) if self._keys[i] >> 32 == node]

    def is_head(self, index: int) -> bool:
        """Whether the row is one branch of several; not one that just goes on the row above."""
        return bool(self._heads[index])

    def _is_head(self, index: int) -> bool:
        if index == 0:
            return False
        above, row = self._rows[index - 1], self._rows[index]
        return row.depth != above.depth or not self._goes_on(above.segment, row.segment)

    def _goes_on(self, above: Segment, segment: Segment) -> bool:
        if segment.start:
            return above.node == segment.node and above.stop == segment.start
        node = self._display.tree[segment.node]
        if node.at == 0:
            parent = self._display.parent(segment)
            return parent is not None and parent[:2] == above[:2]
        return node.parent == above.node and node.at == above.stop

    def rails(self, first: int, last: int) -> list[Rails]:
        """Of the rows from `first` up to `last`."""
        last = min(last, len(self))
        if first >= last:
            return []
        found = [self._rails_below(last - 1)]
        for index in range(last - 1, first, -1):
            found.append(self._rails_above(index, found[-1]))
        return found[::-1]

    def _rails_above(self, index: int, rails: Rails) -> Rails:
        """Those of the row before `index`, given those of `index`."""
        depth, above = self._rows[index].depth, self._rows[index - 1].depth
        if above < depth or not self._heads[index]:
            return rails[:above]
        return (*rails[: depth - 1], True, *(False,) * (above - depth))

    def _rails_below(self, index: int) -> Rails:
        """Looks ahead, level by level, to the next branch that is as shallow."""
        level = self._rows[index].depth
        found, at = [False] * level, index + 1
        while level:
            ahead = self._heads[at:] & (self._depths[at:] <= level)
            step = int(ahead.argmax()) if len(ahead) else 0
            if not len(ahead) or not ahead[step]:
                break
            at += step
            level = int(self._depths[at])
            if level:
                found[level - 1] = True
                level -= 1
        return tuple(found)


def _key(segment: Segment) -> int:
    return segment.node << 32 | segment.start
