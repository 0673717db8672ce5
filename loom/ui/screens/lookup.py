"""A line to type in and the list that it narrows down, over the foot of the page.

Knows neither what is looked up nor what becomes of it.
"""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.style import Style
from textual.widgets import Input, OptionList

from loom.core.text import visible
from loom.ui.screens.dialog import Dialog
from loom.ui.widgets.looks import look

T = TypeVar("T")


class Lookup(Dialog[T | None], Generic[T]):
    """Subclasses fill `options` when the line changes, and answer Enter. The keyboard stays in the
    line; arrows move in the list."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "lookup--words",
        "lookup--found",
        "lookup--facts",
    }
    DEFAULT_CSS = """
    Lookup {
        align: center bottom;
        background: transparent;

        & > .lookup--words { color: auto 76%; }
        & > .lookup--found { text-style: bold underline; }
        & > .lookup--facts { color: auto 76%; }

        #lookup {
            width: 100%;
            max-width: 100;
            height: auto;
            margin-bottom: 1;
            background: $surface;
            border: round $primary;
            border-title-color: $text-primary;
            border-subtitle-color: $text-muted;
        }
        #lookup Input {
            background: transparent;
            border: none;
            height: 1;
            padding: 0 1;
        }
        #lookup OptionList {
            height: auto;
            max-height: 10;
            background: transparent;
            border: none;
            padding: 0 1;
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Close"),
        Binding("down", "step(1)", "Down", priority=True),
        Binding("up", "step(-1)", "Up", priority=True),
        Binding("pagedown", "step(9)", "Page down", priority=True),
        Binding("pageup", "step(-9)", "Page up", priority=True),
    ]
    HEADING = ""
    HINT = ""
    KEYS = "Enter · Esc"

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        with Vertical(id="lookup") as box:
            box.border_title, box.border_subtitle = self.HEADING, self.KEYS
            yield Input(self._text, placeholder=self.HINT)
            options = OptionList()
            options.can_focus = False
            yield options

    def on_mount(self) -> None:
        self.line, self.options = self.query_one(Input), self.query_one(OptionList)
        self.set_focus(self.line)
        self.changed(self._text)

    def subtitle(self, text: str) -> None:
        self.query_one("#lookup").border_subtitle = Content(visible(text))

    def look(self, name: str) -> Style:
        return look(self, f"lookup--{name}")

    @on(Input.Changed)
    def line_changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value != self._text:
            self._text = event.value
            self.changed(event.value)

    def changed(self, text: str) -> None:
        """Fill the list for what is in the line."""

    @on(Input.Submitted)
    def line_entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.entered(event.value, self.options.highlighted)

    @on(OptionList.OptionSelected)
    def option_clicked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.entered(self.line.value, event.option_index)

    def entered(self, text: str, index: int | None) -> None:
        """Enter was pressed with this row of the list marked."""

    def action_step(self, step: int) -> None:
        count = self.options.option_count
        if count:
            now = self.options.highlighted
            self.options.highlighted = 0 if now is None else max(0, min(count - 1, now + step))
