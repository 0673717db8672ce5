"""How the writer came to each node: what stood beside it, how often one had come back, how long it
took. Knows the tree and what has happened in it; reads no tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from loom.core.node import ROOT, Author, Node, Place
from loom.core.tree import Tree
from loom.instruments.api import Choice
from loom.store.batch import EventRow


class Arrivals:
    """Told what happens, in order; `choice_of` at any time."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
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
        return Choice(self._offered(node), self._backtracks.get(number, 0), seconds)

    def beside(self, nodes: Iterable[int]) -> set[int]:
        """The nodes that hang where these do, themselves among them."""
        places = {self._tree[node].hangs_at for node in nodes if node in self._tree}
        return {number for place in places for number in self._hanging(place)}

    def _hanging(self, place: Place) -> list[int]:
        tree = self._tree
        return [number for number in tree.children(place.node) if tree[number].at == place.at]

    def _offered(self, node: Node) -> int:
        """Distinct continuations by a model, the rest of the parent after the place among them.

        Once something hangs on the node it has been chosen, among those that were there then.
        """
        chosen = min(self._tree.children(node.id), default=None)
        beside = (self._tree[number] for number in self._hanging(node.hangs_at))
        offered = [
            other
            for other in beside
            if other.author is Author.MODEL and (chosen is None or other.id < chosen)
        ]
        growing = sum(other.growing for other in offered)
        texts = {other.text for other in offered if other.text and not other.growing}
        return max(1, growing + len(texts) + self._rests(node))

    def _rests(self, node: Node) -> int:
        """1 where the node branches off inside a model's text, else 0."""
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
