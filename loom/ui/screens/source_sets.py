"""The sets of sources that there are, to take one, to edit one, or to make one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from loom.core.text import visible
from loom.instruments.sources import finding, sets
from loom.instruments.sources.api import Source, SourceSet
from loom.instruments.sources.finding import Listed
from loom.instruments.sources.sets import SetError
from loom.session import Session
from loom.ui import outside
from loom.ui.screens.picker import Picker
from loom.ui.screens.set_editor import Draft, SetEditor

NAME = 12  # cells of a set's name, at least
NONE = "none: weigh no sources in this session"
EXAMPLE = SourceSet(
    "mine",
    "Who I think it might be.",
    (
        Source("A newspaper", ("The Daily Telegraph, 3 May 1921\n\n",), short="Telegraph"),
        Source("A letter", ("My dear Anna,\n\n", "Dear brother,\n\n"), short="letter"),
    ),
)


class SourceSets(Picker[None]):
    """Changes `session` at once; what is edited goes into `folder`."""

    HEADING = "Sets of sources"
    KEYS = "Enter takes it · e edits · E in $EDITOR · n new · Esc"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "Edit"),
        Binding("E", "edit_outside", "Edit in $EDITOR"),
        Binding("n", "new", "New"),
    ]

    def __init__(self, session: Session, folder: Path) -> None:
        super().__init__()
        self._session, self._folder = session, folder
        self.listed: list[Listed] = []

    def begin(self) -> None:
        self.options.loading = True
        self.say(f"Your own are files in {self._folder}.")
        self._list()

    @work(exit_on_error=False)
    async def _list(self) -> None:
        """Again, too, when one of them has changed."""
        self.listed = await asyncio.to_thread(finding.listed)
        self.options.loading = False
        self.set_focus(self.options)
        self.refill()

    def refill(self) -> None:
        if not self.listed:
            return
        known = self._session.sources
        rows = [self._row(one, known) for one in self.listed]
        sign = "●" if known is None else "○"
        rows.append(Content.styled(f"{sign} {NONE}", self.look("words")))
        self.fill([Option(row) for row in rows], self.options.highlighted or self._now)
        if known is not None and all(one.found != known for one in self.listed):
            self.say(f"In force is {known.name} as this session has it, which is none of these.")

    @property
    def _now(self) -> int:
        """The row of the set in force."""
        known = self._session.sources
        found = [number for number, one in enumerate(self.listed) if one.found == known]
        return found[0] if found else 0

    def _row(self, one: Listed, known: SourceSet | None) -> Content:
        found = one.found
        if isinstance(found, SetError):
            name = Content.styled(f"! {visible(one.name)}", self.look("name"))
            told = visible(f"{found} {found.hint}".strip())
            return Content.assemble(name, "\n    ", (told, self.look("trouble")))
        here = found == known
        count = len(found.sources)
        facts = (
            f"  {count} source{'' if count == 1 else 's'}{'' if self._is_own(one) else ', bundled'}"
        )
        head = f"{'●' if here else '○'} {visible(one.name):<{NAME}} "
        about = visible(found.about)
        left = Content.assemble(
            (head, self.look("here" if here else "name")), (about, self.look("words"))
        )
        left = left.truncate(max(12, self.room - len(facts)), ellipsis=True)
        gap = " " * max(0, self.room - left.cell_length - len(facts))
        return Content.assemble(left, gap, (facts, self.look("facts")))

    def _is_own(self, one: Listed) -> bool:
        return one.path.parent == self._folder

    @property
    def _one(self) -> Listed | None:
        index = self.options.highlighted
        return None if index is None or index >= len(self.listed) else self.listed[index]

    # ── taking ─────────────────────────────────────────────────────────────────────────────

    @on(OptionList.OptionSelected)
    async def choose(self, event: OptionList.OptionSelected) -> None:
        one = self._one
        if one is not None and isinstance(one.found, SetError):
            self.say("It can't be taken while it has a mistake; e edits it.", trouble=True)
            return
        await self.attempt(lambda: self._take(one.found if one is not None else None))

    def _take(self, found: SourceSet | SetError | None) -> None:
        """Raises StoreError."""
        if not isinstance(found, SetError):
            self._session.set_sources(found)
            self.dismiss(None)

    # ── editing ────────────────────────────────────────────────────────────────────────────

    async def action_edit(self) -> None:
        one = self._one
        if one is not None:
            await self.attempt(lambda: self._edit(self._draft(one)))

    async def action_new(self) -> None:
        await self._edit(Draft(sets.to_toml(EXAMPLE), self._folder))

    def _draft(self, one: Listed) -> Draft:
        """Of a set that came with Loom a copy, which is the user's from then on."""
        if self._is_own(one) or isinstance(one.found, SetError):
            text = one.path.read_text(encoding="utf-8-sig", errors="replace")
        else:
            text = sets.to_toml(one.found)
        return Draft(text, self._folder, one.name)

    async def _edit(self, draft: Draft) -> None:
        await self.app.push_screen(SetEditor(draft), self._edited)

    async def action_edit_outside(self) -> None:
        """With a mistake in it, it is gone on with here."""
        one = self._one
        if one is None:
            return
        draft = self._draft(one)
        try:
            text = outside.edit(self.app, draft.text)
        except outside.EditorFailed as error:
            self.complain(error)
            return
        if text == draft.text:
            return
        try:
            file = draft.saved(text)
        except SetError:
            await self._edit(replace(draft, text=text, unsaved=True))
        else:
            await self.attempt(lambda: self._edited(file))

    def _edited(self, file: Path | None) -> None:
        """What is in force goes on as it is now. Raises StoreError."""
        if file is None:
            return
        before = self._session.sources
        self._list()
        self.say(f"Saved as {file}.")
        try:
            after = sets.read(file)
        except SetError as error:
            self.complain(error)
            return
        if before is not None and before.name in (after.name, file.stem):
            self._session.set_sources(after)
