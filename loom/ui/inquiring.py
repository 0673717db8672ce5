"""A session's model asked who wrote the text before a place, and what it says held against how it
reads.

Knows sessions and what is asked of an engine; shows nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence

from loom.asking.asked import Aloud
from loom.asking.coherence import Suffixes, agreements, frame_bits
from loom.asking.framing import score_frames
from loom.asking.probing import attributions, candidates
from loom.core.node import Place
from loom.engine.api import EngineError
from loom.instruments.calibration import tempering_of
from loom.instruments.sources.api import Attribution, Pooling, Source, SourceSet
from loom.session import Session
from loom.ui.screens.probe import Verdict


class Inquiring:
    """`known` is the set that answers are understood by."""

    def __init__(self, session: Session, known: SourceSet, place: Place) -> None:
        self._session, self._known, self._place = session, known, place
        self._ids: Sequence[int] | None = None

    async def answers(self, count: int) -> AsyncGenerator[Attribution]:
        """Raises EngineError."""
        engine, ids = self._session.asking(), await self._passage()
        seed = self._session.seed
        async for found in attributions(engine, self._known, ids, count=count, seed=seed):
            yield found

    async def _passage(self) -> Sequence[int]:
        """The tokens before the place, as they are weighed."""
        if self._ids is None:
            passage = self._session.passage(self._place)
            self._ids = await self._encoded() if passage is None else passage.ids
        return self._ids

    async def _encoded(self) -> Sequence[int]:
        engine: Aloud = self._session.asking()
        able = await engine.ready()
        ids: list[int] = []
        for piece in self._session.prefix(self._place, able.fingerprint):
            if isinstance(piece, bytes):
                ids += (await engine.encode(piece, start=not ids))[0]
            else:
                ids += piece
        return ids

    def sources(self, found: Attribution) -> Mapping[str, Source]:
        """Of the most frequent answers, by the names of their clusters."""
        made = {source.name: source for source in candidates(found, self._known).sources}
        named = {one.name: made.get(one.source or one.name) for one in found.clusters}
        return {name: source for name, source in named.items() if source is not None}

    async def verdicts(self, found: Attribution) -> Mapping[str, Verdict]:
        """Likewise by name. Raises EngineError."""
        wanted = candidates(found, self._known)
        if not wanted.sources:
            return {}
        engine, ids = self._session.asking(), await self._passage()
        if not (await engine.ready()).scores:
            raise EngineError("This engine can't read given text, so answers can't be checked.")
        by_frame = frame_bits(wanted, await score_frames(engine, wanted, ids))
        suffixes = Suffixes(engine, self._known, pooling=await self._pooling())
        agreed = await agreements(suffixes, by_frame, ids)
        verdicts = {one.name: Verdict(one.by_frame, one.delta) for one in agreed}
        sources = self.sources(found).items()
        return {name: verdicts[s.name] for name, s in sources if s.name in verdicts}

    async def _pooling(self) -> Pooling | None:
        model = await self._session.asking().ready()
        its = await asyncio.to_thread(tempering_of, model.fingerprint, self._known)
        return None if its is None else its.pooling
