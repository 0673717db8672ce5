"""Where tokens end along a path, and which step of a colour layer each is in.

Reads nodes when they are first asked about and remembers them; knows nothing of lines.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from loom.core.span import Span
from loom.ui.widgets.course import Course
from loom.ui.widgets.layers import SCALES, WORLD_LAYERS, steps

NODES_KEPT = 512


class TokenSource(Protocol):
    """What of a session is read."""

    def span(self, node: int) -> Span | None: ...
    def edges(self, node: int) -> Sequence[int]: ...


@dataclass(frozen=True, slots=True)
class NodeTokens:
    """Token ends of a node, in bytes, and the step of each; no steps where no model has read it."""

    ends: Sequence[int]
    steps: Sequence[int]


class Tokens:
    """Over a course; a byte is a byte of the whole path."""

    def __init__(self, source: TokenSource, course: Course) -> None:
        self._source = source
        self._course = course
        self._layer = "plain"
        self._nodes: dict[int, NodeTokens] = {}
        self.of_sources: Callable[[str, int], Sequence[int]] = lambda layer, node: ()

    def use_layer(self, layer: str) -> None:
        self._layer = layer
        self._nodes.clear()

    def forget(self, node: int) -> None:
        """Read the node again when it is next asked about."""
        self._nodes.pop(node, None)

    def of(self, node: int) -> NodeTokens:
        found = self._nodes.get(node)
        if found is None:
            if len(self._nodes) >= NODES_KEPT:
                self._nodes.clear()
            found = self._nodes[node] = self._read(node)
        return found

    def _read(self, node: int) -> NodeTokens:
        if self._layer in WORLD_LAYERS:
            return NodeTokens(self._source.edges(node), self.of_sources(self._layer, node))
        span = self._source.span(node) if self._layer in SCALES else None
        return NodeTokens(self._source.edges(node), steps(span, self._layer) if span else ())

    def after(self, byte: int) -> int:
        """The next edge; where the path leaves a token in its middle, that place."""
        ahead = self._course.between(byte, byte + 1)
        if not ahead:
            return byte
        start, stretch = ahead[0]
        ends = self.of(stretch.node).ends
        index = bisect_right(ends, byte - start)
        return start + min(ends[index] if index < len(ends) else stretch.at, stretch.at)

    def before(self, byte: int) -> int:
        """The last edge before `byte`, 0 at the beginning."""
        start, stretch = self._course.stretch(byte)
        ends = self.of(stretch.node).ends
        index = bisect_left(ends, min(byte - start, stretch.at + 1)) - 1
        return start + (ends[index] if index >= 0 else 0)

    def starting_at(self, byte: int) -> tuple[int, int] | None:
        """(node, index) of the token that starts there; None inside a token and at the end."""
        place = self._course.next_place(byte)
        if place is None:
            return None
        ends = self.of(place.node).ends
        index = bisect_right(ends, place.at)
        start = ends[index - 1] if index else 0
        return (place.node, index) if start == place.at and index < len(ends) else None

    def forward(self, byte: int, targets: Sequence[int]) -> int:
        """The first of rising `targets` behind `byte`, taken back to the edge it lies behind."""
        for target in targets:
            edge = self.before(target + 1) if target > byte else byte
            if edge > byte:
                return edge
        return self.after(byte)

    def backward(self, byte: int, targets: Sequence[int]) -> int:
        """The last of them before `byte`, likewise."""
        target = next((t for t in reversed(targets) if t < byte), 0)
        return self.before(target + 1) if target > 0 else 0
