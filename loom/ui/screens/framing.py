"""The panel of sources on the main screen and what comes of it: growing under a frame, another set,
the model asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from loom.core.node import Place
from loom.instruments.sources.api import Source
from loom.paths import Paths
from loom.ui.screens.probe import Found, Probe
from loom.ui.screens.source_sets import SourceSets
from loom.ui.screens.sources import Answer, Sources
from loom.ui.screens.sourcing import Sourcing


class Framing(Sourcing):
    """What is chosen there goes to the session."""

    async def action_sources(self) -> None:
        """At the cursor, or where the writer is."""
        place = self.cursor

        async def answered(answer: Answer | None) -> None:
            if answer is not None:
                await self._answer(answer, place)

        await self.app.push_screen(Sources(self.session, self.worlds, place), answered)

    async def _answer(self, answer: Answer, place: Place) -> None:
        match answer.what:
            case "sets":
                folder = Paths.default().sources
                await self.app.push_screen(SourceSets(self.session, folder), self._sets_closed)
            case "grow":
                self.attempt(lambda: self._grow_under(answer.frame, place))
            case "keep":
                if self.attempt(lambda: self._keep_frame(answer.frame)):
                    self.notify(f"From now on all grows under {answer.name}.", markup=False)
            case "drop":
                self.attempt(lambda: self._keep_frame(""))
            case "probe":
                await self._ask_model(place)

    async def _ask_model(self, place: Place) -> None:
        from loom.ui.inquiring import Inquiring  # deferred: it takes a fortieth of the start

        known = self.worlds.sources
        if known is None:
            return

        async def closed(found: Found | None) -> None:
            if found is None:
                await self.action_sources()
            elif found.choice is not None:
                await self._answer(Answer(*found.choice, found.name), place)
            else:
                self.attempt(lambda: self._add(found.added))

        await self.app.push_screen(Probe(Inquiring(self.session, known, place)), closed)

    def _add(self, sources: Sequence[Source]) -> None:
        """To the set of this session; its file stays as it is."""
        known = self.worlds.sources
        if known is not None:
            self.session.set_sources(replace(known, sources=(*known.sources, *sources)))
            names = ", ".join(source.name for source in sources)
            self.notify(f"This session weighs {names}, too.", markup=False)

    async def _sets_closed(self, _: None) -> None:
        """Back to the list, which shows what was chosen."""
        await self.action_sources()

    def _grow_under(self, frame: str, place: Place) -> None:
        """Raises EngineError, StoreError."""
        recipe = replace(self.session.recipe, frame=frame, instead=0)
        self.stay(place)
        self.session.grow(self.session.place, recipe=recipe)

    def _keep_frame(self, frame: str) -> None:
        recipe = replace(self.session.recipe, frame=frame, instead=0)
        self.session.set_sampling(recipe=recipe)
