"""The help: the table of keys on one page."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import ItemGrid, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from loom.ui.bindings import Command, Group, in_groups


class Section(Static):
    """One group of commands: keys left, what they do right."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"section--heading", "section--key", "section--words"}

    def __init__(self, group: Group, commands: list[Command]) -> None:
        super().__init__()
        self.group, self.commands = group, commands

    def render(self) -> Content:
        width = max(cell_len(command.shown) for command in self.commands)
        key, words = self.get_visual_style("section--key"), self.get_visual_style("section--words")
        lines = [Content.styled(self.group.capitalize(), self.get_visual_style("section--heading"))]
        for command in self.commands:
            pad = " " * (width - cell_len(command.shown))
            room = max(10, self.size.width - width - 3)
            text = Content.styled(command.help, words).wrap(room)
            lines.append(Content.assemble(" ", (command.shown, key), pad, "  ", text[0]))
            lines += [Content.assemble(" " * (width + 3), line) for line in text[1:]]
        return Content("\n").join(lines)


class Help(ModalScreen[None]):
    """Closes with Esc, ?, q."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,question_mark,q", "dismiss", "Close"),
        ("down,j", "scroll(1)", "Down"),
        ("up,k", "scroll(-1)", "Up"),
    ]

    def compose(self) -> ComposeResult:
        with Vertical(id="help") as box:
            box.border_title = "Keys"
            box.border_subtitle = "Esc closes · ↑ ↓ scroll · Ctrl+P finds anything by name"
            with VerticalScroll(can_focus=False), ItemGrid(min_column_width=46, regular=False):
                for group, commands in in_groups().items():
                    yield Section(group, commands)

    def action_scroll(self, step: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=step * 2, animate=False)
