"""The scales for the set in force and the model at hand, and the engine that is asked with them.

Made anew where either changes. Weighs nothing itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from loom.asking.framing import frames_of
from loom.changes import Notice
from loom.core.node import Place
from loom.core.recipe import Recipe
from loom.engine.api import EngineError
from loom.instruments import calibration
from loom.instruments.sources.api import BLOCK, SourceSet
from loom.sources.chosen import Chosen
from loom.sources.evidence import Shelf
from loom.sources.framed import Room, framed
from loom.sources.naming import Naming
from loom.sources.scales import Scales
from loom.sources.setbacks import Setbacks
from loom.sources.spellings import Spellings
from loom.sources.weighing import Engine

if TYPE_CHECKING:
    from loom.engine.client import Encoded
    from loom.generation import Generation
    from loom.watched import Watched


class Fitting:
    """`scales` are the last ones made; None where there is no set or no model."""

    def __init__(
        self, session: Watched, generation: Generation, chosen: Chosen, setbacks: Setbacks
    ) -> None:
        self._session, self._generation = session, generation
        self._chosen, self._setbacks = chosen, setbacks
        self.scales: Scales | None = None
        self._engine: Engine | None = None
        self._for: tuple[SourceSet, str] | None = None
        self._block = BLOCK
        self._stale = False

    @property
    def fits(self) -> bool:
        """Whether the scales are those for what is in force."""
        made = self._for
        return (
            made is not None
            and not self._stale
            and made[0] is self._chosen.sources
            and made[1] == self._chosen.model
        )

    async def fit(self, before: Callable[[], None]) -> bool:
        """Whether there are other scales now, or none any more; `before` that it is called."""
        news = await self._chosen.learn()
        wanted, model = self._chosen.sources, self._chosen.model
        wants = None if wanted is None or not model else (wanted, model)
        if not news and wants == self._for and not self._stale:
            fitted, self._for = self.fits, wants  # the set may be the same, chosen once more
            return wants is not None and not fitted
        before()
        if wants != self._for:
            self._block = BLOCK
            self._setbacks.forget()
        self._for, self._stale, self._engine = wants, False, None
        self.scales = None if wants is None else await self._made(*wants)
        return True

    async def _made(self, wanted: SourceSet, model: str) -> Scales:
        session = self._session
        tempering = await asyncio.to_thread(calibration.tempering_of, model, wanted)
        spellings = Spellings(
            session, model, wanted.frames, self._encode, lambda node: session.will_be_read([node])
        )
        shelf = Shelf.of_set(session, wanted, model, self._block)
        its = None if tempering is None else tempering.pooling
        naming = None if its is None else Naming(session, wanted, model, its)
        scales = Scales(session, wanted, spellings, shelf, tempering, naming)
        if self._generation.busy:
            scales.gate.shut()
        return scales

    async def engine(self) -> Engine | None:
        """None where there is none to be asked, or it can't do this, which is said once."""
        if self.scales is None or not self._generation.can_score:
            return None
        if self._engine is None:
            try:
                frames = await frames_of(self._generation, self.scales.wanted)
            except EngineError as error:
                self._setbacks.refused(error)
                return None
            if frames.limits and frames.windows.block != self._block:
                self._session.emit(Notice(frames.limits))
            self._engine = Engine(self._generation, frames)
        self._stale = self._engine.frames.windows.block != self._block
        self._block = self._engine.frames.windows.block  # others' scores can't be gone on from
        return None if self._stale else self._engine

    def engine_changed(self) -> None:
        self._engine = None

    def framed(self, place: Place, recipe: Recipe) -> Recipe:
        """A recipe with a frame as it is drawn by at a place."""
        wanted, engine = self._chosen.sources, self._session.engine
        able = None if engine is None else engine.capabilities
        room = None
        if able is not None:
            counted = None if self._engine is None else self._engine.tokens_of(recipe.frame)
            room = Room(able.fingerprint, able.context, counted)
        return framed(self._session, place, recipe, wanted.frames if wanted else (), room)

    async def _encode(self, text: bytes, opens: bool) -> Encoded | None:
        if not self._generation.can_score:
            return None
        return await self._generation.encode(text, start=opens)
