"""Going on with another session or another model while the program runs.

The engine's process goes along from session to session.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date
from typing import Any

from textual.app import App

from loom import offers, recordings, shelf
from loom.changes import EngineChanged
from loom.config import Config
from loom.core.text import visible
from loom.engine.api import EngineError
from loom.extensions import resolve_model
from loom.paths import Paths
from loom.session import Session
from loom.store.errors import StoreError
from loom.ui.screens.main import MainScreen
from loom.ui.screens.sessions import Opening

PATIENCE = 0.5  # seconds that are waited without a word
CLOSING = 5.0  # seconds a session may take to close before the program goes on anyway


class Switching(App[None]):
    """`model` is a name or folder as on the command line; None leaves it to the settings.

    Each session has a mode of its own, in Textual's sense: a stack of screens.
    """

    DEFAULT_MODE = "session-0"

    def __init__(self, session: Session, config: Config, model: str | None, **more: Any) -> None:
        super().__init__(**more)
        self.session, self.config = session, config
        self.main = self.screen_for(session)
        self._model = model
        self._modes_made = itertools.count(1)
        self.add_mode(self.DEFAULT_MODE, self._fitted)
        self._attaching, self._switching = asyncio.Lock(), asyncio.Lock()
        self._plugging = asyncio.Lock()

    def screen_for(self, session: Session) -> MainScreen:
        return MainScreen(session)

    def _fitted(self) -> MainScreen:
        """The main screen, which knows its room before it is styled and not only afterwards."""
        self.main._css_update_count = self._css_update_count  # or all styles are parsed once more
        self.stylesheet.apply(self)  # whose colours the page takes on, and keeps
        self._fit(self.HORIZONTAL_BREAKPOINTS or (), self.size.width)
        self._fit(self.VERTICAL_BREAKPOINTS or (), self.size.height)
        return self.main

    def _fit(self, breakpoints: Iterable[tuple[int, str]], length: int) -> None:
        below = [found for found in breakpoints if found[0] <= length]
        self.main.add_class(*(name for _, name in sorted(below)[-1:]), update=False)

    # ── models ─────────────────────────────────────────────────────────────────────────────

    def choose_model(self, model: str) -> None:
        self._model = model
        self.run_worker(self.start_engine(), name="engine", exit_on_error=False)

    async def start_engine(self) -> None:
        """Load the model that was asked for last into the session; the tree stays as it is."""
        async with self._attaching:
            try:
                model = resolve_model(self._model or self.config.model)
                await self.session.attach(model, self.config.engine)
            except EngineError as error:
                self.main.complain(error)
                self.main.status.engine_changed(EngineChanged("none"))
            else:
                self.run_worker(self._remember(model), name="recent", exit_on_error=False)
            await self.session.attach_sources(self.config)
            self.main.engine_attached()
        self.start_plugins()

    def start_plugins(self) -> None:
        """Have plugins read the session, once the model no longer needs the machine to load."""
        attaching = self._attach_plugins(self.session)
        self.run_worker(
            attaching, name="plugins", group="plugins", exclusive=True, exit_on_error=False
        )

    async def _attach_plugins(self, session: Session) -> None:
        with suppress(EngineError):  # said elsewhere; what was read before can be read all the same
            await session.engine_ready()
        if not session.has_instruments:
            await session.attach_instruments(self.config)

    def plug(self, config: Config) -> None:
        """Go on with the plugins as `config` has them; the rest of it isn't taken."""
        plugged = replace(
            self.config, plugins=config.plugins, file=config.file, source=config.source
        )
        self.config = plugged
        self.run_worker(self._plug_anew(plugged), name="plugins", exit_on_error=False)

    async def _plug_anew(self, config: Config) -> None:
        async with self._plugging:
            if self.config.plugins is config.plugins:  # else they have been changed since
                await self.session.attach_instruments(config)

    async def _remember(self, model: str) -> None:
        """Among the recent models, once it has proved to be one."""
        try:
            await self.session.engine_ready()
            offers.remember(Paths.default(), model)
        except (EngineError, OSError):
            return  # why it could not be loaded is said where the session's changes are heard

    # ── sessions ───────────────────────────────────────────────────────────────────────────

    def choose_session(self, opening: Opening) -> None:
        self.run_worker(self._go_on_with(opening), name="session", exit_on_error=False)

    async def _go_on_with(self, opening: Opening) -> None:
        async with self._switching:
            name = opening.path.stem if opening.path is not None else "a new session"
            try:
                with self.waiting(f"opening {name} …"):
                    session = await asyncio.to_thread(self._opened, opening)
            except StoreError as error:
                self.main.complain(error)
                return
            self.keep_draft()
            before, self.session = self.session, session
            await self._show(session)
            read_on = before.hand_instruments_to(session)
            if before.hand_engine_to(session):
                await session.attach_sources(self.config)
                self.main.engine_attached()
                if not read_on:
                    self.start_plugins()
            else:
                await self.start_engine()
            await self._leave(before)

    async def _show(self, session: Session) -> None:
        """A main screen of its own in place of the one before and of what lies over it."""
        before, after = self.current_mode, f"session-{next(self._modes_made)}"
        self.main = self.screen_for(session)
        self.add_mode(after, self._fitted)
        await self.switch_mode(after)
        await self.remove_mode(before)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Say in the status line what is being waited for, if the block takes a while."""
        status = self.main.status
        timer = self.set_timer(PATIENCE, lambda: setattr(status, "awaited", visible(what)))
        try:
            yield
        finally:
            timer.stop()
            status.awaited = ""

    def _opened(self, opening: Opening) -> Session:
        folder = Paths.default().sessions
        if opening.path is None:
            return shelf.begun_today(folder, self.config, date.today())
        if opening.text:
            return shelf.begun_with(opening.path, folder, self.config)
        if opening.copy:
            return shelf.opened(recordings.taken_out(opening.path, folder))
        return shelf.opened(opening.path)

    async def _leave(self, session: Session) -> None:
        trouble = await closed(session)
        if trouble:
            self.main.notify(trouble, severity="error", markup=False)
        try:
            Paths.default().remember_session(self.session.path)
        except OSError:
            return  # only the start without a name would have used it

    def keep_draft(self) -> None:
        editor = self.main.editor if self.main.is_mounted else None
        if editor is not None and editor.job is not None and not self.session.read_only:
            self.session.save_draft(editor.text or None, editor.job.place)


async def closed(session: Session) -> str | None:
    """Close it; what went wrong. Never waits for long."""
    try:
        await asyncio.wait_for(session.close(), CLOSING)
    except TimeoutError:
        return f"{session.path.name} took too long to close; nothing written is lost."
    except StoreError as error:
        return f"{error} {error.hint}".strip()
    return None
