"""What one works on and with: another session, another sampling, another model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from loom.comparison import Comparison, compared
from loom.core.text import visible
from loom.extensions import resolve_model
from loom.paths import Paths
from loom.recordings import recording
from loom.ui.screens.beside import BesideScreen, Other
from loom.ui.screens.models import Models
from loom.ui.screens.page import Page
from loom.ui.screens.plugins import Plugins
from loom.ui.screens.saving import SaveText, suggested
from loom.ui.screens.sessions import Opening, Sessions
from loom.ui.screens.settings import Settings

if TYPE_CHECKING:
    from loom.ui.app import LoomApp


class Choosing(Page):
    """Commands that open a list over the page; what is chosen there is the program's to do."""

    @property
    def program(self) -> LoomApp:
        return cast("LoomApp", self.app)

    async def action_sessions(self) -> None:
        def chosen(opening: Opening | None) -> None:
            self.status.refresh()  # the title may have changed
            if opening is not None:
                self.program.choose_session(opening)

        await self.app.push_screen(Sessions(self.session, self.cursor, Paths.default()), chosen)

    async def action_settings(self) -> None:
        if self.session.read_only:
            self.notify("This session is open for reading only.", severity="warning")
            return
        file = self.program.config.file or Paths.default().config
        await self.app.push_screen(Settings(self.session, self.program, file))

    async def action_models(self) -> None:
        def chosen(model: str | None) -> None:
            if model is not None:
                self.program.choose_model(model)

        attached = self.session.engine.model if self.session.engine is not None else None
        await self.app.push_screen(Models(attached, Paths.default()), chosen)

    async def action_plugins(self) -> None:
        paths = Paths.default()
        file = self.program.config.file or paths.config
        await self.app.push_screen(Plugins(self.session, self.program, file, paths.plugins))

    async def action_beside(self) -> None:
        """Up to the cursor, or to where the writer is."""
        place = self.cursor

        async def ask(model: str) -> Comparison:
            options = self.program.config.engine
            return await compared(self.session, place, resolve_model(model), options)

        async def chosen(model: str | None) -> None:
            if model is not None:
                await self.app.push_screen(BesideScreen(lambda: ask(model)))

        await self.app.push_screen(Other(None, Paths.default()), chosen)

    # ── without keys of their own ──────────────────────────────────────────────────────────

    async def action_save_text(self) -> None:
        def saved(path: Path | None) -> None:
            if path is not None:
                self.notify(f"Saved as {visible(str(path))}.", markup=False)

        session = self.session
        text = session.tree.path_bytes(self.cursor)
        await self.app.push_screen(SaveText(text, session.title, suggested(session.path)), saved)

    def action_demo(self) -> None:
        self.program.choose_session(Opening(recording().path, copy=True))

    def action_tour(self) -> None:
        self.program.take_tour()

    def action_theme(self) -> None:
        self.program.action_change_theme()
