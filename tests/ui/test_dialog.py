"""What lies over the page is closed once, however fast the keys come."""

from __future__ import annotations

import pytest
from textual import events

from loom.ui.app import LoomApp


@pytest.mark.parametrize("closing", ["escape", "question_mark"])
async def test_keys_that_come_together_close_a_dialog_once(make_app, closing: str) -> None:  # type: ignore[no-untyped-def]
    app: LoomApp = make_app("The lighthouse keeper had not spoken.")
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(2):
            await pilot.press("question_mark")
            assert app.screen is not app.main
            for _ in range(3):
                app.screen.post_message(events.Key(closing, None))
            await pilot.pause()
            await pilot.pause()
            assert app.screen is app.main
            assert app.main.is_mounted
