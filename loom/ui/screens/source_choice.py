"""What one can do with a source: go on under one of its frames, once or from now on."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList

from loom.core.text import visible
from loom.instruments.sources.api import Source
from loom.ui.screens.picker import Picker

SHOWN = 3  # lines of a frame

Choice = tuple[Literal["grow", "keep"], str]
"""Once or from now on, and the frame."""


class SourceChoice(Picker[Choice]):
    """Answers with the frame that is wanted, and for how long."""

    KEYS = "Enter does it · Esc goes back"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "take(0)", "Grow under it"),
        Binding("b", "keep", "The session's byline"),
    ]

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self.choices: list[Choice] = [
            *(("grow", frame) for frame in source.frames),
            *(("keep", frame) for frame in source.frames),
        ]

    def begin(self) -> None:
        self.query_one("#picker").border_title = Content(visible(self._source.name))
        self.refill()
        self.say("g grows under it, b makes it the session's byline: for all that grows.")

    def refill(self) -> None:
        self.fill([self._row(choice) for choice in self.choices])

    def _row(self, choice: Choice) -> Content:
        what, frame = choice
        title = "Grow under this frame" if what == "grow" else "Make it the session's byline"
        lines = [visible(line) for line in frame.rstrip("\n").split("\n")]
        lines = [*lines[:SHOWN], "…"] if len(lines) > SHOWN else lines
        shown = [Content(f"    {line}").truncate(self.room, ellipsis=True) for line in lines]
        words = [line.stylize(self.look("words")) for line in shown]
        return Content("\n").join([Content.styled(title, self.look("name")), *words])

    @on(OptionList.OptionSelected)
    def choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self.choices[event.option_index])

    def action_take(self, index: int) -> None:
        self.dismiss(self.choices[index])

    def action_keep(self) -> None:
        self.dismiss(("keep", self._source.frames[0]))
