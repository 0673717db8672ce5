"""What has happened in a session, the newest first, to name a moment or go back to one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from loom.chronicle import Moment, moments
from loom.core.text import visible
from loom.session import Session
from loom.ui.screens.picker import Picker

SHOWN = 2000  # moments in the list, besides the checkpoints
EMPTY = "Nothing has happened yet."


class History(Picker[int]):
    """Answers with the number of the moment to go back to. `naming` begins with the question for
    the name of a checkpoint, and ends with its answer."""

    HEADING = "History"
    KEYS = "Enter goes back there · Ctrl+S names now · c checkpoints only · Esc closes"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "name", "Name this moment"),
        Binding("c", "checkpoints", "Checkpoints only"),
        Binding("U", "close", "Close", show=False),
    ]

    def __init__(
        self, session: Session, *, naming: bool = False, now: Callable[[], datetime] = datetime.now
    ) -> None:
        super().__init__()
        self._session, self._naming, self._now = session, naming, now
        self._every: list[Moment] = []
        self._only_named = False
        self.shown: list[Moment] = []

    def begin(self) -> None:
        self._look()
        if self._naming:
            self.action_name()
        else:
            self.say("Going back is a change like any other: undo takes it back.")

    def _look(self) -> None:
        self._every = moments(self._session)[::-1]
        self.refill()

    def refill(self) -> None:
        old = [m for m in self._every[SHOWN:] if m.name]
        listed = [*self._every[:SHOWN], *old]
        self.shown = [m for m in listed if m.name] if self._only_named else listed
        nothing = "There are no checkpoints yet." if self._only_named else EMPTY
        rows = [Option(self._row(m), disabled=not m.reachable) for m in self.shown]
        self.fill(rows or [Option(nothing, disabled=True)])

    def _row(self, moment: Moment) -> Content:
        words = f"◆ {moment.text}" if moment.name else f"  {moment.text}"
        look = self.look("here" if moment.name else "name")
        time = f"  {self._told(moment.when)}  "
        left = Content.styled(visible(words), look)
        left = left.truncate(max(8, self.room - len(time) - 2), ellipsis=True)
        gap = " " * max(1, self.room - left.cell_length - len(time) - 1)
        return Content.assemble(left, gap, (time, self.look("facts")))

    def _told(self, time: datetime) -> str:
        today = time.date() == self._now().date()
        return f"{time:%H:%M}" if today else f"{time:%Y-%m-%d %H:%M}"

    @on(OptionList.OptionSelected)
    def choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self.shown[event.option_index].number)

    def action_checkpoints(self) -> None:
        self._only_named = not self._only_named
        self.refill()

    def action_name(self) -> None:
        if self._session.read_only:
            self.say("This session is open for reading only.", trouble=True)
            return
        count = sum(1 for moment in self._every if moment.name)
        self.ask("A name for this moment", f"Checkpoint {count + 1}", self._named)

    def _named(self, name: str) -> None:
        self._session.checkpoint(name)
        if self._naming:
            self.app.notify(f"Named this moment {name.strip()}.", markup=False)
            self.dismiss(None)
            return
        self.stop_asking()
        self._look()
        self.say("")

    def action_close(self) -> None:
        if self._naming:
            self.dismiss(None)
        else:
            super().action_close()
