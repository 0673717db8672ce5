"""Textual's scrollbar, drawn line by line.

A page that is read moves its scrollbars at every other key; to draw one took Textual longer than
the text beside it.
"""

from __future__ import annotations

from typing import Self

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.strip import Strip
from textual.widget import Widget


class Bar(ScrollBar):
    """Looks and does the same as its base; draws again only those of its lines that look
    different."""

    _drawn: list[Strip] | None = None

    def render_lines(self, crop: Region) -> list[Strip]:
        self._drawn = self._lines()
        strips = filtered(self, self._drawn[crop.y : crop.bottom])
        return [strip.crop(crop.x, crop.right) for strip in strips]

    def refresh(
        self,
        *regions: Region,
        repaint: bool = True,
        layout: bool = False,
        recompose: bool = False,
    ) -> Self:
        if self._drawn is not None and repaint and not (regions or layout or recompose):
            before, after = self._drawn, self._lines()
            if len(before) == len(after):
                width = self.size.width
                changed = [y for y, strip in enumerate(after) if strip != before[y]]
                regions = tuple(Region(0, y, width, 1) for y in changed)
                if not regions:
                    return self
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def _lines(self) -> list[Strip]:
        bar, (width, height) = self.render(), self.size
        assert isinstance(bar, ScrollBarRender) and isinstance(bar.style, Style)
        back, front = bar.style.bgcolor, bar.style.color
        assert back is not None and front is not None
        drawn = bar.render_bar(
            size=height,
            virtual_size=bar.virtual_size,
            window_size=bar.window_size,
            position=bar.position,
            thickness=width,
            back_color=back,
            bar_color=front,
        )
        base, strips = self.visual_style.rich_style, dict[int, Strip]()
        for piece in drawn.segments:  # there are four of them, over and over
            if id(piece) not in strips:
                style = base if piece.style is None else base + piece.style
                strips[id(piece)] = Strip([Segment(piece.text, style)], width)
        return [strips[id(piece)] for piece in drawn.segments]


def filtered(widget: Widget, strips: list[Strip]) -> list[Strip]:
    """What the terminal can show of them, such as no colours."""
    background = widget.background_colors[1]
    for change in widget.get_line_filters():
        strips = [strip.apply_filter(change, background) for strip in strips]
    return strips


def bar_of(widget: Widget) -> ScrollBar:
    """For a widget's `vertical_scrollbar`: there is no way to have Textual make another kind."""
    bar: ScrollBar = Widget.vertical_scrollbar.__get__(widget)
    if type(bar) is ScrollBar:
        bar.__class__ = Bar
    return bar
