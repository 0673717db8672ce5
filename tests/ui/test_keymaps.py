"""Keymaps: what is in force, what can't be, and that the screen says and does it."""

from __future__ import annotations

from pathlib import Path

import pytest

from loom.config import KEYMAPS as NAMES
from loom.config import Config, parse_config
from loom.core.node import ROOT
from loom.session import Session
from loom.ui.app import LoomApp
from loom.ui.bindings import COMMANDS, Command, Group, Where
from loom.ui.keymaps import ARRIVES_AS, KEYMAPS, LOST_CHORD, clashes, in_force, normal
from loom.ui.screens.byline import BylineScreen
from loom.ui.screens.help import Section


def named(commands: tuple[Command, ...], name: str) -> Command:
    return next(command for command in commands if command.name == name)


def test_the_settings_know_the_keymaps_there_are() -> None:
    assert tuple(KEYMAPS) == NAMES


@pytest.mark.parametrize("keymap", NAMES)
def test_a_shipped_keymap_has_no_mistake_in_it(keymap: str) -> None:
    commands, problems = in_force(keymap, KEYMAPS[keymap])
    assert problems == []
    assert clashes(commands) == []
    assert all(command.keys for command in commands if command.group is not Group.NAMED)


@pytest.mark.parametrize("keymap", NAMES)
def test_a_shipped_keymap_offers_no_key_that_terminals_lose(keymap: str) -> None:
    keys = {key for command in in_force(keymap, {})[0] for key in command.keys}
    assert keys & set(ARRIVES_AS) == set()
    assert [key for key in keys if LOST_CHORD.fullmatch(key)] == []
    assert [key for key in keys if normal(key) != key] == []


@pytest.mark.parametrize("keymap", NAMES)
def test_every_chord_of_a_keymap_has_a_plain_twin(keymap: str) -> None:
    chords = {
        command.name
        for command in in_force(keymap, {})[0]
        if command.where is not Where.EDITOR
        and command.keys
        and all("+" in key for key in command.keys)
    }
    assert chords <= {"word_left", "word_right", "redo", "palette"}


def test_the_default_keymap_is_the_table() -> None:
    assert in_force("default", {}) == (COMMANDS, [])


@pytest.mark.parametrize(
    ("written", "key"),
    [("ctrl+space", "ctrl+@"), ("Ctrl+G", "ctrl+g"), (",", "comma"), ("full_stop", "."),
     ("shift+a", "A"), ("Esc", "escape"), ("F5", "f5"), ("alt+backspace", "ctrl+w"), ("+", "+"),
     ("?", "?"), ("question_mark", "?"), (" ", "space"), ("é", "é"), ("ctrl++", "ctrl+plus"),
     ("ctlr+x", None), ("f99", None), ("hyper+x", None), ("ctrl+", "ctrl+plus"), ("nothing", None)],
)  # fmt: skip
def test_keys_are_read_as_people_write_them(written: str, key: str | None) -> None:
    assert normal(written) == key


def test_an_unknown_action_is_named_with_the_nearest() -> None:
    commands, (problem,) = in_force("default", {"rooot": ("f5",)})
    assert commands == COMMANDS
    assert (problem.name, problem.hint) == ("rooot", "Did you mean root?")


def test_a_key_taken_from_another_command_is_told() -> None:
    commands, (problem,) = in_force("default", {"copy": ("g",)})
    assert named(commands, "copy").keys == ("g",)
    assert named(commands, "grow").keys == ("space",)
    assert problem.text == "g was for “Grow here”, which keeps Space."
    commands, (problem,) = in_force("default", {"copy": ("b",)})
    assert named(commands, "bookmark").keys == ()
    assert "only in the palette" in problem.text


def test_two_commands_can_change_places_without_a_word() -> None:
    commands, problems = in_force("default", {"root": ("w",), "random": ("r",)})
    assert problems == []
    assert named(commands, "root").keys == ("w",)
    assert named(commands, "random").keys == ("r",)


def test_a_key_given_twice_stays_with_the_first() -> None:
    commands, (problem,) = in_force("default", {"root": ("f5",), "copy": ("f5", "y")})
    assert named(commands, "root").keys == ("f5",)
    assert named(commands, "copy").keys == ("y",)
    assert problem.name == "copy"
    assert "F5" in problem.text and "root" in problem.text


