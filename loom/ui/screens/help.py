"""The help: the table of keys on one page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.widgets import Static

from loom.ui.bindings import COMMANDS, Command, Group, in_groups
from loom.ui.screens.dialog import Dialog
from loom.ui.widgets.looks import look

LEFT = (Group.GROW, Group.TAKE, Group.GO, Group.WRITE, Group.EDITOR)


class Section(Static):
    """One group of commands: keys left, what they do right."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"section--heading", "section--key", "section--words"}

    def __init__(self, group: Group, commands: list[Command]) -> None:
        super().__init__()
        self.group, self.commands = group, commands

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines(width))

    def render(self) -> Content:
        return Content("\n").join(self._lines(self.size.width))

    def _lines(self, width: int) -> list[Content]:
        heading, key, words = (
            look(self, f"section--{name}") for name in ("heading", "key", "words")
        )
        names = {command.name: command.shown or command.title for command in self.commands}
        keys = max(cell_len(name) for name in names.values())
        lines = [Content.styled(self.group.capitalize(), heading)]
        for command in self.commands:
            shown = names[command.name]
            pad = " " * (keys - cell_len(shown))
            first, *rest = Content.styled(command.help, words).wrap(max(10, width - keys - 3))
            lines.append(Content.assemble(" ", (shown, key), pad, "  ", first))
            lines += [Content.assemble(" " * (keys + 3), line) for line in rest]
        return lines


class Help(Dialog[bool]):
    """Closes with Esc, ?, q; answers whether the tour is wanted instead."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,question_mark,q", "dismiss(False)", "Close"),
        ("t", "dismiss(True)", "The tour"),
        ("down,j", "scroll(2)", "Down"),
        ("up,k", "scroll(-2)", "Up"),
        ("pagedown,space", "scroll(20)", "Page down"),
        ("pageup", "scroll(-20)", "Page up"),
    ]

    def __init__(self, commands: Sequence[Command] = COMMANDS) -> None:
        super().__init__()
        self._commands = commands

    @property
    def _palette(self) -> str:
        command = next(command for command in self._commands if command.name == "palette")
        return command.shown or command.title

    def compose(self) -> ComposeResult:
        groups = {group: found for group, found in in_groups(self._commands).items() if found}
        with Vertical(id="help") as box:
            box.border_title = "Keys"
            keys = f"t the tour, one minute · ↑ ↓ scroll · {self._palette} by name · Esc"
            box.border_subtitle = Content(keys)
            with VerticalScroll(can_focus=False), Horizontal():
                with Vertical():
                    yield from (Section(group, groups[group]) for group in LEFT if group in groups)
                with Vertical():
                    yield from (Section(g, c) for g, c in groups.items() if g not in LEFT)

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
