"""A page whose keys are those in force, and that can tell them."""

from __future__ import annotations

from collections.abc import Sequence

from loom.session import Session
from loom.ui.bindings import COMMANDS, Command, Where, key_name
from loom.ui.keymaps import bind
from loom.ui.screens.page import Page, TextPane
from loom.ui.widgets.editor import Editor


class Keyed(Page):
    """`commands` is the table with the keys that the settings give them."""

    def __init__(self, session: Session, commands: Sequence[Command] = COMMANDS) -> None:
        super().__init__(session)
        self.commands = commands

    async def on_mount(self) -> None:
        bind(self, Where.PAGE, self.commands)
        bind(self.query_one(TextPane), Where.TEXT, self.commands)
        bind(self.query_one(Editor), Where.EDITOR, self.commands)

    def key_of(self, name: str) -> str:
        """The first key of a command, as a reader writes it; by its title where it has none."""
        command = next(command for command in self.commands if command.name == name)
        key = next(filter(None, command.keys), None)
        return key_name(key) if key else f"“{command.title}” in the palette"
