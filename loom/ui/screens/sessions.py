"""The sessions: a list to open one from, begin, rename, copy, throw away or save one as text."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList

from loom import shelf
from loom.core.node import Place
from loom.core.text import visible
from loom.paths import Paths
from loom.session import Session
from loom.shelf import Shelved
from loom.store.errors import StoreError
from loom.ui.screens.picker import Picker

MINUTE, HOUR, DAY = 60, 3600, 86400


@dataclass(frozen=True, slots=True)
class Opening:
    """What to go on with: a session, a new one (no `path`), or a new one with a `text`'s words."""

    path: Path | None = None
    text: bool = False


class Sessions(Picker[Opening]):
    """`here` is where the writer is in `session`, the one that is open. Nothing is deleted."""

    HEADING = "Sessions"
    KEYS = "Enter opens · n new · f file · r rename · d copy · Del trash · s save · Esc"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "New"),
        Binding("f", "text_file", "Open a text file"),
        Binding("r", "rename", "Rename"),
        Binding("d", "duplicate", "Duplicate"),
        Binding("delete,backspace", "trash", "Move to the trash"),
        Binding("s,ctrl+s", "save", "Save as text or Markdown"),
    ]

    def __init__(
        self,
        session: Session,
        here: Place,
        paths: Paths,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._session, self._here, self._paths, self._now = session, here, paths, now
        self.shelved: list[Shelved] = []
        self._overwrite: Path | None = None

    def begin(self) -> None:
        self.options.loading = True
        self.run_worker(self.list_again(), exit_on_error=False)

    async def list_again(self, select: Path | None = None) -> None:
        """Look at the files again, in a thread; the highlight stays, or goes to `select`."""
        also = [self._session.path]
        self.shelved = await asyncio.to_thread(shelf.listed, self._paths.sessions, also)
        paths = [shelved.path for shelved in self.shelved]
        self.options.loading = False
        self.refill()
        if select in paths:
            self.options.highlighted = paths.index(select)
        if not self.asking:
            self.set_focus(self.options)

    def refill(self) -> None:
        at = self.options.highlighted or 0
        self.fill((self._row(shelved) for shelved in self.shelved), at)

    def _row(self, shelved: Shelved) -> Content:
        mine = self._is_open(shelved)
        title = self._session.title if mine else shelved.title
        nodes = f"{shelved.nodes} node{'' if shelved.nodes == 1 else 's'}"
        age = "open" if mine else age_text(self._now() - shelved.changed, shelved.changed)
        facts = f"{age} · {nodes} · {size_text(shelved.size)}"
        name = Content.styled(visible(title), self.look("here" if mine else "name"))
        name = name.truncate(max(8, self.room - len(facts) - 4), ellipsis=True)
        words = shelved.problem or shelved.words or "empty"
        below = Content.styled(visible(words), self.look("trouble" if shelved.problem else "words"))
        gap = " " * max(2, self.room - name.cell_length - len(facts) - 2)
        return Content.assemble(
            "● " if mine else "  ", name, gap, (facts, self.look("facts")),
            "\n  ", below.truncate(self.room - 2, ellipsis=True),
        )  # fmt: skip

    def _is_open(self, shelved: Shelved) -> bool:
        return shelved.path == self._session.path.resolve()

    @property
    def chosen(self) -> Shelved | None:
        index = self.options.highlighted
        return None if index is None or index >= len(self.shelved) else self.shelved[index]

    # ── opening ────────────────────────────────────────────────────────────────────────────

    @on(OptionList.OptionSelected)
    def open(self, event: OptionList.OptionSelected) -> None:
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
        if (shelved := self.chosen) is not None:
            title = self._session.title if self._is_open(shelved) else shelved.title
            self.ask("The new title", title, lambda answer: self._rename(shelved, answer))

    async def _rename(self, shelved: Shelved, title: str) -> None:
        if self._is_open(shelved):
            self._session.set_title(shelf.checked_title(title))
        else:
            shelf.renamed(shelved.path, title)
        self.stop_asking()
        await self.list_again(shelved.path)
        self.say(f"Renamed; its file is still {shelved.path.name}.")

    async def action_duplicate(self) -> None:
        if (shelved := self.chosen) is not None:
            await self.attempt(lambda: self._duplicate(shelved))

    async def _duplicate(self, shelved: Shelved) -> None:
        source = shelved.path
        copy = await asyncio.to_thread(shelf.duplicated, source, self._copier(shelved))
        await self.list_again(copy)
        self.say(f"Copied to {copy.name}.")

    def _copier(self, shelved: Shelved) -> Callable[[Path], None] | None:
        return self._session.copy_to if self._is_open(shelved) else None

    async def action_trash(self) -> None:
        if (shelved := self.chosen) is not None:
            await self.attempt(lambda: self._trash(shelved))

    async def _trash(self, shelved: Shelved) -> None:
        if self._is_open(shelved):
            raise ValueError("This session is open; open another, then throw this one away.")
        target = shelf.trashed(shelved.path)
        await self.list_again()
        self.say(f"“{visible(shelved.title)}” is in the trash now: {target}")

    # ── saving as text ─────────────────────────────────────────────────────────────────────

    def action_save(self) -> None:
        if (shelved := self.chosen) is not None and not shelved.problem:
            suggested = str(Path.home() / f"{shelved.path.stem}.md")
            label = "Save the text as (.md: Markdown, else plain)"
            self.ask(label, suggested, lambda answer: self._save(shelved, answer))

    async def _save(self, shelved: Shelved, answer: str) -> None:
        path = typed_path(answer)
        if path.exists() and path != self._overwrite:
            self._overwrite = path
            raise ValueError(f"There is a file {path.name} already; Enter again replaces it.")
        shelf.save_text(await self._text(shelved), shelved.title, path)
        self.stop_asking()
        self.say(f"Saved as {path}.")

    async def _text(self, shelved: Shelved) -> bytes:
        """The path on which the writer is in it."""
        if self._is_open(shelved):
            return self._session.tree.path_bytes(self._here)
        async with Session.open(shelved.path, read_only=True) as session:
            return session.tree.path_bytes(session.place)


def typed_path(answer: str) -> Path:
    """Raises StoreError for nothing."""
    if not answer.strip():
        raise StoreError("There is no path.", "Type one, such as ~/draft.txt.")
    return Path(answer.strip()).expanduser().absolute()


def age_text(seconds: float, changed: float) -> str:
    """How long ago, in one unit; the day for what is older than a week."""
    if seconds < MINUTE:
        return "just now"
    if seconds < HOUR:
        return f"{seconds // MINUTE:.0f} min ago"
    if seconds < DAY:
        return f"{seconds // HOUR:.0f} h ago"
    if seconds < 7 * DAY:
        return f"{seconds // DAY:.0f} d ago"
    return f"{datetime.fromtimestamp(changed):%Y-%m-%d}"


def size_text(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"
