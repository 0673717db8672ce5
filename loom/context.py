"""What a model was given when it grew or read a node: the text before it, token by token.

Reads a session; where text was given that the model cut into tokens itself, its engine is asked to
cut it again. The path to a node never changes, so nothing of this has to be kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from loom.core.node import ROOT, Author, Place
from loom.engine.network import SLIDING, STEPWISE, seen_from
from loom.session import Session

Ids = tuple[int, ...]

NO_ENGINE = "The text was given as text; the model that cut it into tokens isn't loaded."
CUT = "It may have been cut into other tokens: the branch begins inside a token."


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the path by one node; `ids` None where it isn't known how it was cut.

    `pieces` are the bytes of each token, or the whole text where there are no ids. `node` is None
    for what the engine puts before every text, and ROOT for the frame that a node was drawn under.
    """

    node: int | None
    pieces: tuple[bytes, ...]
    ids: Ids | None

    @property
    def text(self) -> bytes:
        return b"".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Context:
    """`window` is how many tokens the model sees at once; `seen_from` the first token of the text
    (0: the first) that it saw when the node began. None where that isn't known. `doubt` says why
    the ids may not be those that were used."""

    node: int
    model: str
    fingerprint: str
    parts: tuple[Part, ...]
    window: int | None
    seen_from: int | None
    doubt: str = ""

    @property
    def tokens(self) -> int | None:
        """Of the text, seen or not; None where not all of it has ids."""
        counts = [None if part.ids is None else len(part.ids) for part in self.texts]
        return None if None in counts else sum(count or 0 for count in counts)

    @property
    def texts(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.node is not None)


async def context_of(session: Session, number: int) -> Context:
    """Raises ValueError for a node that no model has grown or read, and EngineError."""
    node, row = session.tree[number], session.model_of(number)
    if row is None:
        what = "grown" if node.author is Author.MODEL else "read"
        raise ValueError(f"No model has {what} this yet, so none has seen what is before it.")
    place = node.hangs_at
    parts, cut = _recorded(session, place, row.fingerprint)
    recipe = session.recipe_of(number)
    if recipe is not None and recipe.frame:
        text = recipe.frame.encode("utf-8", "surrogateescape")
        parts = [Part(ROOT, (text,), None), *_behind(parts, recipe.instead)]
    engine = session.engine
    able = engine.capabilities if engine is not None and engine.state == "ready" else None
    if able is None or engine is None or able.fingerprint != row.fingerprint:
        doubt = NO_ENGINE if any(part.ids is None for part in parts) else CUT if cut else ""
        return Context(number, row.label, row.fingerprint, tuple(parts), None, None, doubt)
    for index, part in enumerate(parts):
        if part.ids is None:
            ids, ends = await engine.encode(part.text, index == 0)
            parts[index] = Part(part.node, _pieces(part.text, ends), tuple(ids))
    count = sum(len(part.ids or ()) for part in parts)
    head = _head(able.runtime.get("first", ""), able.runtime.get("opening", ""), count)
    pieces = [piece for part in parts for piece in part.pieces]
    start = _start(able.runtime.get("sight", ""), able.context, len(head), pieces)
    front = (Part(None, tuple(b"" for _ in head), head),) if head else ()
    doubt = CUT if cut else ""
    return Context(number, row.label, row.fingerprint, (*front, *parts), able.context, start, doubt)


def _recorded(session: Session, place: Place, fingerprint: str) -> tuple[list[Part], bool]:
    """The path as the model was given it, and whether a token that was read later is cut."""
    parts, cut = [], False
    for number, stop in session.tree.stretches(place):
        node, row, span = session.tree[number], session.model_of(number), session.span(number)
        known = 0
        if span is not None and row is not None and row.fingerprint == fingerprint:
            count = span.count_until(stop)
            known = int(span.ends[count - 1]) if count else 0
            if count:
                pieces = _pieces(node.text, span.ends[:count].tolist())
                parts.append(Part(number, pieces, tuple(span.ids[:count].tolist())))
            cut = cut or (known < stop < node.length and node.author is not Author.MODEL)
        if known < stop:
            parts.append(Part(number, (node.text[known:stop],), None))
    return parts, cut


def _behind(parts: Iterable[Part], size: int) -> Iterator[Part]:
    """The path without its first bytes, for which a frame stands; what is left of a token that they
    end in is given as text."""
    for part in parts:
        text = part.text
        if not size or size >= len(text):
            if not size:
                yield part
            size = max(0, size - len(text))
            continue
        edge, count = 0, 0
        while part.ids is not None and edge < size:
            edge, count = edge + len(part.pieces[count]), count + 1
        if part.ids is None or edge > size:
            yield Part(part.node, (text[size : edge or None],), None)
        if part.ids is not None and count < len(part.pieces):
            yield Part(part.node, part.pieces[count:], part.ids[count:])
        size = 0


def _pieces(text: bytes, ends: Sequence[int]) -> tuple[bytes, ...]:
    return tuple(text[a:b] for a, b in zip((0, *ends), ends, strict=False))


def _start(sight: str, window: int, head: int, pieces: Sequence[bytes]) -> int | None:
    """The first token seen; None where the engine doesn't say how its sight moves on."""
    count = len(pieces)
    if sight == STEPWISE:
        return seen_from(window, head, count, pieces.__getitem__)
    return max(0, count - window) if sight == SLIDING or count + head <= window else None


def _head(first: str, opening: str, count: int) -> Ids:
    """What stands before every text, or alone where there is none."""
    if first:
        return (int(first),)
    return (int(opening),) if opening and not count else ()
