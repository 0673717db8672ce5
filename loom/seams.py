"""Where a continuation of written text has to begin, so that its first token isn't cut in two.

A writer stops anywhere, also inside a token; what comes next is then spoiled. So the last tokens of
a text are taken back where any token of the model goes beyond them, and the engine draws them again
(see `loom.engine.seam`). Knows nodes, spans and bytes; asks no engine and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from loom.core.node import Node, Place
from loom.core.span import Span, joined
from loom.engine.api import Grown
from loom.engine.seam import Beginnings

MOST = 8  # tokens that are taken back; there is hardly a longer way to write one
WINDOW = 512  # bytes of a text that no model has read that are cut into tokens for this


@dataclass(frozen=True, slots=True)
class Cut:
    """The bytes and the tokens that are taken back, and the place before them."""

    place: Place
    begins: bytes
    own: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a writer's `text` at `place`; `opens`: nothing comes before it.

    `tokens` are its last ones as (first byte, id), as far as `known` bytes have been read.
    """

    place: Place
    text: bytes
    tokens: tuple[tuple[int, int], ...]
    known: int
    opens: bool

    @classmethod
    def of(cls, node: Node, at: int, span: Span | None, *, opens: bool) -> Tail:
        """Of the first `at` bytes of a node; `span` has the tokens of the model that goes on."""
        count = span.count_until(at) if span is not None else 0
        if span is None or not count:
            return cls(Place(node.id, at), node.text[:at], (), 0, opens)
        part = span.cut(max(0, count - MOST), count)
        known = int(span.ends[count - 1])
        tokens = _placed(known - int(part.ends[-1]), part.ids.tolist(), part.ends.tolist())
        return cls(Place(node.id, at), node.text[:at], tokens, known, opens)

    @property
    def unread(self) -> int:
        """From which byte on the text has to be cut into tokens; its length for nothing of it."""
        start = len(self.text) - WINDOW
        if start <= self.known:
            return self.known
        blank = self.text.find(b" ", start)
        return start if blank < 0 else blank

    def read(self, ids: tuple[int, ...], ends: tuple[int, ...]) -> Tail:
        """With the tokens of what was `unread`."""
        start, fresh = self.unread, max(0, len(ids) - MOST)
        tokens = _placed(start, ids, ends)[fresh:]
        before = self.tokens if start == self.known else ()
        return replace(self, tokens=(*before, *tokens)[-MOST:], known=len(self.text))

    def cut(self, vocabulary: Beginnings) -> Cut | None:
        """As far back as one token may reach beyond the end of the text; None where none does."""
        found = None
        for index in reversed(range(len(self.tokens))):
            begins = self.text[self.tokens[index][0] :]
            if len(begins) >= vocabulary.longest:
                break
            if vocabulary.any_beyond(begins) or self._opens_with(index, begins, vocabulary):
                found = index
        return None if found is None else self._cut_at(found)

    def _opens_with(self, index: int, begins: bytes, vocabulary: Beginnings) -> bool:
        """Some tokenizers put a space before a document."""
        first = self.opens and not self.tokens[index][0]
        return first and vocabulary.any_beyond(b" " + begins)

    def _cut_at(self, index: int) -> Cut:
        start = self.tokens[index][0]
        own = tuple(token for _, token in self.tokens[index:])
        return Cut(Place(self.place.node, start), self.text[start:], own)


def _placed(
    start: int, ids: tuple[int, ...] | list[int], ends: tuple[int, ...] | list[int]
) -> tuple[tuple[int, int], ...]:
    return tuple((start + at, token) for at, token in zip((0, *ends), ids, strict=False))


class Repeats:
    """What comes of a branch that first repeats what was taken back, held until that is whole."""

    def __init__(self, cut: Cut) -> None:
        self._cut = cut
        self._held: list[Grown] = []

    def take(self, event: Grown) -> tuple[Cut | None, Grown] | None:
        """None as long as it isn't clear how the branch begins; then what is new of it, and what it
        repeats: nothing, where its tokens are those that were there."""
        self._held.append(event)
        begins, own = self._cut.begins, self._cut.own
        text, count = b"".join(held.text for held in self._held), len(own)
        if len(text) < len(begins):
            return None
        span = joined([held.span for held in self._held])
        ids, stop = tuple(span.ids[:count].tolist()), int(span.ends[:count][-1])
        if ids != own or stop != len(begins):
            return self._cut, replace(event, text=text, span=span)
        return None, replace(event, text=text[stop:], span=span.cut(count, len(span)))
