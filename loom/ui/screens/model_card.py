"""What a model was made of and for, as its card says. Knows Markdown; finds no cards itself."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Markdown

from loom.ui.screens.dialog import Dialog


class ModelCard(Dialog[None]):
    """`text` is Markdown; its links are words, as what they lead to may not lie here."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,c,q", "dismiss(None)", "Close"),
        ("j", "scroll(2)", "Down"),
        ("k", "scroll(-2)", "Up"),
        ("space", "scroll(20)", "Page down"),
    ]

    def __init__(self, model: str, text: str) -> None:
        super().__init__()
        self._model, self._text = model, text

    def compose(self) -> ComposeResult:
        with Vertical(id="model-card") as box:
            box.border_title = Content(f"The card of {self._model}")
            box.border_subtitle = "↑ ↓ scroll · Esc closes"
            with VerticalScroll():
                yield Markdown(self._text, open_links=False)

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
