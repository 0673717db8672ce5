"""A scrolled widget that draws again only those lines that look different.

Knows lines; knows nothing of what is on them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable

from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer

AT_LATEST = 0.05  # seconds: three frames


class Drawn(ScrollView, inherit_bindings=False):
    """Drawing a line costs little; bringing it to the screen costs ten times as much."""

    _drawn: dict[int, Strip] | None = None
    _scrolled: tuple[Size, Size] | None = None

    _seen: Callable[[], Awaitable[object]] | None = None
    _at_latest: Timer | None = None

    width, room = 0, 0  # columns with and without a scrollbar

    @abstractmethod
    def draw(self, line: int) -> Strip:
        """A line of the whole, `width` cells; called for lines past the end too."""

    def measure(self) -> None:
        """Before lines are drawn: each look at a widget's size costs as much as a line."""
        self.width, self.room = self.size.width, self.scrollable_content_region.width

    def once_seen(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do this when what is shown by now is on the screen; before long, too, where it was there
        already. Asked for again meanwhile, it is done once."""
        if self._seen is None:
            self._at_latest = self.set_timer(AT_LATEST, self._do_what_waits)
        self._seen = work

    async def _do_what_waits(self) -> None:
        work, self._seen = self._seen, None
        if self._at_latest is not None:
            self._at_latest.stop()
        if work is not None:
            await work()

    def render_lines(self, crop: Region) -> list[Strip]:
        if self._seen is not None:
            self.call_after_refresh(self._do_what_waits)
        self.measure()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        line = y + round(self.scroll_y)
        if self._drawn is None:
            self._drawn = {}
        strip = self._drawn[line] = self.draw(line)
        return strip

    def _scroll_update(self, virtual_size: Size) -> None:
        """Textual draws the whole scrollbar again at every layout, of whatever on the screen."""
        sizes = virtual_size, self.container_size
        if sizes != self._scrolled:
            self._scrolled = sizes
            super()._scroll_update(virtual_size)

    def have_lines(self, count: int) -> None:
        """Say how many lines there are. The page is laid out anew, as Textual does at each change,
        only where a scrollbar comes or goes."""
        size = Size(self.scrollable_content_region.width, count)
        scrolls = count > self.container_size.height
        if size == self.virtual_size or scrolls != self.show_vertical_scrollbar:
            self.virtual_size = size
            return
        self.set_reactive(Drawn.virtual_size, size)
        self._scroll_update(size)

    def refresh_changed(self) -> None:
        """To be called when all is in place; instead of `refresh`."""
        first = round(self.scroll_y)
        seen = range(first, first + self.size.height)
        self._drawn = {line: strip for line, strip in (self._drawn or {}).items() if line in seen}
        self.refresh_lines_changed(seen)

    def refresh_lines_changed(self, lines: Iterable[int]) -> None:
        """The same for lines of the whole that may have changed."""
        self.measure()
        drawn = self._drawn or {}
        for line in lines:
            if drawn.get(line) != self.draw(line):
                self.refresh_line(line)
