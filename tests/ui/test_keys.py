"""The table of keys holds help, palette and keymaps together."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from textual import events
from textual.binding import Binding

from loom.config import Config
from loom.core.node import ROOT
from loom.session import Session
from loom.ui.app import LoomApp
from loom.ui.bindings import COMMANDS, Command, Group, Where, bindings, in_groups, key_name
from loom.ui.screens.help import Help, Section
from loom.ui.screens.main import MainScreen

BUILT_IN = {"escape", "left", "right", "up", "down", "home", "end"}  # plain keys with names


def method(command: Command) -> str:
    return "action_" + command.action.partition("(")[0]


@pytest.mark.parametrize("where", list(Where))
def test_no_key_does_two_things_in_one_place(where: Where) -> None:
    keys = Counter(binding.key for binding in bindings(where))
    assert [key for key, count in keys.items() if count > 1] == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_is_a_method_of_the_main_screen(command: Command) -> None:
    assert callable(getattr(MainScreen, method(command), None))


def test_every_method_of_the_main_screen_has_a_key() -> None:
    own = {
        name
        for cls in MainScreen.__mro__
        if cls.__module__.startswith("loom.")
        for name in vars(cls)
        if name.startswith("action_")
    }
    assert own == {method(command) for command in COMMANDS}


def test_names_for_keymaps_are_unique_and_plain() -> None:
    ids = [binding.id for where in Where for binding in bindings(where)]
    names = Counter(command.name for command in COMMANDS)
    assert [name for name, count in names.items() if count > 1] == []
    assert all(id_ is not None and id_.replace("_", "").isalnum() for id_ in ids)


def test_every_chord_has_a_plain_twin_or_is_arrows_by_word() -> None:
    chords = [
        command.name
        for command in COMMANDS
        if command.where is not Where.EDITOR
        and command.keys
        and all("+" in key for key in command.keys)
    ]
    assert chords == ["word_left", "word_right", "redo", "palette"]


def test_the_table_has_every_key_of_the_first_loop() -> None:
    keys = {binding.key for binding in bindings(Where.PAGE)}
    for key in "gGaieEbocuyrhjkl[](123456789":
        assert key in keys or key in {b.key for b in bindings(Where.TEXT)}, key
    for key in ("tab", "escape", "backspace", "delete", "ctrl+r", "alt+z", "alt+y", "space"):
        assert key in keys, key
    assert {b.key for b in bindings(Where.EDITOR)} == {"escape", "ctrl+g", "ctrl+@"}


@pytest.mark.parametrize(
    ("key", "name"),
    [("g", "g"), ("G", "G"), ("ctrl+@", "Ctrl+Space"), ("comma", ","), ("pagedown", "PgDn"),
     ("alt+z", "Alt+Z"), ("backspace", "Backspace"), ("left", "←")],
)  # fmt: skip
def test_keys_are_written_as_on_paper(key: str, name: str) -> None:
    assert key_name(key) == name


def test_groups_cover_the_table() -> None:
    assert [c for commands in in_groups().values() for c in commands] != []
    assert sum(len(commands) for commands in in_groups().values()) == len(COMMANDS)
    assert all(in_groups()[group] for group in Group)


@pytest.fixture
def app(tmp_path: Path) -> LoomApp:
    session = Session.create(tmp_path / "keys.loom", seed=1)
    session.write("The sea was calm.")
    return LoomApp(session, Config(), "echo")


async def test_the_help_shows_every_command_with_its_keys(app: LoomApp) -> None:
    async with app.run_test(size=(120, 60)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, Help)
        text = "\n".join(str(section.render()) for section in app.screen.query(Section))
        flat = " ".join(text.split())
        for command in COMMANDS:
            assert " ".join(command.shown.split()) in flat, command.name
            assert command.help.split()[0] in flat
            assert command.keys or command.title in flat
        await pilot.press("escape")
        assert not isinstance(app.screen, Help)


async def test_the_palette_offers_every_command(app: LoomApp) -> None:
    async with app.run_test() as pilot:
        await pilot.pause()
        titles = [entry.title for entry in app.get_system_commands(app.main)]
        for command in COMMANDS:
            if command.where is not Where.EDITOR and command.action != "palette":
                assert any(title.startswith(command.title) for title in titles), command.name
        await pilot.press("i")
        await pilot.pause()
        in_editor = [entry.title for entry in app.get_system_commands(app.main)]
        for command in COMMANDS:
            if command.where is Where.EDITOR or command.group is Group.NAMED:
                assert any(title.startswith(command.title) for title in in_editor), command.name


async def test_a_command_of_the_palette_does_what_its_key_does(app: LoomApp) -> None:
    async with app.run_test() as pilot:
        await pilot.pause()
        entries = {entry.title: entry for entry in app.get_system_commands(app.main)}
        root = next(entry for title, entry in entries.items() if title.startswith("To the root"))
        await root.callback()
        await pilot.pause()
        assert app.session.place.node == ROOT


async def test_keys_of_the_settings_replace_those_of_the_table(tmp_path: Path) -> None:
    session = Session.create(tmp_path / "map.loom", seed=1)
    session.write("The sea was calm.")
    app = LoomApp(session, Config(keys={"root": ("f5",)}), "echo")
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("r")
        assert session.place.node != ROOT
        await pilot.press("f5")
        await pilot.pause()
        assert session.place.node == ROOT


def test_bindings_carry_their_help() -> None:
    assert all(isinstance(b, Binding) and b.tooltip for where in Where for b in bindings(where))


async def test_what_is_typed_ahead_goes_where_it_was_meant(tmp_path: Path) -> None:
    session = Session.create(tmp_path / "ahead.loom", seed=1)
    session.write("The sea was calm.")
    app = LoomApp(session, Config(), "echo")
    async with app.run_test() as pilot:
        await pilot.pause()
        for key in ("i", "space", "g", "q", "ctrl+g", "tab", "ctrl+left", "i", "x", "escape"):
            character = " " if key == "space" else key if len(key) == 1 else None
            app.post_message(events.Key(key, character))
        await pilot.pause()
        await pilot.pause()
        assert session.text(2) == " gq"
        assert session.path_text() == "The sea was calm.x"


async def test_a_paste_and_the_keys_after_it_keep_their_order(tmp_path: Path) -> None:
    session = Session.create(tmp_path / "paste.loom", seed=1)
    app = LoomApp(session, Config(), "echo")
    async with app.run_test() as pilot:
        await pilot.pause()
        app.post_message(events.Paste("Pasted"))
        app.post_message(events.Key("escape", None))
        app.post_message(events.Paste(" twice"))
        app.post_message(events.Key("r", "r"))
        await pilot.pause()
        await pilot.pause()
        assert [session.text(node) for node in (1, 2)] == ["Pasted", " twice"]
        assert session.place.node == ROOT
