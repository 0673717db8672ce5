"""Hoisting: a branch is the whole tree until it is unhoisted or left; beginning under a byline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from loom.core.marks import Kind, Mark
from loom.core.node import ROOT, Place
from loom.session import Session
from loom.ui.app import LoomApp
from loom.ui.screens.byline import BylineScreen

MakeApp = Callable[..., LoomApp]
Press = Callable[[Pilot[None], str], Awaitable[None]]
Settle = Callable[[Pilot[None]], Awaitable[None]]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]


def planted(session: Session) -> dict[str, int]:
    """start → (one → (one a, one b), two)."""
    nodes = {"start": session.write("The lighthouse keeper.")}
    nodes["one"] = session.write(" One.", session.tree[nodes["start"]].end)
    nodes["one a"] = session.write(" One a.", session.tree[nodes["one"]].end)
    nodes["one b"] = session.write(" One b.", session.tree[nodes["one"]].end)
    nodes["two"] = session.write(" Two.", session.tree[nodes["start"]].end)
    session.go(session.tree[nodes["one"]].end)
    return nodes


def shown(app: LoomApp) -> list[int]:
    rows = app.main.tree_pane._rows
    return [rows[index].segment.node for index in range(len(rows))]


def told(app: LoomApp) -> str:
    return "\n".join(notification.message for notification in app._notifications)


async def test_hoisting_shows_one_branch_under_a_breadcrumb(make_app: MakeApp) -> None:
    app = make_app()
    nodes = planted(app.session)
    async with app.run_test(size=(160, 40)) as pilot:
        await pilot.pause()
        everything = shown(app)
        await pilot.press("z")
        await pilot.pause()
        assert shown(app) == [nodes["one"], nodes["one a"], nodes["one b"]]
        assert "⌂ › The light" in str(app.main.tree_pane.border_title)
        assert app.main.tree_pane.has_class("-hoisted")
        await pilot.press("Z")
        await pilot.pause()
        assert shown(app) == everything
        assert not app.main.tree_pane.has_class("-hoisted")


@pytest.mark.parametrize("key", ["left", "up", "down", "comma", "r"])
async def test_moving_stays_inside(key: str, make_app: MakeApp) -> None:
    app = make_app()
    nodes = planted(app.session)
    async with app.run_test(size=(160, 40)) as pilot:
        await pilot.pause()
        await pilot.press("z", key)
        await pilot.pause()
        assert app.session.place == app.session.tree[nodes["one"]].end
        assert app.main.tree_pane.has_class("-hoisted")


async def test_the_root_key_goes_to_the_top_of_what_is_hoisted(make_app: MakeApp) -> None:
    app = make_app()
    nodes = planted(app.session)
    async with app.run_test(size=(160, 40)) as pilot:
        await pilot.pause()
        await pilot.press("z", "right", "r")
        await pilot.pause()
        assert app.session.place.node == nodes["one"]


async def test_reading_on_ends_with_the_last_inside(make_app: MakeApp) -> None:
    app = make_app()
    nodes = planted(app.session)
    async with app.run_test(size=(160, 40)) as pilot:
        await pilot.pause()
        await pilot.press("z", "full_stop", "full_stop", "full_stop")
        await pilot.pause()
        assert app.session.place.node == nodes["one b"]
        assert "Z unhoists" in told(app)


async def test_bookmarks_outside_are_passed_over(make_app: MakeApp) -> None:
    app = make_app()
    session = app.session
    nodes = planted(session)
    for name in ("two", "one b"):
        session.mark(Mark(nodes[name], 0, Kind.BOOKMARK), "1")
    async with app.run_test(size=(160, 40)) as pilot:
        await pilot.pause()
        await pilot.press("z", "B")
        assert session.place.node == nodes["one b"]
        await pilot.press("B")
        assert session.place.node == nodes["one b"]


async def test_hoisting_deeper_comes_back_step_by_step(make_app: MakeApp) -> None:
    app = make_app()
    nodes = planted(app.session)
    async with app.run_test(size=(160, 40)) as pilot:
        await pilot.pause()
        await pilot.press("z", "right", "z")
        await pilot.pause()
        assert shown(app) == [nodes["one a"]]
        await pilot.press("Z")
        await pilot.pause()
        assert shown(app)[0] == nodes["one"]
        await pilot.press("Z", "Z")
        await pilot.pause()
        assert shown(app)[0] == ROOT
        assert "Nothing is hoisted; z hoists" in told(app)


async def test_going_elsewhere_by_history_unhoists(make_app: MakeApp) -> None:
    app = make_app()
    session = app.session
    nodes = planted(session)
    session.go(session.tree[nodes["two"]].end)
    session.go(session.tree[nodes["one"]].end)
    async with app.run_test(size=(160, 40)) as pilot:
        await pilot.pause()
        await pilot.press("z", "[")
        await pilot.pause()
        assert session.place.node == nodes["two"]
        assert shown(app)[0] == ROOT


async def test_what_is_hoisted_follows_a_cut_and_new_branches(make_app: MakeApp) -> None:
    app = make_app()
    session = app.session
    nodes = planted(session)
    async with app.run_test(size=(160, 40)) as pilot:
        await pilot.pause()
        await pilot.press("z")
        new = session.write(" Instead.", Place(nodes["one"], 2))
        await pilot.pause()
        assert shown(app) == [nodes["one"], nodes["one"], nodes["one a"], nodes["one b"], new]
        assert app.main.tree_pane.has_class("-hoisted")


async def test_hiding_what_is_hoisted_unhoists(make_app: MakeApp) -> None:
    app = make_app()
    nodes = planted(app.session)
    async with app.run_test(size=(160, 40)) as pilot:
        await pilot.pause()
        await pilot.press("z", "backspace")
        await pilot.pause()
        assert app.session.place.node == nodes["two"]
        assert shown(app)[0] == ROOT


async def test_only_what_is_hoisted_is_searched(make_app: MakeApp, wait_for: WaitFor) -> None:
    app = make_app()
    planted(app.session)
    async with app.run_test(size=(160, 40)) as pilot:
        await pilot.pause()
        await pilot.press("z", "slash", "o", "n", "e")
        looking: Any = app.screen
        await wait_for(pilot, lambda: looking.search.query == "one" and looking.search.done)
        assert len(looking.search.found) == 3
        await pilot.press("escape")
        await pilot.press("Z", "slash", "e")
        looking = app.screen
        await wait_for(pilot, lambda: looking.search.query == "e" and looking.search.done)
        assert {match.node for match in looking.search.found} >= {1, 2, 3, 4}


async def test_the_root_cannot_be_hoisted(make_app: MakeApp) -> None:
    app = make_app("The sea.")
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("r", "z")
        assert "whole tree already" in told(app)
        assert app.main.scope is None


# ── bylines ────────────────────────────────────────────────────────────────────────────────


async def begin(app: LoomApp, pilot: Pilot[None]) -> None:
    entries = {entry.title: entry for entry in app.get_system_commands(app.main)}
    await entries["Begin under a byline…"].callback()
    await pilot.pause()
    assert isinstance(app.screen, BylineScreen)


async def test_a_name_is_completed_and_written_at_the_root(
    make_app: MakeApp, type_text: Press
) -> None:
    app = make_app("Something else.")
    async with app.run_test() as pilot:
        await pilot.pause()
        await begin(app, pilot)
        await type_text(pilot, "aust")
        await pilot.press("enter")
        await pilot.pause()
        node = app.session.tree[app.session.place.node]
        assert (node.parent, node.text) == (ROOT, b"Jane Austen\n\n")
        assert "by Jane Austen" in told(app)
        count = len(app.session.tree)
        await begin(app, pilot)
        await type_text(pilot, "jane")
        await pilot.press("enter")
        await pilot.pause()
        assert (len(app.session.tree), app.session.place) == (count, node.end)


async def test_what_is_hoisted_is_hoisted_after_a_restart(
    make_app: MakeApp, settle: Settle, wait_for: WaitFor
) -> None:
    app = make_app("Something else.")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("g")
        await settle(pilot)
        await pilot.press("2", "g")
        await settle(pilot)
        await pilot.press("z")
        await pilot.pause()
        top = app.main.scope
        crumbs = app.main.tree_pane.border_title
        assert top is not None and crumbs
        await pilot.press("q")

    again = make_app()
    async with again.run_test(size=(120, 40)) as pilot:
        await wait_for(pilot, lambda: again.main.tree_pane.top)
        assert again.main.scope == top
        assert again.main.tree_pane.border_title == crumbs
        await pilot.press("Z", "q")

    last = make_app()
    async with last.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert last.main.scope is None
        assert last.session.hoisted == ()


async def test_any_other_name_can_be_taken(make_app: MakeApp, type_text: Press) -> None:
    app = make_app("Something else.")
    async with app.run_test() as pilot:
        await pilot.pause()
        await begin(app, pilot)
        await type_text(pilot, "My Great Aunt")
        await pilot.press("enter")
        await pilot.pause()
        assert app.session.path_text() == "My Great Aunt\n\n"


async def test_what_is_in_the_editor_is_kept(make_app: MakeApp, type_text: Press) -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await pilot.pause()
        await type_text(pilot, "Mine")
        await begin(app, pilot)
        await type_text(pilot, "kafka")
        await pilot.press("enter")
        await pilot.pause()
        assert not app.main.editor.is_open
        assert [app.session.text(node) for node in (1, 2)] == ["Mine", "kafka\n\n"]


async def test_escape_and_an_empty_line_begin_nothing(make_app: MakeApp) -> None:
    app = make_app("Something else.")
    async with app.run_test() as pilot:
        await pilot.pause()
        await begin(app, pilot)
        await pilot.press("enter")
        assert isinstance(app.screen, BylineScreen)
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen_stack == [app.main]
        assert len(app.session.tree) == 2


async def test_a_breadcrumb_is_text_whatever_is_in_it(make_app: MakeApp) -> None:
    """Words in brackets are markup to Textual, and one that closes nothing is an error."""
    app = make_app()
    above = app.session.write("Said [/b] the [red]keeper")
    app.session.write(" aloud")
    app.session.go(app.session.tree[above].end)
    app.session.write(" softly")
    async with app.run_test(size=(160, 40)) as pilot:
        await pilot.pause()
        await pilot.press("z")
        await pilot.pause()
        shown_rows = [strip.text for strip in app.screen._compositor.render_strips()]
        assert any("Said [/b] the" in row for row in shown_rows)
