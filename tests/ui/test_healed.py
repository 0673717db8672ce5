"""Half a word on the screen: cards go on from where the writer stands, and arrows lead there and
back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from textual.pilot import Pilot

from loom.core.node import Place
from loom.ui.app import LoomApp
from loom.ui.widgets.card import Card

MakeApp = Callable[..., LoomApp]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]
HALF = "The old man kept the lam"


async def test_half_a_word_grows_whole_where_the_writer_stands(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app(HALF, heals=True)
    session = app.session
    session.set_sampling(recipe=replace(session.recipe, tokens=4), branches=3)
    end = Place(1, len(HALF))
    async with app.run_test(size=(100, 40)) as pilot:
        await wait_for(pilot, lambda: session.engine is not None and session.engine.vocabulary)
        await pilot.press("g")
        await wait_for(pilot, lambda: len(session.tree) > 4 and not session.growing())
        assert session.place == end
        cards = [card for card in app.main.query(Card) if card.display]
        assert len(cards) == 3
        yours = cards[0].get_component_rich_style("card--yours")
        shown = cards[0].render()
        assert "lamp" in str(shown)
        assert yours.bold
        bold = [shown.plain[span.start : span.end] for span in shown.spans]
        assert "lam" in bold
        await pilot.press("2")
        assert session.place == session.tree[3].end
        assert session.path_text().startswith(HALF + "p")
        await pilot.press("left")
        assert session.place == end
        await pilot.press("right")
        assert session.place.node == 3
        await pilot.press("G")
        await wait_for(pilot, lambda: len(session.tree) > 7 and not session.growing())
        assert session.place == end
        assert {session.tree[node].at for node in (5, 6, 7)} == {HALF.index(" lam")}
        await pilot.press("u", "u")
        await wait_for(pilot, lambda: not session.continuations())
        assert session.path_text() == HALF


async def test_the_switch_is_among_the_settings(make_app: MakeApp) -> None:
    from loom.ui.screens.fields import FIELDS, Outcome

    session = make_app(HALF).session
    (field,) = [field for field in FIELDS if field.name == "heal"]
    before = Outcome(session.recipe, 4)
    assert field.text(before) == "on"
    after = field.applied("OFF", before, {})
    assert field.text(after) == "off" and not after.recipe.heal
    assert field.applied("on", after, {}) == before
