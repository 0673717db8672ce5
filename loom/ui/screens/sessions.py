"""The sessions: a list to open one from, begin, rename, copy, throw away or save one as text."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList

from loom import shelf, trash
from loom.core.node import Place
from loom.core.text import visible
from loom.paths import Paths
from loom.recordings import recordings
from loom.session import Session
from loom.shelf import Shelved
from loom.ui.screens.saving import LABEL, Target, suggested, typed_path
from loom.ui.screens.shelved import ShelvedPicker
from loom.ui.screens.trash import Trash


@dataclass(frozen=True, slots=True)
class Opening:
    """What to go on with: a session, a new one (no `path`), a new one with a `text`'s words, or a
    `copy` of a recorded one."""

    path: Path | None = None
    text: bool = False
    copy: bool = False


class Sessions(ShelvedPicker[Opening]):
    """`here` is where the writer is in `session`, the one that is open. After all others come the
    recorded ones. Nothing is deleted here."""

    HEADING = "Sessions"
    KEYS = "Enter · n new · f file · r rename · d copy · s save · Del away · t trash"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "New"),
        Binding("f", "text_file", "Open a text file"),
        Binding("r", "rename", "Rename"),
        Binding("d", "duplicate", "Duplicate"),
        Binding("delete,backspace", "trash", "Move to the trash"),
        Binding("t", "trashed", "The trash"),
        Binding("s,ctrl+s", "save", "Save as text or Markdown"),
    ]

    def __init__(
        self,
        session: Session,
        here: Place,
        paths: Paths,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(now)
        self._session, self._here, self._paths = session, here, paths
        self.recorded: list[Shelved] = []
        self._target = Target()

    def begin(self) -> None:
        self.options.loading = True
        self.run_worker(self.list_again(), exit_on_error=False)

    async def list_again(self, select: Path | None = None) -> None:
        """Look at the files again, in a thread; the highlight stays, or goes to `select`."""
        also = [self._session.path]
        self.shelved = await asyncio.to_thread(shelf.listed, self._paths.sessions, also)
        self.recorded = self.recorded or await asyncio.to_thread(recordings)
        paths = [shelved.path for shelved in self.shelved]
        self.options.loading = False
        self.refill()
        if select in paths:
            self.options.highlighted = paths.index(select)
        if not self.asking:
            self.set_focus(self.options)

    def refill(self) -> None:
        at = self.options.highlighted or 0
        recorded = (self.row_of(shelved, "comes with Loom") for shelved in self.recorded)
        self.fill((*(self.row(shelved) for shelved in self.shelved), *recorded), at)

    def row(self, shelved: Shelved) -> Content:
        if not self._is_open(shelved):
            return super().row(shelved)
        return self.row_of(shelved, "open", title=self._session.title, here=True)

    def _is_open(self, shelved: Shelved) -> bool:
        return shelved.path == self._session.path.resolve()

    def _mine(self) -> Shelved | None:
        """The marked one, if anything can be done to it but opening it; says why not."""
        if self.chosen is None and self.options.highlighted is not None:
            self.say("This one comes with Loom; Enter opens a copy of it.")
        return self.chosen

    # ── opening ────────────────────────────────────────────────────────────────────────────

    @on(OptionList.OptionSelected)
    def open(self, event: OptionList.OptionSelected) -> None:
        index = event.option_index - len(self.shelved)
        if index >= 0:
            self.dismiss(Opening(self.recorded[index].path, copy=True))
            return
        shelved = self.shelved[event.option_index]
        if shelved.problem:
            self.say(shelved.problem, trouble=True)
        else:
            self.dismiss(None if self._is_open(shelved) else Opening(shelved.path))

    def action_new(self) -> None:
        self.dismiss(Opening())

    def action_text_file(self) -> None:
        self.ask("The path of a text file", "", self._open_text)

    def _open_text(self, answer: str) -> None:
        path = typed_path(answer)
        shelf.text_in(path)
        self.dismiss(Opening(path, text=True))

    # ── arranging ──────────────────────────────────────────────────────────────────────────

    def action_rename(self) -> None:
        if (shelved := self._mine()) is not None:
            title = self._session.title if self._is_open(shelved) else shelved.title
            self.ask("The new title", title, lambda answer: self._renamed(shelved, answer))

    def _renamed(self, shelved: Shelved, title: str) -> None:
        self.work_on(lambda: self._rename(shelved, title))

    async def _rename(self, shelved: Shelved, title: str) -> None:
        if self._is_open(shelved):
            self._session.set_title(shelf.checked_title(title))
        else:
            self.say("Renaming it …")
            await asyncio.to_thread(shelf.renamed, shelved.path, title)
        self.stop_asking()
        await self.list_again(shelved.path)
        self.say(f"Renamed; its file is still {shelved.path.name}.")

    def action_duplicate(self) -> None:
        if (shelved := self._mine()) is not None:
            self.work_on(lambda: self._duplicate(shelved))

    async def _duplicate(self, shelved: Shelved) -> None:
        self.say("Copying it …")
        source = shelved.path
        copy = await asyncio.to_thread(shelf.duplicated, source, self._copier(shelved))
        await self.list_again(copy)
        self.say(f"Copied to {copy.name}.")

    def _copier(self, shelved: Shelved) -> Callable[[Path], None] | None:
        return self._session.copy_to if self._is_open(shelved) else None

    async def action_trash(self) -> None:
        if (shelved := self._mine()) is not None:
            await self.attempt(lambda: self._trash(shelved))

    async def _trash(self, shelved: Shelved) -> None:
        if self._is_open(shelved):
            raise ValueError("This session is open; open another, then throw this one away.")
        self.say("Moving it to the trash …")
        target = await asyncio.to_thread(trash.trashed, shelved.path)
        await self.list_again()
        self.say(f"“{visible(shelved.title)}” is in the trash now (t shows it): {target}")

    async def action_trashed(self) -> None:
        async def closed(restored: Path | None) -> None:
            if restored is not None:
                await self.list_again(restored)

        await self.app.push_screen(Trash(self._paths.sessions, self._now), closed)

    # ── saving as text ─────────────────────────────────────────────────────────────────────

    def action_save(self) -> None:
        if (shelved := self._mine()) is not None and not shelved.problem:
            path = suggested(shelved.path)
            self.ask(LABEL, path, lambda answer: self._saved(shelved, answer))

    def _saved(self, shelved: Shelved, answer: str) -> None:
        self.work_on(lambda: self._save(shelved, answer))

    async def _save(self, shelved: Shelved, answer: str) -> None:
        path = self._target.at(answer)
        shelf.save_text(await self._text(shelved), shelved.title, path)
        self.stop_asking()
        self.say(f"Saved as {path}.")

    async def _text(self, shelved: Shelved) -> bytes:
        """The path on which the writer is in it."""
        if self._is_open(shelved):
            return self._session.tree.path_bytes(self._here)
        self.say("Reading it …")
        return await asyncio.to_thread(shelf.text_of, shelved.path)
