"""Where a model's sight begins in the text before a place, by what is on record; asks nothing.

Counts a model's own tokens along a path and remembers them place by place, as text before a place
never changes: a step further costs a step, however long the path is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from loom.core.node import Place
from loom.core.recipe import Recipe
from loom.core.span import Span
from loom.engine.api import Capabilities
from loom.engine.network import SLIDING, STEPWISE, seen_from
from loom.session import Session

PLACES_KEPT = 1 << 16
SCRAP = 16  # bytes before a branch inside a token; they count as one token


class Reach(NamedTuple):
    """How far it is from the start of the text."""

    tokens: int
    bytes: int


class Sight:
    """Of the session's own engine."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._model = ""
        self._known: dict[Place, Reach] = {}
        self._gaps: dict[Place, Place] = {}  # of places behind a gap, where that is
        self._framed: tuple[Place, Recipe, int] | None = None  # the last, and what came of it

    def begins(self, place: Place) -> int:
        """The first byte on the path to `place` that the model sees of it; 0 where that is all of
        it, or isn't known. Of what it hasn't read at the end of the path, nothing is counted. With
        a frame before it, it sees what the frame doesn't stand for."""
        if self._session.recipe.frame:
            return self._behind_frame(place)
        engine = self._session.engine
        able = engine.capabilities if engine is not None and engine.state == "ready" else None
        if able is None or able.runtime.get("sight") not in (STEPWISE, SLIDING):
            return 0
        if able.fingerprint != self._model or len(self._known) > PLACES_KEPT:
            self._model, self._known, self._gaps = able.fingerprint, {}, {}
        return self._begins(place, able)

    def _behind_frame(self, place: Place) -> int:
        recipe = self._session.recipe
        if self._framed is None or self._framed[:2] != (place, recipe):
            self._framed = place, recipe, self._session.framed(recipe, place).instead
        return self._framed[2]

    def _begins(self, place: Place, able: Capabilities) -> int:
        (read, reach), head = self._read_until(place), "first" in able.runtime
        if reach.tokens + head <= able.context:
            return 0
        tail = _Tail(self._parts_before(read))
        if able.runtime.get("sight") == SLIDING:
            return tail.byte(reach.tokens - able.context)
        return tail.byte(seen_from(able.context, head, reach.tokens, tail.piece))

    def _read_until(self, place: Place) -> tuple[Place, Reach]:
        """As far on the path as this model has read it without a gap."""
        climbed = [place]
        while climbed[-1] not in self._known:
            node = self._session.tree[climbed[-1].node]
            gap = self._gaps.get(climbed[-1])
            if gap is not None and self._count(gap) is None:
                climbed = [gap]
                continue
            if node.parent is None:
                break
            climbed.append(node.hangs_at)
        read, reach = climbed[-1], self._known.get(climbed[-1], Reach(0, 0))
        for there in reversed(climbed):
            count = self._count(there) if there.at and there not in self._known else 0
            if count is None:
                self._gaps.update(dict.fromkeys(climbed[: climbed.index(there)], there))
                break
            if count:
                reach = Reach(reach.tokens + count, reach.bytes + there.at)
            if not self._session.tree[there.node].growing:
                self._known[there] = reach
            read = there
        return read, reach

    def _count(self, there: Place) -> int | None:
        """Tokens of a node's beginning."""
        node, span = self._session.tree[there.node], None
        if self._is_ours(there.node):
            if there.at == node.length and not node.growing:
                return node.token_count
            span = self._session.span(there.node)
        if span is None:
            return None
        count = span.count_until(there.at)
        left = there.at - (int(span.ends[count - 1]) if count else 0)
        return count + bool(left) if left <= SCRAP else None

    def _is_ours(self, node: int) -> bool:
        row = self._session.model_of(node)
        return row is not None and row.fingerprint == self._model

    def _parts_before(self, place: Place) -> Iterator[_Part]:
        """The stretches of the path, the last first."""
        there: Place | None = place
        while there is not None:
            node = self._session.tree[there.node]
            span, (_, reach) = self._session.span(there.node), self._read_until(there)
            if there.at and span is not None:
                count = self._count(there) or 0
                start = Reach(reach.tokens - count, reach.bytes - there.at)
                yield _Part(start, node.text[: there.at], span)
            there = None if node.parent is None else node.hangs_at


class _Part(NamedTuple):
    """A node's text on the path, and what comes before it."""

    before: Reach
    text: bytes
    span: Span

    def end(self, index: int) -> int:
        """The byte behind token `index`, counted from the text's first."""
        within = index - self.before.tokens
        known = int(self.span.ends[within]) if within < len(self.span) else len(self.text)
        return min(known, len(self.text))


class _Tail:
    """The parts of a path, taken from its end as far as they are asked for."""

    def __init__(self, parts: Iterator[_Part]) -> None:
        self._parts = parts
        self._taken: list[_Part] = []

    def piece(self, index: int) -> bytes:
        part = self._of(index)
        return part.text[self._start(part, index) : part.end(index)]

    def byte(self, index: int) -> int:
        part = self._of(index)
        return part.before.bytes + self._start(part, index)

    def _start(self, part: _Part, index: int) -> int:
        return part.end(index - 1) if index > part.before.tokens else 0

    def _of(self, index: int) -> _Part:
        for part in self._taken:
            if part.before.tokens <= index:
                return part
        for part in self._parts:
            self._taken.append(part)
            if part.before.tokens <= index:
                return part
        raise IndexError(index)
