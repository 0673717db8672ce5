"""The trash: sessions thrown away, to be brought back or deleted for good."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.widgets import OptionList

from loom import trash
from loom.core.text import visible
from loom.shelf import Shelved
from loom.ui.screens.shelved import ShelvedPicker

YES = "yes"


class Trash(ShelvedPicker[Path]):
    """Answers with where the session lies that was brought back last. `folder` is the sessions'."""

    HEADING = "Trash"
    KEYS = "Enter brings back · x empties the trash · Esc"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("x", "empty", "Empty")]

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        super().__init__(now)
        self._folder = folder
        self._brought_back: Path | None = None

    async def begin_listing(self) -> None:
        self.shelved = await asyncio.to_thread(trash.thrown, self._folder)
        self.options.loading = False
        self.refill()
        self.set_focus(self.options)

    def begin(self) -> None:
        self.options.loading = True
        self._begin()

    @work(exit_on_error=False)
    async def _begin(self) -> None:
        await self.begin_listing()
        self.say("" if self.shelved else "The trash is empty.")

    @on(OptionList.OptionSelected)
    async def restore(self, event: OptionList.OptionSelected) -> None:
        shelved = self.shelved[event.option_index]
        await self.attempt(lambda: self._restore(shelved))

    async def _restore(self, shelved: Shelved) -> None:
        self.say("Bringing it back …")
        self._brought_back = await asyncio.to_thread(trash.restored, shelved.path)
        await self.begin_listing()
        self.say(f"“{visible(shelved.title)}” is back among the sessions.")

    def action_empty(self) -> None:
        count = len(self.shelved)
        if count:
            what = "this session" if count == 1 else f"these {count} sessions"
            self.ask(f"Delete {what} for good? Type {YES}", "", self._empty)
        else:
            self.say("The trash is empty.")

    async def _empty(self, answer: str) -> None:
        if answer.strip().lower() != YES:
            raise ValueError(f"Nothing is deleted; type {YES} for that.")
        self.stop_asking()
        self.say("Deleting …")
        count = await asyncio.to_thread(trash.emptied, self._folder)
        await self.begin_listing()
        self.say(f"Deleted {count} session{'' if count == 1 else 's'}.")

    def action_close(self) -> None:
        if self.asking:
            super().action_close()
        else:
            self.dismiss(self._brought_back)
