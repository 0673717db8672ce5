"""The first look: the text is where the page has it, what is typed waits, errors are seen."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
import termios
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest

import loom
from loom.session import Session
from loom.store.ending import end_of_text
from loom.ui import glimpse, imprint
from loom.ui.app import LoomApp
from loom.ui.glimpse import NAME, Glimpse, Layout

MakeApp = Callable[..., LoomApp]
COLUMNS, LINES = 120, 40
PATIENCE = 60
STORY = "One.\n\n" + "The keeper had not spoken to anyone. 灯台 \tand a\u200bb é. " * 60
LEFT, SHOWN = "\x1b[?1049l", "\x1b[?1049h"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    here = [COLUMNS, LINES, "xterm", "", ""]
    for module in (glimpse, imprint):
        monkeypatch.setattr(module, "terminal", lambda: list(here))
    return here


@pytest.mark.parametrize("text", ["Once upon a time.", STORY, STORY * 10])
async def test_the_text_stands_where_the_page_has_it(
    text: str, make_app: MakeApp, terminal: list[Any], tmp_path: Path
) -> None:
    app = make_app(text)
    async with app.run_test(size=(COLUMNS, LINES)) as pilot:
        await app.main.engine_settled.wait()
        await app.session.engine_ready()
        page, before = seen(app), ""
        while page != before:
            await pilot.pause(0.3)
            page, before = seen(app), page
        layout = imprint.imprint(app.main)
    layout.save(tmp_path)
    kept, end = Layout.load(tmp_path), end_of_text(app.session.path)
    assert kept is not None and end is not None
    lines, cells = range(kept.y, kept.y + kept.height), range(kept.x, kept.x + kept.width)
    shown = on_screen(glimpse.drawn(kept, end))
    there = on_screen(page)
    assert [[shown.buffer[y][x].data for x in cells] for y in lines] == [
        [there.buffer[y][x].data for x in cells] for y in lines
    ]
    assert shown.display[0].startswith(" story")


def seen(app: LoomApp) -> str:
    strips = app.screen._compositor.render_strips()
    return "\r\n".join(strip.text for strip in strips)


def on_screen(output: str) -> pyte.Screen:
    screen = pyte.Screen(COLUMNS, LINES)
    pyte.Stream(screen).feed(output)
    return screen


def test_of_an_endless_paragraph_the_end_is_shown(terminal: list[Any], tmp_path: Path) -> None:
    session = Session.create(tmp_path / "story.loom")
    session.write("word " * 20_000 + "the end.")
    asyncio.run(session.close())
    layout = Layout(terminal, 0, 1, 40, 20, dict.fromkeys(("page", "bar", "title"), ""))
    layout = replace(layout, looks={**layout.looks, "current writer": ""})
    end = end_of_text(session.path)
    assert end is not None and not end.whole
    rows = on_screen(glimpse.drawn(layout, end)).display[1:21]
    assert all(row.startswith("word") for row in rows[:-1]) and "the end." in rows[-1]


def test_nothing_is_shown_on_another_terminal(terminal: list[Any], tmp_path: Path) -> None:
    layout = Layout([*terminal], 0, 1, 40, 20, {"page": ""})
    layout.save(tmp_path)
    assert Layout.load(tmp_path) == layout
    terminal[0] += 1
    assert Layout.load(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"terminal": 5}', "\xff"])
def test_a_layout_that_makes_no_sense_is_none(
    text: str, terminal: list[Any], tmp_path: Path
) -> None:
    (tmp_path / NAME).write_text(text)
    assert Layout.load(tmp_path) is None


def test_a_layout_without_looks_shows_nothing(terminal: list[Any], tmp_path: Path) -> None:
    session = Session.create(tmp_path / "story.loom")
    session.write("Once.")
    asyncio.run(session.close())
    Layout(terminal, 0, 1, 40, 20, {}).save(tmp_path)
    with Glimpse.of(session.path, tmp_path) as first:
        assert not first.stands


# ── in a terminal ──────────────────────────────────────────────────────────────────────────────


def started(folder: Path, *words: str) -> pexpect.spawn[bytes]:
    environment = {
        **os.environ,
        "LOOM_HOME": str(folder / "home"),
        "PYTHONPATH": str(Path(loom.__file__).parents[1]),
        "TERM": "xterm-256color",
        "LC_ALL": "C.UTF-8",
    }
    command = ["-m", "loom", "--model", "echo", *words]
    return pexpect.spawn(
        sys.executable, command, env=environment, cwd=str(folder), timeout=PATIENCE,
        dimensions=(LINES, COLUMNS),
    )  # fmt: skip


def prepared(folder: Path) -> Path:
    """A session, and a layout as an earlier page would have left it."""
    session = Session.create(folder / "story.loom")
    session.write("The keeper had not spoken.")
    asyncio.run(session.close())
    (folder / "home" / "state").mkdir(parents=True)
    names = ["page", "bar", "title", "busy", "current writer", "earlier writer"]
    layout = {
        "terminal": [COLUMNS, LINES, "xterm-256color", *(
            os.environ.get(name, "") for name in ("COLORTERM", "NO_COLOR")
        )],
        "x": 5, "y": 2, "width": 60, "height": 20, "looks": dict.fromkeys(names, ""),
    }  # fmt: skip
    (folder / "home" / "state" / NAME).write_text(json.dumps(layout))
    return session.path


def flags(process: pexpect.spawn[bytes]) -> int:
    return int(termios.tcgetattr(process.child_fd)[3]) & (termios.ECHO | termios.ICANON)


def test_what_is_typed_meanwhile_reaches_the_page(tmp_path: Path) -> None:
    path = prepared(tmp_path)
    process = started(tmp_path, path.name)
    before = flags(process)
    process.expect_exact("The keeper had not spoken.")
    assert b"\x1b[?2026$p" not in process.before, "Textual is not there yet"
    process.send("i Then\x7f\x7fn he did.")
    process.expect_exact("Thn he did.")  # in the editor
    process.send("\x1b")
    process.expect_exact("write on")
    process.send("q")
    seen = process.read()
    process.wait()
    assert process.exitstatus == 0
    assert seen.count(LEFT.encode()) == 1
    assert flags(process) == before == termios.ECHO | termios.ICANON
    session = Session.open(path, read_only=True)
    assert session.path_text() == "The keeper had not spoken. Thn he did."
    asyncio.run(session.close())


def test_what_can_t_be_opened_is_said_on_the_screen_before(tmp_path: Path) -> None:
    path = prepared(tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE mark SET value = '2'")
    process = started(tmp_path, path.name)
    process.expect_exact("The keeper had not spoken.")
    process.expect_exact(LEFT)
    process.expect_exact("loom: ")
    process.expect(pexpect.EOF)
    process.wait()
    assert process.exitstatus == 1


def test_ctrl_c_ends_it_before_the_page_is_there(tmp_path: Path) -> None:
    path = prepared(tmp_path)
    os.mkfifo(tmp_path / "never.toml")  # reading it waits for ever
    process = started(tmp_path, "--config", "never.toml", path.name)
    process.expect_exact("The keeper had not spoken.")
    process.send("\x03")
    process.expect_exact(LEFT)
    process.expect_exact("Stopped.")
    process.wait()
    assert process.exitstatus == 130
