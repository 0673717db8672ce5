"""Cards and the status line: what they say of nodes, by themselves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import patch

import pytest
from textual.geometry import Region
from textual.pilot import Pilot
from textual.strip import Strip

from loom.core.marks import Kind, Mark
from loom.core.node import Place
from loom.ui.app import LoomApp
from loom.ui.screens.page import Page
from loom.ui.widgets.card import Card, one_line
from loom.ui.widgets.pace import Pace
from loom.ui.widgets.status import Speed, Status

MakeApp = Callable[..., LoomApp]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (" a word", "a word"),
        ("One.\n\nTwo.", "One. ¶ Two."),
        ("a \n b\n", "a ⏎ b"),
        ("\n\n\n", ""),
        ("tab\there", "tab here"),
        ("red \x1b[31m", "red ␛[31m"),
    ],
)
def test_a_card_is_one_run_of_safe_text(text: str, line: str) -> None:
    assert one_line(text) == line


def test_speed_is_over_the_last_moments() -> None:
    now = [0.0]
    speed = Speed(lambda: now[0])
    assert speed.value() == 0
    speed.count(1, 10)
    speed.count(2, 10)
    now[0] = 1.0
    speed.count(1, 30)
    assert speed.value() == pytest.approx(40)
    now[0] = 2.5
    assert speed.value() == pytest.approx(20 / 1.5)
    now[0] = 9.0
    assert speed.value() == 0


async def test_written_continuations_are_cards_too(make_app: MakeApp) -> None:
    app = make_app("Once upon a time.")
    session = app.session
    place = session.place
    session.write(" There was.", place)
    session.write(" Nobody was.\n\nAnd more " + "of it " * 200, place)
    second_end = session.place
    for there in (place, second_end, place):
        session.go(there)
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.pause()
        first, second = (str(card.render()) for card in app.main.query(Card))
        assert "There was." in first
        assert "yours" in first
        assert "Nobody was. ¶ And more" in second
        assert second.count("\n") == app.main.query(Card).first().size.height - 1
        assert "…" in second
        assert "›" in second, "the one visited last"


async def test_a_long_title_gives_way_to_what_is_in_force(make_app: MakeApp) -> None:
    app = make_app("Once.")
    app.session._meta["title"] = "A very long title " * 10
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        line = str(app.main.query_one(Status).render())
        assert len(line) == 80
        assert "…" in line


async def test_the_status_line_tells_the_token_under_the_cursor_where_no_lens_does(
    make_app: MakeApp, wait_for: Callable[..., object]
) -> None:
    app = make_app("Once upon a time.")
    async with app.run_test(size=(80, 30)) as pilot:
        await wait_for(pilot, lambda: app.session.tree[1].token_count)  # type: ignore[misc]
        assert app.main.status.token == ""
        await pilot.press("tab", "left")
        await pilot.pause()
        assert app.main.status.token.startswith(". ")
        await pilot.press("L")
        await pilot.pause()
        assert app.main.lens.display
        assert app.main.status.token == ""
        await pilot.press("L")
        await pilot.pause()
        assert app.main.status.token.startswith(". ")
        assert "rank" in str(app.main.status.render())
        await pilot.press("tab")
        await pilot.pause()
        assert app.main.status.token == ""


async def test_what_grows_waits_for_a_key_but_not_for_one_after_the_other(
    make_app: MakeApp, wait_for: Callable[..., Awaitable[None]]
) -> None:
    app, runs = make_app("Once."), list[set[int]]()
    async with app.run_test() as pilot:
        pace = Pace(app.main, 0.01, lambda nodes: runs.append(set(nodes)))
        pace.hold(0.1)
        pace.ask({1})
        assert runs == []
        pace.hold(3600)
        pace.ask({2})
        await wait_for(pilot, lambda: runs)
        assert runs == [{1, 2}]


async def test_of_a_card_that_grows_below_what_can_be_seen_only_the_last_line_is_drawn(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app("Once upon a time.")
    session = app.session
    place = session.place
    long = session.tree[session.write(" and on" * 400, place)]
    session.go(place)
    async with app.run_test(size=(90, 30)) as pilot:
        await pilot.pause()
        card, drawn = app.main.cards.query(Card).first(), list[tuple[Region, ...]]()
        card.show(card.segment, last=False, place=place)
        monkeypatch.setattr(card, "refresh", lambda *regions: drawn.append(regions))
        for stop, bookmark in ((long.length - 1, None), (long.length, "1"), (3, "1")):
            session.marks.set(Mark(long.id, 0, Kind.BOOKMARK), bookmark)
            card.show(card.segment._replace(stop=stop), last=False, place=place)
        assert drawn == [(Region(0, card.outer_size.height - 1, card.outer_size.width, 1),), ()]


async def test_a_card_out_of_view_is_drawn_when_it_is_scrolled_to(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app("Once upon a time.")
    session = app.session
    place = session.place
    for number in range(12):
        session.write(f" Number {number}.", place)
    session.go(place)
    async with app.run_test(size=(90, 30)) as pilot:

        def seen() -> str:
            return "\n".join(strip.text for strip in app.screen._compositor.render_strips())

        await app.main.engine_settled.wait()
        await app.session.engine_ready()  # of which the page hears, and shows its cards anew
        await wait_for(pilot, lambda: "Number 0." in seen())
        cards = app.main.cards
        first, last = (list(cards.query(Card))[index] for index in (0, -1))
        last.show(first.segment, last=False, place=place, seen=False)
        cards.scroll_end(animate=False)
        await wait_for(pilot, lambda: "Number 10." in seen() and "Number 0." in seen())
        assert "Number 11." not in seen()


async def test_a_number_means_the_cards_that_are_about_to_be_shown(make_app: MakeApp) -> None:
    app = make_app("Once upon a time.")
    session = app.session
    start = session.place
    first = session.write(" A fox.", start)
    under = [session.write(f" Then {number}.", session.tree[first].end) for number in range(2)]
    session.go(start)
    async with app.run_test() as pilot:
        await pilot.pause()
        cards = app.main.cards
        assert len(cards) == 1
        assert cards.place_of(1) == session.tree[first].end
        cards.expect(session.tree[first].end)
        assert cards.awaited and len(cards) == 2
        assert cards.place_of(2) == session.tree[under[1]].end
        assert cards.place_of(3) is None
        await pilot.press("right")
        await pilot.pause()
        assert not cards.awaited and len(cards) == 2


async def test_cards_are_shown_once_the_text_is_on_the_screen(make_app: MakeApp) -> None:
    app = make_app("Once upon a time.")
    session = app.session
    start = session.place
    first = session.write(" A fox.", start)
    session.write(" Then a hare.", session.tree[first].end)
    session.go(start)
    async with app.run_test() as pilot:
        await pilot.pause()
        page, text, seen = app.main, app.main.text_pane, list[str]()

        draw, show = text.render_lines, page.cards.show

        def drawn(crop: Region) -> list[Strip]:
            seen.append("text")
            return draw(crop)

        async def shown(place: Place, hint: str) -> None:
            seen.append("cards")
            await show(place, hint)

        with patch.object(text, "render_lines", drawn), patch.object(page.cards, "show", shown):
            await pilot.press("right")
            await pilot.pause()
        assert seen[:2] == ["text", "cards"]


async def test_what_waits_for_the_text_is_done_where_the_text_stays_as_it_is(
    make_app: MakeApp, wait_for: Callable[..., Awaitable[None]]
) -> None:
    app, done = make_app("Once."), list[str]()
    async with app.run_test() as pilot:
        await pilot.pause()

        async def first() -> None:
            done.append("first")

        async def second() -> None:
            done.append("second")

        for work in (first, second, first):
            app.main.text_pane.once_seen(work)
        assert not done
        await wait_for(pilot, lambda: len(done) == 2)
        await pilot.pause(0.1)
        assert done == ["first", "second"]


async def test_where_there_are_more_cards_the_page_is_laid_out_once(make_app: MakeApp) -> None:
    app = make_app("Once upon a time.")
    session, many = app.session, app.session.place
    for number in range(8):
        session.write(f" The {number} of them went away.", many)
    few = session.place
    for number in range(2):
        session.write(f" And {number} came back.", few)
    session.go(few)
    made = list[int]()
    async with app.run_test(size=(90, 30)) as pilot:  # without the lens, whose lines differ, too
        for there, count in ((many, 8), (few, 2), (many, 8), (few, 2)):
            with patch.object(
                Page, "_refresh_layout", autospec=True, side_effect=Page._refresh_layout
            ) as layouts:
                app.main.go(there)
                await pilot.pause(0.3)
            assert len(app.main.cards) == count
            made.append(sum(not call.kwargs.get("scroll") for call in layouts.mock_calls))
    assert made[2:] == [1, 1]  # the first time cards have to be made, too
