"""The status line: session on the left; preset, size, speed and model on the right."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import ClassVar

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from loom.changes import EngineChanged
from loom.core.text import visible
from loom.session import Session
from loom.ui.glyphs import bar
from loom.ui.widgets.looks import look

WINDOW = 2.0  # seconds over which the speed is taken
BAR = 10
TICK = 0.5  # seconds after which the speed is told anew
REMARK = re.compile(r" \([^)]*\)")  # what a model's label adds in brackets


class Speed:
    """Tokens a second over the last moments. `now` gives seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._counts: dict[int, int] = {}
        self._gains: deque[tuple[float, int]] = deque()

    def count(self, node: int, tokens: int) -> None:
        """`node` has `tokens` tokens by now."""
        gain = tokens - self._counts.get(node, 0)
        self._counts[node] = tokens
        if gain > 0:
            self._gains.append((self._now(), gain))

    def forget(self, node: int) -> None:
        self._counts.pop(node, None)

    def value(self) -> float:
        now = self._now()
        while self._gains and now - self._gains[0][0] > WINDOW:
            self._gains.popleft()
        if not self._gains:
            return 0.0
        return sum(gain for _, gain in self._gains) / max(0.25, now - self._gains[0][0])


class Status(Static):
    """One line; what matters least goes first when it gets narrow."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "status--title",
        "status--fact",
        "status--token",
        "status--flags",
        "status--source",
        "status--busy",
        "status--trouble",
    }
    colours: reactive[str] = reactive("plain")
    found: reactive[str] = reactive("")
    token: reactive[str] = reactive("")
    flags: reactive[str] = reactive("")
    badge: reactive[str] = reactive("")
    """What is to be known of the model that has read what one is at."""
    source: reactive[str] = reactive("")
    """Who is likeliest to have written what one is at."""
    awaited: reactive[str] = reactive("")
    """What the program is busy with and the writer waits for."""

    def __init__(
        self,
        session: Session,
        *,
        now: Callable[[], float] = time.monotonic,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._session = session
        self._engine = EngineChanged("loading", "loading the model")
        self._doing = ""
        self._weighing: tuple[int, int] | None = None  # done, and how much there is to do
        self._speed = Speed(now)
        self._line: Content | None = None

    def on_mount(self) -> None:
        self.set_interval(TICK, self._tick)

    def _tick(self) -> None:
        weighing, self._weighing = self._weighing, self._session.weighing
        if self._session.growing() or self._speed.value() or weighing != self._weighing:
            self.refresh()

    def engine_changed(self, change: EngineChanged) -> None:
        """A ready engine that tells a fraction is busy with something and stays what it was."""
        busy = change.state == self._engine.state == "ready" and change.fraction is not None
        if busy:
            share = change.fraction or 0.0
            self._doing = f"{visible(change.detail)} {share:.0%}, Esc stops" if share < 1 else ""
        else:
            self._engine, self._doing = change, ""
        self.refresh()

    @property
    def busy(self) -> bool:
        """Whether it says that something is being read."""
        return bool(self._doing)

    def scored(self) -> None:
        self._doing = ""
        self.refresh()

    def grew(self, nodes: Collection[int]) -> None:
        for node in nodes:
            self._speed.count(node, self._session.tree[node].token_count or 0)
        if self._doing:
            self._doing = ""
            self.refresh()

    def sealed(self, node: int) -> None:
        self._speed.forget(node)
        self.refresh()

    def tree_changed(self) -> None:
        """Drawn again only if it looks different: with it goes all between it and what changed."""
        before, after = self._line, self._content()
        if before is None or (before.plain, before.spans) != (after.plain, after.spans):
            self.refresh()

    def render(self) -> Content:
        self._line = self._content()
        return self._line

    def _content(self) -> Content:
        title = self._title()
        room = self.size.width - 2
        facts = self._facts()
        if self._width(facts) + cell_len(title) + 2 > room:
            facts = self._facts(brief=True)
        while len(facts) > 1 and self._width(facts) + cell_len(title) + 2 > room:
            facts.remove(min(facts))
        facts.sort(key=lambda fact: fact[1])
        right = Content("  ·  ").join(
            Content.styled(text, look(self, f"status--{kind}")) for _, _, text, kind in facts
        )
        left = Content.styled(title, look(self, "status--title"))
        left = left.truncate(max(4, room - right.cell_length - 2), ellipsis=True)
        gap = max(1, room - left.cell_length - right.cell_length)
        return Content.assemble(" ", left, " " * gap, right, " ")

    def _title(self) -> str:
        read_only = "  (read only)" if self._session.read_only else ""
        return visible(self._session.title) + read_only

    @staticmethod
    def _width(facts: list[tuple[int, int, str, str]]) -> int:
        return sum(cell_len(text) + 5 for _, _, text, _ in facts)

    def _facts(self, *, brief: bool = False) -> list[tuple[int, int, str, str]]:
        """(importance, place in the line, text, look)."""
        session = self._session
        nodes = len(session.tree) - 1
        facts = [
            (2, 3, f"{visible(session.recipe.preset) or 'no preset'} ×{session.branches}", "fact"),
            (1, 4, f"{nodes} node{'' if nodes == 1 else 's'}", "fact"),
            (9, 5, *self._engine_fact(brief=brief)),
        ]
        if self.colours != "plain":
            facts.append((5, 2, f"◧ {self.colours}", "fact"))
        if self.flags:
            facts.append((7, 0, self.flags, "flags"))
        if self.badge:
            facts.append((3, 4, self.badge, "fact"))
        if self.source:
            facts.append((3, 1, self.source, "source"))
        if self._weighing is not None and self._weighing[1]:
            share = self._weighing[0] / self._weighing[1]
            facts.append((2, 1, f"weighing {share:.0%}", "fact"))
        if self.found:
            facts.append((8, 0, self.found, "fact"))
        if self._doing:
            facts.append((7, 1, self._doing, "busy"))
        if self.awaited:
            facts.append((9, 0, self.awaited, "busy"))
        if self.token:
            facts.append((8, 0, self.token, "token"))
        growing = len(session.growing())
        if growing:
            speed = self._speed.value()
            facts.append((6, 1, f"{growing} growing {speed:.0f} tok/s", "busy"))
        return facts

    def _engine_fact(self, *, brief: bool) -> tuple[str, str]:
        state, detail, fraction = self._engine.state, self._engine.detail, self._engine.fraction
        if state == "loading":
            share = "" if fraction is None else f" {bar(fraction, BAR)} {fraction:.0%}"
            return f"{visible(detail)}{share}", "busy"
        if state == "dead":
            return "model stopped", "trouble"
        if state == "none":
            return "no model", "trouble"
        shown = REMARK.sub("", detail) if brief else detail
        return visible(shown), "fact"
