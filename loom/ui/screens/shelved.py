"""A list of session files, a row for each: title, age, size, first words. Knows no commands."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from textual.content import Content

from loom.core.text import visible
from loom.shelf import Shelved
from loom.ui.screens.picker import Picker

T = TypeVar("T")

MINUTE, HOUR, DAY = 60, 3600, 86400


class ShelvedPicker(Picker[T]):
    """`now` gives Unix time."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._now = now
        self.shelved: list[Shelved] = []

    @property
    def chosen(self) -> Shelved | None:
        index = self.options.highlighted
        return None if index is None or index >= len(self.shelved) else self.shelved[index]

    def refill(self) -> None:
        at = self.options.highlighted or 0
        self.fill((self.row(shelved) for shelved in self.shelved), at)

    def row(self, shelved: Shelved) -> Content:
        return self.row_of(shelved, self.age(shelved))

    def age(self, shelved: Shelved) -> str:
        return age_text(self._now() - shelved.changed, shelved.changed)

    def row_of(self, shelved: Shelved, age: str, *, title: str = "", here: bool = False) -> Content:
        """`title` where it is another than the file's."""
        nodes = f"{shelved.nodes} node{'' if shelved.nodes == 1 else 's'}"
        facts = f"{age} · {nodes} · {size_text(shelved.size)}"
        look = self.look("here" if here else "name")
        name = Content.styled(visible(title or shelved.title), look)
        name = name.truncate(max(8, self.room - len(facts) - 4), ellipsis=True)
        words = shelved.problem or shelved.words or "empty"
        below = Content.styled(visible(words), self.look("trouble" if shelved.problem else "words"))
        gap = " " * max(2, self.room - name.cell_length - len(facts) - 2)
        return Content.assemble(
            "● " if here else "  ", name, gap, (facts, self.look("facts")),
            "\n  ", below.truncate(self.room - 2, ellipsis=True),
        )  # fmt: skip


def age_text(seconds: float, changed: float) -> str:
    """How long ago, in one unit; the day for what is older than a week."""
    if seconds < MINUTE:
        return "just now"
    if seconds < HOUR:
        return f"{seconds // MINUTE:.0f} min ago"
    if seconds < DAY:
        return f"{seconds // HOUR:.0f} h ago"
    if seconds < 7 * DAY:
        return f"{seconds // DAY:.0f} d ago"
    return f"{datetime.fromtimestamp(changed):%Y-%m-%d}"


def size_text(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"
