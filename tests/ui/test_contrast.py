"""What is written on the screen can be read: its contrast is computed, cell by cell, in light and
dark themes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.style import Style
from textual.color import Color
from textual.geometry import Region
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget

from loom.changes import Weighed
from loom.ui.app import LoomApp
from loom.ui.widgets.layers import LAYERS, WORLD_LAYERS

OPENING = "The lighthouse keeper had not spoken to anyone since"
LEAST = 4.5  # WCAG 2.2, 1.4.3
THEMES = ("loom-dark", "loom-light", "textual-light")

MakeApp = Callable[..., LoomApp]
Settle = Callable[[Pilot[None]], Awaitable[None]]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOM_HOME", str(tmp_path / "home"))


def luminance(colour: Color) -> float:
    def linear(value: int) -> float:
        share = value / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    return 0.2126 * linear(colour.r) + 0.7152 * linear(colour.g) + 0.0722 * linear(colour.b)


def contrast(style: Style) -> float:
    """Of a drawn cell; WCAG's definition."""
    assert style.color is not None and style.bgcolor is not None
    a, b = (luminance(Color.from_rich_color(c)) for c in (style.color, style.bgcolor))
    return (max(a, b) + 0.05) / (min(a, b) + 0.05)


def leaves(screen: Screen[Any]) -> Iterator[Widget]:
    for widget in screen.query("*"):
        if not widget.children and widget.visible and widget.display and widget.region.area:
            yield widget


def faint(screen: Screen[Any]) -> dict[str, float]:
    """Texts that are hard to read, by widget, with their contrast."""
    found: dict[str, float] = defaultdict(lambda: 99.0)
    for widget in leaves(screen):
        for strip in widget.render_lines(Region(0, 0, *widget.size)):
            for text, style, _ in strip:
                if style and any(character.isalnum() for character in text):
                    name = f"{widget.css_identifier}: {text.strip()}"
                    found[name] = min(found[name], contrast(style))
    return {name: round(value, 2) for name, value in found.items() if value < LEAST}


def test_contrast_is_measured_as_the_standard_says() -> None:
    assert contrast(Style(color="#000000", bgcolor="#ffffff")) == pytest.approx(21)
    assert contrast(Style(color="#767676", bgcolor="#ffffff")) == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
async def test_everything_written_can_be_read(
    make_app: MakeApp, settle: Settle, wait_for: WaitFor, theme: str
) -> None:
    made = make_app(OPENING)
    app = LoomApp(made.session, replace(made.config, theme=theme), "echo")
    async with app.run_test(size=(140, 44)) as pilot:
        await wait_for(pilot, lambda: app.session.tree[1].token_count)
        await pilot.press("g")
        await settle(pilot)
        await pilot.press("2", "b", "g")
        await settle(pilot)
        assert app.theme == theme
        for layer in LAYERS:
            assert app.main.text_pane.colour_layer == layer
            await pilot.pause()
            assert faint(app.screen) == {}, layer
            await pilot.press("c")
        await pilot.press("tab", "left", "left")
        await pilot.pause()
        assert faint(app.screen) == {}, "in the text"
        for key in ("a", "?", "P", "m", "s", "/"):
            await pilot.press(key)
            await wait_for(pilot, lambda: app.screen is not app.main)
            await pilot.pause(0.05)
            assert faint(app.screen) == {}, key
            await pilot.press("escape")
            await wait_for(pilot, lambda: app.screen is app.main)
        await pilot.press("i")
        await pilot.pause()
        assert faint(app.screen) == {}, "writing"


@pytest.mark.parametrize("theme", THEMES[:2])
async def test_what_is_told_of_sources_can_be_read(
    make_app: MakeApp, believed: Any, wait_for: WaitFor, theme: str
) -> None:
    made = make_app(f"{OPENING} the supply boat left, and nobody came to the light that night.")
    app = LoomApp(made.session, replace(made.config, theme=theme), "echo")
    async with app.run_test(size=(140, 44)) as pilot:
        await wait_for(pilot, lambda: app.session.tree[1].token_count)
        app.session._emit(Weighed(frozenset({1})))
        await wait_for(pilot, lambda: app.main.lens.source_panel.lines)
        await pilot.press(*"cccc")
        for layer in WORLD_LAYERS:
            await pilot.press("c")
            assert app.main.text_pane.colour_layer == layer
            await wait_for(pilot, lambda: app.main.legend.display)
            assert faint(app.screen) == {}, layer
        for keys in ("I", "S", "S enter", "S s"):
            await pilot.press(*keys.split())
            await wait_for(pilot, lambda: app.screen is not app.main)
            await pilot.pause(0.1)
            assert faint(app.screen) == {}, keys
            for _ in keys.split():
                await pilot.press("escape")
            await pilot.press("escape")
            await wait_for(pilot, lambda: app.screen is app.main)
