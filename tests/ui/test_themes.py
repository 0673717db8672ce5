"""The two themes: readable, and a surprise scale whose steps differ in lightness alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import Theme

from loom.config import Config, parse_config
from loom.paths import Paths
from loom.session import Session
from loom.ui.app import LoomApp
from loom.ui.themes import DARK, LIGHT, OWN
from loom.ui.widgets.looks import Looks

MakeApp = Callable[..., LoomApp]
SCALES = [f"text--s{step}" for step in range(6)]


def app_with(tmp_path: Path, settings: str) -> LoomApp:
    session = Session.create(tmp_path / "story.loom", seed=1)
    session.write("The sea was calm.")
    return LoomApp(session, parse_config(settings.encode(), Path("loom.toml")), "echo")


def colour(value: str | None) -> Color:
    assert value is not None
    return Color.parse(value)


def lightness(shade: Color) -> float:
    """Relative luminance, WCAG 2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shade.normalized]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Color, other: Color) -> float:
    """From 1, the same, to 21, black on white; WCAG 2."""
    dark, light = sorted((lightness(one), lightness(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", OWN, ids=lambda theme: theme.name)
def test_prose_is_easy_to_read(theme: Theme) -> None:
    text = colour(theme.foreground)
    for ground in (theme.background, theme.surface, theme.panel):
        assert 9 <= contrast(colour(ground), text) <= 18


@pytest.mark.parametrize("theme", OWN, ids=lambda theme: theme.name)
def test_the_cursor_row_is_readable(theme: Theme) -> None:
    ground = colour(theme.variables["block-cursor-background"])
    assert contrast(ground, colour(theme.variables["block-cursor-foreground"])) >= 7


@pytest.mark.parametrize("theme", OWN, ids=lambda theme: theme.name)
async def test_surprise_steps_differ_in_lightness_and_stay_readable(
    theme: Theme, tmp_path: Path
) -> None:
    app = app_with(tmp_path, f'theme = "{theme.name}"')
    async with app.run_test() as pilot:
        await pilot.pause()
        looks = Looks(app.main.text_pane)
        styles = [looks(name) for name in SCALES[1:]]
        grounds = [Color.from_rich_color(style.bgcolor) for style in styles]
        texts = [Color.from_rich_color(style.color) for style in styles]
    light = [lightness(ground) for ground in grounds]
    assert light == sorted(light, reverse=not theme.dark)
    assert all(contrast(*pair) >= 1.1 for pair in zip(grounds, grounds[1:], strict=False))
    assert all(contrast(g, t) >= 4.5 for g, t in zip(grounds, texts, strict=True))


async def test_the_dark_one_is_there_without_being_asked_for(tmp_path: Path) -> None:
    app = app_with(tmp_path, "")
    async with app.run_test():
        assert app.theme == Config().theme == DARK.name


@pytest.mark.parametrize("name", [LIGHT.name, "nord"])
async def test_a_theme_of_ours_or_of_textual_can_be_set(name: str, tmp_path: Path) -> None:
    app = app_with(tmp_path, f'theme = "{name}"')
    async with app.run_test():
        assert app.theme == name
        assert len(app._notifications) == 0


async def test_the_palette_offers_both_kinds(tmp_path: Path) -> None:
    app = app_with(tmp_path, "")
    async with app.run_test():
        assert {DARK.name, LIGHT.name, "nord", "textual-light"} <= set(app.available_themes)
        assert "Theme" in [entry.title for entry in app.get_system_commands(app.main)]


async def test_a_theme_that_is_not_there_is_told_with_line_and_the_nearest(tmp_path: Path) -> None:
    app = app_with(tmp_path, 'branches = 2\ntheme = "loom-drak"\n')
    async with app.run_test() as pilot:
        await pilot.pause()
        assert app.theme == DARK.name
        assert not (Paths.default().state / "theme").exists(), "nobody chose it"
        (told,) = [notification.message for notification in app._notifications]
    assert told == (
        "loom.toml, line 2: theme: there is no theme 'loom-drak'. Did you mean loom-dark?"
    )


async def test_a_theme_taken_in_the_palette_is_there_the_next_time(
    tmp_path: Path, _home: Path
) -> None:
    settings = _home / "loom.toml"
    settings.write_text('theme = "loom-light"  # by day\n')
    app = app_with(tmp_path, settings.read_text())
    async with app.run_test() as pilot:
        assert app.theme == LIGHT.name
        app.theme = "nord"
        await pilot.pause()
    assert settings.read_text() == 'theme = "loom-light"  # by day\n'
    (tmp_path / "story.loom").unlink()
    again = app_with(tmp_path, settings.read_text())
    async with again.run_test():
        assert again.theme == "nord"
        assert len(again._notifications) == 0
    (tmp_path / "story.loom").unlink()
    changed = app_with(tmp_path, 'theme = "gruvbox"')
    async with changed.run_test():
        assert changed.theme == "gruvbox", "the settings were changed since"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"no-such-theme\nloom-dark\n", b"nord"])
async def test_what_is_remembered_badly_is_forgotten(
    tmp_path: Path, _home: Path, content: bytes
) -> None:
    (_home / "state").mkdir()
    (_home / "state" / "theme").write_bytes(content)
    app = app_with(tmp_path, "")
    async with app.run_test():
        assert app.theme == DARK.name
        assert len(app._notifications) == 0
