"""A scrolled widget that draws again only those lines that look different.

Knows lines; knows nothing of what is on them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Self

from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip
from textual.timer import Timer

from loom.ui.widgets.scrollbar import bar_of, filtered

AT_LATEST = 0.05  # seconds


class Drawn(ScrollView, inherit_bindings=False):
    """Drawing a line costs little; bringing it to the screen costs ten times as much."""

    _drawn: dict[int, Strip] | None = None
    _ahead: dict[int, Strip] | None = None  # drawn to see whether they have changed, and not shown
    _scrolled: tuple[Size, Size] | None = None

    _seen: Sequence[Callable[[], Awaitable[object]]] = ()
    _at_latest: Timer | None = None

    width, room = 0, 0  # columns with and without a scrollbar

    @abstractmethod
    def draw(self, line: int) -> Strip:
        """A line of the whole, `width` cells; called for lines past the end too."""

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        return bar_of(self)

    def measure(self) -> None:
        """Before lines are drawn: each look at a widget's size costs as much as a line."""
        self.width, self.room = self.size.width, self.scrollable_content_region.width

    def once_seen(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do this when what is shown by now is on the screen; before long, too, where it was there
        already. Asked for again meanwhile, it is done once; different things in their order."""
        if work in self._seen:
            return
        self._seen = [*self._seen, work]
        if self._at_latest is not None:
            self._at_latest.stop()
        self._at_latest = self.set_timer(AT_LATEST, self._do_what_waits)

    async def _do_what_waits(self) -> None:
        works, self._seen = self._seen, ()
        if self._at_latest is not None:
            self._at_latest.stop()
        for work in works:
            await work()

    def render_lines(self, crop: Region) -> list[Strip]:
        if self._seen:
            self.call_after_refresh(self._do_what_waits)
        self.measure()
        if not self._is_bare:
            return super().render_lines(crop)
        strips = filtered(self, [self.render_line(y) for y in crop.line_range])
        return [strip.crop(crop.x, crop.right) for strip in strips]

    @property
    def _is_bare(self) -> bool:
        """Nothing is around its lines or over them: then there is nothing to do to them, which
        Textual takes longer for than drawing them."""
        styles = self.styles
        nothing = not any(styles.gutter) and not styles.outline and not styles.tint.a
        plain = self.opacity == styles.text_opacity == 1 and not styles.has_rule("hatch")
        return nothing and plain

    def render_line(self, y: int) -> Strip:
        line = y + round(self.scroll_y)
        if self._drawn is None:
            self._drawn = {}
        strip = self._ahead.pop(line, None) if self._ahead else None
        if strip is None or strip.cell_length != self.width:
            strip = self.draw(line)
        self._drawn[line] = strip
        return strip

    def refresh(self, *regions: Region, **options: bool) -> Self:
        """Whoever asks for it knows of a change that what was drawn before doesn't show."""
        self._ahead = None
        return super().refresh(*regions, **options)

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
        drawn, changed = self._drawn or {}, dict[int, Strip]()
        for line in lines:
            strip = self.draw(line)
            if drawn.get(line) != strip:
                changed[line] = strip
        for line in changed:
            self.refresh_line(line)
        self._ahead = changed
