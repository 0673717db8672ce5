"""The continuations under the text: where their cards stand, and what each is of.

Reads a session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.reactive import Reactive
from textual.scrollbar import ScrollBar
from textual.widgets import Static

from loom.core.display import Segment
from loom.core.marks import Kind, Mark
from loom.core.node import Place
from loom.session import Session
from loom.ui.navigation import end_of
from loom.ui.widgets.card import Card
from loom.ui.widgets.pace import Pace
from loom.ui.widgets.scrollbar import bar_of

BESIDE = 36  # columns from which cards stand side by side
WIDEST = 84  # columns of one that stands alone in its row
LOWEST, HIGHEST = 2, 12  # lines of a card where the writer has made room for them
SPARE = 16  # cards that are kept for places with more of them: to make one takes long
BETWEEN = 0.1  # seconds between two looks of a card that grows


def columns(count: int, width: int) -> int:
    """How many of `count` cards stand beside each other; the fewest that make as few rows."""
    most = max(1, min(count, width // BESIDE))
    rows = -(-count // most)
    return -(-count // rows) if count else 1


class Cards(VerticalScroll, can_focus=False):
    """The cards of one place; a line of help where there are none."""

    virtual_size = Reactive(Size(0, 0))  # found by a layout, which Textual would then make again

    def __init__(self, session: Session, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._session = session
        self._cards: list[Card] = []
        self._shown: tuple[Segment, ...] = ()
        self._place = session.place
        self._expected: Place | None = None
        self.flag_of: Callable[[Segment], str] = lambda segment: ""
        self.source_of: Callable[[Segment], str] = lambda segment: ""
        self._showing = asyncio.Lock()
        self._lines: int | None = None
        self._hint = ""
        self.pace = Pace(self, BETWEEN, self._grow)
        self._arranged: tuple[int, int, int | None, int] | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="hint")

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        return bar_of(self)

    def expect(self, place: Place) -> None:
        """Cards of another place are going to be shown: who walks into one means one of those."""
        self._expected = place

    @property
    def awaited(self) -> bool:
        """Whether such cards have not been shown yet."""
        return self._expected is not None

    async def show(self, place: Place, hint: str) -> None:
        """Show what hangs after `place`; one call after the other, as keys and changes both ask."""
        async with self._showing:
            await self._show(place, hint)

    async def _show(self, place: Place, hint: str) -> None:
        self._place, self._expected = place, None
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
            Card(
                self._session,
                number,
                segment,
                lambda segment: self.flag_of(segment),
                lambda segment: self.source_of(segment),
            )
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
        self._show_late()

    def watch_scroll_y(self, old: float, new: float) -> None:
        super().watch_scroll_y(old, new)
        self._show_late()

    def _show_late(self) -> None:
        for card in self._in_view:
            card.come_into_view()

    @property
    def _in_view(self) -> Sequence[Card]:
        """Those of which a line can be seen."""
        heights, across = self.styles.grid_rows, self.styles.grid_size_columns
        if not heights or not across:
            return self._in_sight
        height = int(heights[0].value) + self.styles.grid_gutter_horizontal
        first = round(self.scroll_y) // height
        last = first + self.outer_size.height // height + 2
        return self._in_sight[first * across : last * across]

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
        self.styles.padding = (0, side, 0, 1 + side)  # right of it is the scrollbar

    # ── what they show ─────────────────────────────────────────────────────────────────────

    def _dress(self, place: Place) -> None:
        last = self._session.marks.get(Mark(place.node, place.at, Kind.LAST))
        for card, segment in zip(self._in_sight, self._shown, strict=True):
            is_last = last is not None and str(segment.node) == last
            card.show(segment, last=is_last, place=place)

    def grew(self, nodes: Collection[int]) -> None:
        """Text or numbers of some nodes have changed; the list of cards has not."""
        if any(segment.node in nodes for segment in self._shown):
            self.pace.ask(nodes)

    def _grow(self, nodes: Collection[int]) -> None:
        fresh = {segment.node: segment for segment in self._session.continuations(self._place)}
        seen = set(self._in_view)
        for card in self._in_sight:
            segment = fresh.get(card.segment.node)
            if segment is not None and segment.node in nodes:
                card.show(segment, last=card.is_last, place=self._place, seen=card in seen)

    def place_of(self, number: int) -> Place | None:
        """Where walking into card `number` (from 1) leads."""
        cards = self._next
        if not 1 <= number <= len(cards):
            return None
        wanted = cards[number - 1]
        now = self._session.continuations(self._place)
        return end_of(next((s for s in now if s[:2] == wanted[:2]), wanted))

    @property
    def _next(self) -> Sequence[Segment]:
        """Those that are shown, or are going to be."""
        expected = self._expected
        return self._shown if expected is None else self._session.continuations(expected)

    def __len__(self) -> int:
        return len(self._next)
