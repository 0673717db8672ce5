"""Whether nodes are what their hashes say, from the root on.

A hash covers author, model and content of a node and, by the hash of the place it hangs at, all
that comes before it: so one that is right vouches for the whole path. Knows no file.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping

from loom.core.node import ROOT, Author, Ending, Node, Place, place_hash
from loom.core.span import Span

KEPT = 256  # token columns held in memory, in nodes


class Hashes:
    """Nodes are handed in with rising ids, parents first; `fingerprints` are those of models."""

    def __init__(
        self, fingerprints: Mapping[int, str], span_of: Callable[[int], Span | None]
    ) -> None:
        root = Node(ROOT, None, 0, Author.WRITER, ended=Ending.WRITTEN)
        self._nodes = {ROOT: root}
        self._before = {ROOT: bytes(16)}  # node → hash of the place it hangs at
        self._fingerprints, self._span_of = fingerprints, span_of
        self._spans: OrderedDict[int, Span | None] = OrderedDict()
        self._unsure: set[int] = set()  # their own hash is all that can be gone by
        self._doubted: set[int] = set()  # nor that: what was saved of damaged ones

    def add(self, node: Node) -> bool:
        """False where the hash is not the one that belongs to the node.

        What can't be computed, because token ids are lost here or above, is let pass.
        """
        place = node.hangs_at
        parent = self._nodes[place.node]
        self._nodes[node.id], self._before[node.id] = node, self._at(place)
        if node.ended is not None and not node.hash:
            self._doubted.add(node.id)
        inside = parent.id in self._unsure and place.at != parent.length
        if parent.id in self._doubted or inside or self._lacks(node):
            self._unsure.add(node.id)
            return True
        return not node.hash or self._at(node.end) == node.hash

    def _at(self, place: Place) -> bytes:
        node = self._nodes[place.node]
        if node.hash and place.at == node.length and node.id in self._unsure:
            return node.hash
        span = self._span(node.id) if node.author is Author.MODEL else None
        fingerprint = self._fingerprints.get(node.model or 0, "")
        own = fingerprint if node.author is Author.MODEL else ""
        return place_hash(self._before[node.id], node, span, own, place.at)

    def _lacks(self, node: Node) -> bool:
        """Whether what the hash was taken over isn't there any more."""
        if node.author is not Author.MODEL or not node.token_count:
            return False
        return self._span(node.id) is None or node.model not in self._fingerprints

    def _span(self, node: int) -> Span | None:
        if node not in self._spans:
            self._spans[node] = self._span_of(node)
            while len(self._spans) > KEPT:
                self._spans.popitem(last=False)
        self._spans.move_to_end(node)
        return self._spans[node]
