"""The flags in the lens: each with what was tested, how sure it is, where it began; to click on.

Knows flags that were raised and the text they are about; knows neither tree nor screen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from textual import events
from textual.message import Message

from loom.core.text import visible
from loom.instruments.api import Flag
from loom.raised import Raised
from loom.ui import glyphs
from loom.ui.flags import TESTED, chance
from loom.ui.widgets import lens_lines
from loom.ui.widgets.lens_lines import BLANK, Fact, Line
from loom.ui.widgets.lens_panels import Panel

MOST = 5  # flags told in full
LABEL = 9  # columns of a fact's name

Row = tuple[Line, Raised | None]
"""A line, and the flag that it is of."""


def rows(raised: Sequence[Raised], width: int, words_of: Callable[[Raised], str]) -> Iterator[Row]:
    """`words_of` tells the beginning of what a flag is about."""
    if not raised:
        return
    yield lens_lines.heading("Flags here", str(len(raised)), width), None
    for one in raised[:MOST]:
        for line in _told(one, width, words_of(one)):
            yield line, one
        yield BLANK, None
    if len(raised) > MOST:
        yield ((f"{len(raised) - MOST} more", "note"),), None
        yield BLANK, None


def _told(raised: Raised, width: int, words: str) -> Iterator[Line]:
    flag = raised.flag
    name, bits = visible(raised.plugin), evidence(flag)
    head = lens_lines.heading(f"{glyphs.FLAGS[flag.level]} {name}", bits, width)
    yield ((head[0][0], "flag"), *head[1:])
    for line in lens_lines.folded(visible(flag.reason), width):
        yield ((line, "value"),)
    for fact in _facts(raised, words):
        yield from lens_lines.fact(fact, width, LABEL)


def _facts(raised: Raised, words: str) -> Iterator[Fact]:
    """What explains it first: a small screen shows no more."""
    flag = raised.flag
    if flag.perhaps:
        yield Fact("perhaps", visible(flag.perhaps))
    yield Fact("tested", TESTED[flag.null])
    if chance(flag):
        yield Fact("α", chance(flag))
    back = raised.stop - 1 - raised.start
    ago = "here" if back <= 0 else f"{back} token{'' if back == 1 else 's'} before"
    yield Fact("began", f"{ago}: “{words}”" if words else ago)


def evidence(flag: Flag) -> str:
    return "" if flag.null == "none" else f"{flag.bits:.1f} bits"


class FlagPanel(Panel):
    """A click on a flag leads to where it began."""

    _raised: Sequence[Raised | None] = ()

    @dataclass
    class Picked(Message):
        """A flag was clicked."""

        raised: Raised

    def tell(self, rows: Sequence[Row]) -> None:
        self._raised = [raised for _, raised in rows]
        self.show([line for line, _ in rows])

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        found = self._raised[offset.y] if offset and offset.y < len(self._raised) else None
        if found is not None:
            event.stop()
            self.post_message(self.Picked(found))
