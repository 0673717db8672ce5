"""Sampling as one types it: in force at once, checked in one sentence, saved as a preset."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot
from textual.widgets import Input, Static

from loom.config import load_config
from loom.core.recipe import PRESETS, End, Recipe, Sampling
from loom.session import Session
from loom.ui.app import LoomApp
from loom.ui.screens.fields import FIELDS, OWN, Outcome, fields_with, stops, stops_text
from loom.ui.screens.settings import Settings

MakeApp = Callable[..., LoomApp]
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]
BALANCED = Outcome(Recipe(sampling=PRESETS["balanced"], preset="balanced"), 4)
BY_NAME = {field.name: field for field in FIELDS}


def applied(name: str, text: str, outcome: Outcome = BALANCED) -> Outcome:
    return BY_NAME[name].applied(text, outcome, PRESETS)


def explained(app: LoomApp) -> str:
    return str(app.screen.query_one("#explained", Static).render())


def line(app: LoomApp, name: str) -> Input:
    return app.screen.query_one(f"#{name}", Input)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_what_a_line_shows_is_what_it_reads(field: object) -> None:
    outcome = Outcome(
        Recipe(
            sampling=Sampling(
                temperature=0.123456789, top_k=7, top_p=1e-9, min_p=0.3, typical_p=0.5,
                repetition_penalty=1.25, repetition_window=9, logit_bias=((3, -1.5), (70, 2.0)),
            ),
            tokens=9, end=End.PARAGRAPH, stop=("a|b", "\n\\n"), preset=OWN,
        ),
        3,
    )  # fmt: skip
    known = BY_NAME[field.name]  # type: ignore[attr-defined]
    assert known.applied(known.text(outcome), outcome, PRESETS) == outcome


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("temperature", "-1", "Temperature must be 0 or more, not -1.0."),
        ("temperature", "warm", "Temperature must be a number, not warm."),
        ("temperature", " ", "Temperature must be a number."),
        ("temperature", "nan", "Temperature must be a number, not nan."),
        ("top_k", "1.5", "Top-k must be a whole number, not 1.5."),
        ("top_k", "-2", "Top-k must be 0 (off) or more, not -2."),
        ("top_p", "0", "Top-p must be above 0 and at most 1, not 0.0."),
        ("min_p", "1", "Min-p must be at least 0 and below 1, not 1.0."),
        ("typical_p", "2", "Typical-p must be above 0 and at most 1, not 2.0."),
        ("repetition_penalty", "0", "Repetition must be above 0, not 0.0."),
        ("tokens", "0", "Tokens must be 1 or more, not 0."),
        ("tokens", "99999999999", "Tokens must be at most 2147483647, not 99999999999."),
        ("branches", "65", "Branches must be between 1 and 64, not 65."),
        ("end", "chapter", "End must be tokens, sentence or paragraph."),
        ("end", "", "End must be tokens, sentence or paragraph."),
        ("repetition_window", "-1", "Window must be 0 or more, not -1."),
        ("logit_bias", "262", 'Bias must be a list such as 262:-5 or " the":-5.'),
        ("logit_bias", "1:x", "Bias must be a token, a colon and a number, not x."),
        ("logit_bias", "1:nan", "Bias must be a number within 2147483647, not nan."),
        ("logit_bias", "the:1", "Bias must be a token's id or its text in quotes, not the."),
        (
            "logit_bias",
            '" the":1',
            "Bias must be ids while there is no model to look up a text in.",
        ),
    ],
)
def test_a_value_out_of_range_is_one_sentence(name: str, text: str, said: str) -> None:
    with pytest.raises(ValueError) as raised:
        applied(name, text)
    assert str(raised.value) == said


def test_a_changed_sampling_is_called_own_until_it_is_a_preset_again() -> None:
    warm = applied("temperature", "1,2")
    assert (warm.recipe.sampling.temperature, warm.recipe.preset) == (1.2, OWN)
    assert applied("min_p", "0.01", warm).recipe.preset == "wild"
    assert applied("temperature", "0.9", warm) == BALANCED
    assert applied("tokens", "5").recipe.preset == "balanced"


@given(st.lists(st.text(min_size=1), max_size=4).map(tuple))
def test_stop_strings_of_any_kind_come_back(texts: tuple[str, ...]) -> None:
    assert stops(stops_text(texts)) == texts


def test_stop_strings_are_written_as_one_types_them() -> None:
    assert stops(r"\n\n|###| a \| b|\q|") == ("\n\n", "###", " a | b", "\\q")
    assert stops("") == ()


def test_a_bias_is_given_by_id_or_by_the_text_of_a_token() -> None:
    (field,) = (one for one in fields_with([b"a", b" the", b'"\n']) if one.name == "logit_bias")
    known = field.applied(r'" the":-5, 0:1.5  "\"\n":2', BALANCED, PRESETS)
    assert known.recipe.sampling.logit_bias == ((1, -5.0), (0, 1.5), (2, 2.0))
    assert field.text(known) == "1:-5 0:1.5 2:2"
    assert field.applied(" ", known, PRESETS) == BALANCED
    with pytest.raises(ValueError, match="“them” is not one of them"):
        field.applied('"them":1', BALANCED, PRESETS)


async def test_what_is_typed_is_in_force_at_once_and_after_opening_again(
    make_app: MakeApp, tmp_path: Path
) -> None:
    app = make_app("Once")
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("P")
        await pilot.pause()
        assert isinstance(app.screen, Settings)
        app.screen.set_focus(line(app, "temperature"))
        await pilot.pause()
        await pilot.press("1", ".", "5")
        assert app.session.recipe.sampling.temperature == 1.5
        assert app.session.recipe.preset == OWN
        await pilot.press("tab", "5", "0", "tab", "tab", "tab", "tab", "tab")
        assert app.session.recipe.sampling.top_k == 50
        app.screen.set_focus(line(app, "branches"))
        await pilot.pause()
        await pilot.press("7", "down", "9", "enter")
        assert (app.session.branches, app.session.recipe.tokens) == (7, 9)
        await pilot.press("escape")
        await pilot.pause()
        assert len(app.screen_stack) == 1
        assert "own ×7" in str(app.main.status.render())
    async with Session.open(tmp_path / "story.loom") as session:
        assert (session.recipe.sampling.temperature, session.branches) == (1.5, 7)


async def test_a_wrong_number_is_said_and_what_was_in_force_stays(make_app: MakeApp) -> None:
    app = make_app("Once")
    before = app.session.recipe
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("P")
        await pilot.pause()
        temperature = line(app, "temperature")
        shown = temperature.value
        app.screen.set_focus(temperature)
        await pilot.pause()
        await pilot.press("2", "x")
        await pilot.pause()
        assert explained(app) == (
            f"Temperature must be a number, not 2x. Until then it stays {shown}."
        )
        assert temperature.has_class("-wrong")
        assert app.session.recipe.sampling == before.sampling
        await pilot.press("tab")
        await pilot.pause()
        assert temperature.value == shown
        assert not temperature.has_class("-wrong")


async def test_a_preset_sets_the_numbers_and_keeps_the_length(make_app: MakeApp) -> None:
    app = make_app("Once")
    app.session.set_sampling(recipe=replace(BALANCED.recipe, tokens=11))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("P")
        await pilot.pause()
        await pilot.press("down", "enter")
        await pilot.pause()
        assert app.session.recipe == Recipe(sampling=PRESETS["wild"], preset="wild", tokens=11)
        assert line(app, "temperature").value == "1.2"
        assert explained(app) == "wild: temperature 1.2, min-p 0.01."


async def test_the_sampling_is_saved_as_a_preset_that_is_offered(
    make_app: MakeApp, _home: Path
) -> None:
    file = _home / "loom.toml"
    file.write_bytes(b"branches = 2  # few\n")
    app = make_app("Once")
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("P")
        await pilot.pause()
        app.screen.set_focus(line(app, "top_k"))
        await pilot.pause()
        await pilot.press("4", "ctrl+s", *"storm", "enter")
        await pilot.pause()
        assert "Saved as storm" in explained(app)
        assert app.session.recipe.preset == "storm"
        saved = app.session.recipe.sampling
        await pilot.press("ctrl+s", *"storm", "enter")
        assert "has a preset storm already" in explained(app)
        await pilot.press("escape", "P")
        await pilot.pause()
        assert isinstance(app.screen, Settings)
        assert list(app.screen.presets) == [*PRESETS, "storm"]
    assert file.read_bytes().startswith(b"branches = 2  # few\n")
    assert load_config(file).presets == {"storm": saved}
    assert saved.top_k == 4


async def test_a_session_to_read_has_no_sampling_to_set(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app("Once")
    reader = Session.open(tmp_path / "story.loom", read_only=True)
    await app.session.close()
    app = LoomApp(reader, load_config(), "echo")
    async with app.run_test() as pilot:
        await pilot.press("P")
        await pilot.pause()
        assert app.screen is app.main
        assert "reading only" in [*app._notifications][-1].message


async def test_a_bias_tells_its_tokens_and_is_in_the_preset_that_is_saved(
    make_app: MakeApp, wait_for: WaitFor, _home: Path
) -> None:
    app = make_app("Once")
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_for(pilot, lambda: app.session.engine and app.session.engine.state == "ready")
        await pilot.press("P")
        await pilot.pause()
        app.screen.set_focus(line(app, "logit_bias"))
        await pilot.pause()
        line(app, "logit_bias").value = '"A":-3'
        await pilot.pause()
        assert explained(app) == "66 is “A”"
        assert app.session.recipe.sampling.logit_bias == ((66, -3.0),)
        await pilot.press("ctrl+s", *"less", "enter")
        await pilot.pause()
        assert load_config(_home / "loom.toml").presets["less"].logit_bias == ((66, -3.0),)
        box = app.screen.query_one("#settings").region
        assert box.bottom <= 24
        assert app.screen.query_one("#explained").region.height >= 2
