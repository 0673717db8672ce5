"""Which written text on a path no model has read yet, and which of it is not to be tried.

Reads a session's tree; knows no engine.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from loom.core.node import ROOT, Author

if TYPE_CHECKING:
    from loom.record import Record


class Unread:
    """See the module's docstring."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._unreadable: set[int] = set()
        self._put_off: set[int] = set()
        self._through: set[int] = set()  # nodes with nothing unread on the way to their ends
        self._above: tuple[int, frozenset[int]] = ROOT, frozenset({ROOT})

    def on_path(self, number: int) -> list[int]:
        """The newest first. What has been read stays so: a path is climbed once."""
        climbed: list[int] = []
        above: int | None = number
        while above is not None and above not in self._through:
            climbed.append(above)
            above = self._record.tree[above].parent
        unread = [node for node in climbed if self._is_unread(node)]
        if not unread:
            self._through.update(climbed)
        return unread

    def any_here(self, numbers: Iterable[int]) -> bool:
        """Whether any of these, which lie on one path from the top down, is unread and on the path
        to where the writer is."""
        path = self._nodes_above()
        for number in numbers:
            if number not in path:  # nor is any after it
                return False
            if self._is_unread(number):
                return True
        return False

    def give_up(self, node: int) -> None:
        """The model can't read this one."""
        self._unreadable.add(node)

    def put_off(self, nodes: Iterable[int]) -> None:
        """The writer wants these not to be read for now."""
        self._put_off.update(nodes)

    def resume(self) -> None:
        """What was put off may be read again."""
        if self._put_off:
            self._put_off.clear()
            self._through.clear()

    def try_again(self) -> None:
        """Another model may read what one couldn't."""
        self._unreadable.clear()
        self._through.clear()

    def _nodes_above(self) -> frozenset[int]:
        """The nodes on the path to where the writer is."""
        place = self._record.place
        if self._above[0] != place.node:
            stretches = self._record.tree.stretches(place)
            self._above = place.node, frozenset(stretch.node for stretch in stretches)
        return self._above[1]

    def _is_unread(self, number: int) -> bool:
        node = self._record.tree[number]
        written = node.author is not Author.MODEL and node.length > 0
        shunned = number in self._unreadable or number in self._put_off
        return written and node.token_count is None and not shunned
