"""The live tree: every node by id, its children, and the text along a path.

It only grows. What is hidden, folded or visited it doesn't know; see marks and display.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from loom.core.node import ROOT, Author, Ending, Node, Place


class Tree:
    """Starts with the empty root. Nothing here recurses: a chain may be 100,000 nodes long."""

    __slots__ = ("_children", "_depths", "_next", "_nodes")

    def __init__(self) -> None:
        root = Node(id=ROOT, parent=None, at=0, author=Author.WRITER, ended=Ending.WRITTEN)
        self._nodes: dict[int, Node] = {ROOT: root}
        self._children: dict[int, list[int]] = {}
        self._depths: dict[int, int] = {ROOT: 0}
        self._next = ROOT + 1

    @classmethod
    def of(cls, nodes: Iterable[Node]) -> Tree:
        """All of them at once, parents before children; that they fit together is known."""
        tree = cls()
        by_id, children, depths = tree._nodes, tree._children, tree._depths
        for node in nodes:
            number, parent = node.id, node.parent
            if parent is None:
                continue
            by_id[number] = node
            depths[number] = depths[parent] + 1
            if parent in children:
                children[parent].append(number)
            else:
                children[parent] = [number]
        tree._next = max(by_id) + 1
        return tree

    def __getitem__(self, node: int) -> Node:
        return self._nodes[node]

    def __contains__(self, node: object) -> bool:
        return node in self._nodes

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[int]:
        """Ids in order of creation."""
        return iter(self._nodes)

    @property
    def next_id(self) -> int:
        """An id above all that are taken."""
        return self._next

    @property
    def nodes(self) -> Mapping[int, Node]:
        """Every node by id; a live view for those who read many."""
        return self._nodes

    def reserve(self, number: int) -> None:
        """No node to come has an id below."""
        self._next = max(self._next, number)

    def add(self, node: Node) -> None:
        """Raises ValueError for a taken id, an unknown parent or an `at` outside its text."""
        if node.id in self._nodes:
            raise ValueError(f"node {node.id} is there already")
        if node.parent is None or node.parent not in self._nodes:
            raise ValueError(f"node {node.id} hangs on {node.parent}, which is not in the tree")
        parent = self._nodes[node.parent]
        if not 0 <= node.at <= parent.length:
            raise ValueError(
                f"node {node.id} hangs at byte {node.at} of node {parent.id}, "
                f"which is {parent.length} bytes long"
            )
        self._nodes[node.id] = node
        self._children.setdefault(parent.id, []).append(node.id)
        self._depths[node.id] = self._depths[parent.id] + 1
        self._next = max(self._next, node.id + 1)

    def replace(self, node: Node) -> None:
        """Put a longer or better known version under the same id.

        Raises ValueError when it is another node or its text doesn't start with the old text.
        """
        old = self._nodes.get(node.id)
        if old is None:
            raise ValueError(f"node {node.id} is not in the tree")
        if (node.parent, node.at, node.author) != (old.parent, old.at, old.author):
            raise ValueError(f"node {node.id} can't change its parent, place or author")
        if not node.text.startswith(old.text):
            raise ValueError(f"the text of node {node.id} can only be continued")
        self._nodes[node.id] = node

    def hang(self, node: Node) -> None:
        """Put a version under the same id that hangs elsewhere in its parent.

        Raises ValueError unless both are without text and children, and ValueError as `add` does.
        """
        old = self._nodes[node.id]
        if old.text or node.text or self._children.get(node.id) or node.parent != old.parent:
            raise ValueError(f"node {node.id} can't hang elsewhere any more")
        if node.parent is None or not 0 <= node.at <= self._nodes[node.parent].length:
            raise ValueError(f"node {node.id} can't hang at byte {node.at}")
        self._nodes[node.id] = node

    def children(self, node: int) -> Sequence[int]:
        """In order of creation. Raises KeyError for an unknown node."""
        found = self._children.get(node)
        if found is not None:
            return found
        if node not in self._nodes:
            raise KeyError(node)
        return ()

    def depth(self, node: int) -> int:
        """Edges between the root and `node`."""
        return self._depths[node]

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
