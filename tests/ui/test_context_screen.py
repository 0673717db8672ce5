"""`p`: what the model saw, as text and token by token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from textual.pilot import Pilot

from loom.ui.app import LoomApp
from loom.ui.screens.context import ContextScreen

OPENING = "The lighthouse keeper had not spoken to anyone since"

MakeApp = Callable[..., LoomApp]
Settle = Callable[[Pilot[None]], Awaitable[None]]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]


async def test_what_the_model_saw_is_shown_and_copied(
    make_app: MakeApp, settle: Settle, wait_for: WaitFor
) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for(pilot, lambda: app.session.tree[1].token_count)
        await pilot.press("g")
        await settle(pilot)
        await pilot.press("2", "p")
        await wait_for(pilot, lambda: isinstance(app.screen, ContextScreen) and app.screen.context)
        screen = app.screen
        assert isinstance(screen, ContextScreen)
        assert screen.area.text == OPENING
        facts = str(screen.facts.render())
        span = app.session.span(1)
        assert span is not None
        assert "Before node 3" in facts and f"All {len(span)} tokens" in facts
        await pilot.press("y")
        assert app.clipboard == OPENING

        await pilot.press("t")
        lines = screen.area.text.splitlines()
        assert lines[0].split() == ["—", "node", "1"]
        assert [int(line.split()[1]) for line in lines[1:]] == span.ids.tolist()
        await pilot.press("y")
        assert app.clipboard == screen.area.text
        await pilot.press("t", "j", "escape")
        assert app.screen is app.main


async def test_a_node_that_no_model_has_seen_says_so(make_app: MakeApp, wait_for: WaitFor) -> None:
    app = make_app(OPENING, model="no-such-model-anywhere")
    async with app.run_test() as pilot:
        await pilot.press("p")
        await wait_for(pilot, lambda: app.screen is app.main)
        said = [notification.message for notification in app._notifications]
        assert any("No model has read this yet" in message for message in said)
