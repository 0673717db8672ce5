"""The lines between tree, text, lens and cards: dragged, moved by keys, remembered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.events import MouseDown, MouseMove, MouseUp
from textual.pilot import Pilot

from loom.paths import Paths
from loom.ui.app import LoomApp
from loom.ui.proportions import NAME, Proportions
from loom.ui.widgets.card import Card
from loom.ui.widgets.cards import columns
from loom.ui.widgets.divider import Divider

OPENING = "The lighthouse keeper had not spoken to anyone since"

MakeApp = Callable[..., LoomApp]
Settle = Callable[[Pilot[None]], Awaitable[None]]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOOM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


async def drag(pilot: Pilot[None], divider: Divider, x: int, y: int) -> None:
    """Down on the line, along to `x`, `y` of the screen, and up again."""
    left, top, *_ = divider.region
    for kind, column, row in (
        (MouseDown, left, top),
        (MouseMove, (left + x) // 2, (top + y) // 2),
        (MouseMove, x, y),
        (MouseUp, x, y),
    ):
        event = kind(None, column, row, 0, 0, 1, False, False, False, column, row)
        pilot.app.post_message(event)
        await pilot.pause()


async def grown(pilot: Pilot[None], settle: Settle) -> None:
    await pilot.press("g")
    await settle(pilot)


async def test_every_divider_goes_where_it_is_dragged_and_stays_there(
    make_app: MakeApp, settle: Settle
) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(160, 50)) as pilot:
        await grown(pilot, settle)
        main = app.main
        for name, x, y in (("tree-edge", 60, 9), ("lens-edge", 110, 9), ("cards-edge", 80, 20)):
            divider = main.query_one(f"#{name}", Divider)
            await drag(pilot, divider, x, y)
            there = divider.region
            assert (there.y if name == "cards-edge" else there.x) == (
                y if name == "cards-edge" else x
            )
        assert main.tree_pane.region.width == 60
        assert main.lens.region.right == 160
        kept = Proportions.load(Paths.default().state)
        assert (kept.tree, kept.lens) == (60, 49)
        height = main.cards.region.height
        assert kept.cards == height
        assert main.query(Card).first().region.height > 5, "there is more of every card"

    again = make_app()
    async with again.run_test(size=(160, 50)) as pilot:
        await pilot.pause()
        assert again.main.tree_pane.region.width == 60
        assert again.main.lens.region.width == 49
        assert again.main.cards.region.height == height


async def test_keys_do_what_dragging_does(
    make_app: MakeApp, settle: Settle, wait_for: WaitFor
) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(160, 50)) as pilot:
        await grown(pilot, settle)
        main = app.main
        tree, lens = main.tree_pane.region.width, main.lens.region.width
        cards = main.cards.region.height
        await pilot.press(">", ">", "<", "{", "K", "K")
        await pilot.pause()
        assert main.tree_pane.region.width == tree + 2
        assert main.lens.region.width == lens + 2
        assert main.cards.region.height == cards + 2
        await pilot.press("}", "J")
        await pilot.pause()
        assert main.lens.region.width == lens
        assert main.cards.region.height == cards + 1
        kept = Proportions(tree + 2, lens, cards + 1)
        await wait_for(pilot, lambda: Proportions.load(Paths.default().state) == kept)


async def test_a_double_click_puts_it_back(make_app: MakeApp) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.pause()
        width = app.main.tree_pane.region.width
        await pilot.press(">", ">", ">")
        await pilot.pause()
        assert app.main.tree_pane.region.width == width + 6
        await pilot.double_click("#tree-edge")
        await pilot.pause()
        assert app.main.tree_pane.region.width == width


async def test_what_is_remembered_gives_way_where_it_does_not_fit(make_app: MakeApp) -> None:
    Proportions(tree=120, lens=90, cards=40).save(Paths.default().state)
    app = make_app(OPENING)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert app.main.text_pane.region.width >= 30
        assert app.main.lens.region.right <= 120
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        await pilot.pause()
        assert not app.main.tree_pane.display
        assert app.main.text_pane.region.width == 80
        await pilot.press("<")
        assert app.main.text_pane.region.width == 80


def test_a_broken_file_means_the_defaults(home: Path) -> None:
    folder = Paths.default().state
    folder.mkdir(parents=True)
    for text in ("", "[]", '{"tree": "wide", "lens": -3, "cards": true}', "\x00"):
        (folder / NAME).write_text(text)
        assert Proportions.load(folder) == Proportions()


def test_cards_stand_side_by_side_from_36_columns_each() -> None:
    assert [columns(4, width) for width in (52, 71, 72, 111, 112, 143, 144)] == [
        1, 1, 2, 2, 2, 2, 4,
    ]  # fmt: skip
    assert [columns(count, 120) for count in (0, 1, 2, 3, 5, 6)] == [1, 1, 2, 3, 3, 3]
