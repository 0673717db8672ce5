"""The continuations under the text: numbered, each with its first lines and how it reads.

Reads a session; says by a message which one is wanted.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Static

from loom.core.display import Segment
from loom.core.marks import Kind, Mark
from loom.core.node import Author, Ending, Place
from loom.core.text import decode, visible
from loom.session import Session
from loom.ui import glyphs
from loom.ui.navigation import end_of, is_marked
from loom.ui.widgets.looks import look
from loom.ui.widgets.pace import Pace
from loom.ui.widgets.wrapping import wrap

GUTTER = 4  # columns before the text: mark, number, space
SHORTEST, STRIP = 5, 24  # cells of the surprise strip
BESIDE = 36  # columns from which cards stand side by side
WIDEST = 84  # columns of one that stands alone in its row
LOWEST, HIGHEST = 2, 12  # lines of a card where the writer has made room for them
SPARE = 16  # cards that are kept for places with more of them: to make one takes long
BETWEEN = 0.1  # seconds between two looks of a card that grows
LINE_ENDS = re.compile(r" *\n[ \n]*")

ENDINGS = {
    Ending.LENGTH: "full length",
    Ending.EOS: "the end",
    Ending.STOP: "stop string",
    Ending.EDGE: "whole",
    Ending.CANCEL: "stopped",
    Ending.CRASH: "cut off",
    Ending.WRITTEN: "yours",
}
SHORTENED = (Ending.LENGTH, Ending.STOP)  # whose first word says it


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model said about a segment: surprise in bits, token by token."""

    bits: tuple[float, ...]

    @classmethod
    def of(cls, session: Session, segment: Segment) -> Reading:
        span = session.span(segment.node)
        if span is None:
            return cls(())
        part = span.logprob[span.count_until(segment.start) : span.count_until(segment.stop)]
        return cls(tuple((part * -glyphs.BITS).tolist()))

    @property
    def mean(self) -> float:
        return sum(self.bits) / len(self.bits) if self.bits else 0.0


def one_line(text: str) -> str:
    """Paragraphs run on: ¶ stands for an empty line, ⏎ for a line end."""
    safe = visible(text).replace("\t", " ").strip()
    return LINE_ENDS.sub(lambda found: " ¶ " if found[0].count("\n") > 1 else " ⏎ ", safe)


