"""A line of ten megabytes with all in it that steers a terminal: shown, and nothing is obeyed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from textual.pilot import Pilot

from loom.core.text import visible
from loom.ui.app import LoomApp

MakeApp = Callable[..., LoomApp]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]

NASTY = "\x1b[2J\x1b]0;owned\x07\u202e\x00\x9b31m"


async def test_a_line_of_ten_megabytes_is_shown_and_written_on(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app()
    app.session.write("x" * 10_000_000 + NASTY)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        strips = app.screen._compositor.render_strips()
        text = "".join(segment.text for strip in strips for segment in strip)
        assert "xxxx" in text and visible("\x1b[2J") in text
        assert not set(text) & (set(NASTY) - set(visible(NASTY)))
        await pilot.press("i", "y", "escape")
        await wait_for(pilot, lambda: app.session.text(app.session.place.node) == "y")
