"""The line at the foot of the page: the keys that matter now, and where to find the others.

Knows which keys are in force; what matters is told to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from loom.ui.bindings import COMMANDS, Command, key_name
from loom.ui.moments import Moment, offers
from loom.ui.widgets.looks import look

MOST = 4  # keys beside those that are always there
GAP = "   "
ALWAYS = (("all keys", "help"), ("quit", "quit"))
ALWAYS_WRITING = (("all else", "palette"), ("quit", "quit"))
FIRST = (("tour, demo, all else", "palette"), ("quit", "quit"))


@dataclass(frozen=True, slots=True)
class Hint:
    """A key as it is written, what it is for now, and the action that a click on it runs."""

    key: str
    label: str
    action: str

    @property
    def width(self) -> int:
        return cell_len(self.key) + 1 + cell_len(self.label)


def hints_for(moment: Moment, commands: Iterable[Command] = COMMANDS) -> list[Hint]:
    """What matters now and has a key, the most useful first."""
    table = {command.name: command for command in commands}
    made = (
        _hint(offer.label, [table[name] for name in offer.names], moment)
        for offer in offers(moment)
    )
    return [hint for hint in made if hint is not None][:MOST]


def always(moment: Moment, commands: Iterable[Command] = COMMANDS) -> list[Hint]:
    """The ways to everything else, and out."""
    table = {command.name: command for command in commands}
    pairs = ALWAYS
    if moment.writing:
        pairs = FIRST if moment.blank else ALWAYS_WRITING
    made = (_hint(label, [table[name]], moment) for label, name in pairs)
    return [hint for hint in made if hint is not None]


def _hint(label: str, commands: Sequence[Command], moment: Moment) -> Hint | None:
    keys = [key for command in commands if (key := _key(command, moment))]
    return Hint(" ".join(keys), label, commands[0].action_for(1)) if keys else None


def _key(command: Command, moment: Moment) -> str:
    """The first key that does it now: while one writes, a letter is only a letter."""
    if command.each:
        there = [key_name(key) for key in command.keys[: moment.cards] if key]
        return "–".join(dict.fromkeys((there[0], there[-1]))) if there else ""
    keys = (key for key in command.keys if key and not (moment.writing and len(key) == 1))
    return key_name(next(keys, ""))


class Strip(Static):
    """One line; what matters least is left out where it is narrow."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"strip--key", "strip--label"}
    moment: reactive[Moment] = reactive(Moment())

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.commands: Sequence[Command] = COMMANDS
        self._spots: list[tuple[int, Hint]] = []  # the column after the last one of each

    @property
    def hints(self) -> list[Hint]:
        """What there is room for, in order."""
        last = always(self.moment, self.commands)
        hints = hints_for(self.moment, self.commands)
        while hints and _width([*hints, *last]) > self.size.width - 2:
            (last if len(last) > 1 else hints).pop()
        return [*hints, *last]

    def render(self) -> Content:
        key, label = (look(self, f"strip--{name}") for name in ("key", "label"))
        hints = self.hints
        count = len(always(self.moment, self.commands))
        free = max(0, self.size.width - 2 - _width(hints))
        parts, self._spots, column = [Content(" ")], [], 1
        for index, hint in enumerate(hints):
            gap = GAP if index else ""
            if index == max(1, len(hints) - count):
                gap += " " * free
            parts.append(
                Content.assemble(gap, (hint.key, key), " ", (hint.label, label)),
            )
            column += len(gap) + hint.width
            self._spots.append((column, hint))
        return Content("").join(parts)

    async def on_click(self, event: events.Click) -> None:
        hint = next((hint for end, hint in self._spots if event.x < end), None)
        if hint is not None:
            await self.app.run_action(hint.action, self.screen)


def _width(hints: Sequence[Hint]) -> int:
    return sum(hint.width for hint in hints) + len(GAP) * max(0, len(hints) - 1)
