"""A lot of text at once: where it goes, and that its reading is seen and can be stopped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from textual import events
from textual.pilot import Pilot

from loom.changes import EngineChanged
from loom.ui.app import LoomApp
from loom.ui.screens.writing import LARGE

LINE = "The lamp was lit and the river stood still. "
MUCH = LINE * (LARGE // len(LINE) + 1)

MakeApp = Callable[..., LoomApp]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]
Press = Callable[[Pilot[None], str], Awaitable[None]]


async def test_a_long_paste_leaves_the_editor_with_all_that_was_in_it(
    make_app: MakeApp, type_text: Press
) -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await pilot.pause()
        await type_text(pilot, "ab")
        await pilot.press("left")
        await app.main.paste(events.Paste(MUCH))
        await pilot.pause()
        assert not app.main.editor.is_open
        assert app.session.text(1) == f"a{MUCH}b"
        assert app.session.draft is None
        assert app.session.place == app.session.tree[1].end
        await pilot.press("u")
        assert app.session.is_hidden(1)


async def test_a_short_paste_stays_in_the_editor(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await pilot.pause()
        await app.main.paste(events.Paste(LINE))
        await pilot.pause()
        assert app.main.editor.text == LINE
        assert len(app.session.tree) == 1


async def test_line_ends_are_those_of_texts(make_app: MakeApp) -> None:
    app = make_app("Once.")
    async with app.run_test() as pilot:
        await pilot.pause()
        await app.main.paste(events.Paste("\r\rOne\r\nTwo\nThree\r"))
        assert app.session.text(2) == "\n\nOne\nTwo\nThree\n"
        await pilot.press("i")
        await app.main.paste(events.Paste("Four\rFive\r\n"))
        await pilot.press("escape")
        await pilot.pause()
        assert app.session.text(3) == "Four\nFive\n"


async def test_reading_is_seen_and_stops_at_escape_until_it_is_wanted(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app("Once. ", delay=0.02)
    session, shares = app.session, []

    def hear(change: object) -> None:
        if isinstance(change, EngineChanged) and change.state == "ready" and change.fraction:
            shares.append(change.fraction)

    session.subscribe(hear)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for(pilot, lambda: session.tree[1].token_count)
        await app.main.paste(events.Paste(LINE * 400))
        await wait_for(pilot, lambda: len(set(shares)) > 1)
        line = str(app.main.status.render())
        assert "reading" in line and "Esc stops" in line
        assert shares == sorted(shares)
        await pilot.press("escape")
        await pilot.pause()
        assert "reading" not in str(app.main.status.render())
        await pilot.press("left", "right")
        await pilot.pause(0.1)
        assert session.tree[2].token_count is None
        assert "reading" not in str(app.main.status.render())
        await pilot.press("tab", "left", "a")
        await wait_for(pilot, lambda: session.tree[2].token_count)
        assert session.span(2) is not None
