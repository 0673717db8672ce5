"""The box of the tour: what a step tells, and the key it asks for."""

from __future__ import annotations

from typing import ClassVar

from textual.content import Content
from textual.widgets import Static

from loom.ui.widgets.looks import look


class Guide(Static):
    """Stands where the strip is otherwise."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"guide--key"}

    def tell(self, text: str, key: str, standing: str) -> None:
        """`{key}` in `text` is where the key goes; `standing` such as 3 of 14."""
        self.border_title = Content(f"A tour · {standing}")
        self.border_subtitle = "Enter skips a step · Esc leaves the tour"
        before, _, after = text.partition("{key}")
        self.remove_class("-missed")
        self.update(Content.assemble(before, (key, look(self, "guide--key")), after))

    def wait(self) -> None:
        """The key was the right one, and what it does takes a while."""
        self.remove_class("-missed")
        self.border_subtitle = "a moment, the model is at it · Esc leaves the tour"

    def missed(self, key: str) -> None:
        """Another key was pressed."""
        self.add_class("-missed")
        skip = f"now it is {key} · Enter skips a step · Esc leaves the tour"
        self.border_subtitle = Content(skip)
