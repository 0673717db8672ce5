"""The path to every node as the tokens of one model: those it drew or read, the rest cut by itself.

A child may hang inside a token of its parent; what is left of the token's bytes is spelled again,
as the child's lead. Text before a node never changes, so a spelling is kept until the model reads
what a writer wrote there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loom.core.node import ROOT
from loom.record import Record
from loom.slices import Slices
from loom.sources.framed import byline_until

Ints = NDArray[np.int32]
Encode = Callable[[bytes, bool], Awaitable[tuple[tuple[int, ...], tuple[int, ...]] | None]]
"""(text, whether it opens a document) → (ids, ends); None where nobody can be asked."""

KEPT = 1 << 16  # nodes
DIGEST = 16


@dataclass(frozen=True, slots=True, eq=False)
class Spelling:
    """Tokens of a node: `ids` int32[n], the first `lead` of which spell the end of the text before
    it; `ends` int32[n] in bytes of the node's text (of a lead 0 or less).

    `position` tokens and `offset` bytes of the path are before them; `before` stands for those
    tokens. The passage that is weighed begins with token `passage` of the path.
    """

    node: int
    ids: Ints
    ends: Ints
    lead: int
    position: int
    offset: int
    passage: int
    before: bytes

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def skipped(self) -> int:
        """How many of its tokens are before the passage."""
        return min(max(0, self.passage - self.position), len(self.ids))

    def count_until(self, at: int) -> int:
        """How many tokens end at or before byte `at`."""
        return int(np.searchsorted(self.ends, at, side="right"))

    def after(self, count: int) -> bytes:
        """What stands for the path after so many of its tokens."""
        if not count:
            return self.before
        return hashlib.blake2b(
            self.before + self.ids[:count].tobytes(), digest_size=DIGEST
        ).digest()

    @property
    def basis(self) -> bytes:
        """What stands for everything that its scores depend on."""
        told = self.after(len(self.ids)) + f"{self.position}|{self.passage}".encode()
        return hashlib.blake2b(told, digest_size=8).digest()


class Link(NamedTuple):
    """The first `tokens` of a spelling."""

    spelling: Spelling
    tokens: int


class Spellings:
    """`bylines` are texts of which one may stand before the passage. `waits` says which nodes the
    model is going to read before long."""

    def __init__(
        self,
        record: Record,
        fingerprint: str,
        bylines: Sequence[str],
        encode: Encode,
        waits: Callable[[int], bool],
    ) -> None:
        self._record, self._fingerprint = record, fingerprint
        self._bylines = tuple(bylines)
        self._longest = max((len(text.encode()) for text in self._bylines), default=0)
        self._encode, self._waits = encode, waits
        self._known: dict[int, Spelling] = {}
        self._turn = 0  # counts what was forgotten

    def get(self, number: int) -> Spelling | None:
        """What is known of a node by now."""
        return self._known.get(number)

    async def of(self, number: int) -> Spelling | None:
        """None where it can't be spelled, or not yet. Raises EngineError."""
        while True:
            turn = self._turn
            found = await self._spelled(number)
            if turn == self._turn:
                return found

    def forget(self, nodes: Iterable[int]) -> None:
        """These are spelled in other ways now, and so is all below them, which is to be named."""
        self._turn += 1
        for node in nodes:
            self._known.pop(node, None)

    def passage_until(self, last: Spelling, count: int | None = None) -> tuple[int, ...]:
        """All tokens of the passage, up to the end of the node or after its first `count`."""
        parts = [link.spelling.ids[: link.tokens] for link in self.links(last, count)]
        return tuple(np.concatenate(parts)[last.passage :].tolist())

    def links(self, last: Spelling, count: int | None = None) -> list[Link]:
        """The path to the first `count` tokens of a spelling that is known (all by default), the
        root first."""
        links = [Link(last, len(last) if count is None else count)]
        while (parent := self._record.tree[links[-1].spelling.node].parent) is not None:
            child, above = links[-1].spelling, self._known[parent]
            links.append(Link(above, child.position - above.position))
        return links[::-1]

    # ── inside ─────────────────────────────────────────────────────────────────────────────

    async def _spelled(self, number: int) -> Spelling | None:
        if len(self._known) > KEPT + self._record.tree.depth(number):
            self._known.clear()
        climbed: list[int] = []
        tree = self._record.tree
        there: int | None = number
        while there is not None and there not in self._known:
            climbed.append(there)
            there = tree[there].parent
        above = None if there is None else self._known[there]
        slices = Slices()
        for below in reversed(climbed):
            turn = self._turn
            found = _empty() if above is None else await self._below(above, below)
            if found is None or turn != self._turn:
                return None
            self._known[below] = above = found
            await slices.next()
        return above

    async def _below(self, above: Spelling, number: int) -> Spelling | None:
        node, parent = self._record.tree[number], self._record.tree[above.node]
        count = above.count_until(node.at)
        edge = int(above.ends[count - 1]) if count else -above.offset
        position, offset = above.position + count, above.offset + node.at
        left = parent.text[max(0, edge) : node.at]
        lead = await self._cut(left, opens=not position)
        own = await self._own(number, opens=not position and not left)
        if lead is None or own is None:
            return None
        ids = np.array([*lead[0], *own[0]], np.int32)
        ends = np.array([*(end - len(left) for end in lead[1]), *own[1]], np.int32)
        found = Spelling(
            number, ids, ends, len(lead[0]), position, offset, above.passage, above.after(count)
        )
        return self._with_passage(found, Link(above, count))

    async def _own(self, number: int, *, opens: bool) -> tuple[Sequence[int], Sequence[int]] | None:
        record, node = self._record, self._record.tree[number]
        if node.growing:
            return None
        row = record.model_of(number)
        span = record.span(number) if row and row.fingerprint == self._fingerprint else None
        if span is None:
            return None if self._waits(number) else await self._cut(node.text, opens=opens)
        known = int(span.ends[-1]) if len(span) else 0
        rest = await self._cut(node.text[known:], opens=opens and not known)
        if rest is None:
            return None
        ids, ends = rest
        return [*span.ids.tolist(), *ids], [*span.ends.tolist(), *(known + end for end in ends)]

    async def _cut(self, text: bytes, *, opens: bool) -> tuple[Sequence[int], Sequence[int]] | None:
        if not text:
            return (), ()
        return await self._encode(text, opens)

    def _with_passage(self, found: Spelling, above: Link) -> Spelling:
        """It begins behind a byline: a matter of the first bytes of the path."""
        if found.offset >= self._longest:
            return found
        size = byline_until(self._record, self._record.tree[found.node].end, self._bylines)
        passage = self._token_behind(size, found, above) if size else 0
        return replace(found, passage=passage)

    def _token_behind(self, size: int, found: Spelling, above: Link) -> int:
        """The first token of the path that begins at or after byte `size`."""
        for spelling, count in (
            *self.links(above.spelling, above.tokens),
            Link(found, len(found)),
        ):
            over = np.searchsorted(spelling.ends[:count] + spelling.offset, size, side="left")
            if over < count:
                return spelling.position + int(over) + 1
        return found.position + len(found)


def _empty() -> Spelling:
    none = np.zeros(0, np.int32)
    return Spelling(ROOT, none, none, 0, 0, 0, 0, bytes(DIGEST))
