"""Search on the screen: the list while one types, going there, and back."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from loom.core.marks import Kind, Mark
from loom.core.node import Place
from loom.session import Session
from loom.ui.app import LoomApp
from loom.ui.screens import search as screen
from loom.ui.screens.search import SearchScreen

MakeApp = Callable[..., LoomApp]
Press = Callable[[Pilot[None], str], Awaitable[None]]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]


def planted(session: Session) -> tuple[int, int, int]:
    """Two branches with a lamp each, below a beginning with one."""
    first = session.write("A lamp stood in the win")
    left = session.write("dow. The lamp was lit.", session.tree[first].end)
    right = session.write("e cellar. No Lamp was lit.", session.tree[first].end)
    session.go(session.tree[first].end)
    return first, left, right


def rows(app: LoomApp) -> list[str]:
    assert isinstance(app.screen, SearchScreen)
    return [str(option.prompt) for option in app.screen.options.options]


async def open_with(pilot: Pilot[None], text: str, wait_for: WaitFor) -> SearchScreen:
    app = pilot.app
    await pilot.press("slash")
    assert isinstance(app.screen, SearchScreen)
    looking = app.screen
    await pilot.press(*(character if character != " " else "space" for character in text))
    await wait_for(pilot, lambda: looking.search.query == text and looking.search.done)
    return looking


async def test_matches_are_listed_while_one_types(make_app: MakeApp, wait_for: WaitFor) -> None:
    app = make_app()
    planted(app.session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        looking = await open_with(pilot, "lamp", wait_for)
        assert len(rows(app)) == 3
        assert "3 matches" in str(looking.query_one("#lookup").border_subtitle)
        await pilot.press("backspace", "backspace", "backspace", "backspace", "L")
        await wait_for(pilot, lambda: looking.search.done and looking.search.query == "L")
        assert ["Lamp" in row for row in rows(app)] == [True]


async def test_a_match_across_two_nodes_is_listed_whole(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app()
    _, left, _ = planted(app.session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await open_with(pilot, "window", wait_for)
        (row,) = rows(app)
        assert "in the window. The" in row
        await pilot.press("enter")
        await pilot.pause()
        assert app.session.place == app.session.tree[left].end
        assert app.main.text_pane.cursor == Place(1, len("A lamp stood in the "))


async def test_enter_goes_to_the_match_and_n_on_from_it(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app()
    first, left, right = planted(app.session)
    session = app.session
    async with app.run_test(size=(160, 40)) as pilot:
        await pilot.pause()
        await open_with(pilot, "lamp", wait_for)
        await pilot.press("down", "enter")
        await pilot.pause()
        assert app.screen is app.main
        assert session.place == session.tree[left].end
        assert app.main.text_pane.cursor == Place(left, session.text(left).index("lamp"))
        assert app.main.status.found == "“lamp” 2 of 3"
        assert "2 of 3" in str(app.main.status.render())
        await pilot.press("n")
        await pilot.pause()
        assert session.place == session.tree[right].end
        assert app.main.text_pane.cursor == Place(right, session.text(right).index("Lamp"))
        await pilot.press("n")
        await pilot.pause()
        assert session.place == session.tree[first].end
        await pilot.press("N")
        await pilot.pause()
        assert app.main.status.found == "“lamp” 3 of 3"
        await pilot.press("r")
        await pilot.pause()
        assert app.main.status.found == ""


async def test_looking_moves_nothing_and_escape_restores_the_place(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app()
    _, left, _ = planted(app.session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        place = app.session.place
        await open_with(pilot, "lamp", wait_for)
        await pilot.press("down")
        await pilot.pause()
        assert app.main.text_pane.shown == app.session.tree[left].end
        assert app.session.place == place
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is app.main
        assert app.main.text_pane.shown == app.session.place == place
        await pilot.press("n")
        assert app.session.place == place


async def test_next_sees_what_has_come_and_gone_since(make_app: MakeApp, wait_for: WaitFor) -> None:
    app = make_app()
    first, left, right = planted(app.session)
    session = app.session
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await open_with(pilot, "lamp", wait_for)
        await pilot.press("enter")
        await pilot.pause()
        session.mark(Mark(left, 0, Kind.BOOKMARK), "1")
        session.hide(session.display.segments(left)[0])
        session.write(" A last lamp.", session.tree[right].end)
        await pilot.press("n")
        await wait_for(pilot, lambda: app.main.status.found == "“lamp” 2 of 3")
        assert session.place == session.tree[right].end


async def test_enter_before_anything_is_found_waits_for_it(
    make_app: MakeApp, wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    session = app.session
    for _ in range(40):
        session.write("nothing here ")
    session.write("but a lamp")
    last = session.place
    session.go(session.tree[1].end)
    monkeypatch.setattr(screen, "EFFORT", 1)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.press("slash")
        assert isinstance(app.screen, SearchScreen)
        app.screen.query_one(Input).value = "lamp"
        await pilot.press("enter")
        await wait_for(pilot, lambda: session.place == last)
        assert app.screen_stack == [app.main]


async def test_keys_are_heard_while_a_large_tree_is_searched(
    make_app: MakeApp, wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    for _ in range(200):
        app.session.write("a lamp ")
    monkeypatch.setattr(screen, "EFFORT", 1)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.press("slash")
        assert isinstance(app.screen, SearchScreen)
        looking = app.screen
        looking.query_one(Input).value = "lamp"
        while not looking.search.found:
            await asyncio.sleep(0)
        half = looking.search
        looking.query_one(Input).value = "none of this"
        await wait_for(pilot, lambda: looking.search is not half and looking.search.done)
        assert not half.done
        assert rows(app) == []
        assert "no match" in str(looking.query_one("#lookup").border_subtitle)


async def test_a_key_right_after_another_begins_anew_without_a_word(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app()
    planted(app.session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("slash")
        looking = app.screen
        assert isinstance(looking, SearchScreen)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            for text in ("l", "la", "lamp"):
                looking.changed(text)
            await wait_for(pilot, lambda: looking.search.done)
            gc.collect()
        assert len(rows(app)) == 3
        assert [str(warning.message) for warning in said] == []


async def test_the_list_stays_short_and_the_count_whole(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app()
    app.session.write("lamp " * 1234)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        looking = await open_with(pilot, "lamp", wait_for)
        assert len(rows(app)) == screen.LISTED
        assert "1,234 matches" in str(looking.query_one("#lookup").border_subtitle)


async def test_terminal_codes_in_the_text_are_not_listed_raw(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app()
    app.session.write("a \x1b[31mlamp\x07 and\nmore [bold]")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await open_with(pilot, "lamp", wait_for)
        (row,) = rows(app)
        assert "\x1b" not in row and "\x07" not in row
        assert "⏎more [bold]" in row


async def test_next_without_a_search_says_so(make_app: MakeApp) -> None:
    app = make_app("The sea was calm.")
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("n")
        assert [n.message for n in app._notifications] == ["Nothing has been searched yet; / does."]
