"""Where a frame stands that a continuation is to be drawn under: before the path to its place.

It takes the place of a byline that is there already, and of the beginning of a path that is too
long to be seen beside it: a model forgets the beginning of what it is given, so it would forget the
frame. Knows what is on record; asks nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from loom.bylines import begun_under
from loom.core.node import Place
from loom.core.recipe import Recipe
from loom.core.span import Span
from loom.record import Record

TOKEN_BYTES = 3  # of text that nobody has cut into tokens; rather too few
SPARE = 8  # tokens: for what opens a document, and what is cut otherwise than was thought


@dataclass(frozen=True, slots=True)
class Room:
    """What a model sees at once, in its tokens; those of a frame where they have been counted."""

    fingerprint: str
    context: int
    frame: int | None = None


def framed(
    record: Record, place: Place, recipe: Recipe, bylines: Iterable[str], room: Room | None
) -> Recipe:
    """The recipe as it is drawn by there."""
    if not recipe.frame:
        return recipe
    instead = byline_until(record, place, bylines)
    if room is not None:
        instead = max(instead, _out_of_sight(record, place, recipe, instead, room))
    return replace(recipe, instead=instead)


def byline_until(record: Record, place: Place, bylines: Iterable[str]) -> int:
    """How many bytes at the start of the path are one of these texts, the longest that fits."""
    frames = [text for text in bylines if text]
    head = b""
    longest = max((len(text.encode("utf-8", "surrogateescape")) for text in frames), default=0)
    for node, stop in record.tree.stretches(place) if frames else ():
        head += record.tree[node].text[: min(stop, longest - len(head))]
        if len(head) == longest:
            break
    return begun_under(head, frames)


def _out_of_sight(record: Record, place: Place, recipe: Recipe, byline: int, room: Room) -> int:
    """Bytes at the start of the path for which there is no room; steps of a quarter of the context,
    so that what was read stays of use in between."""
    given = len(recipe.frame.encode("utf-8", "surrogateescape"))
    frame = -(-given // TOKEN_BYTES) if room.frame is None else room.frame
    step = max(1, room.context // 4)
    left = room.context - frame - recipe.tokens - SPARE
    parts = [_Part.of(record, node, stop, room.fingerprint) for node, stop in _path(record, place)]
    excess = sum(part.tokens for part in parts) - byline // TOKEN_BYTES - left
    if excess <= 0 or left < step:
        return 0
    start, bytes_before = -(-excess // step) * step + byline // TOKEN_BYTES, 0
    for part in parts:
        if start < part.tokens:
            return bytes_before + part.byte(start)
        start, bytes_before = start - part.tokens, bytes_before + part.stop
    return bytes_before


def _path(record: Record, place: Place) -> list[Place]:
    return [stretch for stretch in record.tree.stretches(place) if stretch.at]


@dataclass(frozen=True, slots=True)
class _Part:
    """The first `stop` bytes of a node's text, in so many `tokens`; `span` gives the columns of the
    model's own, where it has cut the text into any."""

    text: bytes
    stop: int
    tokens: int
    span: Callable[[], Span | None]

    @classmethod
    def of(cls, record: Record, number: int, stop: int, fingerprint: str) -> _Part:
        node, row = record.tree[number], record.model_of(number)
        guess = -(-stop // TOKEN_BYTES)
        if row is None or row.fingerprint != fingerprint or node.growing:
            return cls(node.text, stop, guess, lambda: None)
        if stop == node.length and node.token_count is not None:
            return cls(node.text, stop, node.token_count, partial(record.span, number))
        span = record.span(number)
        count = guess if span is None else span.count_until(stop)
        return cls(node.text, stop, count, lambda: span)

    def byte(self, token: int) -> int:
        """Where a token begins, or a character, where there are no tokens."""
        span = self.span()
        if span is not None and 0 < token <= len(span):
            return int(span.ends[token - 1])
        at = min(self.stop, token * TOKEN_BYTES)
        while at < self.stop and self.text[at] & 0xC0 == 0x80:
            at += 1
        return at
