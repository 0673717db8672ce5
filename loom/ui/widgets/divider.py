"""A line between two parts of the page that can be dragged with the mouse.

Says where it is wanted; knows nothing of what lies beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.message import Message
from textual.widgets import Rule


class Divider(Rule):
    """`lying` ones go up and down, the others left and right."""

    @dataclass
    class Dragged(Message):
        """The writer wants it so many cells further right, or down."""

        divider: Divider
        by: int

    @dataclass
    class Dropped(Message):
        """The mouse has let go of it."""

        divider: Divider

    @dataclass
    class Reset(Message):
        """A double click: back to where it is by default."""

        divider: Divider

    def __init__(self, *, lying: bool = False, id: str | None = None) -> None:
        super().__init__("horizontal" if lying else "vertical", id=id)
        self._lying = lying
        self._held = False
        self.tooltip = "Drag to make room; a double click puts it back."

    @property
    def allow_select(self) -> bool:
        return False

    def on_mouse_down(self, event: events.MouseDown) -> None:
        event.stop()
        self._hold(True)
        self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if not self._held:
            return
        event.stop()
        there = event.screen_y if self._lying else event.screen_x
        here = self.region.y if self._lying else self.region.x
        if round(there) != here:
            self.post_message(self.Dragged(self, round(there) - here))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self._held:
            event.stop()
            self.release_mouse()

    def on_mouse_release(self) -> None:
        """Also when the terminal takes the mouse away."""
        if self._held:
            self._hold(False)
            self.post_message(self.Dropped(self))

    def on_click(self, event: events.Click) -> None:
        event.stop()
        if event.chain == 2:
            self.post_message(self.Reset(self))

    def _hold(self, held: bool) -> None:
        self._held = held
        self.set_class(held, "-held")