class Card(Widget):
    """One continuation."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "card--number",
        "card--last",
        "card--text",
        "card--yours",
        "card--visited",
        "card--strip",
        "card--facts",
    }

    def __init__(self, session: Session, number: int, segment: Segment) -> None:
        super().__init__()
        self._session, self.number, self.segment = session, number, segment
        self.is_last = False
        self._after: Place | None = None
        self._drawn: tuple[Size, Content] | None = None

    def show(self, segment: Segment, *, last: bool, place: Place) -> None:
        """As what goes on after `place`. Draws again only what looks different."""
        self.segment, self.is_last, self._after = segment, last, place
        before, self._drawn = self._drawn, None
        if before is None or before[0] != self.outer_size:
            self.refresh()
            return
        after = self.render()
        if (before[1].plain, before[1].spans) != (after.plain, after.spans):
            self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._drawn = None

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(Cards.Taken(self.number))

    def render(self) -> Content:
        if self._drawn is None or self._drawn[0] != self.outer_size:
            self._drawn = self.outer_size, self._content()
        return self._drawn[1]

    def _content(self) -> Content:
        width, height = self.outer_size  # asking for more of one out of sight lays all out anew
        lines = self._lines(max(2, height) - 1, max(8, width - GUTTER))
        text = self._look("visited" if self._session.is_visited(self.segment.node) else "text")
        yours = len(os.path.commonprefix([lines[0], self._repeated()]))
        first = (lines[0][:yours], self._look("yours")), (lines[0][yours:], text)
        head = Content.assemble(self._gutter(), *first)
        rest = [Content.assemble(" " * GUTTER, (line, text)) for line in lines[1:]]
        return Content("\n").join([head, *rest, self._facts()])

    def _look(self, name: str) -> Style:
        return look(self, f"card--{name}")

    def _gutter(self) -> Content:
        mark = "›" if self.is_last else " "
        number = self._look("number")
        key = str(self.number) if self.number < 10 else "·"
        return Content.assemble((mark, self._look("last")), (f" {key} ", number))

    def _lines(self, count: int, width: int) -> list[str]:
        """The first lines, the last of them cut with … where the text goes on."""
        segment = self.segment
        stop = min(segment.stop, segment.start + count * width * 4)
        raw = self._session.tree[segment.node].text[segment.start : stop]
        flat = one_line(decode(raw))
        if not flat:
            return [self._blank()]
        starts = [*wrap(flat, width), len(flat)]
        lines = [flat[a:b].rstrip() for a, b in zip(starts, starts[1:], strict=False)]
        if len(lines) > count:
            lines = [*lines[: count - 1], lines[count - 1][: width - 1].rstrip() + "…"]
        return lines

    def _repeated(self) -> str:
        """What of the text before is said again, as it was cut into other tokens."""
        session, number = self._session, self.segment.node
        node = session.tree[number]
        if self.segment.start or self._after == node.hangs_at or not node.length:
            return ""
        asked = session.asked_at(number)
        return one_line(decode(node.text[: asked.at - node.at])) if asked == self._after else ""

    def _blank(self) -> str:
        if self.segment.node not in self._session.growing():
            return "(nothing but blank)" if self.segment.stop > self.segment.start else "(no text)"
        engine = self._session.engine
        return "…" if engine is not None and engine.state == "ready" else "… waiting for the model"

    def _facts(self) -> Content:
        """The strip takes what room is left beside what is said, which is cut short for it."""
        reading, room = Reading.of(self._session, self.segment), self.outer_size.width - GUTTER
        facts = self._said(reading)
        if reading.bits and room - len(facts) - 2 < SHORTEST:
            facts = self._said(reading, brief=True)
        strip = glyphs.strip(reading.bits, min(STRIP, max(SHORTEST, room - len(facts) - 2)))
        return Content.assemble(
            " " * GUTTER,
            (strip + "  " if strip else "", self._look("strip")),
            (facts, self._look("facts")),
        ).truncate(max(8, self.outer_size.width), ellipsis=True)

    def _said(self, reading: Reading, *, brief: bool = False) -> str:
        parts = (*self._measures(reading, brief), *self._remarks(brief))
        return " · ".join(part for part in parts if part)

    def _measures(self, reading: Reading, brief: bool) -> Sequence[str]:
        if not reading.bits:
            return ()
        count = len(reading.bits)
        unit = "tok" if brief else "token" if count == 1 else "tokens"
        return (f"{reading.mean:.1f} bits", f"{count} {unit}")

    def _remarks(self, brief: bool) -> Sequence[str]:
        session, segment = self._session, self.segment
        node = session.tree[segment.node]
        copies, on = session.display.copies(segment), len(session.display.children(segment))
        ending = "growing" if node.ended is None else ENDINGS[node.ended]
        if node.author is Author.IMPORT:
            ending = "imported"
        if brief:
            ending = ending.split()[0] if node.ended in SHORTENED else ending
        whole = segment.stop == node.length
        return (
            ending if whole or node.author is not Author.MODEL else "",
            f"×{copies}" if copies > 1 else "",
            f"{on} on" if on else "",
            "★" if is_marked(session, segment, Kind.BOOKMARK) else "",
        )


def columns(count: int, width: int) -> int:
    """How many of `count` cards stand beside each other; the fewest that make as few rows."""
    most = max(1, min(count, width // BESIDE))
    rows = -(-count // most)
    return -(-count // rows) if count else 1


class Cards(VerticalScroll, can_focus=False):
    """The cards of one place; a line of help where there are none."""

    @dataclass
    class Taken(Message):
        """The writer clicked on a card."""

        number: int

    def __init__(self, session: Session, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._session = session
        self._cards: list[Card] = []
        self._shown: tuple[Segment, ...] = ()
        self._place = session.place
        self._showing = asyncio.Lock()
        self._lines: int | None = None
        self._hint = ""
        self._pace = Pace(self, BETWEEN, self._grow)
        self._arranged: tuple[int, int, int | None, int] | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="hint")

    async def show(self, place: Place, hint: str) -> None:
        """Show what hangs after `place`; one call after the other, as keys and changes both ask."""
        async with self._showing:
            await self._show(place, hint)

    async def _show(self, place: Place, hint: str) -> None:
        self._place = place
        segments = self._session.continuations(place)
        await self._provide(segments)
        if [s.node for s in segments] != [s.node for s in self._shown]:
            self.scroll_home(animate=False)
        self._shown = segments
        self._arrange()
        self._dress(place)
        self._say("" if segments else hint)

    async def _provide(self, segments: Sequence[Segment]) -> None:
        """A card in sight for each; of the others some are kept, out of sight."""
        most, have = max(len(segments), SPARE), len(self._cards)
        if have > most:
            await self.remove_children(self._cards[most:])
            del self._cards[most:]
        new = [
            Card(self._session, number, segment)
            for number, segment in enumerate(segments[have:], start=have + 1)
        ]
        self._cards += new
        if new:
            await self.mount(*new)
        for card in self._cards:
            wanted = card.number <= len(segments)
            if card.display != wanted:  # a style that is set lays out anew
                card.display = wanted

    @property
    def _in_sight(self) -> Sequence[Card]:
        return self._cards[: len(self._shown)]

    def _say(self, hint: str) -> None:
        """Each change lays out the whole page again."""
        line = self.query_one("#hint", Static)
        if line.display != (not self._shown):
            line.display = not self._shown
        if hint and hint != self._hint:
            self._hint = hint
            line.update(Content(hint))

    # ── where they stand ───────────────────────────────────────────────────────────────────

    @property
    def lines(self) -> int | None:
        """Lines for all of them together; None where they take what they need."""
        return self._lines

    @lines.setter
    def lines(self, lines: int | None) -> None:
        if lines != self._lines:
            self._lines = lines
            self._arrange()

    def on_resize(self) -> None:
        self._arrange()

    def _arrange(self) -> None:
        """Side by side where each has columns enough, in rows as even as can be."""
        gap = self.styles.grid_gutter_horizontal
        arranged = len(self._shown), self.size.width, self._lines, gap
        if arranged == self._arranged:  # a style that is set lays out anew, be it what it was
            return
        self._arranged = arranged
        count, across = len(self._shown), columns(len(self._shown), self.size.width)
        self.set_class(across > 1, "-beside")
        self.styles.grid_size_columns = across
        self.styles.height = self.styles.max_height = self._lines if count else None
        rows = -(-count // across)
        gaps = self.styles.grid_gutter_horizontal * (rows - 1)
        self.styles.grid_rows = None
        if self._lines is not None and count:
            height = max(LOWEST, min(HIGHEST, (self._lines - gaps) // rows))
            self.styles.grid_rows = (height,)
        side = max(0, (self.size.width - WIDEST) // 2) if across == 1 else 0
        self.styles.padding = (0, 1 + side)

    # ── what they show ─────────────────────────────────────────────────────────────────────

    def _dress(self, place: Place) -> None:
        last = self._session.marks.get(Mark(place.node, place.at, Kind.LAST))
        for card, segment in zip(self._in_sight, self._shown, strict=True):
            is_last = last is not None and str(segment.node) == last
            card.show(segment, last=is_last, place=place)

    def grew(self, nodes: Collection[int]) -> None:
        """Text or numbers of some nodes have changed; the list of cards has not."""
        if any(segment.node in nodes for segment in self._shown):
            self._pace.ask(nodes)

    def _grow(self, nodes: Collection[int]) -> None:
        fresh = {segment.node: segment for segment in self._session.continuations(self._place)}
        for card in self._in_sight:
            if card.segment.node in nodes and card.segment.node in fresh:
                card.show(fresh[card.segment.node], last=card.is_last, place=self._place)

    def place_of(self, number: int) -> Place | None:
        """Where walking into card `number` (from 1) leads."""
        if not 1 <= number <= len(self._shown):
            return None
        wanted = self._shown[number - 1]
        now = self._session.continuations(self._place)
        return end_of(next((s for s in now if s[:2] == wanted[:2]), wanted))

    def __len__(self) -> int:
        return len(self._shown)
