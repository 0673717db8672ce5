"""The tour as a stay in another session: the writer's own waits below it, untouched.

The engine is lent to it, so that the tour is on the model that is there; without one it is on echo.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from textual import events

from loom.core.recipe import PRESETS, Recipe
from loom.extensions import ECHO
from loom.session import Session
from loom.ui.screens.main import MainScreen
from loom.ui.screens.tour import TourScreen
from loom.ui.switching import Switching, closed
from loom.ui.tour import BRANCHES, OPENING, PRESET, SEED, TOKENS


class Touring(Switching):
    """`self.session` and `self.main` are the tour's while one is on it."""

    _own: tuple[Session, MainScreen] | None = None
    _lent = False
    _scratch: TemporaryDirectory[str] | None = None

    @property
    def on_tour(self) -> bool:
        return self._own is not None

    def take_tour(self) -> None:
        self.run_worker(self.begin_tour(), name="tour", exit_on_error=False)

    def leave_tour(self) -> None:
        self.run_worker(self.end_tour(), name="tour", exit_on_error=False)

    async def begin_tour(self) -> None:
        async with self._switching, self._attaching:
            if self._own is not None:
                return
            if self.session.growing():
                key = self.main.key_of("stop")
                self.main.notify(f"Something still grows here; {key} stops it.", markup=False)
                return
            self.keep_draft()
            while self.screen is not self.main:
                await self.pop_screen()
            own, self._own = self.session, (self.session, self.main)
            self._scratch = TemporaryDirectory(prefix="loom-tour-", ignore_cleanup_errors=True)
            self.session = tour_session(Path(self._scratch.name))
            self.main = TourScreen(self.session, self.main.commands, self.leave_tour)
            self.add_class("-touring")
            await self.push_screen(self.main)
            self._lent = own.hand_engine_to(self.session)
            if not self._lent:
                await self.session.attach(ECHO)
            self.main.engine_attached()

    async def end_tour(self) -> None:
        """Back to the writer's own session, with its engine."""
        async with self._switching:
            if self._own is None:
                return
            toured, (self.session, self.main), self._own = self.session, self._own, None
            self.remove_class("-touring")
            while self.screen is not self.main:
                await self.pop_screen()
            if self._lent and toured.hand_engine_to(self.session):
                self.main.engine_attached()
            elif self._lent or not self.main.engine_settled.is_set():
                await self.start_engine()
            await self._drop(toured)

    async def _drop(self, toured: Session) -> None:
        await closed(toured)
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    def leaves_tour(self, event: events.Event) -> bool:
        """Whether this is the Esc that ends the tour, wherever one is on it."""
        if self._own is None or not isinstance(event, events.Key) or event.key != "escape":
            return False
        self.leave_tour()
        return True

    async def abandon_tour(self) -> None:
        """The program is to end: nothing of the tour is kept."""
        if self._own is not None:
            toured, (self.session, self.main), self._own = self.session, self._own, None
            await self._drop(toured)


def tour_session(folder: Path) -> Session:
    """A short text that somebody began. Raises StoreError."""
    session = Session.create(folder / "tour.loom", seed=SEED)
    session.set_title("A tour")
    recipe = Recipe(sampling=PRESETS[PRESET], preset=PRESET, tokens=TOKENS)
    session.set_sampling(recipe=recipe, branches=BRANCHES)
    session.write(OPENING)
    return session
