"""What the model held likely at one place, to choose from."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.style import Style
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from loom.engine.api import EngineError, Following
from loom.session import Session
from loom.ui import glyphs

BAR = 16
TOKEN = 18  # cells for a token's text


@dataclass(frozen=True, slots=True)
class Choice:
    """One token; `rank` counts from 1; `chosen` is the one that stands in the text."""

    token: int
    text: str
    probability: float
    rank: int
    chosen: bool = False


def token_choices(session: Session, node: int, index: int) -> list[Choice]:
    """The alternatives of token `index` of `node`; the token itself too, however improbable."""
    span = session.span(node)
    if span is None:
        return []
    token = span[index]
    choices = [
        Choice(
            id_,
            glyphs.token_text(session.piece(node, id_)),
            math.exp(logprob),
            rank,
            chosen=id_ == token.id,
        )
        for rank, (id_, logprob) in enumerate(token.alternatives, start=1)
    ]
    if not any(choice.chosen for choice in choices):
        text = glyphs.token_text(session.tree[node].text[token.start : token.end])
        choices.append(Choice(token.id, text, math.exp(token.logprob), token.rank + 1, chosen=True))
    return choices


def following_choices(following: Following) -> list[Choice]:
    """The next token's distribution."""
    rows = zip(following.ids, following.logprobs, following.pieces, strict=True)
    return [
        Choice(id_, glyphs.token_text(piece), math.exp(logprob), rank)
        for rank, (id_, logprob, piece) in enumerate(rows, start=1)
    ]


class Alternatives(ModalScreen[int | None]):
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
            box.border_title = self._title
            box.border_subtitle = "Enter branches · Esc closes"
            yield OptionList(id="choices")

    def on_mount(self) -> None:
        if callable(self._source):
            self.query_one(OptionList).loading = True
            self.run_worker(self._ask(self._source), exit_on_error=False)
        else:
            self._fill(self._source)

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
            return self.get_visual_style(name, partial=True)

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
