"""Keys that a slow line brings together."""

from __future__ import annotations

from collections.abc import Callable

from textual import events

from loom.ui.app import LoomApp


async def test_escape_and_a_letter_that_come_as_one_are_both_pressed(
    make_app: Callable[..., LoomApp],
) -> None:
    app = make_app("The lighthouse keeper had not spoken.")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("i", "x")
        assert app.main.editor.is_open
        app.post_message(events.Key("alt+b", "b"))
        await pilot.pause()
        await pilot.pause()
        assert not app.main.editor.is_open
        assert [str(mark.kind) for mark, _ in app.session.marks].count("bookmark") == 1


async def test_a_page_down_before_a_list_was_laid_out_does_nothing(
    make_app: Callable[..., LoomApp],
) -> None:
    app = make_app("The lighthouse keeper had not spoken.")
    async with app.run_test(size=(80, 24)) as pilot:
        await app.main.engine_settled.wait()
        app.post_message(events.Key("a", "a"))
        app.post_message(events.Key("pagedown", None))
        await pilot.pause()
        await pilot.pause()
        assert app._exception is None
