"""How the writer came to each node: what stood beside it and what of that was taken, how often one
had come back, how long it took. Knows the tree, its marks and what has happened; reads no tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from loom.core.marks import Kind, Marks
from loom.core.node import ROOT, Author, Node, Place
from loom.core.tree import Tree
from loom.instruments.api import Choice
from loom.store.batch import EventRow


class Arrivals:
    """Told what happens, in order; `choice_of` at any time."""

    def __init__(self, tree: Tree, marks: Marks) -> None:
        self._tree, self._marks = tree, marks
        self._returns: Counter[Place] = Counter()
        self._backtracks: dict[int, int] = {}  # of nodes before which there were any
        self._newest = ROOT

    def happened(self, event: EventRow) -> None:
        data = event.data if isinstance(event.data, dict) else {}
        self.added(data.get("added") or ())
        moved = data.get("moved")
        if moved:
            self.moved(Place(*moved[0]), Place(*moved[1]))

    def added(self, nodes: Iterable[int]) -> None:
        """Those that one has heard of before are left as they are."""
        new = [number for number in nodes if number > self._newest and number in self._tree]
        for number in new:
            returns = self._returns[self._tree[number].hangs_at]
            if returns:
                self._backtracks[number] = returns
        self._newest = max([self._newest, *new])

    def moved(self, before: Place, after: Place) -> None:
        if self._is_above(after, before):
            self._returns[after] += 1

    def choice_of(self, number: int) -> Choice:
        node = self._tree[number]
        parent = self._tree[node.parent] if node.parent is not None else None
        began = parent is not None and parent.created > 0 and node.created > 0
        seconds = max(0.0, node.created - parent.created) if parent and began else None
        offered = self._offered(node)
        taken = self._taken(node, offered)
        most = max(1, len({*map(self._text, offered)}) + self._rests(node))
        return Choice(most, self._backtracks.get(number, 0), seconds, min(taken, most))

    def beside(self, nodes: Iterable[int]) -> set[int]:
        """The nodes that hang where these do, themselves among them."""
        places = {self._tree[node].hangs_at for node in nodes if node in self._tree}
        return {number for place in places for number in self._hanging(place)}

    def _hanging(self, place: Place) -> list[int]:
        tree = self._tree
        return [number for number in tree.children(place.node) if tree[number].at == place.at]

    def around(self, nodes: Iterable[int]) -> set[int]:
        """Those that stand beside what is taken by these hanging on it: beside their parents, or
        where a parent goes on after a place before them."""
        tree, found = self._tree, set[int]()
        for number in nodes:
            parent = tree[number].parent if number in tree else None
            if parent is not None:
                found |= self.beside([parent])
                found |= {n for n in tree.children(parent) if tree[n].at < tree[number].at}
        return found

    def _offered(self, node: Node) -> list[Node]:
        """Continuations by a model that stood at the node's place, it among them.

        Once something hangs on the node it has been chosen, among those that were there then.
        """
        chosen = min(self._tree.children(node.id), default=None)
        beside = (self._tree[number] for number in self._hanging(node.hangs_at))
        return [
            other
            for other in beside
            if other.author is Author.MODEL
            and (other.text or other.growing)
            and (chosen is None or other.id < chosen)
        ]

    def _text(self, node: Node) -> bytes | int:
        """What makes it another continuation: while it grows nobody knows what it will be."""
        return node.id if node.growing else node.text

    def _taken(self, node: Node, offered: Iterable[Node]) -> int:
        """How many of those offered were gone on from or bookmarked; this one is one of them."""
        texts = {self._text(other) for other in offered if self._is_taken(other)}
        rest = self._rests(node) and self._goes_on(node.parent or ROOT, node.at + 1)
        return len(texts | {self._text(node)}) + rest

    def _is_taken(self, node: Node) -> bool:
        if self._marks.hidden_from(node.id) == 0:
            return False
        kinds = {mark.kind for mark, _ in self._marks.of(node.id)}
        return Kind.BOOKMARK in kinds or self._goes_on(node.id)

    def _goes_on(self, node: int, since: int = 0) -> bool:
        """Whether anything in sight hangs on it, on byte `since` or later."""
        return any(
            self._tree[child].at >= since and self._marks.hidden_from(child) != 0
            for child in self._tree.children(node)
        )

    def _rests(self, node: Node) -> int:
        """1 where the node branches off inside a model's text, the rest of which stands there too,
        else 0."""
        parent = self._tree[node.parent or ROOT]
        return int(parent.author is Author.MODEL and 0 < node.at < parent.length)

    def _is_above(self, place: Place, below: Place) -> bool:
        """Whether `place` is on the way to `below`, and not `below` itself."""
        tree = self._tree
        if place == below or place.node not in tree or below.node not in tree:
            return False
        node, at = below
        while tree.depth(node) > tree.depth(place.node):
            node, at = tree[node].hangs_at
        return node == place.node and place.at <= at
