"""The mouse on the page: a click on a token, a node or a card, and the wheel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from textual import events
from textual.pilot import Pilot
from textual.widget import Widget

from loom.core.node import Place
from loom.ui.app import LoomApp
from loom.ui.widgets.card import Card

OPENING = "The lighthouse keeper had not spoken to anyone since"

MakeApp = Callable[..., LoomApp]
Settle = Callable[[Pilot[None]], Awaitable[None]]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]


async def turn(pilot: Pilot[None], widget: Widget, kind: type[events.MouseEvent]) -> None:
    x, y = widget.region.x + 2, widget.region.y + 2
    pilot.app.post_message(kind(None, x, y, 0, 0, 0, False, False, False, x, y))
    await pilot.pause()


async def test_clicks_go_where_they_point(
    make_app: MakeApp, settle: Settle, wait_for: WaitFor
) -> None:
    app = make_app(OPENING)
    session = app.session
    async with app.run_test(size=(120, 40)) as pilot:
        main = app.main
        await wait_for(pilot, lambda: session.tree[1].token_count)
        await pilot.press("g")
        await settle(pilot)
        await pilot.click(list(main.query(Card))[1], offset=(8, 1))
        await pilot.pause()
        assert session.place == session.tree[3].end

        await pilot.click(main.tree_pane, offset=(8, 1))
        await pilot.pause()
        assert session.place == session.tree[1].end

        await pilot.click(main.text_pane, offset=(1 + OPENING.index("keeper"), 0))
        await pilot.pause()
        assert main.in_text
        assert main.text_pane.token_at_cursor() is not None
        assert main.cursor.at <= OPENING.index("keeper")
        await wait_for(pilot, lambda: "This token" in str(main.lens.subject_panel.lines))

        await pilot.click(main.tree_pane, offset=(8, 0))
        await pilot.pause()
        assert session.place == Place(0, 0)


async def test_the_wheel_scrolls_what_it_is_over(make_app: MakeApp) -> None:
    app = make_app("\n\n".join([OPENING] * 80))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        text = app.main.text_pane
        end, place = text.scroll_y, app.session.place
        assert end > 0
        await turn(pilot, text, events.MouseScrollUp)
        assert text.scroll_y < end
        assert app.session.place == place
        await turn(pilot, text, events.MouseScrollDown)
        assert text.scroll_y == end
