"""Where the writer writes: Textual's text area for prose, and the draft it asks to have kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import TextArea

from loom.core.node import Place
from loom.core.text import visible
from loom.ui.bindings import Where, bindings
from loom.ui.revision import Task

if TYPE_CHECKING:
    from textual.document._wrapped_document import WrappedDocument

DRAFT_EVERY = 0.5  # seconds
WIDEST = 84  # columns


class Editor(TextArea):
    """Open while it has a task. Keys that aren't for writing are in the table of keys."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.EDITOR)]
    _wrapped: tuple[WrappedDocument, int, int] | None = None  # text, width, indentation

    @dataclass
    class DraftChanged(Message):
        """`text` would be lost if the program were killed now."""

        text: str
        place: Place

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, soft_wrap=True, tab_behavior="focus", highlight_cursor_line=False)
        self.match_cursor_bracket = False
        self.job: Task | None = None
        self._kept = ""

    def on_mount(self) -> None:
        self.display = False
        self.set_interval(DRAFT_EVERY, self.keep_draft)

    @property
    def is_open(self) -> bool:
        return self.job is not None

    def open(self, task: Task, title: str, help: str, placeholder: str = "") -> None:
        self.job, self._kept = task, task.text
        self.border_title, self.border_subtitle = Content(title), Content(help)
        self.placeholder = placeholder
        self._centre()
        self.load_text(task.text)
        self.move_cursor(self.document.end)
        self.display = True
        self.screen.set_focus(self)

    def on_resize(self) -> None:
        self._centre()

    def _centre(self) -> None:
        """In the middle of the page, and no wider than a line of prose."""
        room = self.parent.size.width if isinstance(self.parent, Widget) else 0
        above = 1 if self.has_class("-alone") else 0
        self.styles.margin = (above, max(1, (room - WIDEST) // 2))

    def _rewrap_and_refresh_virtual_size(self) -> None:
        """A megabyte takes a second to wrap, and Textual asks for it at every layout."""
        wanted = self.wrapped_document, self.wrap_width, self.indent_width
        known = self._wrapped
        if known is None or known[0] is not wanted[0] or known[1:] != wanted[1:]:
            self._wrapped = wanted
            super()._rewrap_and_refresh_virtual_size()

    def close(self) -> None:
        self.job = None
        self.display = False
        self.load_text("")

    @property
    def around(self) -> tuple[str, str]:
        """The text before and after what is marked, or the cursor."""
        start, end = sorted((self.selection.start, self.selection.end))
        last = self.document.end
        return self.get_text_range((0, 0), start), self.get_text_range(end, last)

    def keep_draft(self) -> None:
        """Ask to have the text kept if it has changed since the last time."""
        if self.job is None or self.text == self._kept:
            return
        self._kept = self.text
        self.post_message(self.DraftChanged(self.text, self.job.place))

    def get_line(self, line_index: int) -> Text:
        """Model text may hold terminal codes; here they are seen, not obeyed."""
        return Text(visible(self.document.get_line(line_index)), end="", no_wrap=True)

    async def typed(self, event: events.Key) -> bool:
        """Insert a character, a line end or a tab; False for keys that are no text."""
        if event.key == "tab":
            self.insert("\t")
        elif event.is_printable or event.key == "enter":
            await self._on_key(event)
        else:
            return False
        return True

    async def pasted(self, event: events.Paste) -> None:
        """Insert what was pasted."""
        await self._on_paste(event)
