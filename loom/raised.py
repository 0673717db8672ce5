"""Flags along a path, where they were raised and what they are about, in tokens and bytes.

Knows a record and the flags of its nodes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loom.core.node import Place
from loom.instruments.api import Flag

if TYPE_CHECKING:
    from loom.record import Record

FlagsOf = Callable[[int], Mapping[str, tuple[Flag, ...]]]


@dataclass(frozen=True, slots=True)
class Raised:
    """A flag of `plugin`, raised by token `token` of the node at `place.node`; `place` is after it.

    Tokens `start` to `stop` of the path are what it is about, bytes `first` to `last` of its text.
    """

    plugin: str
    flag: Flag
    place: Place
    token: int
    start: int
    stop: int
    first: int
    last: int


def raised_on(record: Record, place: Place, flags_of: FlagsOf) -> list[Raised]:
    """All flags on the path to `place`, in the order in which they were raised."""
    stretches = record.tree.stretches(place)
    flagged = [
        (index, flags) for index, (node, _) in enumerate(stretches) if (flags := flags_of(node))
    ]
    if not flagged:
        return []
    path = _Path(record, stretches)
    found = [
        path.raised(index, plugin, flag)
        for index, flags in flagged
        for plugin, raised in flags.items()
        for flag in raised
        if flag.at < path.tokens[index]
    ]
    return sorted(found, key=lambda one: (one.stop, one.plugin))


class _Path:
    """Where the tokens of a path are."""

    def __init__(self, record: Record, stretches: list[Place]) -> None:
        self._record, self._stretches = record, stretches
        self.tokens: list[int] = []  # of each stretch
        self._positions, self._offsets = [0], [0]
        for node, stop in stretches:
            self.tokens.append(self._count(node, stop))
            self._positions.append(self._positions[-1] + self.tokens[-1])
            self._offsets.append(self._offsets[-1] + stop)

    def _count(self, number: int, stop: int) -> int:
        node = self._record.tree[number]
        if not node.token_count or stop >= node.length:
            return node.token_count or 0
        span = self._record.span(number)
        return 0 if span is None else span.count_until(stop)

    def raised(self, index: int, plugin: str, flag: Flag) -> Raised:
        node = self._stretches[index].node
        span = self._record.span(node)
        end = int(span.ends[flag.at]) if span is not None else self._record.tree[node].length
        return Raised(
            plugin,
            flag,
            Place(node, end),
            flag.at,
            flag.began,
            self._positions[index] + flag.at + 1,
            self._byte(flag.began),
            self._offsets[index] + end,
        )

    def _byte(self, position: int) -> int:
        """Where the token at a position of the path begins."""
        index = min(bisect_right(self._positions, position), len(self._stretches)) - 1
        token = position - self._positions[index]
        span = self._record.span(self._stretches[index].node)
        inside = int(span.ends[token - 1]) if token and span is not None else 0
        return self._offsets[index] + inside
