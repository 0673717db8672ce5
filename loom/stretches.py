"""A session's nodes as the stretches that instruments read: spans with what stands around them.

Of a path only the tokens of one model are read; the others are counted, so that positions and
offsets are those of the whole path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from loom.core.node import ROOT, Author, Node
from loom.instruments.api import Choice, Context
from loom.instruments.folding import Stretch
from loom.record import Record


class Start(NamedTuple):
    """Tokens and bytes of the path before a node."""

    position: int
    offset: int


class Link(NamedTuple):
    """The first `tokens` of a node; None: all of a node that is complete."""

    node: int
    tokens: int | None = None


class Way(NamedTuple):
    """What one model's tokens lead to a node, it included: after `base` (None: from the start) the
    `links` in order. `unread` are written nodes in between that have no tokens yet."""

    base: int | None
    links: list[Link]
    unread: list[int]


class Stretches:
    """`choice_of` tells how the writer came to a node."""

    def __init__(self, record: Record, choice_of: Callable[[int], Choice]) -> None:
        self._record = record
        self._choice_of = choice_of
        self._starts: dict[int, Start] = {ROOT: Start(0, 0)}
        self._lost: set[int] = set()  # nodes whose columns can't be read

    def forget(self) -> None:
        """Positions have changed: a node was read that had no tokens."""
        self._starts = {ROOT: Start(0, 0)}

    def start_of(self, number: int) -> Start:
        starts, tree, climbed = self._starts, self._record.tree, []
        while number not in starts:
            climbed.append(number)
            number = tree[number].parent or ROOT
        start = starts[number]
        for below in reversed(climbed):
            node = tree[below]
            parent = tree[node.parent or ROOT]
            start = Start(start.position + self._count(parent, node.at), start.offset + node.at)
            starts[below] = start
        return start

    def model_of(self, number: int) -> str | None:
        """The fingerprint of the model whose tokens a node has; None where it has none."""
        if not self._record.tree[number].token_count or number in self._lost:
            return None
        row = self._record.model_of(number)
        return "" if row is None else row.fingerprint

    def way_to(self, number: int, model: str, known: Callable[[int], bool]) -> Way:
        """From the nearest node that is `known`, else from the root."""
        tree, links = self._record.tree, [Link(number)]
        unread: list[int] = []
        node = tree[number]
        while node.parent is not None:
            parent = tree[node.parent]
            link = self._link(parent, node.at, model)
            if link is not None and link.tokens is None and known(parent.id):
                return Way(parent.id, links[::-1], unread)
            if link is not None:
                links.append(link)
            elif parent.token_count is None and parent.length:
                unread.append(parent.id)
            node = parent
        return Way(None, links[::-1], unread)

    def _link(self, node: Node, until: int, model: str) -> Link | None:
        count = self._count(node, until) if self.model_of(node.id) == model else 0
        if not count:
            return None
        return Link(node.id, None if count == node.token_count and not node.growing else count)

    def context_of(self, number: int, pieces: tuple[bytes, ...] = ()) -> Context:
        author, start = self._record.tree[number].author, self.start_of(number)
        recipe = self._record.recipe_of(number) if author is Author.MODEL else None
        temperature = None if recipe is None else recipe.sampling.temperature
        choice = self._choice_of(number)
        return Context(start.position, start.offset, author, pieces, temperature, choice)

    def stretch(self, link: Link) -> Stretch | None:
        """None where the columns are lost; no way leads over the node then."""
        span = self._record.span(link.node)
        if span is None:
            self._lost.add(link.node)
            return None
        pieces = span.pieces(self._record.tree[link.node].text)
        whole = Stretch(span, self.context_of(link.node, pieces))
        return whole if link.tokens is None else whole.cut(0, link.tokens)

    def _count(self, node: Node, until: int) -> int:
        """Tokens of a node that end at or before byte `until`."""
        if not node.token_count or not until:
            return 0
        if until >= node.length:
            return node.token_count
        span = self._record.span(node.id)
        return 0 if span is None else span.count_until(until)
