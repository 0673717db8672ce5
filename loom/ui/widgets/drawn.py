"""A scrolled widget that draws again only those lines that look different.

Knows lines; knows nothing of what is on them.
"""

from __future__ import annotations

from abc import abstractmethod

from textual.scroll_view import ScrollView
from textual.strip import Strip


class Drawn(ScrollView, inherit_bindings=False):
    """Drawing a line costs little; bringing it to the screen costs ten times as much."""

    _drawn: dict[int, Strip] | None = None

    @abstractmethod
    def draw(self, line: int) -> Strip:
        """A line of the whole, `size.width` cells; called for lines past the end too."""

    def render_line(self, y: int) -> Strip:
        line = y + round(self.scroll_y)
        if self._drawn is None:
            self._drawn = {}
        strip = self._drawn[line] = self.draw(line)
        return strip

    def refresh_changed(self) -> None:
        """To be called when all is in place; instead of `refresh`."""
        drawn, first = self._drawn or {}, round(self.scroll_y)
        self._drawn = {}
        for line in range(first, first + self.size.height):
            before = drawn.get(line)
            if before is not None:
                self._drawn[line] = before
            if before is None or before != self.draw(line):
                self.refresh_line(line)
