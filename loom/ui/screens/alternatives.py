"""What the model held likely at one place, to choose from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.style import Style
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from loom.engine.api import EngineError
from loom.ui import glyphs
from loom.ui.choices import Choice
from loom.ui.screens.dialog import Dialog
from loom.ui.widgets.looks import look

BAR = 16
TOKEN = 18  # cells for a token's text


class Alternatives(Dialog[int | None]):
    """A list to pick a token from; `choices` may still have to be asked for."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "alternatives--rank",
        "alternatives--token",
        "alternatives--chosen",
        "alternatives--bar",
        "alternatives--share",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,a,q", "dismiss(None)", "Close"),
        ("j", "down", "Down"),
        ("k", "up", "Up"),
    ]

    def __init__(
        self, title: str, choices: Sequence[Choice] | Callable[[], Awaitable[Sequence[Choice]]]
    ) -> None:
        super().__init__()
        self._title, self._source = title, choices
        self.choices: Sequence[Choice] = ()

    def compose(self) -> ComposeResult:
        with Vertical(id="alternatives") as box:
            box.border_title = Content(self._title)
            box.border_subtitle = "Enter branches · Esc closes"
            yield OptionList(id="choices")

    def on_mount(self) -> None:
        if callable(self._source):
            self.query_one(OptionList).loading = True
            self._ask(self._source)
        else:
            self._fill(self._source)

    @work(exit_on_error=False)
    async def _ask(self, source: Callable[[], Awaitable[Sequence[Choice]]]) -> None:
        try:
            choices = await source()
        except EngineError as error:
            self.app.notify(f"{error} {error.hint}".strip(), severity="error", markup=False)
            self.dismiss(None)
            return
        self.query_one(OptionList).loading = False
        self._fill(choices)

    def _fill(self, choices: Sequence[Choice]) -> None:
        self.choices = choices
        options = self.query_one(OptionList)
        options.add_options(Option(self._row(choice)) for choice in choices)
        options.highlighted = next((i for i, c in enumerate(choices) if c.chosen), 0)
        options.focus()

    def _row(self, choice: Choice) -> Content:
        def style(name: str) -> Style:
            return look(self, name)

        text = choice.text if cell_len(choice.text) <= TOKEN else choice.text[: TOKEN - 1] + "…"
        return Content.assemble(
            (f"{choice.rank:>4}  ", style("alternatives--rank")),
            (text, style("alternatives--chosen" if choice.chosen else "alternatives--token")),
            " " * (TOKEN - cell_len(text) + 1),
            (glyphs.bar(choice.probability, BAR), style("alternatives--bar")),
            (f"{glyphs.percent(choice.probability):>8}", style("alternatives--share")),
            ("  ●" if choice.chosen else "   ", style("alternatives--chosen")),
        )

    @on(OptionList.OptionSelected)
    def choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self.choices[event.option_index].token)

    def action_down(self) -> None:
        self.query_one(OptionList).action_cursor_down()

    def action_up(self) -> None:
        self.query_one(OptionList).action_cursor_up()
