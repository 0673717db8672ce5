"""Thousands of random keys on the echo engine: whatever one presses, the session stays sound.

LOOM_KEYS says how many in all (20,000 for a long run: `LOOM_KEYS=20000 make test
PYTEST=tests/ui/test_random_keys.py`), LOOM_KEYS_SEED from which seed on. They are shared out among
sessions with seeds of their own, which may run side by side.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest
from textual import events

from loom.config import Config
from loom.core.display import Display, Row
from loom.core.marks import Kind, Mark, seen_place
from loom.core.node import Place
from loom.core.recipe import Recipe
from loom.past import EMPTY
from loom.session import Session
from loom.ui.app import LoomApp
from loom.ui.bindings import COMMANDS
from loom.ui.screens.search import SearchScreen
from loom.ui.widgets.rows import Rows

KEYS = int(os.environ.get("LOOM_KEYS", "3600"))
FIRST_SEED = int(os.environ.get("LOOM_KEYS_SEED", "1"))
SESSIONS = max(4, KEYS // 2500)
BATCH = 25  # keys pressed at once, as a slow line brings them
REOPEN_EVERY = 12  # batches
UNDO_EVERY = 4
WAIT = 20.0

# These leave the program, the session or the model, start another program or have frames read for
# the rest of the run; the palette may too.
LEFT_OUT = {"quit", "edit_outside", "sessions", "models", "palette", "settings", "plugins"}
LEFT_OUT |= {"sources"}
OFTEN = {"escape": 60, "g": 12, "backspace": 6, "u": 14, "left": 20, "right": 20, "up": 20}
OFTEN |= {"down": 20, "tab": 12, "i": 4, "e": 4, "a": 6, "enter": 10, "slash": 3, "ctrl+g": 6}
TYPED = (*"thenÜ日", "space", "full_stop", "enter", "backspace", "delete")
NAMES = {"/": "slash", "?": "question_mark", ".": "full_stop"}


def keys() -> list[str]:
    """Every key of the table but those left out, some of them more often, and what one types."""
    found = [
        NAMES.get(key, key)
        for command in COMMANDS
        if command.action.partition("(")[0] not in LEFT_OUT
        for key in command.keys
    ]
    found += [key for key, times in OFTEN.items() for _ in range(times)]
    return found + list(TYPED)


def event_of(key: str) -> events.Key:
    characters = {"space": " ", "slash": "/", "question_mark": "?", "full_stop": ".", "enter": "\r"}
    return events.Key(key, key if len(key) == 1 else characters.get(key))


def busy(app: LoomApp) -> list[str]:
    """Who still has something to do of what was pressed and what it led to."""
    pumps = [app, *app.screen_stack, *app.screen.walk_children(with_self=False)]
    pumps += app.main.walk_children(with_self=False)
    later = [f"after the next frame: {app.screen._callbacks}"] if app.screen._callbacks else []
    return later + [
        f"{pump!r}: {pump._message_queue.qsize()} messages, {pump._next_callbacks}"
        for pump in pumps
        if pump.is_running and (pump._next_callbacks or not pump._message_queue.empty())
    ]


async def quiet(app: LoomApp) -> None:
    try:
        async with asyncio.timeout(WAIT):
            await asyncio.sleep(0)
            while busy(app):
                await asyncio.sleep(0.002)
    except TimeoutError as error:
        raise AssertionError(f"still at it: {busy(app)}") from error


# ── what has to hold ──────────────────────────────────────────────────────────────────────────


def check(app: LoomApp, number: int) -> None:
    session = app.session
    assert app._exception is None
    assert app.screen.is_attached and app.main.is_mounted
    check_place(session)
    check_focus(app)
    check_display(session)
    check_panes(app)
    check_bytes(session, number)


def check_place(session: Session) -> None:
    node, at = session.place
    assert node in session.tree and 0 <= at <= session.tree[node].length
    assert seen_place(session.tree, session.marks, session.place) == session.place
    assert not session.is_hidden(node)


def check_focus(app: LoomApp) -> None:
    """Somebody hears the keys; where the tree is away, the page itself does."""
    if app.screen is not app.main:
        assert app.focused is None or app.focused.screen is app.screen
        return
    main = app.main
    if main.editor.is_open:
        assert app.focused is main.editor
    elif app.focused is None:
        assert not main.tree_pane.display
    else:
        assert app.focused in (main.tree_pane, main.text_pane) and app.focused.display


def check_display(session: Session) -> None:
    """What was kept up to date is what would be made anew, and leaves nothing visible out."""
    fresh = Display(session.tree, session.marks)
    assert session.display.rows() == fresh.rows()
    stops: dict[int, int] = {}
    for row in fresh.rows():
        node, start, stop = row.segment
        assert stops.get(node, 0) == start
        stops[node] = stop
    for node in session.tree:
        if not session.is_hidden(node):
            shown = fresh.twins(fresh.segments(node)[0])[0].node
            hidden = session.marks.hidden_from(shown)
            length = session.tree[shown].length
            assert stops[shown] == (length if hidden is None else min(hidden, length))


def check_panes(app: LoomApp) -> None:
    main, session = app.main, app.session
    folds = {Place(mark.node, mark.start) for mark, _ in session.marks if mark.kind is Kind.FOLDED}
    fresh = Rows(session.display, main.tree_pane.top, frozenset(folds))
    kept = main.tree_pane._rows
    assert list(map(_seen, kept._rows)) == list(map(_seen, fresh._rows))
    assert kept._heads.tolist() == fresh._heads.tolist()
    if not main.editor.is_open and not isinstance(app.screen, SearchScreen):
        shown, here = main.text_pane.shown, main.here
        assert shown.node == here.node and here.at - 4 <= shown.at <= here.at
        assert main.text_pane._page.length == main.text_pane._course.length


def _seen(row: Row) -> tuple[int, int, int, bool, int]:
    """A row of text that grows may know an end that is out of date."""
    return row.segment.node, row.segment.start, row.depth, row.folded, row.hidden_count


def check_bytes(session: Session, number: int) -> None:
    """The bytes of the tokens are the bytes of the node."""
    for node in list(session.tree)[-40:] if number % UNDO_EVERY else session.tree:
        span = session.span(node)
        if span is not None and len(span):
            pieces = b"".join(session.piece(node, token) for token in span.ids.tolist())
            text = session.tree[node].text
            assert pieces.startswith(text) if session.tree[node].growing else pieces == text


def undoable(session: Session) -> dict[Mark, str]:
    passing = (Kind.VISITED, Kind.LAST)
    return {mark: value for mark, value in session.marks if mark.kind not in passing}


def check_undo(session: Session) -> None:
    """What has no text yet when it is stopped stays away."""
    before = undoable(session)
    begun = {Mark(n, 0, Kind.HIDDEN) for n in session.growing() if not session.tree[n].length}
    if session.undo() is not None:
        session.redo()
    after = undoable(session)
    dropped = {mark for mark in begun - before.keys() if after.get(mark) == EMPTY}
    assert {mark: value for mark, value in after.items() if mark not in dropped} == before


def check_reopened(session: Session, folder: Path) -> None:
    """A copy of the file, opened, is the session."""
    path = folder / "copy.loom"
    path.unlink(missing_ok=True)
    session.copy_to(path)
    again = Session.open(path, read_only=True)
    try:
        assert list(again.tree) == list(session.tree)
        assert all(again.tree[node] == session.tree[node] for node in session.tree)
        assert dict(again.marks) == dict(session.marks)
        assert (again.place, again.path_text()) == (session.place, session.path_text())
        assert again.display.rows() == session.display.rows()
        assert (again.recipe, again.branches) == (session.recipe, session.branches)
        if again.history._earlier is not None:  # of many events only the last are read at first
            recent = again.history._done[1:]
            assert recent == session.history._done[len(session.history._done) - len(recent) :]
            again.history._read_everything()
        assert again.history._done == session.history._done
        assert again.history._undone == session.history._undone
    finally:
        again._store.close()


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SESSIONS))
async def test_random_keys_leave_the_session_sound(tmp_path: Path, seed: int) -> None:
    keys_here = KEYS // SESSIONS
    session = Session.create(tmp_path / "story.loom", seed=seed)
    session.set_sampling(recipe=Recipe(tokens=5, preset="balanced"), branches=3)
    session.write("The lighthouse keeper had not spoken to anyone. Naïve 日本語 text.")
    app = LoomApp(session, Config(), "echo")
    chance, every, pressed = random.Random(seed), keys(), list[str]()
    app.main._choice = random.Random(seed)
    async with app.run_test(size=(72, 20)):
        await app.main.engine_settled.wait()
        await session.engine_ready()
        for number in range(1, keys_here // BATCH + 1):
            pressed += (batch := [chance.choice(every) for _ in range(BATCH)])
            for key in batch:
                app.post_message(event_of(key))
            try:
                await quiet(app)
                check(app, number)
                if number % UNDO_EVERY == 0:
                    check_undo(session)
                if number % REOPEN_EVERY == 0:
                    session.cancel()
                    check_reopened(session, tmp_path)
            except Exception as error:
                for event in session.events()[-12:]:
                    error.add_note(f"{event.kind} {event.data}")
                error.add_note(f"seed {seed}, key {len(pressed)}: … {' '.join(pressed[-60:])}")
                raise
        assert len(pressed) == keys_here // BATCH * BATCH
        assert len(session.tree) > keys_here // 40
