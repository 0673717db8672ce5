"""Search in the visible text of a tree, a little at a time, in reading order.

A match may begin in one node and end in the next on a path. Knows bytes and places, not words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from loom.core.display import Display, Segment
from loom.core.node import ROOT, Place
from loom.core.text import ALIGNED
from loom.core.tree import Tree

MOST = 10_000  # matches found before a search gives up
NODE = 64  # what looking at a node costs, in bytes of text

Finder = Callable[[bytes], Iterator[tuple[int, int]]]
"""Where in a text the query is: the first byte and the one after the last, left to right."""


class Match(NamedTuple):
    """Bytes `start` to `stop` of a node; `start` is negative where it begins before the node."""

    node: int
    start: int
    stop: int

    @property
    def place(self) -> Place:
        """Its end."""
        return Place(self.node, self.stop)


class Search:
    """`query` in `top` and what hangs there (by default everything); `advance` until `done`.

    Upper and lower case are told apart only where the query has capitals. Text that is shown as
    one with another is found once.
    """

    def __init__(self, display: Display, query: str, top: Segment | None = None) -> None:
        self.query = query
        self.found: list[Match] = []
        self.done = not query
        self._display, self._tree = display, display.tree
        self._top = top or display.root
        self._nodes, self._hidden = display.tree.nodes, display.marks.hidden
        self._occurs, self._find = _finder(query)
        self._reach = 2 * len(query.encode("utf-8", ALIGNED))  # other case may need more bytes
        self._stack = [(self._top.node, b"")] if query else []

    def advance(self, effort: int) -> list[Match]:
        """Read about `effort` bytes more; the matches found in them."""
        known = len(self.found)
        while self._stack and effort > 0 and len(self.found) < MOST:
            effort -= self._read(*self._stack.pop())
        self.done = not self._stack or len(self.found) >= MOST
        del self.found[MOST:]
        return self.found[known:]

    def _read(self, node: int, before: bytes) -> int:
        """Look at a node; `before` is the end of the text that it goes on from.

        Most nodes have no match and one child: for these it is one search and one slice.
        """
        text = self._nodes[node].text
        first = self._top.start if node == self._top.node else 0
        hidden = self._hidden.get(node)
        stop = len(text) if hidden is None else min(hidden, len(text))
        if stop > first and self._occurs(before + text[first:stop]):
            found = [*self._across(node, text[:stop], before), *self._inside(node, text[:stop])]
            if found and self._is_shown(node):
                self.found += found
        for child in self._children(node, first, stop):
            at = self._nodes[child].at
            end = text[max(first, at - self._reach) : at]
            if len(end) < self._reach:
                end = (before + end)[-self._reach :]
            self._stack.append((child, end))
        return NODE + max(0, stop - first)

    def _inside(self, node: int, text: bytes) -> Iterator[Match]:
        first = self._top.start if node == self._top.node else 0
        for start, stop in self._find(text[first:]):
            yield Match(node, first + start, first + stop)

    def _across(self, node: int, text: bytes, before: bytes) -> Iterator[Match]:
        """The first match that begins before the node and ends in it."""
        joined, seam, skip = before + text[: self._reach], len(before), 0
        while skip < seam:
            start, stop = next(self._find(joined[skip:]), (seam, 0))
            if skip + start >= seam:
                return
            if skip + stop > seam:
                yield Match(node, skip + start - seam, skip + stop - seam)
                return
            skip += start + 1

    def _is_shown(self, node: int) -> bool:
        """Whether it isn't shown as another one of the same text."""
        whole = Segment(node, 0, self._tree[node].length)
        return self._display.twins(whole)[0].node == node

    def _children(self, node: int, first: int, stop: int) -> list[int]:
        """What hangs in the visible part; last those at its end, and of these the oldest."""
        nodes = self._nodes
        lowest = first + 1 if node == self._top.node != ROOT else first
        found = [c for c in self._tree.children(node) if lowest <= nodes[c].at <= stop]
        if len(found) > 1:
            found.sort(key=lambda child: (nodes[child].at, -child))
        return found


def _finder(query: str) -> tuple[Callable[[bytes], object], Finder]:
    """What says whether a text has the query at all, and what says where."""
    flags = re.IGNORECASE if query == query.lower() else re.NOFLAG
    escaped = re.escape(query)
    if query.isascii():
        pattern, needle = re.compile(escaped.encode(), flags), query.encode()
        # Thrice as fast as the pattern, which has to look at every place in both cases.
        occurs = (lambda data: needle in data.lower()) if flags else (lambda data: needle in data)
        return occurs, lambda data: (match.span() for match in pattern.finditer(data))
    in_text = _in_text(re.compile(escaped, flags))
    return lambda data: next(in_text(data), None), in_text


def _in_text(pattern: re.Pattern[str]) -> Finder:
    def find(data: bytes) -> Iterator[tuple[int, int]]:
        text, seen, at = data.decode("utf-8", ALIGNED), 0, 0
        for match in pattern.finditer(text):
            at += len(text[seen : match.start()].encode("utf-8", ALIGNED))
            length = len(match.group().encode("utf-8", ALIGNED))
            yield at, at + length
            seen, at = match.end(), at + length

    return find


def surroundings(tree: Tree, match: Match, before: int, after: int) -> tuple[bytes, bytes, bytes]:
    """Up to `before` bytes before a match, the match, and up to `after` bytes after it."""
    text = tree[match.node].text
    head, node = text[: match.stop], tree[match.node]
    wanted = match.stop - match.start + before
    while len(head) < wanted and node.parent is not None:
        above = tree[node.parent].text[max(0, node.at - wanted + len(head)) : node.at]
        head, node = above + head, tree[node.parent]
    cut = len(head) - (match.stop - match.start)
    return head[max(0, cut - before) : cut], head[cut:], text[match.stop : match.stop + after]


def beginning(tree: Tree, match: Match) -> Place:
    """Where a match begins, in the node above if need be."""
    node, at = tree[match.node], match.start
    while at < 0 and node.parent is not None:
        at, node = at + node.at, tree[node.parent]
    return Place(node.id, max(0, at))
