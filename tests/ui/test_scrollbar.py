"""The scrollbar of what scrolls: as Textual draws it, and no more of it than has changed."""

from __future__ import annotations

import random
from unittest.mock import patch

import pytest
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.geometry import Region
from textual.scrollbar import ScrollBar
from textual.widget import Widget
from textual.widgets import Static

from loom.ui.widgets.scrollbar import Bar, bar_of

LINES = 20


class Scrolled(VerticalScroll):
    @property
    def vertical_scrollbar(self) -> ScrollBar:
        return bar_of(self)


class Page(App[None]):
    def compose(self) -> ComposeResult:
        with Scrolled():
            yield Static("\n".join(map(str, range(200))))

    @property
    def bar(self) -> Bar:
        bar = self.query_one(Scrolled).vertical_scrollbar
        assert isinstance(bar, Bar)
        return bar


@pytest.mark.parametrize("colours", [True, False])
async def test_it_looks_as_textual_draws_it(colours: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not colours:
        monkeypatch.setenv("NO_COLOR", "1")
    app, chance = Page(), random.Random(3)
    async with app.run_test(size=(30, LINES)) as pilot:
        await pilot.pause()
        for _ in range(40):
            app.bar.position = chance.uniform(0, 180)
            app.bar.window_virtual_size = chance.choice((10, 200, 5000))
            app.bar.mouse_over = chance.random() < 0.3
            first = chance.randrange(LINES)
            crop = Region(chance.randrange(2), first, 1, chance.randint(1, LINES - first))
            ours = app.bar.render_lines(crop)
            app.bar._styles_cache.clear()
            theirs = ScrollBar.render_lines(app.bar, crop)
            assert [list(strip) for strip in ours] == [list(strip) for strip in theirs]


async def test_only_the_lines_that_look_different_are_drawn_again() -> None:
    app = Page()
    async with app.run_test(size=(30, LINES)) as pilot:
        await pilot.pause()
        asked = list[tuple[Region, ...]]()

        def refresh(widget: Widget, *regions: Region, **options: bool) -> Widget:
            asked.append(regions)
            return widget

        with patch.object(ScrollBar, "refresh", refresh):
            app.bar.refresh()
            assert not asked
            app.bar.position = 10
            (regions,) = asked
            assert {region.size for region in regions} == {(2, 1)}
            assert 1 <= len(regions) <= 5
            app.bar.position = 0
            assert len(asked) == 1  # as it was drawn


async def test_it_scrolls_by_mouse() -> None:
    app = Page()
    async with app.run_test(size=(30, LINES)) as pilot:
        await pilot.pause()
        await pilot.click(app.bar, offset=(0, LINES - 2))
        await pilot.pause(0.5)
        assert app.query_one(Scrolled).scroll_y > 0
        before = app.query_one(Scrolled).scroll_y
        await pilot.mouse_down(app.bar, offset=(0, 2))
        await pilot.hover(app.bar, offset=(0, 10))
        await pilot.mouse_up(app.bar, offset=(0, 10))
        await pilot.pause(0.5)
        assert app.query_one(Scrolled).scroll_y > before
