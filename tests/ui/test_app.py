"""The app on the echo engine, through Textual's pilot: the first loop and what surrounds it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot

from loom.config import Config
from loom.core.marks import Kind, Mark
from loom.core.node import ROOT, Author, Ending, Place
from loom.session import Session
from loom.ui.app import LoomApp
from loom.ui.navigation import end_of
from loom.ui.screens.alternatives import Alternatives
from loom.ui.widgets.card import Card

OPENING = "The lighthouse keeper had not spoken to anyone since"

MakeApp = Callable[..., LoomApp]
Press = Callable[[Pilot[None], str], Awaitable[None]]
Settle = Callable[[Pilot[None]], Awaitable[None]]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]


def notices(app: LoomApp) -> str:
    return "\n".join(notification.message for notification in app._notifications)


def card_texts(app: LoomApp) -> list[str]:
    return [str(card.render()) for card in app.main.query(Card) if card.display]


async def test_the_whole_loop(
    make_app: MakeApp, type_text: Press, settle: Settle, tmp_path: Path
) -> None:
    app = make_app()
    session = app.session
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert app.main.editor.is_open
        await type_text(pilot, OPENING)
        await pilot.press("escape", "g")
        await settle(pilot)
        assert len(card_texts(app)) == 4
        assert all("48 tokens" in text and "bits" in text for text in card_texts(app))

        second = session.continuations()[1]
        await pilot.press("2")
        await pilot.pause()
        assert session.place == end_of(second)
        walked = session.path_text()

        await pilot.press("tab", "left", "left", "left")
        node, index = app.main.text_pane.token_at_cursor() or (-1, -1)
        assert (node, index) == (second.node, 45)
        await pilot.press("a")
        await pilot.pause()
        assert isinstance(app.screen, Alternatives)
        wanted = next(i for i, choice in enumerate(app.screen.choices) if not choice.chosen)
        token = app.screen.choices[wanted].token
        await pilot.press("home", *["down"] * wanted, "enter")
        await pilot.pause()
        taken = session.tree[session.place.node]
        assert taken.author is Author.WRITER
        assert taken.text == session.piece(second.node, token)
        assert session.text(second.node) in walked

        await pilot.press("g")
        await settle(pilot)
        assert len(session.continuations()) == 4
        await pilot.press("u")
        await pilot.pause()
        assert session.continuations() == ()
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert len(session.continuations()) == 4
        place, size = session.place, len(session.tree)
        await pilot.press("q")
    assert app.return_code == 0

    again = make_app()
    async with again.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert again.session.place == place
        assert len(again.session.tree) == size
        assert not again.main.editor.is_open
        assert len(card_texts(again)) == 4
        assert again.main.text_pane.shown == place


async def test_one_can_write_and_grow_before_the_model_is_there(
    make_app: MakeApp,
    type_text: Press,
    settle: Settle,
    wait_for: WaitFor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = make_app()
    session = app.session
    gate = asyncio.Event()
    attach = session.attach

    async def slow_attach(model: str, options: Any) -> None:
        await gate.wait()
        await attach(model, options)

    monkeypatch.setattr(session, "attach", slow_attach)
    async with app.run_test() as pilot:
        await type_text(pilot, "Once")
        await pilot.press("ctrl+g")
        assert session.engine is None
        assert session.path_text() == "Once"
        gate.set()
        await wait_for(pilot, lambda: len(session.tree) > 2)
        await settle(pilot)
        assert [session.tree[i].ended for i in (2, 3, 4, 5)] == [Ending.LENGTH] * 4


async def test_the_next_token_can_be_asked_for_before_the_model_is_there(
    make_app: MakeApp, wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(OPENING)
    gate = asyncio.Event()
    attach = app.session.attach

    async def slow_attach(model: str, options: Any) -> None:
        await gate.wait()
        await attach(model, options)

    monkeypatch.setattr(app.session, "attach", slow_attach)
    async with app.run_test() as pilot:
        await pilot.press("a")
        assert isinstance(app.screen, Alternatives)
        gate.set()
        await wait_for(pilot, lambda: isinstance(app.screen, Alternatives) and app.screen.choices)


async def test_walking_into_a_branch_that_streams_goes_along_with_it(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app(OPENING, delay=0.1)
    session = app.session
    session.set_sampling(recipe=replace(session.recipe, tokens=2000))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("g")
        await wait_for(pilot, lambda: 2 in session.tree and session.tree[2].length > 10)
        await pilot.press("1")
        assert session.place.node == 2
        assert len(session.growing()) == 4
        length = session.tree[2].length
        await wait_for(pilot, lambda: session.tree[2].length > length + 10)
        assert app.main.here == session.tree[2].end
        assert app.main.text_pane.shown.at > length
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert session.growing() == ()
        assert session.place == session.tree[2].end
        assert app.main.text_pane.shown == session.place


async def test_growing_where_a_branch_begins_leaves_that_branch(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app(OPENING, delay=0.1)
    session = app.session
    session.set_sampling(recipe=replace(session.recipe, tokens=2000))
    async with app.run_test(size=(100, 30)) as pilot:
        await app.main.engine_settled.wait()
        await session.engine_ready()
        app.main.grow_at(session.place)
        app.main.go(session.tree[2].end)
        app.main.grow_at(app.main.here)
        await wait_for(pilot, lambda: session.tree[2].length > 10)
        assert app.main.here == app.main.text_pane.shown == Place(2, 0)
        app.main.go(session.tree[2].end)
        await wait_for(pilot, lambda: app.main.text_pane.shown == session.tree[2].end)
        app.main.stay(Place(2, 0))
        await pilot.pause()
        assert app.main.here == app.main.text_pane.shown == Place(2, 0)


async def test_a_branch_walked_into_before_it_had_text_can_be_left_for_its_beginning(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app(OPENING, delay=0.1)
    session = app.session
    session.set_sampling(recipe=replace(session.recipe, tokens=2000))
    async with app.run_test(size=(100, 30)) as pilot:
        await app.main.engine_settled.wait()
        await session.engine_ready()
        app.main.grow_at(session.place)
        app.main.go(session.tree[2].end)
        await wait_for(pilot, lambda: app.main.text_pane.shown.at > 10)
        assert session.place == Place(2, 0)
        app.main.stay(session.place)
        await pilot.pause()
        assert app.main.here == app.main.text_pane.shown == Place(2, 0)


async def test_escape_stops_here_and_twice_everywhere(make_app: MakeApp, wait_for: WaitFor) -> None:
    app = make_app(OPENING, delay=0.1)
    session = app.session
    session.set_sampling(recipe=replace(session.recipe, tokens=2000))
    async with app.run_test() as pilot:
        await pilot.press("g")
        await wait_for(pilot, lambda: 2 in session.tree and session.tree[2].length > 0)
        await pilot.press("1", "g")
        await wait_for(pilot, lambda: len(session.growing()) == 8)
        await pilot.press("escape")
        await pilot.pause()
        assert 2 not in session.growing()
        assert set(session.growing()) == {3, 4, 5}
        assert "Esc again" in notices(app)
        await pilot.press("escape")
        await pilot.pause()
        assert session.growing() == ()
        assert session.tree[3].ended is Ending.CANCEL
        assert session.tree[3].length > 0


async def test_more_and_fewer_branches(make_app: MakeApp, settle: Settle) -> None:
    app = make_app(OPENING)
    async with app.run_test() as pilot:
        await pilot.press("-", "-", "+", "-")
        assert app.session.branches == 2
        await pilot.press("-", "-", "-")
        assert app.session.branches == 1
        await pilot.press("+", "space")
        await settle(pilot)
        assert len(app.session.continuations()) == 2


async def test_siblings_grow_from_where_the_node_begins(make_app: MakeApp, settle: Settle) -> None:
    app = make_app(OPENING)
    async with app.run_test() as pilot:
        await pilot.press("g")
        await settle(pilot)
        await pilot.press("3", "G")
        await settle(pilot)
        assert app.session.place == Place(1, len(OPENING))
        assert len(app.session.continuations()) == 8


async def test_arrows_go_in_the_tree(make_app: MakeApp, settle: Settle) -> None:
    app = make_app(OPENING)
    session = app.session
    async with app.run_test() as pilot:
        await pilot.press("g")
        await settle(pilot)
        await pilot.press("2", "left")
        assert session.place.node == 1
        await pilot.press("right")
        assert session.place.node == 3, "the child visited last"
        await pilot.press("down")
        assert session.place.node == 4
        await pilot.press("k", "k")
        assert session.place.node == 2
        await pilot.press("up")
        assert session.place.node == 2, "there is none above"
        await pilot.press("full_stop", "full_stop")
        assert session.place.node == 4
        await pilot.press("comma")
        assert session.place.node == 3
        await pilot.press("r")
        assert session.place.node == ROOT
        await pilot.press("[")
        assert session.place.node == 3
        await pilot.press("]")
        assert session.place.node == ROOT
        await pilot.press("end")
        assert session.place.node == 3
        await pilot.press("home", "w")
        assert session.place.node in {2, 3, 4, 5}


async def test_a_number_without_a_card_says_so(make_app: MakeApp) -> None:
    app = make_app(OPENING)
    async with app.run_test() as pilot:
        await pilot.press("7")
        assert "no continuation 7" in notices(app)


async def test_growing_at_the_token_cursor_branches_there(
    make_app: MakeApp, settle: Settle
) -> None:
    app = make_app(OPENING)
    session = app.session
    async with app.run_test() as pilot:
        await pilot.press("tab", "ctrl+left", "g")
        await settle(pilot)
        assert session.place == Place(1, OPENING.rindex(" since"))
        cards = session.continuations()
        assert len(cards) == 5
        assert session.tree[cards[0].node].text[cards[0].start :] == b" since"


async def test_the_next_token_can_be_chosen(make_app: MakeApp, wait_for: WaitFor) -> None:
    app = make_app(OPENING)
    async with app.run_test() as pilot:
        await pilot.press("a")
        await wait_for(pilot, lambda: isinstance(app.screen, Alternatives) and app.screen.choices)
        assert isinstance(app.screen, Alternatives)
        choices = app.screen.choices
        assert [choice.rank for choice in choices] == list(range(1, 21))
        assert sorted((c.probability for c in choices), reverse=True) == [
            c.probability for c in choices
        ]
        await pilot.press("down", "down", "enter")
        await pilot.pause()
        assert not isinstance(app.screen, Alternatives)
        taken = app.session.tree[app.session.place.node]
        assert (taken.parent, taken.at, taken.token_count) == (1, len(OPENING), 1)
        span = app.session.span(taken.id)
        assert span is not None
        assert span.ids[0] == choices[2].token


async def test_escape_leaves_the_alternatives_before_they_came(make_app: MakeApp) -> None:
    app = make_app(OPENING)
    async with app.run_test() as pilot:
        await pilot.press("a", "escape")
        await pilot.pause()
        assert app.screen is app.main
        assert len(app.session.tree) == 2


async def test_hiding_says_how_many_and_undo_restores(make_app: MakeApp, settle: Settle) -> None:
    app = make_app(OPENING)
    session = app.session
    async with app.run_test() as pilot:
        await pilot.press("g")
        await settle(pilot)
        await pilot.press("2", "g")
        await settle(pilot)
        await pilot.press("backspace")
        await pilot.pause()
        assert session.is_hidden(3)
        assert "Hid 5 nodes; u restores." in notices(app)
        assert session.place.node == 4
        await pilot.press("u")
        await pilot.pause()
        assert not session.is_hidden(3)
        assert session.place.node == 3
        await pilot.press("r", "delete")
        assert "can't be hidden" in notices(app)


async def test_bookmarks_and_folds_are_marks(make_app: MakeApp, settle: Settle) -> None:
    app = make_app(OPENING)
    session = app.session
    async with app.run_test() as pilot:
        await pilot.press("g")
        await settle(pilot)
        await pilot.press("2", "b", "left", "o")
        assert session.marks.get(Mark(3, 0, Kind.BOOKMARK)) is not None
        assert session.marks.get(Mark(1, 0, Kind.FOLDED)) is not None
        await pilot.press("B")
        assert session.place.node == 3
        await pilot.press("b", "left", "o")
        assert session.marks.get(Mark(3, 0, Kind.BOOKMARK)) is None
        assert session.marks.get(Mark(1, 0, Kind.FOLDED)) is None
        await pilot.press("3", "o")
        assert "Nothing hangs below" in notices(app)


async def test_folding_the_others_opens_the_path(make_app: MakeApp, settle: Settle) -> None:
    app = make_app(OPENING)
    session = app.session
    async with app.run_test() as pilot:
        await pilot.press("g")
        await settle(pilot)
        await pilot.press("1", "g")
        await settle(pilot)
        await pilot.press("left", "o", "2", "O")
        assert session.marks.get(Mark(1, 0, Kind.FOLDED)) is None
        assert session.marks.get(Mark(2, 0, Kind.FOLDED)) is not None
        assert session.marks.get(Mark(4, 0, Kind.FOLDED)) is None, "nothing below it"


async def test_colour_layers_go_round(make_app: MakeApp) -> None:
    app = make_app(OPENING)
    async with app.run_test() as pilot:
        seen = []
        for _ in range(5):
            await pilot.press("c")
            seen.append(app.main.text_pane.colour_layer)
        assert seen == ["probability", "surprise", "entropy", "author", "plain"]


async def test_copy_takes_the_text_up_to_the_cursor(make_app: MakeApp) -> None:
    app = make_app(OPENING)
    async with app.run_test() as pilot:
        await pilot.press("y")
        assert app.clipboard == OPENING
        await pilot.press("tab", "ctrl+left", "y")
        assert app.clipboard == OPENING.removesuffix(" since")


async def test_the_engine_can_die_and_the_next_g_works(
    make_app: MakeApp, settle: Settle, wait_for: WaitFor
) -> None:
    app = make_app(OPENING, delay=0.05)
    session = app.session
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("g")
        await wait_for(pilot, lambda: 2 in session.tree and session.tree[2].length > 20)
        assert session.engine is not None
        assert session.engine.pid is not None
        os.kill(session.engine.pid, signal.SIGKILL)
        await wait_for(pilot, lambda: not session.growing())
        assert session.tree[2].ended is Ending.CRASH
        assert session.tree[2].length > 20
        assert len([n for n in app._notifications if n.severity == "error"]) == 1
        await pilot.press("1", "g")
        await settle(pilot)
        assert {session.tree[s.node].ended for s in session.continuations()} == {Ending.LENGTH}
        assert not app.main.banner.display


async def test_a_model_that_cannot_be_loaded_is_said_and_one_can_go_on_writing(
    make_app: MakeApp, type_text: Press, wait_for: WaitFor
) -> None:
    app = make_app(model="/nowhere/model")
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for(pilot, lambda: app.main.banner.display)
        await type_text(pilot, "Still here.")
        await pilot.press("escape")
        assert app.session.path_text() == "Still here."
        assert "model stopped" in str(app.main.status.render())


async def test_quitting_while_it_streams_keeps_what_came(
    make_app: MakeApp, wait_for: WaitFor, tmp_path: Path
) -> None:
    app = make_app(OPENING, delay=0.05)
    async with app.run_test() as pilot:
        await pilot.press("g")
        await wait_for(pilot, lambda: 2 in app.session.tree and app.session.tree[2].length > 0)
        async with asyncio.timeout(10):
            await pilot.press("q")
    again = Session.open(tmp_path / "story.loom")
    assert again.tree[2].ended is Ending.CANCEL
    assert again.tree[2].length > 0
    await again.close()


@pytest.mark.parametrize(("size", "shown"), [((80, 24), False), ((120, 40), True)])
async def test_the_tree_is_there_when_there_is_room(
    make_app: MakeApp, size: tuple[int, int], shown: bool
) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert app.main.tree_pane.display is shown
        await pilot.press("T")
        await pilot.pause()
        assert app.main.tree_pane.display is not shown
        await pilot.press("r")
        assert app.session.place.node == ROOT
        await pilot.press("T")
        await pilot.pause()
        assert app.main.tree_pane.display is shown


async def test_escape_puts_away_what_lies_over_the_text_before_it_stops_anything(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(80, 24)) as pilot:
        stopped: list[str] = []
        monkeypatch.setattr(app.session, "stop_weighing", lambda: stopped.append("weighing"))
        await pilot.press("T", "L")
        await pilot.pause()
        seen = [(app.main.tree_pane.display, app.main.lens.display)]
        for _ in range(2):
            await pilot.press("escape")
            await pilot.pause()
            seen.append((app.main.tree_pane.display, app.main.lens.display))
        assert seen == [(True, True), (True, False), (False, False)] and stopped == []
        await pilot.press("escape")
        await pilot.pause()
        assert stopped == ["weighing"]
    wide = make_app(OPENING)
    async with wide.run_test(size=(120, 40)) as pilot:
        await pilot.press("escape")
        await pilot.pause()
        assert wide.main.tree_pane.display and wide.main.lens.display


@pytest.mark.parametrize(("key", "focused"), [("i", "editor"), ("tab", "text"), ("U", "tree")])
async def test_a_key_right_after_calling_the_tree_keeps_the_keyboard(
    make_app: MakeApp, key: str, focused: str
) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(72, 20)) as pilot:
        await pilot.pause()
        for name, character in (("T", "T"), (key, key if len(key) == 1 else None)):
            app.post_message(events.Key(name, character))
        await pilot.pause()
        assert app.main.tree_pane.display
        assert app.main.focused is not None and app.main.focused.id == focused


async def test_the_status_line_says_what_is_in_force(
    make_app: MakeApp, settle: Settle, wait_for: WaitFor
) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(140, 30)) as pilot:
        assert app.main.status.size.height == 1
        assert "loading" in str(app.main.status.render()) or app.session.engine is None
        await wait_for(
            pilot, lambda: app.session.engine is not None and app.session.engine.state == "ready"
        )
        await pilot.press("g")
        await settle(pilot)
        line = str(app.main.status.render())
        for fact in ("story", "×4", "5 nodes", "echo", "cpu"):
            assert fact in line
        await pilot.resize_terminal(60, 24)
        await pilot.pause()
        narrow = str(app.main.status.render())
        assert "echo" in narrow
        assert len(narrow) <= 60


async def test_clicking_a_card_walks_into_it(make_app: MakeApp, settle: Settle) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("g")
        await settle(pilot)
        await pilot.click(list(app.main.query(Card))[2], offset=(10, 1))
        await pilot.pause()
        assert app.session.place.node == 4


async def test_a_session_open_elsewhere_can_be_read(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app(OPENING)
    async with app.run_test() as pilot:
        await pilot.pause()
    reader = Session.open(tmp_path / "story.loom", read_only=True)
    app = LoomApp(reader, Config(), "echo")
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        assert "read only" in str(app.main.status.render())
        for key in ("i", "e", "E", "b", "o", "backspace", "u", "+", "g", "r", "l", "q"):
            await pilot.press(key)
        assert "reading only" in notices(app)
    assert app.return_code == 0


async def test_the_page_gets_its_styles_once_and_new_ones_where_the_room_is_another(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, styled = make_app("Once."), list[str]()
    monkeypatch.setattr(app, "refresh_css", lambda animate=True: styled.append("app"))
    monkeypatch.setattr(app.main, "update_node_styles", lambda animate=True: styled.append("page"))
    async with app.run_test(size=(170, 55)) as pilot:
        await pilot.pause()
        assert not styled
        assert app.main.lens.region
        assert {"-wide", "-tall"} <= app.main.classes and "-narrow" not in app.main.classes
        monkeypatch.undo()
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert {"-narrow", "-short"} <= app.main.classes and "-wide" not in app.main.classes
        assert not app.main.lens.region
