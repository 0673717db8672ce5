"""What the screen looks like, as characters and looks: at three sizes, dark, light and without
colours.

LOOM_SNAPSHOTS=write puts down what is seen now; look at it before it is committed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from rich.style import Style
from textual.pilot import Pilot

from loom.config import Config
from loom.core.recipe import Recipe
from loom.session import Session
from loom.ui.app import LoomApp

FOLDER = Path(__file__).parent / "snapshots"
NOON = 1_700_049_600.0  # a day that is the same one everywhere
OPENING = (
    "The lighthouse keeper had not spoken to anyone since the supply boat left.\n\nIt was May."
)
SMALL, MIDDLE, LARGE = (80, 24), (120, 40), (200, 60)


async def story(folder: Path) -> Session:
    """Eight continuations, one of them walked into and gone on with."""
    session = Session.create(folder / "story.loom", seed=7, now=lambda: NOON)
    await session.attach("echo")
    session.set_sampling(recipe=Recipe(tokens=24, preset="balanced"), branches=4)
    session.write(OPENING)
    first = await session.generate()
    session.go(session.tree[first[1]].end)
    await session.generate()
    return session


def seen(app: LoomApp) -> str:
    """The screen's characters, a line each."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips) + "\n"


def looks(app: LoomApp) -> str:
    """A letter a cell, the same for the same look, and below which look each letter is."""
    letters: dict[str, str] = {}
    lines = []
    for strip in app.screen._compositor.render_strips():
        cells = "".join(
            letters.setdefault(_look(segment.style), chr(ord("a") + len(letters)))
            * segment.cell_length
            for segment in strip
        )
        lines.append(cells)
    legend = [f"{letter} {look}" for look, letter in letters.items()]
    return "\n".join([*lines, "", *legend]) + "\n"


def _look(style: Style | None) -> str:
    if style is None:
        return "plain"
    hues = [c.name for c in (style.color, style.bgcolor) if c is not None]
    ways = ("bold", "dim", "italic", "underline", "reverse", "strike")
    return " ".join([" on ".join(hues), *(way for way in ways if getattr(style, way))])


async def settled(app: LoomApp, pilot: Pilot[None]) -> None:
    await app.main.engine_settled.wait()
    await app.session.engine_ready()
    app.clear_notifications()
    for _ in range(3):
        await pilot.pause(0.25)


SCENES = {
    "small": (SMALL, ""),
    "middle": (MIDDLE, ""),
    "large": (LARGE, ""),
    "small-tree": (SMALL, "T"),
    "small-lens": (SMALL, "L"),
    "middle-in-the-text": (MIDDLE, "tab left left left"),
    "middle-alternatives": (MIDDLE, "tab left left left a"),
    "middle-help": (MIDDLE, "question_mark"),
    "small-help": (SMALL, "question_mark"),
    "middle-writing": (MIDDLE, "i"),
    "middle-search": (MIDDLE, "slash l i g h t"),
    "large-settings": (LARGE, "P"),
    "middle-hoisted": (MIDDLE, "z"),
    "too-small": ((20, 5), ""),
}


COLOURED = {"small", "middle", "middle-in-the-text", "middle-alternatives", "large-settings"}


@pytest.mark.parametrize("name", SCENES)
async def test_the_screen_looks_as_it_did(name: str, tmp_path: Path) -> None:
    size, keys = SCENES[name]
    app = LoomApp(await story(tmp_path), Config(), "echo")
    async with app.run_test(size=size, notifications=True) as pilot:
        await settled(app, pilot)
        await pilot.press(*keys.split())
        await settled(app, pilot)
        compare(name, seen(app))
        if name in COLOURED:
            compare(f"{name}.looks", looks(app))


async def test_without_colours_and_on_light_the_characters_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = LoomApp(await story(tmp_path), Config(theme="loom-light"), "echo")
    async with app.run_test(size=MIDDLE) as pilot:
        await settled(app, pilot)
        assert app.theme == "loom-light" and app.no_color
        compare("middle", seen(app))
        greys = re.findall(r"#(..)(..)(..)", found := looks(app))
        assert greys and all(len({*hue}) == 1 for hue in greys)
        compare("middle-no-colour.looks", found)


def compare(name: str, now: str) -> None:
    path = FOLDER / f"{name}.txt"
    if os.environ.get("LOOM_SNAPSHOTS") == "write":
        FOLDER.mkdir(exist_ok=True)
        path.write_text(now, encoding="utf-8")
    assert now == path.read_text(encoding="utf-8")
