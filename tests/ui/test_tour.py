"""The tour: each step waits for its key, Esc leaves anywhere, the writer's session is untouched."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from loom.session import Session
from loom.store.glance import glance
from loom.ui.app import LoomApp
from loom.ui.bindings import COMMANDS
from loom.ui.screens.alternatives import Alternatives
from loom.ui.screens.help import Help
from loom.ui.screens.tour import TourScreen
from loom.ui.tour import BRANCHES, OPENING, STEPS
from loom.ui.widgets.guide import Guide

MakeApp = Callable[..., LoomApp]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]
OWN = "My own text"
KEYS = ("g", "2", "down", "tab", "left", "a", "down", "enter", "g", "c", "u", "i", "ctrl+g")


def at(app: LoomApp) -> int:
    """Which step one is at, from 1; 0 while the tour is not on the screen."""
    if not isinstance(app.main, TourScreen) or not app.main.is_mounted:
        return 0
    title = str(app.main.query_one(Guide).border_title)
    if " · " not in title:
        return 0
    return len(STEPS) + 1 if "end" in title else int(title.split()[3])


def told(app: LoomApp) -> str:
    return str(app.main.query_one(Guide).render())


async def begin(app: LoomApp, pilot: Pilot[None], wait_for: WaitFor) -> None:
    """From the help, with the model there."""
    await wait_for(pilot, lambda: app.session.engine and app.session.engine.state == "ready")
    await pilot.press("question_mark", "t")
    await wait_for(pilot, lambda: at(app) == 1)
    await wait_for(pilot, lambda: app.session.engine and app.session.engine.state == "ready")


def test_every_step_asks_for_a_key_that_is_there() -> None:
    names = {command.name for command in COMMANDS}
    assert all(step.command in names if step.command else step.key for step in STEPS)
    assert all("{key}" in step.text for step in STEPS)
    assert len(KEYS) == len(STEPS) - 1


async def test_the_tour_goes_on_when_its_key_was_really_pressed(
    make_app: MakeApp, wait_for: WaitFor, tmp_path: Path
) -> None:
    app = make_app(OWN)
    own, screen = app.session, app.main
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(app, pilot, wait_for)
        assert own.engine is None, "the engine is lent"
        assert app.session.path_text() == OPENING
        place, events, size = own.place, own._events, len(own.tree)
        for number, key in enumerate(KEYS, start=1):
            await wait_for(pilot, lambda number=number: at(app) == number)  # type: ignore[misc]
            if not app.main.editor.is_open:
                await pilot.press("z", "r", "O")
            assert at(app) == number, "another key does nothing"
            await pilot.press(key)
            if key == "i":
                await pilot.press("space", "z")
        await wait_for(pilot, lambda: at(app) == len(STEPS))
        await wait_for(pilot, lambda: not app.session.growing())
        written = [node for node in app.session.tree.preorder() if app.session.text(node) == " z"]
        assert len(written) == 1
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, Help)
        await wait_for(pilot, lambda: at(app) == len(STEPS) + 1)
        await pilot.press("escape")
        await wait_for(pilot, lambda: app.screen is screen)
        await wait_for(pilot, lambda: own.engine and own.engine.state == "ready")
        assert (app.session, app.main) == (own, screen)
        assert (own.place, own._events, len(own.tree)) == (place, events, size)
        await pilot.press("g")
        await wait_for(pilot, lambda: len(own.tree) > size and not own.growing())
        assert own.path_text() == OWN


async def test_esc_leaves_from_a_list_and_leaves_nothing_behind(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app(OWN)
    screen = app.main
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(app, pilot, wait_for)
        folder = app.session.path.parent
        assert folder.is_dir()
        await pilot.press("enter", "enter", "enter", "tab", "enter", "a")
        await wait_for(pilot, lambda: isinstance(app.screen, Alternatives))
        await pilot.press("escape")
        await wait_for(pilot, lambda: app.screen is screen and not folder.exists())
        assert not app.has_class("-touring")
        await pilot.press("escape")
        assert app.screen is screen


async def test_a_key_that_did_nothing_is_waited_for(make_app: MakeApp, wait_for: WaitFor) -> None:
    app = make_app(OWN)
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(app, pilot, wait_for)
        await pilot.press("enter")
        await wait_for(pilot, lambda: at(app) == 2)
        await pilot.press("2")
        await pilot.pause()
        assert at(app) == 2, "there is no second continuation to walk into yet"
        guide = app.main.query_one(Guide)
        await pilot.press("b")
        assert guide.has_class("-missed")
        assert "now it is 2" in str(guide.border_subtitle)


async def test_the_box_fits_beside_the_list_at_80_by_24(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app(OWN)
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(app, pilot, wait_for)
        guide = app.main.query_one(Guide)
        await pilot.press("g")
        await wait_for(pilot, lambda: len(app.session.continuations()) == BRANCHES)
        await wait_for(pilot, lambda: not app.session.growing())
        await pilot.press("2", "down", "tab", "left", "a")
        await wait_for(pilot, lambda: at(app) == 7)
        box = app.screen.query_one("#alternatives")
        assert box.region.bottom <= guide.region.y
        assert isinstance(app.screen.query_one(OptionList), OptionList)


async def test_what_is_being_written_waits_in_the_editor(
    make_app: MakeApp, wait_for: WaitFor, tmp_path: Path
) -> None:
    app = make_app(OWN)
    screen = app.main
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for(pilot, lambda: app.session.engine and app.session.engine.state == "ready")
        await pilot.press("i", "x", "y")
        app.take_tour()
        await wait_for(pilot, lambda: at(app) == 1)
        await pilot.press("g")
        await wait_for(pilot, lambda: at(app) == 2)
        await pilot.press("escape")
        await wait_for(pilot, lambda: app.screen is screen)
        await pilot.press("z", "escape")
        await pilot.pause()
        assert app.session.path_text() == OWN + "xyz"


async def test_quitting_on_the_tour_closes_both_sessions(
    make_app: MakeApp, wait_for: WaitFor, tmp_path: Path
) -> None:
    app = make_app(OWN)
    async with app.run_test(size=(80, 24)) as pilot:
        await begin(app, pilot, wait_for)
        folder = app.session.path.parent
        await pilot.press("q")
    assert app.return_code == 0
    assert not folder.exists()
    assert glance(tmp_path / "story.loom").opening == OWN.encode()
    async with Session.open(tmp_path / "story.loom") as again:
        assert not again.read_only


@pytest.mark.parametrize("growing", [True, False])
async def test_without_a_model_it_is_on_echo_and_growth_is_not_cut_off(
    make_app: MakeApp, wait_for: WaitFor, growing: bool
) -> None:
    app = make_app(OWN, delay=0.1) if growing else make_app(OWN, model="no-such-model")
    own = app.session
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for(pilot, lambda: app.main.engine_settled.is_set())
        if growing:
            await pilot.press("g")
            await wait_for(pilot, own.growing)
            app.take_tour()
            await wait_for(
                pilot, lambda: any("still grows" in n.message for n in app._notifications)
            )
            assert app.session is own
            assert own.growing()
        else:
            await wait_for(pilot, lambda: own.engine is None or own.engine.state == "dead")
            app.take_tour()
            await wait_for(pilot, lambda: at(app) == 1)
            await pilot.press("g")
            await wait_for(pilot, lambda: len(app.session.continuations()) == BRANCHES)
