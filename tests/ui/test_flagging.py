"""Flags on the screen: marks, going from one to the next, what the lens tells of them."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from loom.config import Config, PluginConfig
from loom.core.node import ROOT, Place
from loom.instruments.api import Flag
from loom.raised import Raised
from loom.session import Session
from loom.ui.app import LoomApp
from loom.ui.flags import briefly, reading_key
from loom.ui.widgets import lens_flags
from loom.ui.widgets.lens_lines import Line

SNAPSHOT = Path(__file__).parent / "snapshots" / "middle-flags.txt"

WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]

MARKER = '''
"""marker: flags ! and, less gravely, ?; both are about the five tokens before them, too."""
import numpy as np
from loom.instruments.api import Flag, Reading

NAME, VERSION, ABOUT = "marker", "1", "Flags exclamation marks."
OPTIONS = {"grave": True, "least": 1, "words": ["a"], "tone": "calm", "alpha": 0.01}
UNITS = {"letters": "bytes"}

def start(settings):
    return bool(settings.options["grave"])

def step(state, span, context):
    flags = []
    for index, piece in enumerate(context.pieces):
        began = max(0, context.position + index - 5)
        if b"!" in piece and state:
            flags.append(Flag("flag", "reference", index, began, 6.7, "It is loud here.",
                              0.01, 512, "a shout, or a sign"))
        if b"?" in piece:
            flags.append(Flag("info", "none", index, began, 0.0, "Somebody asks."))
    sizes = np.array([len(piece) for piece in context.pieces], np.float32)
    return state, Reading({"letters": sizes}, {"tokens": len(span)}, tuple(flags))
'''
OTHERS = {name: PluginConfig(enabled=False) for name in ("surprise", "traps", "ledger", "verify")}


@pytest.fixture
def marker(_home: Path) -> Path:
    """The only plugin that runs."""
    folder = _home / "plugins"
    folder.mkdir()
    (folder / "marker.py").write_text(MARKER)
    return folder / "marker.py"


@pytest.fixture
def make(tmp_path: Path, marker: Path, plugins_run: None) -> Callable[[], LoomApp]:
    """A tree of four written nodes: `One! two` with `three` and `four? five!` after it, of which
    the last is where the writer is, and `Other` beside the first."""

    def app() -> LoomApp:
        session = Session.create(tmp_path / "flags.loom", seed=7)
        first = session.write("One! two")
        session.write(" three")
        session.write(" four? five!", session.tree[first].end)
        return LoomApp(session, Config(plugins=OTHERS), "echo")

    return app


def lines(app: LoomApp) -> list[str]:
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


async def read(app: LoomApp, pilot: Pilot[None], wait_for: WaitFor) -> None:
    """Until all flags are known."""
    await wait_for(pilot, lambda: len(app.session.flagged) == 2)


def row(app: LoomApp, words: str) -> str:
    """The part of the tree's row with these words that the tree has."""
    width = app.main.tree_pane.region.right
    return next(line[:width] for line in lines(app) if words in line[:width])


async def test_flags_are_marked_in_tree_text_status_line_and_lens(
    make: Callable[[], LoomApp], wait_for: WaitFor
) -> None:
    app = make()
    async with app.run_test(size=(150, 30)) as pilot:
        assert "⚑" not in "".join(lines(app)[1:])
        await read(app, pilot, wait_for)
        assert "⚑ 2 ⚐ 1" in lines(app)[0]
        assert "uncalibrated" in lines(app)[0]
        assert "⚑" in row(app, "One! two")
        assert "⚑" in row(app, "four? five!")
        assert "⚑" not in row(app, "three")
        assert any("⚑One! two four? five!" in line for line in lines(app))
        told = "\n".join(lines(app))
        assert "Flags here" in told and "⚑ marker" in told and "6.7 bits" in told
        assert "tested   looks like reference text" in told and "0.01 in 512 tokens" in told
        assert "5 tokens before" in told and "a shout, or a sign" in told
        assert told.index("It is loud here.") < told.index("Somebody asks.")
        await pilot.press("up")
        await pilot.pause()
        assert "⚑ 1 " in lines(app)[0]
        assert "Flags here" not in "\n".join(lines(app))


