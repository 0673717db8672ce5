"""A list in a box over the page, with a line under it to answer questions on and one to read.

Knows neither sessions nor models.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import ClassVar, Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.style import Style
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import Worker

from loom.config import ConfigError
from loom.core.text import visible
from loom.engine.api import EngineError
from loom.store.errors import StoreError
from loom.ui.screens.dialog import Dialog
from loom.ui.widgets.looks import look

SAID = (ConfigError, EngineError, StoreError, ValueError)

T = TypeVar("T")

WIDEST, EDGES = 96, 4  # cells: of the box, and of its border, padding and scroll bar


class Picker(Dialog[T | None], Generic[T]):
    """`ask` opens the line and calls back with what was typed; `say` fills the other one."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "picker--name",
        "picker--here",
        "picker--facts",
        "picker--words",
        "picker--trouble",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close"),
        Binding("q", "close", "Close", show=False),
        Binding("j", "step(1)", "Down", show=False),
        Binding("k", "step(-1)", "Up", show=False),
    ]
    HEADING = ""
    KEYS = ""

    def __init__(self) -> None:
        super().__init__()
        self._answer: Callable[[str], Awaitable[None] | None] | None = None
        self._working: Worker[None] | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="picker") as box:
            box.border_title, box.border_subtitle = self.HEADING, self.KEYS
            yield from self.compose_head()
            yield OptionList(id="picked")
            with Vertical(id="foot"):
                yield Input(id="asked", compact=True, select_on_focus=False)
                yield Static(id="said")

    def compose_head(self) -> ComposeResult:
        """What stands over the list."""
        return ()

    def on_mount(self) -> None:
        self.options, self.line = self.query_one(OptionList), self.query_one(Input)
        self.line.display = False
        self.set_focus(self.options)
        self.begin()

    def begin(self) -> None:
        """Fill the list."""

    @property
    def asking(self) -> bool:
        return self._answer is not None

    def fill(self, rows: Iterable[Content | Option], highlighted: int = 0) -> None:
        self.options.clear_options()
        self.options.add_options(r if isinstance(r, Option) else Option(r) for r in rows)
        if self.options.option_count:
            self.options.highlighted = min(highlighted, self.options.option_count - 1)

    def look(self, name: str) -> Style:
        return look(self, f"picker--{name}")

    @property
    def room(self) -> int:
        """Cells for a row's text."""
        return max(20, min(WIDEST, self.app.size.width * 49 // 50) - EDGES)

    def on_resize(self) -> None:
        self.refill()

    def refill(self) -> None:
        """Rows of another width."""

    # ── the two lines ──────────────────────────────────────────────────────────────────────

    def say(self, sentence: str, *, trouble: bool = False) -> None:
        style = self.look("trouble" if trouble else "facts")
        self.query_one("#said", Static).update(Content.styled(visible(sentence), style))

    def complain(self, error: Exception) -> None:
        self.say(f"{error} {getattr(error, 'hint', '')}".strip(), trouble=True)

    def ask(self, label: str, value: str, answer: Callable[[str], Awaitable[None] | None]) -> None:
        """One line from the writer; Enter hands it to `answer`, Esc goes back to the list."""
        self._answer = answer
        self.line.display = True
        self.line.value = value
        self.line.cursor_position = len(value)
        self.line.placeholder = label
        self.say(f"{label} · Enter does it · Esc goes back")
        self.set_focus(self.line)

    def stop_asking(self) -> None:
        self._answer = None
        self.line.display = False
        self.set_focus(self.options)

    @on(Input.Submitted)
    async def submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._answer is not None:
            answer = self._answer
            await self.attempt(lambda: answer(event.value))

    def work_on(self, effect: Callable[[], Awaitable[None] | None]) -> None:
        """`attempt` it while the screen goes on being drawn; one at a time."""
        if self._working is None or self._working.is_finished:
            self._working = self.run_worker(self.attempt(effect), exit_on_error=False)

    async def attempt(self, effect: Callable[[], Awaitable[None] | None]) -> None:
        """Do it; why it can't be done is said under the list."""
        try:
            waiting = effect()
            if waiting is not None:
                await waiting
        except SAID as error:
            self.complain(error)

    # ── keys ───────────────────────────────────────────────────────────────────────────────

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a question is open, keys are letters."""
        return action == "close" or not self.is_mounted or not self.asking

    def action_close(self) -> None:
        if self.asking:
            self.stop_asking()
            self.say("")
        else:
            self.dismiss(None)

    def action_step(self, step: int) -> None:
        if step > 0:
            self.options.action_cursor_down()
        else:
            self.options.action_cursor_up()
