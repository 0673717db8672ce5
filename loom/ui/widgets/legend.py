"""The line under a text that tells what its colours mean.

Knows names of looks and what to say of them; the looks themselves are the text's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from textual.content import Content
from textual.style import Style
from textual.widgets import Static

from loom.core.node import Author
from loom.core.text import visible
from loom.ui.widgets.layers import LEADING, SCALES, STEPS, WORLD_SCALES
from loom.ui.widgets.wrapping import clip

AUTHORS = {Author.WRITER: "yours", Author.MODEL: "the model's", Author.IMPORT: "imported"}
LONGEST = 24  # cells of a name


class Entry(NamedTuple):
    """What is said, in the looks it is said of."""

    text: str
    names: tuple[str, ...]


def entries(layer: str, slots: Sequence[str] = ()) -> list[Entry]:
    """Of a colour layer; `slots` are the sources with a look of their own, as they are called."""
    scale = (SCALES | WORLD_SCALES).get(layer)
    if scale is not None:
        return [Entry(scale.brief(n), (f"text--{scale.prefix}{n}",)) for n in range(STEPS)]
    if layer == "author":
        return [Entry(said, (f"text--author-{author}",)) for author, said in AUTHORS.items()]
    if layer != "source":
        return []
    named = [
        Entry(clip(visible(name), LONGEST)[0], (f"text--{LEADING}{step}",))
        for step, name in enumerate(slots, start=1)
    ]
    others = Entry("other", (f"text--{LEADING}{STEPS - 1}",))
    return [*named, Entry("none", (f"text--{LEADING}0",)), others]


class Legend(Static):
    """One line; what there is no room for is left out. `look_of` gives a text's looks."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.display = False
        self.look_of: Callable[..., Style] = lambda *names: Style()
        self.entries: Sequence[Entry] = ()

    def show(self, shown: Sequence[Entry]) -> None:
        if shown != self.entries:
            self.entries = shown
            self.display = bool(shown)
            self.refresh()

    @property
    def allow_select(self) -> bool:
        return False

    def render(self) -> Content:
        width = self.size.width
        shown = Content.assemble(*self._pieces(width))
        left = Content.styled(" " * max(0, (width - shown.cell_length) // 2), self.look_of())
        return left + shown

    def _pieces(self, width: int) -> Iterator[tuple[str, Style]]:
        used = 0
        for entry in self.entries:
            if used + cell_len(entry.text) + 3 > width:
                return
            used += cell_len(entry.text) + 3
            yield f" {entry.text} ", self.look_of(*entry.names)
            yield " ", self.look_of()
