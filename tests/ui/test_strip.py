"""The strip at the foot: the keys that matter now, those in force, none that does nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from loom.config import Config, parse_config
from loom.session import Session
from loom.ui.app import LoomApp
from loom.ui.bindings import COMMANDS
from loom.ui.moments import Moment, offers
from loom.ui.widgets.strip import MOST, always, hints_for

MakeApp = Callable[..., LoomApp]
Press = Callable[[Pilot[None], str], Awaitable[None]]
Settle = Callable[[Pilot[None]], Awaitable[None]]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]
OPENING = "The lighthouse keeper had not spoken to anyone since"


def shown(app: LoomApp) -> list[str]:
    return [f"{hint.key} {hint.label}" for hint in app.main.strip.hints]


def told(moment: Moment) -> list[str]:
    return [f"{hint.key} {hint.label}" for hint in hints_for(moment)]


def test_every_moment_offers_commands_of_the_table_and_few() -> None:
    names = {command.name for command in COMMANDS}
    switches = ("writing", "blank", "in_text", "growing", "read_only", "root", "hid", "found")
    for values in product((False, True), repeat=len(switches)):
        moment = replace(Moment(cards=3), **dict(zip(switches, values, strict=True)))
        found = offers(moment)
        assert found, "there is always a next step"
        assert {name for offer in found for name in offer.names} <= names
        assert 1 <= len(hints_for(moment)) <= MOST


def test_what_does_nothing_now_is_left_out() -> None:
    assert not any("walk" in hint for hint in told(Moment()))
    assert "1–3 walk in" in told(Moment(cards=3))
    assert "1 walk in" in told(Moment(cards=1))
    assert not any("grow" in hint or "write" in hint for hint in told(Moment(read_only=True)))
    assert told(Moment(model=False))[0] == "m choose a model"
    assert not any("the others" in hint for hint in told(Moment()))
    assert "↑ ↓ the others" in told(Moment(siblings=2))
    assert "Z show all" in told(Moment(hoisted=True))
    assert "← back to the others" in told(Moment(riding=True, growing=True))


def test_in_the_editor_a_letter_is_no_key() -> None:
    assert told(Moment(writing=True)) == ["Ctrl+G let the model go on", "Esc done"]
    ways = [hint.key for hint in always(Moment(writing=True))]
    assert ways == ["Ctrl+P", "Ctrl+Q"]


async def test_the_strip_follows_what_one_does(
    make_app: MakeApp, type_text: Press, wait_for: WaitFor, settle: Settle
) -> None:
    app = make_app(delay=0.05)
    session = app.session
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_for(pilot, lambda: shown(app)[0] == "Ctrl+G let the model go on")
        await pilot.press("escape")
        await wait_for(
            pilot, lambda: shown(app)[:2] == ["i begin writing", "g let the model begin"]
        )
        await pilot.press("i")
        await type_text(pilot, OPENING)
        await pilot.press("escape")
        await wait_for(pilot, lambda: shown(app)[:2] == ["g grow 4", "i write on"])
        assert shown(app)[-2:] == ["? all keys", "q quit"]

        await pilot.press("g")
        await wait_for(pilot, lambda: len(session.growing()) == 4)
        await wait_for(pilot, lambda: "Esc stop" in shown(app))
        assert shown(app)[0] == "1–4 walk in"
        await settle(pilot)
        assert "Esc stop" not in shown(app)
        assert "g grow 4 more" in shown(app)

        await pilot.press("2")
        await wait_for(pilot, lambda: "↑ ↓ the others" in shown(app))
        await pilot.press("tab")
        await wait_for(pilot, lambda: shown(app)[0] == "a the next token")
        await pilot.press("left")
        await wait_for(pilot, lambda: shown(app)[0] == "a other tokens")
        assert "i write here" in shown(app)

        await pilot.press("escape", "backspace")
        await wait_for(pilot, lambda: shown(app)[0] == "u bring it back")
        await pilot.press("u")
        await wait_for(pilot, lambda: shown(app)[0] == "Ctrl+R do it again")
        await pilot.press("up")
        await wait_for(pilot, lambda: "Ctrl+R do it again" not in shown(app))
        await pilot.press("slash")
        await type_text(pilot, "lighthouse")
        await wait_for(pilot, lambda: app.screen.options.option_count)  # type: ignore[attr-defined]
        await pilot.press("enter")
        await wait_for(pilot, lambda: shown(app)[0] == "n N next, previous match")


async def test_a_model_that_cannot_be_loaded_is_the_first_thing_to_mend(
    make_app: MakeApp, wait_for: WaitFor
) -> None:
    app = make_app(OPENING, model="no-such-model")
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_for(pilot, lambda: shown(app)[0] == "m choose a model")
        assert not any(hint.startswith("g ") for hint in shown(app))


async def test_a_session_to_read_offers_no_writing(
    make_app: MakeApp, wait_for: WaitFor, tmp_path: Path
) -> None:
    app = make_app(OPENING)
    reader = Session.open(tmp_path / "story.loom", read_only=True)
    await app.session.close()
    app = LoomApp(reader, Config(), "echo")
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_for(pilot, lambda: "s other sessions" in shown(app))
        assert not any("write" in hint or "grow" in hint for hint in shown(app))


async def test_a_click_does_what_the_key_does(make_app: MakeApp, wait_for: WaitFor) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_for(pilot, lambda: "i write on" in shown(app))
        column = str(app.main.strip.render()).index("write on")
        await pilot.click("#strip", offset=(column, 0))
        await pilot.pause()
        assert app.main.editor.is_open


@pytest.mark.parametrize("width", [26, 40, 80])
async def test_it_stays_within_one_line(make_app: MakeApp, wait_for: WaitFor, width: int) -> None:
    app = make_app(OPENING)
    async with app.run_test(size=(width, 24)) as pilot:
        await wait_for(pilot, lambda: shown(app)[0] == "g grow 4")
        assert app.main.strip.size.height == 1
        assert len(str(app.main.strip.render())) <= width


async def test_keys_of_the_keymap_in_force_are_named_everywhere(
    tmp_path: Path, type_text: Press, wait_for: WaitFor
) -> None:
    settings = '[keys]\nundo = "f4"\ngrow = "f7"\ncommit = "f2"\ncommit_and_grow = "f3"\n'
    session = Session.create(tmp_path / "keys.loom", seed=1)
    app = LoomApp(session, parse_config(settings.encode(), Path("loom.toml")), "echo")
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_for(pilot, lambda: shown(app)[:2] == ["F3 let the model go on", "F2 done"])
        assert app.main.editor.border_subtitle == "F2 commits · F3 commits and grows"
        assert app.main.editor.placeholder == "Begin with a sentence. F3 lets the model go on."
        await type_text(pilot, "Once")
        await pilot.press("f2")
        await wait_for(pilot, lambda: shown(app)[0] == "F7 grow 4")
        await pilot.press("backspace")
        await wait_for(pilot, lambda: shown(app)[0] == "F4 bring it back")
        assert "F4 restores." in [*app._notifications][-1].message
