"""What may come next at a place: recorded with the text that hangs there, remembered, or asked for.

Knows sessions and places; shows nothing and decides nothing about when to ask.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from loom.core.node import Place
from loom.engine.api import Following
from loom.session import Session

PLACES_KEPT = 256


@dataclass(frozen=True, slots=True)
class Prospect:
    """The next token's distribution at `place`; `source` is the (node, token) it was recorded with,
    None where the engine was asked."""

    place: Place
    following: Following
    source: tuple[int, int] | None = None


class Outlook:
    """Distributions of the next token, by place and model. Text before a place never changes."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._answers: OrderedDict[tuple[str, Place], Prospect] = OrderedDict()

    def known(self, place: Place) -> Prospect | None:
        """What is known without asking."""
        key = (self._fingerprint, place)
        found = self._answers.get(key) or self._recorded(place)
        if found is not None:
            self._keep(key, found)
        return found

    def can_ask(self, place: Place) -> bool:
        """Whether a model is ready, and nothing grows at `place` or towards it."""
        engine = self._session.engine
        if engine is None or engine.state != "ready" or place.node not in self._session.tree:
            return False
        return not self.grows_at(place)

    def grows_at(self, place: Place) -> bool:
        tree = self._session.tree
        if tree[place.node].growing:
            return True
        growing = (tree[node] for node in self._session.growing())
        return any((node.parent, node.at) == place for node in growing)

    async def ask(self, place: Place) -> Prospect:
        """Ask the engine. Raises EngineError."""
        key = (self._fingerprint, place)
        prospect = Prospect(place, await self._session.next_tokens(place, self._session.recipe.top))
        self._keep(key, prospect)
        return prospect

    def take(self, prospect: Prospect, token: int) -> int:
        """Branch with `token`. Raises StoreError, and ValueError for one that isn't shown or has
        no text."""
        following = prospect.following
        if token in following.ids and not following.pieces[following.ids.index(token)]:
            raise ValueError("With this token the document ends; there is nothing to go on with.")
        engine = self._session.engine
        if prospect.source is not None and (engine is None or engine.state != "ready"):
            return self._session.take_alternative(*prospect.source, token)
        return self._session.take_next(following, token, prospect.place)

    def begun(self, prospect: Prospect) -> dict[int, list[int]]:
        """Which continuations, counted from 1, begin with which token."""
        found: dict[int, list[int]] = {}
        for number, (node, start, _) in enumerate(
            self._session.continuations(prospect.place), start=1
        ):
            if not start and self._session.tree[node].hangs_at != self._session.asked_at(node):
                continue  # it begins with a token from before this place
            row, span = self._session.model_of(node), self._session.span(node)
            index = span.count_until(start) if span is not None else 0
            if span is None or row is None or index >= len(span):
                continue
            if self._fingerprint in ("", row.fingerprint):
                found.setdefault(int(span.ids[index]), []).append(number)
        return found

    @property
    def _fingerprint(self) -> str:
        """The model whose opinion counts; "" for whichever has read the text."""
        engine = self._session.engine
        able = engine.capabilities if engine is not None else None
        return able.fingerprint if able is not None else ""

    def _keep(self, key: tuple[str, Place], prospect: Prospect) -> None:
        self._answers[key] = prospect
        self._answers.move_to_end(key)
        while len(self._answers) > PLACES_KEPT:
            self._answers.popitem(last=False)

    # ── what the text itself has recorded ──────────────────────────────────────────────────

    def _recorded(self, place: Place) -> Prospect | None:
        """The alternatives of a token that stands right after `place`."""
        wanted = self._fingerprint
        for node, index in self._tokens_after(place):
            row = self._session.model_of(node)
            if row is not None and wanted in ("", row.fingerprint):
                return Prospect(place, self._following(node, index), (node, index))
        return None

    def _tokens_after(self, place: Place) -> Iterator[tuple[int, int]]:
        """(node, token) of recorded tokens that begin at `place`."""
        tree = self._session.tree
        if place.at < tree[place.node].length:
            span = self._session.span(place.node)
            index = span.count_until(place.at) if span is not None else 0
            if span is not None and index < len(span) and span[index].start == place.at:
                yield place.node, index
        for child in tree.children(place.node):
            span = self._session.span(child) if tree[child].at == place.at else None
            if span is not None and len(span):
                yield child, 0

    def _following(self, node: int, index: int) -> Following:
        span = self._session.span(node)
        assert span is not None
        ids = tuple(span.top_ids[index].tolist())
        return Following(
            job="",
            ids=ids,
            logprobs=tuple(span.top_logprobs[index].tolist()),
            pieces=tuple(self._session.piece(node, number) for number in ids),
            entropy=float(span.entropy[index]),
            varentropy=float(span.varentropy[index]),
        )
