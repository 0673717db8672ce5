"""The tour: a main screen of its own on which only the key that is asked for does something."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from loom.session import Session
from loom.ui.bindings import Command
from loom.ui.screens.main import MainScreen
from loom.ui.screens.page import Page, TextPane, TreePane
from loom.ui.tour import LAST, STEPS, Step
from loom.ui.widgets.card import Card
from loom.ui.widgets.guide import Guide
from loom.ui.widgets.lens import Lens
from loom.ui.widgets.lens_flags import FlagPanel

ALLOWED = ("quit", "copy_text", "skip", "leave")
ENTER = "flag_start"  # whose key is the tour's own


class TourScreen(MainScreen):
    """`leave` ends the tour; it is called once."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.skip", "Skip a step", show=False),
    ]

    def __init__(
        self, session: Session, commands: Sequence[Command], leave: Callable[[], None]
    ) -> None:
        super().__init__(session, [c for c in commands if c.action != ENTER])
        self._leave = leave
        self._number = 0
        self._pressed = False
        self._before: object = None

    def compose(self) -> ComposeResult:
        yield from super().compose()
        yield Guide(id="guide")

    async def on_mount(self) -> None:
        self.guide_box = self.query_one(Guide)
        self.call_after_refresh(self.show_step)

    # ── the steps ──────────────────────────────────────────────────────────────────────────

    @property
    def step(self) -> Step | None:
        """None when all have been taken."""
        return STEPS[self._number] if self._number < len(STEPS) else None

    @property
    def is_writing(self) -> bool:
        return self.editor.is_open

    @property
    def colours(self) -> str:
        return self.status.colours

    def show_step(self) -> None:
        step = self.step
        if step is None:
            self.guide_box.tell(LAST, "", "the end")
            return
        self._pressed, self._before = False, step.looks(self)
        standing = f"{self._number + 1} of {len(STEPS)}"
        self.guide_box.tell(step.text, self._key(step), standing)

    def _key(self, step: Step) -> str:
        return step.key or self.key_of(step.command)

    def ran(self, action: str) -> None:
        """A command has been carried out, here or in a list over the page."""
        if self.step is not None and self._is_wanted(action):
            self._pressed = True
            self.guide_box.wait()
            self.call_after_refresh(self._go_on)

    def _is_wanted(self, action: str) -> bool:
        step, name = self.step, action.removeprefix("screen.")
        if step is None:
            return name == "help"
        command = next((c for c in self.commands if c.name == step.command), None)
        return name == (step.action or (command.action if command is not None else ""))

    @on(Page.Told)
    @on(events.DescendantFocus)
    def _go_on(self) -> None:
        """To the next step, once the key of this one has done something."""
        step = self.step
        if step is not None and self._pressed and step.looks(self) != self._before:
            self.action_skip()

    def action_skip(self) -> None:
        if self.step is None:
            self._leave()
            return
        self._number += 1
        self.show_step()

    # ── what is let through ────────────────────────────────────────────────────────────────

    async def press(self, key: events.Key) -> bool:
        if self.focused is self.editor and await self.editor.typed(key):
            return True
        active = self.active_bindings.get(key.key)
        if active is None or not active.enabled:
            return False
        action = active.binding.action
        if not self._is_wanted(action) and action.removeprefix("screen.") not in ALLOWED:
            if self.step is not None:
                self.guide_box.missed(self._key(self.step))
            return True
        return await super().press(key)

    @on(TreePane.Chosen)
    @on(TextPane.Clicked)
    @on(Lens.Picked)
    @on(FlagPanel.Picked)
    def only_keys(
        self, event: TreePane.Chosen | TextPane.Clicked | Lens.Picked | FlagPanel.Picked
    ) -> None:
        event.prevent_default()

    @on(Card.Taken)
    async def take_card(self, event: Card.Taken) -> None:
        event.prevent_default()
        if self._is_wanted(f"walk({event.number})"):
            await self.app.run_action(f"screen.walk({event.number})", self)
