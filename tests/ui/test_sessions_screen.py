"""The list of sessions: what is done from it; and the engine goes along to the one opened."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Static

from loom.paths import Paths
from loom.session import Session
from loom.store.errors import StoreError
from loom.store.glance import glance
from loom.ui.app import LoomApp
from loom.ui.screens.saving import SaveText, typed_path
from loom.ui.screens.sessions import Opening, Sessions
from loom.ui.screens.shelved import ShelvedPicker, age_text, size_text
from loom.ui.screens.trash import Trash

MakeApp = Callable[..., LoomApp]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]
OPENING = "The lighthouse keeper had not spoken"


@pytest.fixture
def folder(_home: Path) -> Path:
    """The sessions folder, with `old` and `older` in it."""
    folder = _home / "sessions"
    folder.mkdir()
    for name, when in (("older", 1000), ("old", 100_000_000)):
        session = Session.create(folder / f"{name}.loom", seed=1)
        session.write(f"{name} words")
        session._store.close()
        os.utime(session.path, (when, when))
    return folder


def said(app: LoomApp) -> str:
    return str(app.screen.query_one("#said", Static).render())


def rows(app: LoomApp) -> list[str]:
    """Those that come with Loom are left out."""
    assert isinstance(app.screen, ShelvedPicker)
    options = app.screen.options
    found = [str(options.get_option_at_index(i).prompt) for i in range(options.option_count)]
    return [row for row in found if "comes with Loom" not in row]


async def open_list(app: LoomApp, pilot: Pilot[None], wait_for: WaitFor, key: str = "s") -> None:
    await pilot.press(key)
    await wait_for(pilot, lambda: isinstance(app.screen, Sessions) and app.screen.shelved)


async def test_the_list_shows_every_session_the_newest_first(
    make_app: MakeApp, wait_for: WaitFor, folder: Path
) -> None:
    (folder / "broken.loom").write_text("junk")
    os.utime(folder / "broken.loom", (500, 500))
    app = make_app(OPENING)
    async with app.run_test(size=(100, 30)) as pilot:
        await open_list(app, pilot, wait_for, "ctrl+o")
        found = rows(app)
        assert found[0].startswith("● story ")
        assert " open · 1 node · " in found[0]
        assert OPENING in found[0]
        assert found[1].startswith("  old ")
        assert "1973-03-03 · 1 node" in found[1]
        assert "older words" in found[2]
        assert "not a Loom session" in found[3]
        assert all(len(line) <= 94 for row in found for line in row.split("\n"))
        app.screen.options.highlighted = 3  # type: ignore[attr-defined]
        await pilot.press("enter")
        assert "not a Loom session" in said(app)
        assert isinstance(app.screen, Sessions)
        await pilot.press("escape")
        await pilot.pause()
        assert len(app.screen_stack) == 1


async def test_another_session_is_opened_on_the_same_engine(
    make_app: MakeApp, wait_for: WaitFor, folder: Path, tmp_path: Path
) -> None:
    app = make_app(OPENING)
    first = app.session
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_for(pilot, lambda: first.engine and first.engine.state == "ready")
        assert first.engine is not None
        pid = first.engine.pid
        await open_list(app, pilot, wait_for)
        await pilot.press("down", "enter")
        await wait_for(pilot, lambda: app.session is not first and app.session.engine)
        second = app.session
        assert (second.path, second.path_text()) == (folder / "old.loom", "old words")
        assert second.engine is not None
        assert second.engine.pid == pid
        await wait_for(pilot, lambda: app.screen is app.main and app.main.is_mounted)
        assert app.main.session is second
        assert len(app.screen_stack) == 1
        assert "echo" in str(app.main.status.render())
        await pilot.press("g")
        await wait_for(pilot, lambda: len(second.tree) > 2 and not second.growing())
        assert len(second.continuations()) == second.branches
        await wait_for(pilot, lambda: Paths.default().last_session() == second.path)
        again = Session.open(tmp_path / "story.loom")
        assert not again.read_only, "the one before was closed"
        await again.close()
    assert glance(folder / "old.loom").opening.startswith(b"old words")


async def test_what_was_being_written_is_there_when_one_comes_back(
    make_app: MakeApp, wait_for: WaitFor, folder: Path, tmp_path: Path
) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("i", "x", "y")
        app.choose_session(Opening(folder / "old.loom"))
        await wait_for(pilot, lambda: app.session.title == "old" and app.main.is_mounted)
        app.choose_session(Opening(tmp_path / "story.loom"))
        await wait_for(pilot, lambda: app.session.title == "story" and app.main.is_mounted)
        await wait_for(pilot, lambda: app.main.editor.is_open)
        assert app.main.editor.text == "xy"


async def test_one_that_cannot_be_opened_leaves_everything_as_it_is(
    make_app: MakeApp, wait_for: WaitFor, tmp_path: Path
) -> None:
    app = make_app(OPENING)
    before = app.session
    async with app.run_test(size=(100, 30)) as pilot:
        app.choose_session(Opening(tmp_path / "none.loom"))
        await wait_for(pilot, lambda: len(app._notifications) > 0)
        assert "There is no session" in [*app._notifications][-1].message
        assert app.session is before
        await pilot.press("i", "a", "escape")
        assert before.path_text() == OPENING + "a"


async def test_a_new_session_begins_in_the_editor(
    make_app: MakeApp, wait_for: WaitFor, folder: Path
) -> None:
    app = make_app(OPENING)
    app.config = type(app.config)(branches=6)
    async with app.run_test(size=(100, 30)) as pilot:
        await open_list(app, pilot, wait_for)
        await pilot.press("n")
        await wait_for(pilot, lambda: app.session.path.parent == folder and app.main.is_mounted)
        await wait_for(pilot, lambda: app.main.editor.is_open)
        assert len(app.session.tree) == 1
        assert app.session.branches == 6


async def test_a_text_file_is_opened_as_a_new_session(
    make_app: MakeApp, wait_for: WaitFor, folder: Path, tmp_path: Path
) -> None:
    text = tmp_path / "draft.txt"
    text.write_text("A draft.\n")
    app = make_app(OPENING)
    async with app.run_test(size=(100, 30)) as pilot:
        await open_list(app, pilot, wait_for)
        await pilot.press("f")
        assert isinstance(app.screen, Sessions)
        app.screen.line.value = str(tmp_path / "none.txt")
        await pilot.press("enter")
        assert "can't be read: No such file" in said(app)
        app.screen.line.value = str(text)
        await pilot.press("enter")
        await wait_for(pilot, lambda: app.session.title == "draft")
        assert app.session.path_text() == "A draft.\n"


async def test_renaming_goes_into_the_file_and_the_status_line(
    make_app: MakeApp, wait_for: WaitFor, folder: Path
) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(100, 30)) as pilot:
        await open_list(app, pilot, wait_for)
        await pilot.press("r", "space", "q", "2", "enter")
        await wait_for(pilot, lambda: "Renamed" in said(app))
        assert app.session.title == "story q2"
        assert rows(app)[0].startswith("● story q2 ")
        await pilot.press("down", "r", "ctrl+u", "X", "enter")
        await wait_for(pilot, lambda: rows(app)[0].startswith("  X "))
        assert glance(folder / "old.loom").title == "X"
        await pilot.press("r", "ctrl+u", "enter")
        await wait_for(pilot, lambda: "at least one letter" in said(app))
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert app.screen is app.main
        assert "story q2" in str(app.main.status.render())


async def test_copying_also_the_one_that_is_open(
    make_app: MakeApp, wait_for: WaitFor, folder: Path, tmp_path: Path
) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(100, 30)) as pilot:
        await open_list(app, pilot, wait_for)
        await pilot.press("down", "d")
        await wait_for(pilot, lambda: "old-2.loom" in said(app))
        assert glance(folder / "old-2.loom").opening == b"old words"
        app.screen.options.highlighted = [  # type: ignore[attr-defined]
            shelved.path.stem
            for shelved in app.screen.shelved  # type: ignore[attr-defined]
        ].index("story")
        await pilot.press("d")
        await wait_for(pilot, lambda: "story-2.loom" in said(app))
        assert glance(tmp_path / "story-2.loom").opening == OPENING.encode()


async def test_throwing_away_says_where_it_went(
    make_app: MakeApp, wait_for: WaitFor, folder: Path
) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(100, 30)) as pilot:
        await open_list(app, pilot, wait_for)
        await pilot.press("delete")
        assert "This session is open" in said(app)
        await pilot.press("down", "delete")
        await wait_for(pilot, lambda: "in the trash" in said(app))
        assert str(folder / "trash" / "old.loom") in said(app)
        assert [row.split()[0] for row in rows(app)] == ["●", "older"]
        assert glance(folder / "trash" / "old.loom").opening == b"old words"


async def test_the_trash_gives_back_and_is_emptied_after_a_question(
    make_app: MakeApp, wait_for: WaitFor, folder: Path
) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(100, 30)) as pilot:
        await open_list(app, pilot, wait_for)
        await pilot.press("down", "delete", "delete")
        await wait_for(pilot, lambda: len(rows(app)) == 1)
        await pilot.press("t")
        await wait_for(pilot, lambda: isinstance(app.screen, Trash) and app.screen.shelved)
        assert [row.split()[0] for row in rows(app)] == ["old", "older"]
        await pilot.press("down", "enter")
        await wait_for(pilot, lambda: "is back" in said(app))
        assert glance(folder / "older.loom").opening == b"older words"
        await pilot.press("x", "n", "o", "enter")
        assert "Nothing is deleted" in said(app)
        assert (folder / "trash" / "old.loom").exists()
        await pilot.press("ctrl+u", "y", "e", "s", "enter")
        await wait_for(pilot, lambda: "Deleted 1 session." in said(app))
        assert rows(app) == []
        await pilot.press("x")
        assert "The trash is empty." in said(app)
        await pilot.press("escape")
        await wait_for(pilot, lambda: isinstance(app.screen, Sessions) and len(rows(app)) == 2)
        assert app.screen.chosen is not None  # type: ignore[attr-defined]
        assert app.screen.chosen.title == "older"  # type: ignore[attr-defined]


async def test_a_recorded_session_at_the_end_of_the_list_opens_as_a_copy(
    make_app: MakeApp, wait_for: WaitFor, _home: Path
) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(100, 30)) as pilot:
        await open_list(app, pilot, wait_for)
        assert isinstance(app.screen, Sessions)
        app.screen.options.highlighted = len(app.screen.shelved)
        await pilot.press("delete", "r")
        assert not app.screen.asking
        assert "comes with Loom" in said(app)
        await pilot.press("enter")
        await wait_for(pilot, lambda: app.session.title == "A first story" and app.main.is_mounted)
        assert app.session.path == _home / "sessions" / "first-story.loom"
        assert not app.session.read_only


async def test_the_palette_opens_the_demo(
    make_app: MakeApp, wait_for: WaitFor, _home: Path
) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(100, 30)) as pilot:
        entries = {entry.title: entry for entry in app.get_system_commands(app.main)}
        await entries["Open the demo session"].callback()
        await wait_for(pilot, lambda: app.session.title == "A first story" and app.main.is_mounted)
        await wait_for(pilot, lambda: len(app.main.cards) > 1)


async def test_the_palette_saves_the_text(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app(OPENING)
    target = tmp_path / "out.md"
    target.write_text("precious")
    async with app.run_test(size=(100, 30)) as pilot:
        entries = {entry.title: entry for entry in app.get_system_commands(app.main)}
        await entries["Save the text as a file…"].callback()
        await pilot.pause()
        assert isinstance(app.screen, SaveText)
        assert app.screen.line.value.endswith("story.md")
        app.screen.line.value = str(tmp_path / "no [/b] folder" / "out.md")
        await pilot.press("enter")
        assert r"no \[/b] folder" in str(app.screen.query_one("#lookup").border_subtitle)
        app.screen.line.value = str(target)
        await pilot.press("enter")
        assert target.read_text() == "precious"
        assert "Enter again replaces it" in str(app.screen.query_one("#lookup").border_subtitle)
        await pilot.press("enter")
        await pilot.pause()
        assert target.read_text() == f"# story\n\n{OPENING}\n"
        assert len(app.screen_stack) == 1
        assert f"Saved as {target}." in [*app._notifications][-1].message


async def test_the_path_is_saved_and_nothing_is_replaced_unasked(
    make_app: MakeApp, wait_for: WaitFor, folder: Path, tmp_path: Path
) -> None:
    app = make_app(OPENING)
    target = tmp_path / "out.txt"
    target.write_text("precious")
    async with app.run_test(size=(100, 30)) as pilot:
        app.session.write(" since.")
        app.session.go(app.session.tree[1].end)
        await open_list(app, pilot, wait_for)
        await pilot.press("ctrl+s")
        screen = app.screen
        assert isinstance(screen, Sessions)
        assert screen.line.value.endswith("story.md")
        screen.line.value = str(target)
        await pilot.press("enter")
        assert "Enter again replaces it" in said(app)
        assert target.read_text() == "precious"
        await pilot.press("enter")
        await wait_for(pilot, lambda: "Saved as" in said(app))
        assert target.read_text() == OPENING
        await pilot.press("down", "s")
        screen.line.value = str(tmp_path / "other.md")
        await pilot.press("enter")
        await wait_for(pilot, lambda: "other.md" in said(app))
        assert (tmp_path / "other.md").read_text() == "# old\n\nold words\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3, "just now"), (125, "2 min ago"), (7300, "2 h ago"), (200_000, "2 d ago"),
     (10_000_000, "1970-01-02")],
)  # fmt: skip
def test_ages_are_told_in_one_unit(seconds: float, text: str) -> None:
    assert age_text(seconds, 129_600.0) == text


def test_sizes_and_paths_as_one_types_them() -> None:
    assert [size_text(n) for n in (1, 1500, 2_340_000)] == ["1 kB", "2 kB", "2.3 MB"]
    assert typed_path(" ~/a.txt ") == Path.home() / "a.txt"
    with pytest.raises(StoreError, match="no path"):
        typed_path("  ")


async def test_the_lines_under_a_long_list_stay_in_sight(
    make_app: MakeApp, wait_for: WaitFor, folder: Path
) -> None:
    for number in range(20):
        (folder / f"broken-{number}.loom").write_text("junk")
    app = make_app(OPENING)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_list(app, pilot, wait_for)
        assert isinstance(app.screen, Sessions)
        await pilot.press("r")
        await pilot.pause()
        box = app.screen.query_one("#picker").region
        for name in ("#asked", "#said"):
            region = app.screen.query_one(name).region
            assert region.height == 1
            assert box.contains_region(region)
        assert len(Sessions.KEYS) <= box.width - 6, "all its keys are told"


async def test_what_is_typed_ahead_in_the_list_goes_where_it_was_meant(
    make_app: MakeApp, wait_for: WaitFor, folder: Path
) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_list(app, pilot, wait_for)
        for key in ("down", "r", "ctrl+u", *"draft", "enter"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await wait_for(pilot, lambda: "Renamed" in said(app))
        assert glance(folder / "old.loom").title == "draft"
        assert app.session.title == "story"
