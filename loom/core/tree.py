"""The live tree: every node by id, its children, and the text along a path.

It only grows. What is hidden, folded or visited it doesn't know; see marks and display.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import count
from typing import Protocol

from loom.core.node import ROOT, Author, Ending, Node, Place
from loom.core.nodes import Nodes, Unmade


class ById(Protocol):
    """Nodes, each by its id; raises KeyError for an unknown one."""

    def __getitem__(self, node: int, /) -> Node: ...


class Tree:
    """Starts with the empty root. Nothing here recurses: a chain may be 100,000 nodes long."""

    __slots__ = ("_children", "_depths", "_growing", "_next", "_nodes")

    def __init__(self) -> None:
        root = Node(id=ROOT, parent=None, at=0, author=Author.WRITER, ended=Ending.WRITTEN)
        self._nodes = Nodes(root)
        self._children: dict[int | None, list[int]] = {}
        self._depths: dict[int, int | None] = {ROOT: 0}  # None: not asked for yet
        self._growing: set[int] = set()
        self._next = ROOT + 1

    @classmethod
    def of(cls, nodes: Unmade) -> Tree:
        """All of them at once, parents before children; that they fit together is known."""
        tree = cls()
        tree._nodes, tree._growing = Nodes(tree[ROOT], nodes), set(nodes.growing)
        tree._depths = dict.fromkeys([ROOT, *nodes.ids])
        tree._depths[ROOT] = 0
        children = defaultdict[int | None, list[int]](list)
        for number, parent in zip(nodes.ids, nodes.parents, strict=True):
            children[parent].append(number)
        children.pop(None, None)  # the root itself, where it is among them
        children.default_factory = None
        tree._children = children
        tree._next = max([ROOT, *nodes.ids[-1:]]) + 1
        return tree

    def __getitem__(self, node: int) -> Node:
        return self._nodes[node]

    def __contains__(self, node: object) -> bool:
        return node in self._depths

    def __len__(self) -> int:
        return len(self._depths)

    def __iter__(self) -> Iterator[int]:
        """Ids in order of creation."""
        return iter(self._depths)

    @property
    def next_id(self) -> int:
        """An id above all that are taken."""
        return self._next

    @property
    def nodes(self) -> ById:
        """Every node by id; a live view for those who read many."""
        return self._nodes

    @property
    def growing(self) -> AbstractSet[int]:
        """Ids of the nodes that grow; a live view."""
        return self._growing

    def reserve(self, number: int) -> None:
        """No node to come has an id below."""
        self._next = max(self._next, number)

    def add(self, node: Node) -> None:
        """Raises ValueError for a taken id, an unknown parent or an `at` outside its text."""
        if node.id in self:
            raise ValueError(f"node {node.id} is there already")
        if node.parent is None or node.parent not in self:
            raise ValueError(f"node {node.id} hangs on {node.parent}, which is not in the tree")
        parent = self._nodes[node.parent]
        if not 0 <= node.at <= parent.length:
            raise ValueError(
                f"node {node.id} hangs at byte {node.at} of node {parent.id}, "
                f"which is {parent.length} bytes long"
            )
        self._put(node)
        self._children.setdefault(parent.id, []).append(node.id)
        self._depths[node.id] = None
        self._next = max(self._next, node.id + 1)

    def replace(self, node: Node) -> None:
        """Put a longer or better known version under the same id.

        Raises ValueError when it is another node or its text doesn't start with the old text.
        """
        if node.id not in self:
            raise ValueError(f"node {node.id} is not in the tree")
        old = self._nodes[node.id]
        if (node.parent, node.at, node.author) != (old.parent, old.at, old.author):
            raise ValueError(f"node {node.id} can't change its parent, place or author")
        if not node.text.startswith(old.text):
            raise ValueError(f"the text of node {node.id} can only be continued")
        self._put(node)

    def hang(self, node: Node) -> None:
        """Put a version under the same id that hangs elsewhere in its parent.

        Raises ValueError unless both are without text and children, and ValueError as `add` does.
        """
        old = self._nodes[node.id]
        if old.text or node.text or self._children.get(node.id) or node.parent != old.parent:
            raise ValueError(f"node {node.id} can't hang elsewhere any more")
        if node.parent is None or not 0 <= node.at <= self._nodes[node.parent].length:
            raise ValueError(f"node {node.id} can't hang at byte {node.at}")
        self._put(node)

    def _put(self, node: Node) -> None:
        self._nodes[node.id] = node
        if node.growing:
            self._growing.add(node.id)
        else:
            self._growing.discard(node.id)

    def children(self, node: int) -> Sequence[int]:
        """In order of creation. Raises KeyError for an unknown node."""
        found = self._children.get(node)
        if found is not None:
            return found
        if node not in self:
            raise KeyError(node)
        return ()

    def depth(self, node: int) -> int:
        """Edges between the root and `node`."""
        way, there = list[int](), node
        while (known := self._depths[there]) is None:
            way.append(there)
            there = self._nodes[there].parent or ROOT
        self._depths |= zip(reversed(way), count(known + 1))
        return known + len(way)

    def stretches(self, place: Place) -> list[Place]:
        """The path to `place`, root first: the first `at` bytes of each node; empty ones kept.

        Raises KeyError for an unknown node, ValueError for an `at` outside its text.
        """
        node, at = self._nodes[place.node], place.at
        if not 0 <= at <= node.length:
            raise ValueError(f"byte {at} is outside node {node.id}, {node.length} bytes long")
        found = [Place(node.id, at)]
        while node.parent is not None:
            found.append(Place(node.parent, node.at))
            node = self._nodes[node.parent]
        found.reverse()
        return found

    def path_bytes(self, place: Place) -> bytes:
        """The whole text from the root to `place`."""
        return b"".join(self._nodes[node].text[:stop] for node, stop in self.stretches(place))

    def preorder(self, start: int = ROOT) -> Iterator[int]:
        """`start` and all below it, parents first, children ordered by id."""
        stack = [start]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(sorted(self.children(node), reverse=True))
