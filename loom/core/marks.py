"""What can change about a node: hidden, bookmarked, folded, visited, tagged, noted.

A mark sits on a byte of a node and carries a string. Only visibility asks the tree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from loom.core.node import Place
from loom.core.tree import Tree


class Kind(StrEnum):
    """What a mark says."""

    HIDDEN = "hidden"
    BOOKMARK = "bookmark"
    FOLDED = "folded"
    VISITED = "visited"
    LAST = "last"  # the child last visited from here
    TAG = "tag"
    NOTE = "note"


class Mark(NamedTuple):
    """The key of a mark. HIDDEN takes away the bytes after `start` and what hangs on them."""

    node: int
    start: int
    kind: Kind


class Marks:
    """Mark → value; iterates over (mark, value) in order of creation.

    `clear` are nodes of its tree that hang in sight, as far as was looked: seen_place remembers
    them there, so that a chain is climbed once and not at every question.
    """

    __slots__ = ("_by_node", "_hidden", "clear")

    def __init__(self) -> None:
        self._by_node: dict[int, dict[Mark, str]] = {}
        self._hidden: dict[int, int] = {}
        self.clear: set[int] = set()

    def __iter__(self) -> Iterator[tuple[Mark, str]]:
        for marks in self._by_node.values():
            yield from marks.items()

    def __len__(self) -> int:
        return sum(map(len, self._by_node.values()))

    def __contains__(self, mark: object) -> bool:
        return isinstance(mark, Mark) and self.get(mark) is not None

    def get(self, mark: Mark) -> str | None:
        marks = self._by_node.get(mark.node)
        return None if marks is None else marks.get(mark)

    def set(self, mark: Mark, value: str | None) -> str | None:
        """Put (or with None take away) a mark; returns what was there before."""
        marks = self._by_node.setdefault(mark.node, {})
        previous = marks.pop(mark, None) if value is None else marks.get(mark)
        if value is not None:
            marks[mark] = value
        if not marks:
            del self._by_node[mark.node]
        if mark.kind is Kind.HIDDEN:
            self._find_hidden(mark.node)
        return previous

    def of(self, node: int) -> tuple[tuple[Mark, str], ...]:
        """Every mark on `node` with its value."""
        return tuple(self._by_node.get(node, {}).items())

    @property
    def hidden(self) -> Mapping[int, int]:
        """`hidden_from` of all the nodes that have one; a live view for those who read many."""
        return self._hidden

    def hidden_from(self, node: int) -> int | None:
        """The byte of `node` after which all is hidden; None when nothing of it is."""
        return self._hidden.get(node)

    def _find_hidden(self, node: int) -> None:
        self.clear.clear()
        starts = [mark.start for mark, _ in self.of(node) if mark.kind is Kind.HIDDEN]
        if starts:
            self._hidden[node] = min(starts)
        else:
            self._hidden.pop(node, None)


def seen_place(tree: Tree, marks: Marks, place: Place) -> Place:
    """`place`, or where the visible part of the path to it stops."""
    nodes, hidden, clear = tree.nodes, marks.hidden, marks.clear
    node, at = place
    seen, climbed = place, list[int]()
    while True:
        start = hidden.get(node)
        if start is not None and at > start:
            seen = Place(node, start)
            climbed.clear()
        if node in clear:
            break
        climbed.append(node)
        found = nodes[node]
        if found.parent is None:
            break
        node, at = found.parent, found.at
    clear.update(climbed)
    return seen


def is_hidden(tree: Tree, marks: Marks, what: Place | int) -> bool:
    """Whether a place can't be seen, or nothing of a node can.

    A mark with start 0 hides its node whole. A child at the very start of the hidden part hangs
    before it and stays visible.
    """
    if isinstance(what, Place):
        return seen_place(tree, marks, what) != what
    if marks.hidden_from(what) == 0:
        return True
    start = Place(what, 0)
    return seen_place(tree, marks, start) != start
