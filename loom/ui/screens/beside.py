"""A path's probabilities on record and under another model, a line a token.

Knows a Comparison; asks nothing itself but for it.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static

from loom.comparison import Comparison
from loom.core.beside import Stretch
from loom.core.text import visible
from loom.engine.api import EngineError
from loom.ui import glyphs
from loom.ui.screens.dialog import Dialog
from loom.ui.screens.models import Models

KEYS = "d the next large difference · Ctrl+C or y copies · Esc closes"
LARGE = 4.0  # bits: what the one finds sixteen times likelier than the other


class Other(Models):
    """Which model to put beside what is on record."""

    HEADING = "Beside which model?"
    KEYS = "Enter has it read this path · o another · Esc closes · your model stays"


class BesideScreen(Dialog[None]):
    """Bits on record, bits under the other model, and the text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,M,q", "dismiss(None)", "Close"),
        ("d", "next", "Next large difference"),
        ("y,ctrl+c", "copy", "Copy"),
        ("j", "go('down')", "Down"),
        ("k", "go('up')", "Up"),
    ]

    def __init__(self, ask: Callable[[], Awaitable[Comparison]]) -> None:
        super().__init__()
        self._ask = ask
        self.comparison: Comparison | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="beside") as box:
            box.border_title = "Beside another model"
            box.border_subtitle = KEYS
            yield Static("It is loaded, and reads the path …", id="beside-facts", markup=False)
            yield OptionList(id="beside-lines")

    def on_mount(self) -> None:
        self.lines, self.facts = self.query_one(OptionList), self.query_one(Static)
        self.set_focus(self.lines)
        self.lines.loading = True
        self._fill()

    @work(exit_on_error=False)
    async def _fill(self) -> None:
        """Leaving the screen ends the worker, and with it the other model."""
        try:
            self.comparison = await self._ask()
        except EngineError as error:
            said = f"{error} {error.hint}".strip()
            self.app.notify(said, severity="warning", markup=False)
            self.dismiss(None)
            return
        self.lines.loading = False
        self.facts.update("\n".join(facts(self.comparison)))
        self.lines.add_options([Content(row) for row in rows(self.comparison)])
        self.lines.highlighted = 0
        self.set_focus(self.lines)

    def action_next(self) -> None:
        """Goes round at the end."""
        if self.comparison is None:
            return
        count = len(self.comparison.stretches)
        here = self.lines.highlighted or 0
        for step in range(1, count + 1):
            index = (here + step) % count
            if abs(difference(self.comparison.stretches[index])) >= LARGE:
                self.lines.highlighted = index
                return
        self.notify("They nowhere differ by much.")

    def action_copy(self) -> None:
        if self.comparison is not None:
            self.app.copy_to_clipboard("\n".join((*facts(self.comparison), *rows(self.comparison))))
            self.notify("Copied the table.")

    def action_go(self, way: str) -> None:
        getattr(self.lines, f"action_cursor_{way}")()


def facts(comparison: Comparison) -> Iterator[str]:
    first = ", ".join(comparison.first) or "nothing"
    yield visible(f"On record: {first} · beside it: {comparison.second}")
    size, ours, theirs = comparison.totals()
    if size:
        yield f"{ours / size:.3f} and {theirs / size:.3f} bits a byte, where both have read"
    yield f"{'record':>8} {'beside':>8} {'':8}  bits of surprise"


def rows(comparison: Comparison) -> Iterator[str]:
    """`‹` where the one on record finds it likelier by far, `›` where the other does."""
    for stretch in comparison.stretches:
        apart = difference(stretch)
        mark = "" if abs(apart) < LARGE else "‹" if apart > 0 else "›"
        text = glyphs.token_text(comparison.text[stretch.start : stretch.stop])
        yield f"{_bits(stretch.first)} {_bits(stretch.second)} {mark:^8}  {text}"


def difference(stretch: Stretch) -> float:
    """Bits by which the other model is more surprised; 0 where one hasn't read it."""
    if stretch.first is None or stretch.second is None:
        return 0.0
    return (stretch.first - stretch.second) / math.log(2)


def _bits(logprob: float | None) -> str:
    return f"{'–':>8}" if logprob is None else f"{-logprob / math.log(2):8.2f}"
