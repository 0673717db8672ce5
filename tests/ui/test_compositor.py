"""What is brought to the terminal for a change: the same as Textual would, rendered from less."""

from __future__ import annotations

import random
from collections.abc import Callable
from unittest.mock import patch

import pyte
import pytest
from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.widget import Widget

from loom.ui.app import LoomApp
from loom.ui.compositor import Sparing
from loom.ui.widgets.drawn import Drawn
from loom.ui.widgets.text import TokenText

MakeApp = Callable[..., LoomApp]
COLUMNS, LINES = 90, 30


def painted(app: LoomApp, update: ChopsUpdate | None) -> list[list[tuple[object, ...]]]:
    """The cells of a terminal on which nothing was before."""
    terminal = pyte.Screen(COLUMNS, LINES)
    assert update is not None
    pyte.Stream(terminal).feed(update.render_segments(app.console))
    return [[tuple(terminal.buffer[y][x]) for x in range(COLUMNS)] for y in range(LINES)]


def some_regions(chance: random.Random) -> set[Region]:
    def one() -> Region:
        x, y = chance.randrange(COLUMNS), chance.randrange(LINES)
        width, height = chance.randint(1, COLUMNS - x), chance.randint(1, min(5, LINES - y))
        return Region(x, y, width, height)

    return {one() for _ in range(chance.randint(1, 4))}


async def test_a_change_is_drawn_as_textual_would(make_app: MakeApp) -> None:
    app, chance = make_app("Once upon a time. " * 20), random.Random(7)
    async with app.run_test(size=(COLUMNS, LINES), notifications=True) as pilot:
        app.main.notify("A notice lies over the page.")
        await pilot.pause()
        await pilot.press("T")
        await pilot.pause()
        mine = app.main._compositor
        assert isinstance(mine, Sparing)
        for _ in range(100):
            regions = some_regions(chance)
            mine._dirty_regions = set(regions)
            ours = painted(app, mine.render_partial_update())
            mine._dirty_regions = set(regions)
            assert ours == painted(app, Compositor.render_partial_update(mine)), regions


async def test_what_has_not_changed_is_not_rendered(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app("Once upon a time.")
    async with app.run_test(size=(COLUMNS, LINES)) as pilot:
        await pilot.pause(0.2)
        rendered: list[tuple[str | None, int]] = []

        def watch(kind: type[Widget]) -> None:
            render = kind.render_lines

            def watched(widget: Widget, crop: Region) -> object:
                rendered.append((widget.id, crop.height))
                return render(widget, crop)

            monkeypatch.setattr(kind, "render_lines", watched)

        watch(Widget)
        watch(Drawn)  # a text does it by itself
        text = app.main.query_one(TokenText)
        app.main._compositor._dirty_regions = {
            Region(text.region.x, text.region.y, 10, 2),
            Region(0, 0, 5, 1),
        }
        app.main._compositor.render_partial_update()
        assert rendered == [("text", 2), ("status", 1)] or rendered == [("status", 1), ("text", 2)]


@pytest.mark.parametrize("colours", ["", "1"])
async def test_a_text_draws_its_lines_as_textual_would(
    make_app: MakeApp, colours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", colours)
    app, chance = make_app("Once upon a time, 天地 ☕. " * 60), random.Random(7)
    async with app.run_test(size=(COLUMNS, LINES)) as pilot:
        await pilot.pause()
        text = app.main.query_one(TokenText)
        for keys in (("tab",), ("c", "up", "up"), ("escape", "T")):
            await pilot.press(*keys)
            await pilot.pause()
            assert text._is_bare
            for region in {region for _ in range(20) for region in some_regions(chance)}:
                crop = region.intersection(text.size.region)
                if crop:
                    ours = [list(strip) for strip in text.render_lines(crop)]
                    text._styles_cache.clear()
                    theirs = [list(strip) for strip in ScrollView.render_lines(text, crop)]
                    assert ours == theirs, crop
        text.styles.padding = 1
        assert not text._is_bare


async def test_what_was_drawn_to_compare_it_is_not_drawn_again(make_app: MakeApp) -> None:
    app = make_app("Once upon a time. " * 20)
    async with app.run_test(size=(COLUMNS, LINES)) as pilot:
        await pilot.pause(0.2)
        text = app.main.query_one(TokenText)
        whole, height = text.size.region, text.size.height
        text._drawn = {}
        with patch.object(text, "draw", side_effect=text.draw) as draw:
            text.refresh_changed()
            assert draw.call_count == height
            shown = [list(strip) for strip in text.render_lines(whole)]
            assert draw.call_count == height
            for again in (2, 3):  # once only, and not where somebody asks for it
                text.refresh_changed()
                text.refresh()
                assert shown == [list(strip) for strip in text.render_lines(whole)]
                assert draw.call_count == height * (2 * again - 1)
