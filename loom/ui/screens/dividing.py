"""Making room: the dividers between tree, text, lens and cards, by mouse and by keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from textual import on
from textual.timer import Timer
from textual.widget import Widget

from loom.paths import Paths
from loom.ui.proportions import Proportions
from loom.ui.screens.page import Page
from loom.ui.widgets.divider import Divider

Part = Literal["tree", "lens", "cards"]

LEAST = {"tree": 16, "lens": 28, "cards": 4}
TEXT_COLUMNS, TEXT_LINES = 30, 4  # what is left to the text in any case
SETTLED = 0.5  # seconds after the last key until it is written down


class Dividing(Page):
    """What the writer makes of the page is kept for the next time, and used as far as it fits."""

    _proportions = Proportions()
    _keeping: Timer | None = None

    async def on_mount(self) -> None:
        self._proportions = Proportions.load(Paths.default().state)
        self.call_next(self.lay_out)

    def on_resize(self) -> None:
        self.call_after_refresh(self.lay_out)

    def on_unmount(self) -> None:
        if self._keeping is not None:
            self._keep()

    # ── what is asked for ──────────────────────────────────────────────────────────────────

    def action_divide(self, part: Part, by: int) -> None:
        """So many cells more for it."""
        pane = self._pane(part)
        if not self._stands(pane):
            self.notify(f"The {part} has no room of its own here.", timeout=2)
            return
        self._give(part, self._cells(part) + by)
        if self._keeping is not None:
            self._keeping.stop()
        self._keeping = self.set_timer(SETTLED, self._keep)

    @on(Divider.Dragged)
    def drag(self, event: Divider.Dragged) -> None:
        part = self._part(event.divider)
        self._give(part, self._cells(part) + (event.by if part == "tree" else -event.by))

    @on(Divider.Dropped)
    def drop(self) -> None:
        self._keep()

    @on(Divider.Reset)
    def put_back(self, event: Divider.Reset) -> None:
        self._give(self._part(event.divider), None)
        self._keep()

    def _give(self, part: Part, cells: int | None) -> None:
        wanted = None if cells is None else self._within(part, cells, self._most(part))
        self._proportions = replace(self._proportions, **{part: wanted})
        self.lay_out()

    def _keep(self) -> None:
        self._keeping = None
        try:
            self._proportions.save(Paths.default().state)
        except OSError as error:
            self.notify(f"The layout can't be kept: {error.strerror}.", severity="warning")

    # ── what fits ──────────────────────────────────────────────────────────────────────────

    def lay_out(self) -> None:
        """The parts as they were left, as far as there is room: the tree has it before the lens."""
        wanted = self._proportions
        lens = LEAST["lens"] if wanted.lens and self._stands(self.lens) else self._taken("lens")
        tree = self._widen("tree", wanted.tree, lens)
        self._widen("lens", wanted.lens, tree)
        lines = wanted.cards
        if lines is not None:
            lines = self._within("cards", lines, self._most("cards"))
        self.cards.lines = lines

    def _widen(self, part: str, cells: int | None, beside: int) -> int:
        """To so many columns where as many are taken at the other side; how many they become."""
        pane = self._pane(part)
        if not cells or not self._stands(pane):
            pane.styles.width = None
            return self._taken(part)
        width = self._within(part, cells, self._columns_beside(beside))
        pane.styles.width = width
        return width

    @staticmethod
    def _within(part: str, cells: int, most: int) -> int:
        return max(LEAST[part], min(cells, most))

    def _most(self, part: str) -> int:
        if part == "cards":
            return self.cards.region.height + self.text_pane.region.height - TEXT_LINES
        return self._columns_beside(self._taken("lens" if part == "tree" else "tree"))

    def _columns_beside(self, taken: int) -> int:
        return self.size.width - taken - TEXT_COLUMNS - 2

    def _taken(self, part: str) -> int:
        """Columns that it has beside the text, as laid out last."""
        pane = self._pane(part)
        return pane.region.width if self._stands(pane) else 0

    def _cells(self, part: Part) -> int:
        size = self._pane(part).region.size
        return size.height if part == "cards" else size.width

    def _stands(self, pane: Widget) -> bool:
        """Whether it is beside the text, not over it or away."""
        return pane.display and pane.layer != "over"

    def _pane(self, part: str) -> Widget:
        return {"tree": self.tree_pane, "lens": self.lens, "cards": self.cards}[part]

    def _part(self, divider: Divider) -> Part:
        parts: dict[str | None, Part] = {"tree-edge": "tree", "lens-edge": "lens"}
        return parts.get(divider.id, "cards")
