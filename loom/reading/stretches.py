"""A session's nodes as the stretches that instruments read: spans with what stands around them.

Of a path only the tokens of one model are read; the others are counted, so that positions and
offsets are those of the whole path.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
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


class Gap(NamedTuple):
    """What is above a node up to the next one whose tokens one model has read: the `link` to that
    (None: there is none), and in between the first `size` of the nodes in `unread`, from the top
    down: written ones without tokens. Nodes share the list."""

    link: Link | None
    unread: list[int]
    size: int


class Way(NamedTuple):
    """What one model's tokens lead to a node, it included: after `base` (None: from the start) the
    `links` in order, with the `gaps` before each."""

    base: int | None
    links: list[Link]
    gaps: list[Gap]

    def unread(self) -> Iterator[int]:
        """Written nodes on the way that have no tokens yet, from the top down."""
        for gap in self.gaps:
            yield from islice(gap.unread, gap.size)


class Stretches:
    """`choice_of` tells how the writer came to a node."""

    def __init__(self, record: Record, choice_of: Callable[[int], Choice]) -> None:
        self._record = record
        self._choice_of = choice_of
        self._starts: dict[int, Start] = {ROOT: Start(0, 0)}
        self._gaps: defaultdict[str, dict[int, Gap]] = defaultdict(dict)
        self._lost: set[int] = set()  # nodes whose columns can't be read
        self._chosen: dict[int, int] = {}  # hashes of the choices that were told

    def forget_below(self, node: int) -> None:
        """It has tokens now: whatever comes after it stands elsewhere."""
        for known in (self._starts, *self._gaps.values()):
            below = list(self._record.tree.children(node))
            while below:
                child = below.pop()
                if known.pop(child, None) is not None:  # type: ignore[attr-defined]
                    below += self._record.tree.children(child)

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
        links, gaps, base = [Link(number)], [self._gap(number, model)], None
        while (link := gaps[-1].link) is not None:
            if link.tokens is None and known(link.node):
                base = link.node
                break
            links.append(link)
            gaps.append(self._gap(link.node, model))
        return Way(base, links[::-1], gaps[::-1])

    def _gap(self, number: int, model: str) -> Gap:
        """Climbs to where one has been before."""
        gaps, tree, climbed = self._gaps[model], self._record.tree, []
        while number not in gaps:
            node = tree[number]
            if node.parent is None:
                gaps[number] = Gap(None, [], 0)
                break
            link = self._link(tree[node.parent], node.at, model)
            if link is not None:
                gaps[number] = Gap(link, [], 0)
                break
            climbed.append(number)
            number = node.parent
        gap = gaps[number]
        for below in reversed(climbed):
            gap = gaps[below] = self._longer(gap, tree[tree[below].parent or ROOT])
        return gap

    def _longer(self, gap: Gap, node: Node) -> Gap:
        """With one more node at its end."""
        if node.token_count is not None or not node.length:
            return gap
        unread = gap.unread
        if len(unread) == gap.size:
            unread.append(node.id)
        elif unread[gap.size] != node.id:  # it goes on into another branch
            unread = [*unread[: gap.size], node.id]
        return Gap(gap.link, unread, gap.size + 1)

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
        self._chosen[number] = hash(choice)
        return Context(start.position, start.offset, author, pieces, temperature, choice)

    def is_chosen_as_told(self, number: int) -> bool:
        """Whether the writer's choice is the same as when the node was last looked at."""
        return self._chosen.get(number) == hash(self._choice_of(number))

    def stretch(self, link: Link) -> Stretch | None:
        """None where the columns are lost; no way leads over the node then."""
        span = self._record.span(link.node)
        if span is None:
            self._lost.add(link.node)
            self._gaps.clear()
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
