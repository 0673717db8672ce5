"""`M`: a path under another model, beside what is on record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from textual.pilot import Pilot

from loom.core.beside import Stretch
from loom.ui.app import LoomApp
from loom.ui.screens.beside import BesideScreen, Other, difference

OPENING = "The lighthouse keeper had not spoken to anyone since"

MakeApp = Callable[..., LoomApp]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]


async def test_a_path_under_another_model_is_shown_and_copied(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_for(pilot, lambda: app.session.tree[1].token_count)
        await pilot.press("M")
        await wait_for(pilot, lambda: isinstance(app.screen, Other) and app.screen.offers)
        picker = app.screen
        assert isinstance(picker, Other)
        picker.options.highlighted = [offer.name for offer in picker.offers].index("echo")
        await pilot.press("enter")
        await wait_for(
            pilot, lambda: isinstance(app.screen, BesideScreen) and app.screen.comparison
        )
        screen = app.screen
        assert isinstance(screen, BesideScreen) and screen.comparison is not None
        span = app.session.span(1)
        assert span is not None
        assert screen.lines.option_count == len(screen.comparison.stretches) == len(span)
        await pilot.press("d")
        assert any("nowhere differ" in n.message for n in app._notifications)
        await pilot.press("j", "y")
        assert screen.lines.highlighted == 1
        rows = app.clipboard.splitlines()[-len(span) :]
        for index, row in enumerate(rows):
            first, second = map(float, row.split()[:2])
            assert first == second == round(-float(span.logprob[index]) / 0.6931472, 2)
        await pilot.press("escape")
        assert app.screen is app.main


async def test_a_model_that_cannot_be_loaded_says_why(make_app: MakeApp, wait_for: WaitFor) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("M")
        await wait_for(pilot, lambda: isinstance(app.screen, Other) and app.screen.offers)
        app.screen.dismiss("no-such-model")
        await wait_for(pilot, lambda: app.screen is app.main and app._notifications)
        said = [notification.message for notification in app._notifications]
        assert any("no-such-model" in message for message in said)


def test_the_difference_is_in_bits_and_none_where_one_has_not_read() -> None:
    assert difference(Stretch(0, 1, -0.6931472, -2 * 0.6931472)) > 0.99
    assert difference(Stretch(0, 1, None, -1.0)) == 0
