"""A set of sources as a text to edit; what is wrong with it is said as one writes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static, TextArea

from loom.core.text import visible
from loom.instruments.sources import sets
from loom.instruments.sources.finding import SUFFIX
from loom.instruments.sources.sets import SetError
from loom.store.atomic import write_atomically
from loom.ui.screens.dialog import Dialog

PAUSE = 0.25  # seconds without a key until the text is looked through
UNSAFE = re.compile(r"[^\w.-]+")
LINE = re.compile(r", line (\d+):")


@dataclass(frozen=True, slots=True)
class Draft:
    """`text` of a set that goes into `folder`, under the name of its file or its own; `unsaved`:
    it stands in no file yet."""

    text: str
    folder: Path
    name: str = ""
    unsaved: bool = False

    def saved(self, text: str) -> Path:
        """Where it is now. Raises SetError, also for a text that is no set: then it isn't saved."""
        found = sets.parse(text, self.file)
        name = self.name or UNSAFE.sub("-", found.name).strip("-.") or "sources"
        file = self.folder / f"{name}{SUFFIX}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(file, text.encode("utf-8"))
        except OSError as error:
            raise SetError(f"{file} can't be written: {error.strerror}.") from error
        return file

    @property
    def file(self) -> Path:
        """What mistakes are said to be in; folders that the set names are looked for beside it."""
        return self.folder / f"{self.name or 'new'}{SUFFIX}"


class SetEditor(Dialog[Path | None]):
    """Answers with the file that it was saved in."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", priority=True),
        Binding("ctrl+s", "save", "Save", priority=True),
    ]

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self._draft = draft
        self._saved = "" if draft.unsaved else draft.text
        self._warned = False

    def compose(self) -> ComposeResult:
        with Vertical(id="set-editor") as box:
            box.border_title = Content(visible(self._draft.name) or "A new set")
            box.border_subtitle = "Ctrl+S saves and closes · Esc closes"
            yield TextArea(self._draft.text, id="set-text", soft_wrap=False, compact=True)
            yield Static(id="set-said")

    def on_mount(self) -> None:
        self.area = self.query_one(TextArea)
        self.set_focus(self.area)
        self._looking = self.set_timer(PAUSE, self.look_through)

    @on(TextArea.Changed)
    def changed(self) -> None:
        self._warned = False
        self._looking.stop()
        self._looking = self.set_timer(PAUSE, self.look_through)

    def look_through(self) -> None:
        try:
            found = sets.parse(self.area.text, self._draft.file)
        except SetError as error:
            self.complain(error)
            return
        count, frames = len(found.sources), len(found.frames) - 1
        sources = f"{count} source{'' if count == 1 else 's'}"
        self.say(f"{sources}, {frames} frame{'' if frames == 1 else 's'}, nothing wrong.")

    def say(self, sentence: str, *, trouble: bool = False) -> None:
        said = self.query_one("#set-said", Static)
        said.set_class(trouble, "-wrong")
        said.update(Content(visible(sentence)))

    def complain(self, error: SetError) -> None:
        self.say(f"{error} {error.hint}".strip(), trouble=True)

    def action_save(self) -> None:
        try:
            file = self._draft.saved(self.area.text)
        except SetError as error:
            self.complain(error)
            self._go_to_line(str(error))
            return
        self.dismiss(file)

    def _go_to_line(self, message: str) -> None:
        found = LINE.search(message)
        if found is not None:
            self.area.move_cursor((int(found[1]) - 1, 0))

    def action_close(self) -> None:
        """What isn't saved is thrown away at the second time only."""
        if self.area.text == self._saved or self._warned:
            self.dismiss(None)
            return
        self._warned = True
        self.say("This isn't saved: Ctrl+S saves it, Esc once more throws it away.", trouble=True)
