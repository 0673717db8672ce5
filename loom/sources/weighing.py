"""One node under every frame of a set or the likeliest, block by block.

What came is kept, should it be broken off. Knows tokens and an engine; what is believed of it all
is told by the scales.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from loom.asking.framing import Frames, blocks
from loom.asking.questions import Scorer
from loom.core.span import TOP
from loom.engine.api import EngineError
from loom.instruments.sources.api import Scores
from loom.instruments.sources.tracking import Follower, bits_following
from loom.instruments.sources.windows import Block, joined
from loom.sources.evidence import Evidence, rounded
from loom.sources.known import Base
from loom.sources.spellings import Spelling

if TYPE_CHECKING:
    from loom.sources.scales import Scales

SAVED_AT_ONCE = 1 << 19  # tokens times frames of a node that isn't done


@dataclass(frozen=True, slots=True)
class Engine:
    """Who is asked, and the frames as its model reads them."""

    scorer: Scorer
    frames: Frames

    def tokens_of(self, text: str) -> int | None:
        """How many a frame has; None for a text that is none."""
        texts = self.frames.texts
        return len(self.frames.windows.frames[texts.index(text)]) if text in texts else None


class Weighing:
    """The tokens of one node under `every` frame or the likeliest. What came is kept, should it be
    broken off."""

    def __init__(
        self, scales: Scales, engine: Engine, spelling: Spelling, base: Base, every: bool
    ) -> None:
        self._scales, self._engine, self._spelling, self._base = scales, engine, spelling, base
        self._every = every
        texts = scales.wanted.frames
        self._only = None if every else scales.likeliest(base)
        asked = [every or not text or text in (self._only or ()) for text in texts]
        self._scored = np.array(asked, bool)
        self._parts: list[Scores] = []
        self._following: float | None = None

    async def done(self, before: Evidence | None) -> Evidence:
        """Goes on from what there is under the same frames."""
        base, shelf = self._base, self._scales.shelf
        for begun in (shelf.begun(self._spelling), before):
            if begun is not None and np.array_equal(begun.scored, self._scored):
                self._parts.append(begun.scores)
                belief = await self._scales.advanced(base.belief, begun.scores)
                base = replace(base, belief=belief)
                break
        try:
            await self._read(self._scales.follower(base))
        except (asyncio.CancelledError, EngineError):
            shelf.break_off(self._spelling, self._evidence())
            raise
        evidence = self._evidence()
        await shelf.keep(self._spelling, evidence)
        return evidence

    async def _read(self, follower: Follower) -> None:
        spelling, engine, start = self._spelling, self._engine, self._scales.done
        passage = self._scales.spellings.passage_until(spelling)
        first = len(passage) - (len(spelling) - spelling.skipped) + sum(map(len, self._parts))
        unsaved = 0
        come = blocks(
            engine.scorer,
            engine.frames,
            passage,
            first,
            only=self._only,
            following=self._every,
            wide=True,
            top=TOP if self._every else 1,
            opens=not spelling.passage,
            gate=self._scales.gate,
            progress=lambda done, total: self._scales.went_on(start + done),
        )
        async with aclosing(come) as every:
            async for block in every:
                block = replace(block, scores=rounded(block.scores))
                self._parts.append(await self._informed(follower, block))
                unsaved += block.scores.ratio.size
                if unsaved > SAVED_AT_ONCE and block.stop < len(passage):
                    unsaved = 0
                    await self._scales.shelf.keep(self._spelling, self._evidence())

    async def _informed(self, follower: Follower, block: Block) -> Scores:
        if not self._every:
            return block.scores
        scores = await asyncio.to_thread(follower.read, block)
        self._following = bits_following(block, follower.belief.weights)
        return scores

    def _evidence(self) -> Evidence:
        scores = joined(self._parts, len(self._scored))
        return Evidence(scores, self._scored, self._following)
