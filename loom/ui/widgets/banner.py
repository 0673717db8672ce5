"""A strip over the page for what the writer must know now: the engine is gone, and what is left."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from loom.core.text import visible


class Banner(Static):
    """Hidden until something is said."""

    def on_mount(self) -> None:
        self.display = False

    def say(self, text: str) -> None:
        self.update(Content(visible(text)))
        self.display = True

    def hush(self) -> None:
        self.display = False
