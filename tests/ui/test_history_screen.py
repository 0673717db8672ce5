"""The history on the screen: named moments, going back, taking that back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Static

from loom.ui.app import LoomApp
from loom.ui.screens.history import History

MakeApp = Callable[..., LoomApp]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]


def rows(app: LoomApp) -> list[str]:
    assert isinstance(app.screen, History)
    options = app.screen.options
    return [str(options.get_option_at_index(i).prompt) for i in range(options.option_count)]


def said(app: LoomApp) -> str:
    return str(app.screen.query_one("#said", Static).render())


async def opened(app: LoomApp, pilot: Pilot[None], wait_for: WaitFor, key: str = "U") -> None:
    await pilot.press(key)
    await wait_for(pilot, lambda: isinstance(app.screen, History))


async def test_a_named_moment_is_gone_back_to_and_that_is_undone(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app("One night ")
    async with app.run_test(size=(100, 34)) as pilot:
        first = app.session.place
        await opened(app, pilot, wait_for, "ctrl+s")
        await pilot.press("ctrl+u", *"calm", "enter")
        await wait_for(pilot, lambda: app.screen is app.main)
        later = app.session.write("the storm came.")
        app.session.set_sampling(branches=9)
        await pilot.pause()
        await opened(app, pilot, wait_for)
        shown = rows(app)
        assert [row.split("  ")[0].strip() or row.split("  ")[1] for row in shown] == [
            "branches 9",
            "wrote “the storm came.”",
            "◆ calm",
            "wrote “One night”",
        ]
        await pilot.press("down", "down", "enter")
        await wait_for(pilot, lambda: app.session.is_hidden(later))
        assert app.session.place == first
        assert app.session.branches == 4
        await pilot.press("u")
        await wait_for(pilot, lambda: not app.session.is_hidden(later))
        assert app.session.branches == 9
        assert app.session.place == app.session.tree[later].end


async def test_checkpoints_alone_and_another_name_from_inside_the_list(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app("One night ")
    async with app.run_test(size=(100, 34)) as pilot:
        await opened(app, pilot, wait_for)
        await pilot.press("c")
        assert rows(app) == ["There are no checkpoints yet."]
        await pilot.press("ctrl+s", "enter")
        await wait_for(pilot, lambda: "◆ Checkpoint 1" in rows(app)[0])
        await pilot.press("c")
        assert len(rows(app)) == 2
        await pilot.press("escape")
        await wait_for(pilot, lambda: app.screen is app.main)


async def test_no_name_is_no_checkpoint_and_escape_leaves_at_once(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app("One night ")
    async with app.run_test(size=(100, 34)) as pilot:
        await opened(app, pilot, wait_for, "ctrl+s")
        await pilot.press("ctrl+u", "enter")
        await wait_for(pilot, lambda: "name" in said(app))
        await pilot.press("escape")
        await wait_for(pilot, lambda: app.screen is app.main)
        assert [event.kind for event in app.session.events()] == ["write"]


async def test_an_empty_session_has_a_history_that_says_so(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("escape")
        await opened(app, pilot, wait_for)
        assert rows(app) == ["Nothing has happened yet."]
        await pilot.press("enter", "escape")
        await wait_for(pilot, lambda: app.screen is app.main)
