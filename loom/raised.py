"""Flags along a path, where they were raised and what they are about, in tokens and bytes.

Knows a record and the flags of its nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loom.core.node import Place
from loom.instruments.api import Flag
from loom.instruments.dealing import InNode

if TYPE_CHECKING:
    from loom.record import Record

FlagsOf = Callable[[int], Mapping[str, tuple[Flag, ...]]]


@dataclass(frozen=True, slots=True)
class Raised:
    """A flag of `plugin`, raised by token `token` of the node at `place.node`; `place` is after it.

    Tokens `start` to `stop` of the path are what it is about, bytes `first` to `last` of its text;
    that begins at `origin`, in this node or in one before.
    """

    plugin: str
    flag: Flag
    place: Place
    token: int
    origin: Place
    start: int
    stop: int
    first: int
    last: int


def raised_on(record: Record, place: Place, flags_of: FlagsOf) -> list[Raised]:
    """All flags on the path to `place`, in the order in which they were raised."""
    stretches = record.tree.stretches(place)
    flagged = {node: flags for node, _ in stretches if (flags := flags_of(node))}
    found: list[Raised] = []
    position = offset = 0
    for node, stop in stretches if flagged else ():
        tokens = _tokens(record, node, stop)
        raised = raised_in(record, node, flagged.get(node, {}), position, offset)
        found += [one for one in raised if one.token < tokens]
        position, offset = position + tokens, offset + stop
    return sorted(found, key=lambda one: (one.stop, one.plugin))


def raised_in(
    record: Record,
    node: int,
    flags: Mapping[str, tuple[Flag, ...]],
    position: int,
    offset: int,
) -> list[Raised]:
    """All flags of a node before which the path has `position` tokens and `offset` bytes.

    Looks at nodes above only as far as a flag goes back.
    """
    span = record.span(node) if flags else None
    found = []
    for plugin, raised in flags.items():
        for flag in raised:
            end = int(span.ends[flag.at]) if span is not None else record.tree[node].length
            began = flag.began + position if isinstance(flag, InNode) else flag.began
            first, origin = _origin(record, Place(node, end), began, position, offset)
            found.append(
                Raised(
                    plugin,
                    flag,
                    Place(node, end),
                    flag.at,
                    origin,
                    began,
                    position + flag.at + 1,
                    first,
                    offset + end,
                )
            )
    return sorted(found, key=lambda one: (one.stop, one.plugin))


def _origin(
    record: Record, place: Place, began: int, position: int, offset: int
) -> tuple[int, Place]:
    """Where token `began` of the path begins: in bytes, and as a place."""
    node = record.tree[place.node]
    while began < position and node.parent is not None:
        parent, at = node.hangs_at
        node = record.tree[parent]
        position, offset = position - _tokens(record, parent, at), offset - at
    token = max(0, began - position)
    span = record.span(node.id) if token else None
    inside = int(span.ends[token - 1]) if span is not None else 0
    return offset + inside, Place(node.id, inside)


def _tokens(record: Record, number: int, stop: int) -> int:
    """Of the first `stop` bytes of a node."""
    node = record.tree[number]
    if not node.token_count or stop >= node.length:
        return node.token_count or 0
    span = record.span(number)
    return 0 if span is None else span.count_until(stop)
