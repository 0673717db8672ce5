"""A name to begin under, with those that the house model knows."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widgets.option_list import Option

from loom.bylines import canonical, completions
from loom.ui.screens.lookup import Lookup


class BylineScreen(Lookup[str]):
    """Answers with the name: the marked one while it completes what was typed."""

    HEADING = "Begin under a byline"
    HINT = "a name: the model goes on as that author would"
    KEYS = "Enter begins · ↑ ↓ choose · Esc closes"

    def __init__(self, known: Sequence[str]) -> None:
        super().__init__()
        self._known = known
        self._names: list[str] = []

    def changed(self, text: str) -> None:
        self._names = completions(text, self._known)
        self.options.clear_options()
        self.options.add_options(
            Option(Content.styled(name, self.look("words"))) for name in self._names
        )
        self.options.highlighted = 0 if text.strip() and self._names else None
        unknown = text.strip() and not self._names
        self.subtitle(
            "Enter takes this name, though the model may not know it" if unknown else self.KEYS
        )

    def entered(self, text: str, index: int | None) -> None:
        if index is not None:
            self.dismiss(self._names[index])
        elif text.strip():
            self.dismiss(canonical(text, self._known))
