"""Writing: what the editor opens on, what committing makes of it, and that nothing is lost."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.document._wrapped_document import WrappedDocument
from textual.pilot import Pilot

from loom.core.node import ROOT, Author, Place
from loom.session import Session
from loom.ui import outside
from loom.ui.app import LoomApp
from loom.ui.revision import Task
from loom.ui.screens.writing import LARGE

OPENING = "The sea was calm. The boat was not."

MakeApp = Callable[..., LoomApp]
Press = Callable[[Pilot[None], str], Awaitable[None]]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]


def notices(app: LoomApp) -> str:
    return "\n".join(notification.message for notification in app._notifications)


async def test_an_empty_session_opens_in_the_editor_with_a_line_of_help(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await pilot.pause()
        assert app.main.editor.has_focus
        assert "Ctrl+G" in str(app.main.editor.placeholder)


async def test_escape_commits_and_enter_is_a_new_line(make_app: MakeApp, type_text: Press) -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await type_text(pilot, "One gq.\nTwo")
        await pilot.press("tab", "x", "escape")
        await pilot.pause()
        assert app.session.path_text() == "One gq.\nTwo\tx"
        assert app.session.tree[1].author is Author.WRITER
        assert not app.main.editor.is_open
        assert app.main.text_pane.shown == app.session.place


async def test_an_empty_editor_leaves_no_node(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await pilot.press("escape")
        await pilot.pause()
        assert len(app.session.tree) == 1
        assert not app.main.editor.is_open
        await pilot.press("i")
        assert app.main.editor.is_open


@pytest.mark.parametrize("key", ["ctrl+g", "ctrl+@"])
async def test_commit_and_grow(
    make_app: MakeApp, type_text: Press, wait_for: WaitFor, key: str
) -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await type_text(pilot, "Once")
        await pilot.press(key)
        await wait_for(pilot, lambda: len(app.session.continuations()) == 4)
        assert app.session.path_text() == "Once"


async def test_writing_goes_on_at_the_end(make_app: MakeApp, type_text: Press) -> None:
    app = make_app(OPENING)
    async with app.run_test() as pilot:
        await pilot.press("i")
        await type_text(pilot, " And")
        await pilot.press("escape")
        assert app.session.path_text() == OPENING + " And"
        assert app.session.tree[2].parent == 1


async def test_writing_at_the_token_cursor_branches_there(
    make_app: MakeApp, type_text: Press, wait_for: WaitFor
) -> None:
    app = make_app(OPENING)
    async with app.run_test() as pilot:
        await wait_for(pilot, lambda: app.session.tree[1].token_count)
        await pilot.press("tab", "(", "i")
        assert app.main.text_pane.shown == Place(1, len("The sea was calm."))
        await type_text(pilot, " So")
        await pilot.press("escape")
        assert app.session.path_text() == "The sea was calm. So"
        assert app.session.tree[2].at == len("The sea was calm.")


async def test_leaving_without_a_word_goes_back_to_the_path(make_app: MakeApp) -> None:
    app = make_app(OPENING)
    async with app.run_test() as pilot:
        place = app.session.place
        await pilot.press("tab", "(", "i", "escape")
        await pilot.pause()
        assert app.session.place == place
        assert app.main.text_pane.shown == place


async def test_an_edit_branches_where_it_begins_to_differ(
    make_app: MakeApp, type_text: Press
) -> None:
    app = make_app(OPENING)
    session = app.session
    async with app.run_test() as pilot:
        await pilot.press("e")
        assert app.main.editor.text == OPENING
        await pilot.press(*["backspace"] * 4)
        await type_text(pilot, "red.")
        await pilot.press("escape")
        assert session.path_text() == "The sea was calm. The boat was red."
        assert session.tree[2].text == b"red."
        assert (session.tree[2].parent, session.tree[2].at) == (1, len(OPENING) - 4)
        assert session.text(1) == OPENING, "the old text stays"


async def test_an_edit_from_the_first_letter_is_a_sibling(
    make_app: MakeApp, type_text: Press
) -> None:
    app = make_app(OPENING)
    async with app.run_test() as pilot:
        await pilot.press("e", "home", *["delete"] * 3)
        await type_text(pilot, "A")
        await pilot.press("escape")
        node = app.session.tree[app.session.place.node]
        assert (node.parent, node.at) == (ROOT, 0)
        assert app.session.path_text() == "A" + OPENING[3:]


async def test_an_edit_that_only_cuts_goes_to_the_cut(make_app: MakeApp) -> None:
    app = make_app(OPENING)
    async with app.run_test() as pilot:
        await pilot.press("e", *["backspace"] * 4, "escape")
        assert len(app.session.tree) == 2
        assert app.session.place == Place(1, len(OPENING) - 4)


async def test_an_edit_that_changes_nothing_is_nothing(make_app: MakeApp) -> None:
    app = make_app(OPENING)
    async with app.run_test() as pilot:
        place = app.session.place
        await pilot.press("e", "escape")
        assert len(app.session.tree) == 2
        assert app.session.place == place


async def test_in_the_text_the_edit_begins_at_the_cursor(
    make_app: MakeApp, type_text: Press, wait_for: WaitFor
) -> None:
    app = make_app(OPENING)
    async with app.run_test() as pilot:
        await wait_for(pilot, lambda: app.session.tree[1].token_count)
        await pilot.press("tab", "(", "e")
        assert app.main.editor.text == " The boat was not."
        assert app.main.text_pane.shown == Place(1, len("The sea was calm."))
        await pilot.press("home", *["delete"] * 3)
        await type_text(pilot, "A")
        await pilot.press("escape")
        assert app.session.path_text() == "The sea was calm. A boat was not."


async def test_at_an_edge_of_nodes_the_edit_takes_the_next_node(
    make_app: MakeApp, type_text: Press
) -> None:
    app = make_app(OPENING)
    app.session.write(" Night came.")
    async with app.run_test() as pilot:
        await pilot.press("tab")
        app.main.text_pane.cursor = Place(1, len(OPENING))
        await pilot.press("e")
        assert app.main.editor.text == " Night came."


async def test_the_draft_is_kept_while_one_writes_and_comes_back(
    make_app: MakeApp, type_text: Press, wait_for: WaitFor, tmp_path: Path
) -> None:
    app = make_app(OPENING)
    session = app.session
    async with app.run_test() as pilot:
        await pilot.press("i")
        await type_text(pilot, " Half a sen")
        await wait_for(pilot, lambda: session.draft and session.draft.text.startswith(" Half"))
        assert session.draft is not None
        assert session.draft.place == session.place
        await wait_for(pilot, lambda: session.draft and session.draft.text == " Half a sen")
    again = make_app()
    async with again.run_test() as pilot:
        await pilot.pause()
        assert again.main.editor.is_open
        assert again.main.editor.text == " Half a sen"
        await pilot.press("escape")
        await pilot.pause()
        assert again.session.path_text() == OPENING + " Half a sen"
        assert again.session.draft is None


async def test_quitting_from_the_editor_keeps_the_last_letters(
    make_app: MakeApp, type_text: Press, tmp_path: Path
) -> None:
    app = make_app(OPENING)
    async with app.run_test() as pilot:
        await pilot.press("i")
        await type_text(pilot, " abc")
        await pilot.press("ctrl+q")
    session = Session.open(tmp_path / "story.loom")
    assert session.draft is not None
    assert session.draft.text == " abc"
    await session.close()


async def test_page_keys_do_nothing_while_one_writes(make_app: MakeApp) -> None:
    app = make_app(OPENING)
    async with app.run_test() as pilot:
        await pilot.press("i", "ctrl+r", "alt+z", "alt+y")
        assert app.main.editor.is_open
        assert not app.session.is_hidden(1)


async def test_model_text_with_terminal_codes_is_seen_not_obeyed(make_app: MakeApp) -> None:
    app = make_app("red \x1b[31m alert \x9b2J\x07")
    async with app.run_test() as pilot:
        await pilot.press("e")
        await pilot.pause()
        for y in range(app.main.editor.size.height):
            drawn = app.main.editor.render_line(y).text
            assert not set(drawn) & {"\x1b", "\x9b", "\x07"}
        await pilot.press("x", "escape")
        assert app.session.path_text().endswith("\x07x"), "the text itself stays as it is"


async def test_paste_outside_the_editor_writes_at_the_cursor(make_app: MakeApp) -> None:
    app = make_app(OPENING)
    async with app.run_test() as pilot:
        await pilot.pause()
        app.post_message(events.Paste(" Pasted text."))
        await pilot.pause()
        assert app.session.path_text() == OPENING + " Pasted text."
        assert "u takes it back" in notices(app)


async def test_paste_into_the_editor_stays_there(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test() as pilot:
        await pilot.pause()
        app.post_message(events.Paste("Pasted text."))
        await pilot.pause()
        assert app.main.editor.text == "Pasted text."
        assert len(app.session.tree) == 1


# ── the writer's own editor ────────────────────────────────────────────────────────────────


class Lender:
    """Stands for an app in a terminal that can be lent."""

    def suspend(self) -> Any:
        return contextlib.nullcontext()


def script(path: Path, body: str) -> str:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_the_text_comes_back_from_outside(tmp_path: Path) -> None:
    editor = script(tmp_path / "ed", 'sed -i s/calm/wild/ "$1"; echo >> "$1"')
    found = outside.edit(Lender(), OPENING, {"EDITOR": editor})  # type: ignore[arg-type]
    assert found == OPENING.replace("calm", "wild"), "without the line end that the editor added"


def test_visual_comes_before_editor_and_may_have_options(tmp_path: Path) -> None:
    editor = script(tmp_path / "ed", 'printf "%s" "$1" > "$2"')
    environment = {"VISUAL": f"'{editor}' --wait", "EDITOR": "false"}
    assert outside.edit(Lender(), "x", environment) == "--wait"  # type: ignore[arg-type]


@pytest.mark.parametrize(("command", "said"), [("false", "ended with 1"), ("/no/ed", "started")])
def test_an_editor_that_fails_changes_nothing_and_is_said(command: str, said: str) -> None:
    with pytest.raises(outside.EditorFailed, match=said):
        outside.edit(Lender(), "x", {"EDITOR": command})  # type: ignore[arg-type]


async def test_a_terminal_that_cannot_be_lent_is_said(make_app: MakeApp) -> None:
    app = make_app(OPENING)
    async with app.run_test() as pilot:
        await pilot.press("E")
        assert "can't lend the screen" in notices(app)
        assert len(app.session.tree) == 2


async def test_what_comes_back_from_outside_is_a_branch(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(OPENING)
    monkeypatch.setattr(outside, "edit", lambda app, text: text.replace("not", "lost"))
    async with app.run_test() as pilot:
        await pilot.press("E")
        await pilot.pause()
        assert app.session.path_text() == "The sea was calm. The boat was lost."
        assert app.session.tree[2].text == b"lost."


async def test_of_a_long_text_it_is_said_that_the_editor_opens(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app("A word. " * (LARGE // 8 + 10))
    seen: list[str] = []
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        opened = app.main.open_editor

        def look(task: Task, title: str) -> None:
            seen.append(app.screen._compositor.render_strips()[0].text)
            opened(task, title)

        monkeypatch.setattr(app.main, "open_editor", look)
        await pilot.press("e", "x", "escape")
        await pilot.pause()
        assert "opening the editor" in seen[0]
        assert app.main.status.awaited == ""
        assert app.session.path_text().endswith("A word. x"), "what was typed ahead is in it"


async def test_a_text_is_wrapped_once_for_a_width(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app("The keeper had not spoken. " * 200)
    widths: list[int] = []
    wrap = WrappedDocument.wrap

    def counted(document: WrappedDocument, width: int, tab_width: int = 4) -> None:
        if width:  # 0 is not wrapped at all
            widths.append(width)
        wrap(document, width, tab_width)

    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        monkeypatch.setattr(WrappedDocument, "wrap", counted)
        await pilot.press("e")
        await pilot.pause(0.2)
        assert len(widths) <= 2 and len(set(widths)) == len(widths)
        await pilot.resize_terminal(70, 30)
        await pilot.pause(0.2)
        assert widths[-1] == app.main.editor.wrap_width < 70
