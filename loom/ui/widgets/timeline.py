"""The time line of a session that is played: where one is, and what was done when.

Knows moments and seconds; plays nothing itself. A click or a drag asks for another time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from loom.replay.story import Moment
from loom.ui.player import Player
from loom.ui.widgets.looks import look

KEYS = (
    ("Space", "play"),
    ("← →", "step"),
    ("+ -", "speed"),
    ("p", "pace"),
    ("Enter", "go on from here"),
    ("q", "quit"),
)
LINE, GROWN, CHOSEN, WROTE, UNDID = "─", "╌", "◆", "✎", "↶"
MARGIN = 1


class Timeline(Static):
    """Two lines: time with its marks, and the keys."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "timeline--past", "timeline--future", "timeline--here", "timeline--key", "timeline--label",
    }  # fmt: skip

    @dataclass
    class Sought(Message):
        """Another time is wanted, in seconds."""

        seconds: float

    def __init__(self, player: Player, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._player = player
        self._marks: tuple[object, str] = (None, "")

    def render(self) -> Content:
        return Content("\n").join([self._line(), self._state()])

    def _line(self) -> Content:
        cells = self._cells()
        here = min(len(cells) - 1, self._column(self._player.playback.seconds))
        past, at, future = (look(self, f"timeline--{name}") for name in ("past", "here", "future"))
        return Content.assemble(
            " ", (cells[:here], past), (cells[here], at), (cells[here + 1 :], future)
        )

    def _cells(self) -> str:
        """One character a column; of several moments in one the most telling."""
        schedule = self._player.playback.schedule
        key = (schedule, self.size.width)
        if self._marks[0] != key:
            cells = [LINE] * max(1, self.size.width - 2 * MARGIN)
            order = [LINE, GROWN, CHOSEN, WROTE, UNDID]
            for moment, seconds in zip(self._player.playback.moments, schedule.times, strict=True):
                column, mark = self._column(seconds), mark_of(moment)
                if order.index(mark) > order.index(cells[column]):
                    cells[column] = mark
            self._marks = (key, "".join(cells))
        return self._marks[1]

    def _column(self, seconds: float) -> int:
        width = max(1, self.size.width - 2 * MARGIN)
        length = self._player.playback.schedule.length
        return min(width - 1, int(seconds / length * width)) if length else 0

    def _state(self) -> Content:
        player, playback = self._player, self._player.playback
        now, whole = clock(playback.seconds), clock(playback.schedule.length)
        sign = "▶" if player.playing else "‖"
        told = f" {sign} {now} / {whole}  ×{player.speed:g}  {playback.pace}"
        key, label = (look(self, f"timeline--{name}") for name in ("key", "label"))
        parts: list[Content] = []
        room = self.size.width - len(told) - 1
        for name, says in KEYS:
            says = "pause" if says == "play" and player.playing else says
            room -= len(name) + len(says) + 4
            if room >= 0:
                parts.append(Content.assemble("   ", (name, key), " ", (says, label)))
        return Content.assemble((told, look(self, "timeline--here")), *parts)

    def on_click(self, event: events.Click) -> None:
        self._seek(event.x)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self.capture_mouse()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self.release_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self.app.mouse_captured is self:
            self._seek(event.x)

    def _seek(self, x: int) -> None:
        width = max(1, self.size.width - 2 * MARGIN)
        share = max(0.0, min((x - MARGIN) / width, 1.0))
        self.post_message(self.Sought(share * self._player.playback.schedule.length))


def mark_of(moment: Moment) -> str:
    """What stands on the time line for it: one wrote, chose, undid; the model grew."""
    if moment.kind in ("undo", "redo", "return"):
        return UNDID
    if moment.kind == "write":
        return WROTE
    if moment.kind in ("go", "take"):
        return CHOSEN
    return GROWN if moment.kind == "grow" else LINE


def clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 60}:{whole % 60:02}"
