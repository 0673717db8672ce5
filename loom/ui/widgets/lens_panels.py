"""The parts of the lens: lines with looks, and among them odds that can be clicked.

Knows lines; knows nothing of what they say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.widgets import Static

from loom.ui.widgets.lens_lines import BLANK, Line, Odd
from loom.ui.widgets.looks import Looks

LOOKS = (
    "heading", "aside", "label", "value", "note", "subject", "bar",
    "rank", "token", "chosen", "share", "mark", "rest", "hover", "flag",
)  # fmt: skip


class Panel(Static):
    """Lines, drawn as they are: they have to fit."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"lens--{look}" for look in LOOKS}

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lines: Sequence[Line] = ()
        self._looks = Looks(self)

    def show(self, lines: Sequence[Line]) -> None:
        """Lays out again only if the number of lines changes, and draws only those that differ."""
        before, self.lines = self.lines, lines
        if len(lines) != len(before):
            self.refresh(layout=True)
            return
        for y, (old, new) in enumerate(zip(before, lines, strict=True)):
            if old != new:
                self.refresh(Region(0, y, self.size.width, 1))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self.lines)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._looks.clear()

    @property
    def allow_select(self) -> bool:
        return False

    def render(self) -> Content:
        return Content("\n").join(self._drawn(y, line) for y, line in enumerate(self.lines))

    def _drawn(self, y: int, line: Line) -> Content:
        over, look = self._over(y), self._looks.content
        parts = Content.assemble(*((text, look(f"lens--{name}", *over)) for text, name in line))
        left = self.size.width - parts.cell_length
        return Content.assemble(parts, (" " * left, look(*over))) if over else parts

    def _over(self, y: int) -> tuple[str, ...]:
        """Looks that are laid over those of a whole line."""
        return ()


class Odds(Panel):
    """Alternatives, one a line; a click on one picks it."""

    _tokens: Sequence[int | None] = ()
    _hovered: int | None = None

    @dataclass
    class Clicked(Message):
        """An alternative was clicked."""

        token: int

    def offer(self, odds: Sequence[Odd], height: int) -> None:
        """`height`: lines that are taken even if there are fewer."""
        self._tokens = [odd.token for odd in odds]
        self._fill([odd.line for odd in odds], height)

    def say(self, lines: Sequence[Line], height: int) -> None:
        """Words where there are no odds."""
        self._tokens = ()
        self._fill(lines, height)

    def _fill(self, lines: Sequence[Line], height: int) -> None:
        self.show([*lines, *[BLANK] * (height - len(lines))])

    def _over(self, y: int) -> tuple[str, ...]:
        return ("lens--hover",) if y == self._hovered and y < len(self._tokens) else ()

    def _line_at(self, event: events.MouseEvent) -> int | None:
        """The line of an alternative under the mouse."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y >= len(self._tokens) or self._tokens[offset.y] is None:
            return None
        return offset.y

    def on_click(self, event: events.Click) -> None:
        line = self._line_at(event)
        token = None if line is None else self._tokens[line]
        if token is not None:
            event.stop()
            self.post_message(self.Clicked(token))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self._hover(self._line_at(event))

    def on_leave(self) -> None:
        self._hover(None)

    def _hover(self, line: int | None) -> None:
        if line != self._hovered:
            self._hovered = line
            self.refresh()
