"""Search in the visible text of a tree, a little at a time, in reading order.

A match may begin in one node and end in the next on a path. Knows bytes and places, not words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Container, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from loom.core.display import Display, Segment
from loom.core.node import ROOT, Place
from loom.core.text import ALIGNED
from loom.core.tree import Tree

MOST = 10_000  # matches found before a search gives up
NODE = 64  # what looking at a node costs, in bytes of text
TOGETHER = 256  # nodes looked at in one go
NEAR = 32  # bytes before a node that whoever names nodes has looked at, too
_BETWEEN = b"\xff"  # in no text; where it is, it finds too much

Finder = Callable[[bytes], Iterator[tuple[int, int]]]
"""Where in a text the query is: the first byte and the one after the last, left to right."""

Among = Callable[[bytes], Collection[int] | None]
"""Every node that has these bytes in it, letters in lower case, or in the NEAR bytes before it and
in it; more than these, or None for whoever can't tell."""


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
    one with another is found once. With `among`, only what it names is read.
    """

    def __init__(
        self, display: Display, query: str, top: Segment | None = None, among: Among | None = None
    ) -> None:
        self.query = query
        self.found: list[Match] = []
        self.done = not query
        self._display, self._tree = display, display.tree
        self._top = top or display.root
        self._nodes, self._hidden = display.tree.nodes, display.marks.hidden
        self._needle, self._folded, self._find = _finder(query)
        self._reach = 2 * len(query.encode("utf-8", ALIGNED))  # other case may need more bytes
        self._left = self._order(among)

    def advance(self, effort: int) -> list[Match]:
        """Read about `effort` bytes more; the matches found in them."""
        known = len(self.found)
        while effort > 0 and not self.done:
            wanted = min(TOGETHER, 1 + effort // NODE)
            nodes = list(islice(self._left, wanted))
            effort -= NODE * len(nodes) + self._read(nodes)
            self.done = len(nodes) < wanted or len(self.found) >= MOST
        del self.found[MOST:]
        return self.found[known:]

    def _read(self, numbers: Sequence[int]) -> int:
        """Look at some nodes; how many bytes of text they have.

        Mostly none has a match: then it is one search in all their texts, each after the end of
        what is before it.
        """
        texts, nodes, reach = list[bytes](), self._nodes, self._reach
        for number in numbers:
            node = nodes[number]
            start, parent = node.at - reach, node.parent or ROOT
            long = start >= 0  # then it needs no climbing, for most of 100,000
            before = nodes[parent].text[start : node.at] if long else self._before(number)
            texts.append(before + node.text)
        joined = _BETWEEN.join(texts)
        if self._may_be_in(joined):
            for number, text in zip(numbers, texts, strict=True):
                if self._may_be_in(text):
                    self._look(number)
        return len(joined)

    def _may_be_in(self, text: bytes) -> bool:
        return self._needle in (text.lower() if self._folded else text)

    def _look(self, number: int) -> None:
        """Find where in a node, of which part may be hidden, the query is."""
        before = self._before(number)
        text = self._nodes[number].text[: self._hidden.get(number)]
        first = self._top.start if number == self._top.node else 0
        found = [*self._across(number, text, before), *self._inside(number, text, first)]
        if found and self._is_shown(number):
            self.found += found

    def _before(self, number: int) -> bytes:
        """The end of the text that a node goes on from, as far as it is searched, too."""
        nodes, reach = self._nodes, self._reach
        node, before = nodes[number], b""
        while node.id != self._top.node and node.parent is not None and len(before) < reach:
            at, node = node.at, nodes[node.parent]
            first = self._top.start if node.id == self._top.node else 0
            before = node.text[max(first, at - reach + len(before)) : at] + before
        return before

    def _inside(self, number: int, text: bytes, first: int) -> Iterator[Match]:
        for start, stop in self._find(text[first:]):
            yield Match(number, first + start, first + stop)

    def _across(self, number: int, text: bytes, before: bytes) -> Iterator[Match]:
        """The first match that begins before the node and ends in it."""
        joined, seam, skip = before + text[: self._reach], len(before), 0
        while skip < seam:
            start, stop = next(self._find(joined[skip:]), (seam, 0))
            if skip + start >= seam:
                return
            if skip + stop > seam:
                yield Match(number, skip + start - seam, skip + stop - seam)
                return
            skip += start + 1

    def _is_shown(self, number: int) -> bool:
        """Whether it isn't shown as another one of the same text."""
        whole = Segment(number, 0, self._tree[number].length)
        return self._display.twins(whole)[0].node == number

    def _order(self, among: Among | None) -> Iterator[int]:
        """What is to be read: all, or what `among` names and no others."""
        sure = self.query.isascii() or self._reach <= NEAR
        wanted = among(self._needle.lower()) if among is not None and sure else None
        if wanted is None:
            return self._walk(None)
        return filter(wanted.__contains__, self._walk(self._ways_to(wanted)))

    def _ways_to(self, wanted: Collection[int]) -> set[int]:
        """They and all that they hang on."""
        ways: set[int] = set()
        for number in wanted:
            there: int | None = number
            while there is not None and there not in ways:
                ways.add(there)
                there = self._nodes[there].parent
        return ways

    def _walk(self, ways: Container[int] | None) -> Iterator[int]:
        """The visible nodes, or those of `ways`, in reading order."""
        stack = [self._top.node] if self.query else []
        children_of, hidden = self._tree.children, self._hidden
        while stack:
            number = stack.pop()
            if ways is not None and number not in ways:
                continue
            yield number
            children = children_of(number)
            if len(children) == 1 and number not in hidden and number != self._top.node:
                stack += children
            elif children:
                stack += self._children(number, children)

    def _children(self, number: int, children: Collection[int]) -> list[int]:
        """What hangs in the visible part; last those at its end, and of these the oldest."""
        nodes = self._nodes
        lowest = self._top.start + 1 if number == self._top.node != ROOT else 0
        stop = self._hidden.get(number, len(nodes[number].text))
        found = [child for child in children if lowest <= nodes[child].at <= stop]
        found.sort(key=lambda child: (nodes[child].at, -child))
        return found


def _finder(query: str) -> tuple[bytes, bool, Finder]:
    """What every text with the query has in it, whether in lower case, and what says where."""
    folded = query == query.lower()
    flags = re.IGNORECASE if folded else re.NOFLAG
    escaped = re.escape(query)
    if query.isascii():
        pattern = re.compile(escaped.encode(), flags)
        return (
            query.encode(),
            folded,
            lambda data: (match.span() for match in pattern.finditer(data)),
        )
    needle = _steady(query) if folded else query
    return needle.encode("utf-8", ALIGNED), folded, _in_text(re.compile(escaped, flags))


def _steady(query: str) -> str:
    """The longest part of `query` of letters that are the same in either case, or plain ones but
    i, k and s: ı, the sign of Kelvin and ſ are these, too."""
    plain = (
        c if c not in "iks" and (c.isascii() or c.lower() == c.upper()) else "\0" for c in query
    )
    return max("".join(plain).split("\0"), key=len)


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