async def test_the_screen_with_flags_looks_as_it_did(
    make: Callable[[], LoomApp], wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without colours: everything is told by characters and how they stand out."""
    monkeypatch.setenv("NO_COLOR", "1")
    app = make()
    async with app.run_test(size=(100, 24)) as pilot:
        await read(app, pilot, wait_for)
        await pilot.press("F", "L")
        await wait_for(pilot, lambda: app.main.lens.flag_panel.lines)
        await pilot.pause(0.3)
        now = "\n".join(lines(app)) + "\n"
        if os.environ.get("LOOM_SNAPSHOTS") == "write":
            SNAPSHOT.write_text(now, encoding="utf-8")
        assert now == SNAPSHOT.read_text(encoding="utf-8")


async def test_on_a_small_screen_everything_of_a_flag_is_in_sight(
    make: Callable[[], LoomApp], wait_for: WaitFor
) -> None:
    app = make()
    async with app.run_test(size=(80, 24)) as pilot:
        await read(app, pilot, wait_for)
        await pilot.press("F", "L")
        await wait_for(pilot, lambda: "5 tokens before" in "\n".join(lines(app)))
        told = "\n".join(lines(app))
        facts = ("perhaps  a shout, or a sign", "tested   looks like reference text",
                 "α        0.01 in 512 tokens", "It is loud here.", "6.7 bits")  # fmt: skip
        for words in facts:
            assert words in told


async def test_cards_say_what_a_flag_may_be(make: Callable[[], LoomApp], wait_for: WaitFor) -> None:
    app = make()
    async with app.run_test(size=(80, 24)) as pilot:
        await read(app, pilot, wait_for)
        await pilot.press("left")
        await wait_for(pilot, lambda: "⚑ shout" in "\n".join(lines(app)))
        assert sum("⚑ shout" in line for line in lines(app)) == 1


async def test_f_goes_to_the_next_flag_on_the_path_and_then_in_the_tree(
    make: Callable[[], LoomApp], wait_for: WaitFor
) -> None:
    app = make()
    session = app.session
    session.go(session.tree[1].end)
    session.write("!")
    async with app.run_test(size=(120, 30)) as pilot:
        for node in (3, 2):  # what is written is read where the writer is
            await wait_for(pilot, lambda: session.tree[session.place.node].token_count)
            session.go(session.tree[node].end)
        await wait_for(pilot, lambda: len(session.flagged) == 3)
        await pilot.press("F")
        await pilot.pause()
        assert app.main.cursor == Place(1, 3)
        assert session.place == session.tree[2].end
        assert app.focused is app.main.text_pane
        seen = []
        for _ in range(5):
            await pilot.press("f")
            await pilot.pause()
            seen.append((app.main.cursor, session.place.node))
        question, mark = Place(3, len(" four")), Place(3, len(" four? five"))
        last = (Place(1, 8), 4)
        assert seen == [(question, 3), (mark, 3), last, (Place(1, 3), 1), (question, 3)]
        seen = []
        for _ in range(5):
            await pilot.press("F")
            await pilot.pause()
            seen.append((app.main.cursor, session.place.node))
        first = Place(1, 3)
        assert seen == [(first, 3), last, (first, 4), (mark, 3), (question, 3)]


async def test_f_stays_in_what_is_hoisted(make: Callable[[], LoomApp], wait_for: WaitFor) -> None:
    app = make()
    async with app.run_test(size=(120, 30)) as pilot:
        await read(app, pilot, wait_for)
        await pilot.press("z", "f", "f", "f")
        await pilot.pause()
        assert app.main.scope is not None
        assert app.main.cursor.node == 3
        await pilot.press("tab", "Z", "up", "z", "f")
        await pilot.pause()
        told = [notice.message for notice in app._notifications]
        assert told == ["No flags here."]


async def test_enter_leads_to_where_a_flag_began(
    make: Callable[[], LoomApp], wait_for: WaitFor
) -> None:
    app = make()
    async with app.run_test(size=(120, 30)) as pilot:
        await read(app, pilot, wait_for)
        await pilot.press("F")
        await pilot.pause()
        assert "Enter where it began" in lines(app)[-1]
        await pilot.press("enter")
        await pilot.pause()
        assert app.main.cursor == Place(3, len(" four? five!") - 6)
        await pilot.press("home", "enter")
        await pilot.pause()
        assert app.main.cursor == app.session.tree[ROOT].end


async def test_a_click_in_the_lens_leads_to_where_a_flag_began(
    make: Callable[[], LoomApp], wait_for: WaitFor
) -> None:
    app = make()
    async with app.run_test(size=(150, 40)) as pilot:
        await read(app, pilot, wait_for)
        await pilot.pause()
        await pilot.click("#lens-flags", offset=(3, 4))
        await pilot.pause()
        assert app.main.cursor == Place(3, len(" four? five!") - 6)
        assert app.focused is app.main.text_pane


async def test_there_may_be_no_flags(
    make: Callable[[], LoomApp], wait_for: WaitFor, marker: Path
) -> None:
    marker.unlink()
    app = make()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("f", "F")
        await pilot.pause()
        told = [notice.message for notice in app._notifications]
        assert told == ["No flags here."] * 2


async def test_flags_of_a_plugin_that_is_switched_off_go_out_of_sight(
    make: Callable[[], LoomApp], wait_for: WaitFor, marker: Path
) -> None:
    app = make()
    async with app.run_test(size=(120, 30)) as pilot:
        await read(app, pilot, wait_for)
        marker.write_text("raise RuntimeError('broken')")
        client = app.session._readings.client
        assert client is not None and client.pid is not None
        for _ in range(2):
            await app.session.attach_instruments(app.config)
            await wait_for(pilot, lambda: app.session.instruments())
        await wait_for(pilot, lambda: "⚑" not in "\n".join(lines(app)))
        await pilot.pause()
        told = [notice.message for notice in app._notifications]
        assert len([one for one in told if "marker is off" in one]) == 1


def raised(**more: Any) -> Raised:
    flag = Flag(**{"level": "flag", "null": "none", "at": 0, "began": 0, "bits": 0.0,
                   "reason": "It is so.", **more})  # fmt: skip
    return Raised("odd", flag, Place(1, 3), 0, Place(1, 0), 0, 1, 0, 3)


def test_a_flag_is_told_briefly() -> None:
    assert briefly(raised(perhaps="a loop: go back; or a refrain")) == "loop"
    assert briefly(raised(perhaps="an absorbing state or a loop")) == "absorbing state"
    assert briefly(raised()) == "odd"


@pytest.mark.parametrize("width", [20, 32, 60])
def test_no_line_of_a_flag_is_wider_than_the_lens(width: int) -> None:
    many = [raised(bits=1234.5, alpha=0.05, horizon=512, perhaps="much " * 30)] * 7
    found: list[Line] = [line for line, _ in lens_flags.rows(many, width, lambda one: "words")]
    assert max(cell_len("".join(text for text, _ in line)) for line in found) <= width
    assert "2 more" in "".join(text for line in found for text, _ in line)


def test_places_are_in_the_order_in_which_the_tree_lists_them(tmp_path: Path) -> None:
    session = Session.create(tmp_path / "order.loom", seed=1)
    one = session.write("abcdef")
    early = session.write("x", Place(one, 2))
    late = session.write("y", Place(one, 4))
    beside = session.write("z", Place(one, 0))
    places = [Place(one, 1), Place(one, 3), Place(one, 5), Place(late, 1), Place(early, 1),
              Place(beside, 1)]  # fmt: skip
    listed = [row.segment.node for row in session.display.rows(None, set())]
    assert listed == [ROOT, one, one, one, late, early, beside]
    assert sorted(places, key=lambda place: reading_key(session.tree, place)) == places
