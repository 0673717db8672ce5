"""The main screen: everything that can be done on it, and when."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from loom.ui.bindings import COMMANDS, Group, Where, bindings
from loom.ui.moments import Moment
from loom.ui.screens.beginning import Beginning
from loom.ui.screens.choosing import Choosing
from loom.ui.screens.dividing import Dividing
from loom.ui.screens.framing import Framing
from loom.ui.screens.guiding import Guiding
from loom.ui.screens.help import Help
from loom.ui.screens.looking import Looking
from loom.ui.screens.remembering import Remembering
from loom.ui.screens.searching import Searching

IN_EDITOR = {c.action.partition("(")[0] for c in COMMANDS if c.where is Where.EDITOR}
ALWAYS = {"palette", "quit", "copy_text", *(c.action for c in COMMANDS if c.group is Group.NAMED)}
COMMANDS_BY_METHOD = {c.action.partition("(")[0] for c in COMMANDS}


class MainScreen(Dividing, Guiding, Framing, Searching, Remembering, Beginning, Looking, Choosing):
    """The commands of the table of keys, by their methods."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Where.PAGE),
        Binding("ctrl+c", "screen.copy_text", "Copy what is selected", show=False),
    ]

    async def press(self, key: events.Key) -> bool:
        """Do what a key is for, now; False for a key that is for nothing here."""
        if self.focused is self.editor and await self.editor.typed(key):
            return True
        self.hold_growth()
        active = self.active_bindings.get(key.key)
        if active is None or not active.enabled:
            return False
        return await self.app.run_action(active.binding.action, active.node)

    @property
    def moment(self) -> Moment:
        return replace(super().moment, flagged=self.in_text and self.at_flag)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While one writes, only what belongs to writing."""
        if action not in COMMANDS_BY_METHOD or action in ALWAYS or not self.is_mounted:
            return True
        return self.editor.is_open == (action in IN_EDITOR)

    def action_stop(self) -> None:
        """What lies over the text goes first, the lens before the tree."""
        for part, put_away in ((self.lens, self.action_lens), (self.tree_pane, self.action_tree)):
            if part.display and part.layer == "over":
                put_away()
                return
        super().action_stop()

    def action_copy(self) -> None:
        text = self.session.path_text(self.cursor)
        self.app.copy_to_clipboard(text)
        self.notify(f"Copied {len(text)} characters.")

    async def action_help(self) -> None:
        def closed(tour: bool | None) -> None:
            if tour:
                self.program.take_tour()

        await self.app.push_screen(Help(self.commands), closed)

    def action_palette(self) -> None:
        self.app.action_command_palette()

    async def action_quit(self) -> None:
        await self.app.action_quit()
