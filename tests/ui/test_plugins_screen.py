"""The plugin panel: on and off, options, troubles; in force at once and kept in loom.toml."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from loom.config import load_config
from loom.session import Session
from loom.ui.app import LoomApp
from loom.ui.screens.options import read, shown
from loom.ui.screens.plugins import Plugins

WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]
Option = bool | int | float | str | list[Any]

LOUD = """
from loom.instruments.api import Flag, Reading

NAME, VERSION, ABOUT = "loud", "3", "Flags what is loud."
OPTIONS = {"sign": "!", "least": 1, "share": 0.5, "also": ["?"], "strict": True}

def start(settings):
    return settings.options["sign"]

def step(state, span, context):
    loud = [i for i, piece in enumerate(context.pieces) if state.encode() in piece]
    flags = [Flag("flag", "none", i, context.position + i, 0.0, "It is loud.") for i in loud]
    return state, Reading(flags=tuple(flags))
"""
OFF = "[plugins]  # mine\ndisabled = ['surprise', 'traps', 'ledger', 'verify']\n"


@pytest.fixture
def app(_home: Path, tmp_path: Path, plugins_run: None) -> LoomApp:
    """Only `loud` and `broken` are on."""
    folder = _home / "plugins"
    folder.mkdir()
    (folder / "loud.py").write_text(LOUD)
    (folder / "broken.py").write_text("raise RuntimeError('no such thing')")
    (_home / "loom.toml").write_text(OFF)
    session = Session.create(tmp_path / "loud.loom", seed=7)
    session.write("One! two?")
    return LoomApp(session, load_config(), "echo")


def listed(app: LoomApp) -> str:
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


def at(app: LoomApp, name: str, option: str = "") -> int:
    panel = app.screen
    assert isinstance(panel, Plugins)
    names = [(line.plugin.found.name, line.option) for line in panel.lines]
    return names.index((name, option))


def highlight(app: LoomApp, name: str, option: str = "") -> None:
    panel = app.screen
    assert isinstance(panel, Plugins)
    panel.options.highlighted = at(app, name, option)


def marked(app: LoomApp) -> int:
    """How many flags the writer's text has."""
    return len(app.session.raised_in(1)) if 1 in app.session.flagged else 0


async def opened(app: LoomApp, pilot: Pilot[None], wait_for: WaitFor) -> None:
    await wait_for(pilot, lambda: marked(app) == 1)
    await pilot.press("X")
    await wait_for(pilot, lambda: isinstance(app.screen, Plugins) and app.screen.lines)


async def test_the_panel_lists_what_there_is_and_what_is_wrong(
    app: LoomApp, wait_for: WaitFor
) -> None:
    async with app.run_test(size=(100, 40)) as pilot:
        await opened(app, pilot, wait_for)
        seen = listed(app)
        assert "● loud" in seen and "Flags what is loud." in seen
        assert "! broken" in seen and "doesn't run" in seen
        assert "Switched off because" in seen and "no such thing" in seen
        assert "○ traps" in seen
        assert "least      1" in seen and "also       ?" in seen and "strict     true" in seen


async def test_space_switches_at_once_and_in_the_file(
    app: LoomApp, wait_for: WaitFor, _home: Path
) -> None:
    async with app.run_test(size=(100, 40)) as pilot:
        await opened(app, pilot, wait_for)
        highlight(app, "loud")
        await pilot.press("space")
        await wait_for(pilot, lambda: marked(app) == 0)
        assert not load_config().plugin("loud").enabled
        assert (_home / "loom.toml").read_text().startswith("[plugins]  # mine")
        await wait_for(pilot, lambda: "○ loud" in listed(app))
        await pilot.press("space")
        await wait_for(pilot, lambda: marked(app) == 1)
        assert load_config().plugin("loud").enabled
        told = [notice.message for notice in app._notifications]
        assert len([one for one in told if "broken is off" in one]) == 1


async def test_an_option_is_checked_and_the_open_session_read_anew_with_it(
    app: LoomApp, wait_for: WaitFor
) -> None:
    async with app.run_test(size=(100, 40)) as pilot:
        await opened(app, pilot, wait_for)
        highlight(app, "loud", "least")
        await pilot.press("enter", "x", "enter")
        assert "least must be a whole number, not 1x." in listed(app)
        await pilot.press("escape")
        highlight(app, "loud", "sign")
        await pilot.press("enter", "backspace", "o", "enter")
        await wait_for(pilot, lambda: marked(app) and app.session.raised_in(1)[0].last > 4)
        assert load_config().plugin("loud").options == {"sign": "o"}
        assert "(! by default)" in listed(app)
        highlight(app, "loud", "strict")
        await pilot.press("enter")
        await pilot.pause()
        assert load_config().plugin("loud").options == {"sign": "o", "strict": False}


plain = st.one_of(
    st.booleans(), st.integers(-999, 999), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"])),
)  # fmt: skip


@given(st.one_of(plain, st.lists(plain, max_size=4)))
def test_what_an_option_shows_is_what_it_reads(value: Option) -> None:
    again = read("it", shown(value), value)
    assert (again, type(again)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "default", "said"),
    [
        ("often", 0.5, "it must be a number, not often."),
        ("1.5", 1, "it must be a whole number, not 1.5."),
        ("maybe", True, "it must be true or false."),
    ],
)
def test_what_is_no_option_is_said(text: str, default: Option, said: str) -> None:
    with pytest.raises(ValueError) as raised:
        read("it", text, default)
    assert str(raised.value) == said


def test_a_list_is_typed_between_commas() -> None:
    assert read("it", ' a b , 2,true, "x, y" ', []) == ["a b", 2, True, "x, y"]
    assert read("it", " ", ["a"]) == []