def test_a_lost_key_is_bound_and_warned_of() -> None:
    commands, (problem,) = in_force("default", {"root": ("r", "ctrl+h")})
    assert named(commands, "root").keys == ("r", "ctrl+h")
    assert "Backspace" in problem.text


def test_letters_are_for_writing_in_the_editor() -> None:
    commands, (problem,) = in_force("default", {"commit": ("x", "f2")})
    assert named(commands, "commit").keys == ("f2",)
    assert problem.name == "commit"


def test_a_key_that_means_something_else_in_the_text_is_told() -> None:
    _, (problem,) = in_force("default", {"copy": ("(",)})
    assert "in the text ( stays for “Sentence back”" in problem.text


def test_a_number_taken_away_leaves_the_others_theirs() -> None:
    commands, _ = in_force("default", {"copy": ("3",)})
    walk = named(commands, "walk")
    made = {binding.key: binding.action for binding in walk.bindings()}
    assert "3" not in made
    assert made["4"] == "screen.walk(4)"
    assert walk.shown == "1  2  4  5  6  7  8  9"


def app_with(tmp_path: Path, settings: str) -> LoomApp:
    session = Session.create(tmp_path / "keys.loom", seed=1)
    session.write("The sea was calm.")
    return LoomApp(session, parse_config(settings.encode(), Path("loom.toml")), "echo")


async def test_help_strip_and_palette_show_the_keys_in_force(tmp_path: Path) -> None:
    app = app_with(tmp_path, '[keys]\ngrow = "f7"\nhelp = "f1"\n')
    async with app.run_test(size=(140, 60)) as pilot:
        await pilot.pause()
        strip = str(app.main.strip.render())
        assert strip.split()[:2] == ["F7", "grow"]
        assert "F1 all keys" in strip
        titles = [entry.title for entry in app.get_system_commands(app.main)]
        assert "Grow here  (F7)" in titles
        await pilot.press("question_mark")
        await pilot.pause()
        assert app.screen is app.main
        await pilot.press("f1")
        await pilot.pause()
        text = " ".join(str(section.render()) for section in app.screen.query(Section))
        assert "F7" in text and "F1" in text


async def test_what_is_only_in_the_palette_can_be_given_a_key(tmp_path: Path) -> None:
    app = app_with(tmp_path, '[keys]\nbyline = "f6"\n')
    async with app.run_test() as pilot:
        await pilot.press("f6")
        await pilot.pause()
        assert isinstance(app.screen, BylineScreen)


async def test_keys_can_change_places_on_the_screen(tmp_path: Path) -> None:
    app = app_with(tmp_path, '[keys]\nroot = "w"\nrandom = "r"\n')
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("r")
        assert app.session.place.node != ROOT
        await pilot.press("w")
        assert app.session.place.node == ROOT


async def test_the_keymap_of_the_settings_is_in_force(tmp_path: Path) -> None:
    app = app_with(tmp_path, 'keymap = "pyloom"\n')
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("h")
        assert app.main.editor.is_open
        await pilot.press("escape", "left")
        assert app.session.place.node == ROOT


async def test_a_chord_in_the_editor_can_be_changed(tmp_path: Path) -> None:
    app = app_with(tmp_path, '[keys]\ncommit = "f2"\n')
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("i", "x", "escape")
        assert app.main.editor.is_open
        await pilot.press("f2")
        await pilot.pause()
        assert app.session.path_text() == "The sea was calm.x"


async def test_mistakes_name_file_line_and_key(tmp_path: Path) -> None:
    app = app_with(tmp_path, 'branches = 2\n[keys]\nroot = "f5"\nrooot = "x"\ncopy = "f5"\n')
    async with app.run_test() as pilot:
        await pilot.pause()
        told = [notification.message for notification in app._notifications]
    assert any(text.startswith("loom.toml, line 4: keys.rooot: there is no such") for text in told)
    assert any(text.startswith("loom.toml, line 5: keys.copy: F5 is also given") for text in told)


async def test_without_settings_nothing_is_said(tmp_path: Path) -> None:
    session = Session.create(tmp_path / "keys.loom", seed=1)
    session.write("x")
    app = LoomApp(session, Config(), "echo")
    async with app.run_test() as pilot:
        await pilot.pause()
        assert len(app._notifications) == 0
