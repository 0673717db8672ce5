"""One continuation: its number, its first lines and how it reads.

Reads a session; says by a message that it is wanted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.style import Style
from textual.widgets import Static

from loom.core.display import Segment
from loom.core.marks import Kind
from loom.core.node import Author, Ending, Place
from loom.core.text import decode, visible
from loom.session import Session
from loom.ui import glyphs
from loom.ui.navigation import is_marked
from loom.ui.widgets.looks import look
from loom.ui.widgets.wrapping import clip, wrap

GUTTER = 4  # columns before the text: mark, number, space
APART = " · "
SHORTEST, STRIP = 5, 24  # cells of the surprise strip
LEAST_NAME = 4  # cells of a source
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


class Drawn(NamedTuple):
    """How a card of a size looks: the first lines of its text, and the line about it."""

    size: Size
    text: Content
    facts: Content


def _differ(one: Content, other: Content) -> bool:
    return (one.plain, one.spans) != (other.plain, other.spans)


def one_line(text: str) -> str:
    """Paragraphs run on: ¶ stands for an empty line, ⏎ for a line end."""
    safe = visible(text).replace("\t", " ").strip()
    return LINE_ENDS.sub(lambda found: " ¶ " if found[0].count("\n") > 1 else " ⏎ ", safe)


class Card(Static):
    """One continuation."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "card--number",
        "card--last",
        "card--text",
        "card--yours",
        "card--visited",
        "card--strip",
        "card--facts",
        "card--flag",
        "card--source",
    }

    @dataclass
    class Taken(Message):
        """The writer clicked on a card."""

        number: int

    def __init__(
        self,
        session: Session,
        number: int,
        segment: Segment,
        flag_of: Callable[[Segment], str] = lambda segment: "",
        source_of: Callable[[Segment], str] = lambda segment: "",
    ) -> None:
        super().__init__()
        self._flag_of, self._source_of = flag_of, source_of
        self._session, self.number, self.segment = session, number, segment
        self.is_last = False
        self._after: Place | None = None
        self._drawn: Drawn | None = None
        self._is_late = False  # it looks as it did before it was out of view

    def show(self, segment: Segment, *, last: bool, place: Place, seen: bool = True) -> None:
        """As what goes on after `place`. Draws again only what looks different, and what is out of
        view when it is `seen` again: to ask for that lays out the whole page anew."""
        self.segment, self.is_last, self._after = segment, last, place
        self._is_late = not seen
        if self._is_late:
            return
        before, self._drawn = self._drawn, None
        after = self._looked()
        if before is None or before.size != after.size or _differ(before.text, after.text):
            self.refresh()
        elif _differ(before.facts, after.facts):  # its text goes on below what can be seen of it
            self.refresh(Region(0, after.text.plain.count("\n") + 1, after.size.width, 1))

    def come_into_view(self) -> None:
        if self._is_late:
            self._is_late, self._drawn = False, None
            self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._drawn = None

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(self.Taken(self.number))

    def render(self) -> Content:
        drawn = self._looked()
        return Content("\n").join([drawn.text, drawn.facts])

    def _looked(self) -> Drawn:
        if self._drawn is None or self._drawn.size != self.outer_size:
            self._drawn = Drawn(self.outer_size, self._content(), self._facts())
        return self._drawn

    def _content(self) -> Content:
        width, height = self.outer_size  # asking for more of one out of sight lays all out anew
        lines = self._lines(max(2, height) - 1, max(8, width - GUTTER))
        text = self._look("visited" if self._session.is_visited(self.segment.node) else "text")
        yours = len(os.path.commonprefix([lines[0], self._repeated()]))
        first = (lines[0][:yours], self._look("yours")), (lines[0][yours:], text)
        head = Content.assemble(self._gutter(), *first)
        rest = [Content.assemble(" " * GUTTER, (line, text)) for line in lines[1:]]
        return Content("\n").join([head, *rest])

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
        """The strip takes what room is left beside what is said, which is cut short for it, and
        for the source first; where there is too little for that, its name is."""
        reading, room = Reading.of(self._session, self.segment), self.outer_size.width - GUTTER
        flag = self._flag_of(self.segment)
        room -= cell_len(flag) + len(APART) if flag else 0
        source = self._source_of(self.segment)
        beside = cell_len(source) + len(APART) if source else 0
        facts = self._said(reading)
        if reading.bits and room - beside - len(facts) - 2 < SHORTEST:
            facts = self._said(reading, brief=True)
        if source and reading.bits and room - beside - len(facts) - 2 < SHORTEST:
            shorter = self._said(reading, brief=True, counted=False)
            named = room - SHORTEST - 2 - len(shorter) - len(APART)
            if named >= LEAST_NAME:
                facts, source = shorter, clip(source, named)[0]
            else:  # what is left of it would say nothing
                source = ""
            beside = cell_len(source) + len(APART) if source else 0
        most = max(SHORTEST, room - beside - len(facts) - 2)
        strip = glyphs.strip(reading.bits, min(STRIP, most))
        if not reading.bits and room - beside < len(facts):
            source = ""
        return Content.assemble(
            " " * GUTTER,
            (strip + "  " if strip else "", self._look("strip")),
            (flag, self._look("flag")),
            (APART if flag and facts else "", self._look("facts")),
            (facts, self._look("facts")),
            (APART if source and (flag or facts) else "", self._look("facts")),
            (source, self._look("source")),
        ).truncate(max(8, self.outer_size.width), ellipsis=True)

    def _said(self, reading: Reading, *, brief: bool = False, counted: bool = True) -> str:
        parts = (*self._measures(reading, brief)[: 2 if counted else 1], *self._remarks(brief))
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
