"""The text of a path, token by token: who wrote it, how probable it was, where the cursor is.

Reads the session and sends messages; moves nothing but its own cursor and view.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from rich.segment import Segment as RichSegment
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from loom.core.node import Author, Place
from loom.core.span import Span
from loom.core.text import sentence_edges, word_edges
from loom.core.tree import Tree
from loom.ui.widgets.course import Course
from loom.ui.widgets.layers import SCALES, STEPS, steps
from loom.ui.widgets.looks import Looks
from loom.ui.widgets.page import Cell, Line, Page

PROSE = 80  # columns at most
NARROWEST = 8
REACH = 4096  # bytes looked at for the next word or sentence
NODES_KEPT = 512  # whose token edges and steps are remembered

Names = tuple[str, ...]


class TextSource(Protocol):
    """What of a session the widget reads."""

    @property
    def tree(self) -> Tree: ...
    @property
    def place(self) -> Place: ...
    def span(self, node: int) -> Span | None: ...
    def edges(self, node: int) -> Sequence[int]: ...


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ends of a node, in bytes, and the step of each in the layer shown (none: unread)."""

    ends: Sequence[int]
    steps: Sequence[int]


class TokenText(ScrollView, can_focus=True, inherit_bindings=False):
    """Lines are wrapped when the path changes and drawn when they are seen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "text--current",
        "text--earlier",
        "text--cursor",
        *(f"text--{author}" for author in Author),
        *(f"text--author-{author}" for author in Author),
        *(f"text--{scale.prefix}{step}" for scale in SCALES.values() for step in range(STEPS)),
    }
    DEFAULT_CSS = """
    TokenText {
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        color: $foreground;

        & > .text--earlier { text-opacity: 66%; }
        & > .text--writer { text-style: bold; color: $text-primary; }
        & > .text--import { text-style: italic; }
        & > .text--cursor { text-style: reverse; }

        & > .text--p0 { background: $success 34%; }
        & > .text--p1 { background: $success 18%; }
        & > .text--p3 { background: $warning 16%; }
        & > .text--p4 { background: $warning 36%; text-style: underline; }
        & > .text--p5 { background: $error 44%; text-style: bold underline; }

        & > .text--s2 { background: $warning 12%; }
        & > .text--s3 { background: $warning 32%; }
        & > .text--s4 { background: $error 36%; text-style: underline; }
        & > .text--s5 { background: $error 58%; text-style: bold underline; }

        & > .text--e0 { text-opacity: 70%; }
        & > .text--e2 { background: $primary 16%; }
        & > .text--e3 { background: $primary 32%; }
        & > .text--e4 { background: $primary 48%; text-style: underline; }
        & > .text--e5 { background: $primary 64%; text-style: bold underline; }

        & > .text--author-writer { background: $primary 30%; text-style: bold; }
        & > .text--author-import { background: $secondary 30%; text-style: italic; }
    }
    """

    colour_layer: reactive[str] = reactive("plain")

    class CursorMoved(Message):
        """The token cursor stands at another place."""

        def __init__(self, place: Place) -> None:
            super().__init__()
            self.place = place

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, TokenText.CursorMoved)

    class Clicked(Message):
        """A token was clicked; the cursor is on it now."""

        def __init__(self, place: Place) -> None:
            super().__init__()
            self.place = place

    def __init__(
        self, session: TextSource, *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.session = session
        self._course = Course()
        self._page = Page(PROSE)
        self._at = 0  # the cursor, in bytes of the page
        self._goal: int | None = None  # column that moves by line aim at
        self._follows = False  # whether the end shown is the end of a node that may grow
        self._spare = 0  # empty lines under the text that hold the branch point on its row
        self._strips: dict[int, Strip] = {}
        self._tokens: dict[int, Tokens] = {}
        self._looks = Looks(self)

    # ── what is shown ──────────────────────────────────────────────────────────────────────

    @property
    def shown(self) -> Place:
        """The end of the path."""
        return self._course.end

    @property
    def cursor(self) -> Place:
        if self._at == self._page.length:
            return self._course.end
        return self._course.place(self._at)

    @cursor.setter
    def cursor(self, place: Place) -> None:
        """A place that isn't on the path is ignored."""
        at = self._course.byte(place)
        if at is not None:
            self._move_to(at)

    @property
    def at_end(self) -> bool:
        return self._at == self._page.length

    def show(self, place: Place, keep_row: bool = False) -> None:
        """Show the path to `place`, the cursor at its end.

        `keep_row`: the point where the paths part stays on its row of the screen, as far as the end
        of the text can be seen with it.
        """
        top, before = round(self.scroll_y), self._page
        parting = self._lay(place, before.line_of)
        self._at, self._goal = self._page.length, None
        if keep_row:
            self._hold(parting[1], parting[0] - top)
        else:
            self._spare = 0
            self._fit()
            self._reveal()

    def grew(self, nodes: Iterable[int]) -> None:
        """Text of these nodes got longer; also to be called when they are sealed."""
        touched = set(nodes)
        for node in touched:
            self._tokens.pop(node, None)
        end = self._course.end
        if not self._follows or end.node not in touched:
            return
        was_at_end, saw_end = self.at_end, self._sees(self._page.line_count - 1)
        self._lay(Place(end.node, self.session.tree[end.node].length), self._page.line_of)
        self._spare = max(0, self._spare and self._rows + round(self.scroll_y) - self._lines)
        self._fit()
        if was_at_end:
            self._at = self._page.length
            if saw_end:
                self._reveal()

    def scored(self, node: int) -> None:
        """A model has read the node: it has tokens and probabilities now."""
        self._tokens.pop(node, None)
        self._strips.clear()
        self.refresh()

    def token_at_cursor(self) -> tuple[int, int] | None:
        """(node, index) of the token that starts at the cursor; None at the end of the path, or
        where the cursor stands inside a token."""
        place = self._course.next_place(self._at)
        if place is None:
            return None
        ends = self._tokens_of(place.node).ends
        index = bisect_right(ends, place.at)
        start = ends[index - 1] if index else 0
        return (place.node, index) if start == place.at and index < len(ends) else None

    def _lay(self, place: Place, line_of: Callable[[int], int]) -> tuple[int, int]:
        """Wrap what is new; the line where the paths part, before and after."""
        node = self.session.tree[place.node]
        self._follows = place.at == node.length
        if self._follows and node.growing:
            place = Place(node.id, node.length - _unfinished(node.text))
        current = self._course.end.node
        common = self._course.lead(self.session.tree.stretches(place))
        last = max(0, common - 1)
        before = line_of(last)
        self._replace_tail(common)
        if current != place.node:
            self._strips.clear()
        return before, self._page.line_of(last)

    def _replace_tail(self, common: int) -> None:
        if common == self._page.length == self._course.length:
            return
        tree = self.session.tree
        tail = b"".join(
            tree[stretch.node].text[max(0, common - start) : stretch.at]
            for start, stretch in self._course.between(common, self._course.length)
        )
        first = self._page.replace_tail(common, tail)
        self._at = min(self._at, self._page.length)
        for y in [y for y in self._strips if y >= first]:
            del self._strips[y]
        self.refresh()

    # ── the cursor ─────────────────────────────────────────────────────────────────────────

    def move_token(self, by: int) -> None:
        at = self._at
        for _ in range(abs(by)):
            at = self._edge_after(at) if by > 0 else self._edge_before(at)
        self._move_to(at)

    def move_word(self, by: int) -> None:
        self._move_by(by, word_edges)

    def move_sentence(self, by: int) -> None:
        self._move_by(by, sentence_edges)

    def move_line(self, by: int) -> None:
        y = self._page.line_of(self._at)
        goal = self._page.line(y).column(self._at) if self._goal is None else self._goal
        target = y + by
        if not 0 <= target < self._page.line_count:
            return
        self._move_to(self._token_start(target, goal))
        self._goal = goal

    def move_start(self) -> None:
        self._move_to(0)

    def move_end(self) -> None:
        self._move_to(self._page.length)

    def _move_by(self, by: int, edges: Callable[[bytes], list[int]]) -> None:
        at = self._at
        for _ in range(abs(by)):
            start, data = self._page.around(at, REACH)
            found = [start + edge for edge in edges(data)]
            at = self._after(at, found) if by > 0 else self._before(at, found)
        self._move_to(at)

    def _after(self, at: int, edges: Sequence[int]) -> int:
        """The token edge nearest to the first of `edges` behind `at`."""
        target = next((edge for edge in edges if edge > at), self._page.length)
        last = self._edge_before(target + 1) if target < self._page.length else target
        return last if last > at else self._edge_after(at)

    def _before(self, at: int, edges: Sequence[int]) -> int:
        target = next((edge for edge in reversed(edges) if edge < at), 0)
        return min(target, self._edge_before(target + 1)) if target else 0

    def _move_to(self, at: int) -> None:
        self._goal = None
        if at == self._at:
            self._reveal()
            return
        self._at = at
        self._reveal()
        self.refresh()
        self.post_message(self.CursorMoved(self.cursor))

    def _edge_after(self, at: int) -> int:
        """The next token end; where a path leaves a token in its middle, that place."""
        between = self._course.between(at, at + 1)
        if not between:
            return at
        start, stretch = between[0]
        ends = self._tokens_of(stretch.node).ends
        index = bisect_right(ends, at - start)
        return start + min(ends[index] if index < len(ends) else stretch.at, stretch.at)

    def _edge_before(self, at: int) -> int:
        start, stretch = self._course.stretch(min(at, self._page.length + 1))
        ends = self._tokens_of(stretch.node).ends
        index = bisect_left(ends, min(at - start, stretch.at + 1)) - 1
        return start + (ends[index] if index >= 0 else 0)

    def _token_start(self, y: int, column: int) -> int:
        """Where the token drawn at a column begins; right of a line's text, its last token."""
        line = self._page.line(y)
        byte = line.byte(column)
        if byte is None:
            if line.stop == self._page.length:
                return self._page.length
            byte = max(line.start, line.stop - 1)
        return max(0, self._edge_before(byte + 1))

    def _tokens_of(self, node: int) -> Tokens:
        found = self._tokens.get(node)
        if found is None:
            if len(self._tokens) >= NODES_KEPT:
                self._tokens.clear()
            span = self.session.span(node) if self.colour_layer in SCALES else None
            found = Tokens(self.session.edges(node), steps(span, self.colour_layer) if span else ())
            self._tokens[node] = found
        return found

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        event.stop()
        y = min(offset.y + round(self.scroll_y), self._page.line_count - 1)
        self._move_to(self._token_start(y, max(0, offset.x - self._left)))
        self.post_message(self.Clicked(self.cursor))

    # ── the view ───────────────────────────────────────────────────────────────────────────

    @property
    def allow_select(self) -> bool:
        return False

    @property
    def _columns(self) -> int:
        return self.scrollable_content_region.width

    @property
    def _rows(self) -> int:
        return self.scrollable_content_region.height

    @property
    def _lines(self) -> int:
        return self._page.line_count

    @property
    def _left(self) -> int:
        """Empty columns left of the text; one is kept right of it for the cursor."""
        return max(0, (self._columns - self._page.width) // 2)

    def _fit(self) -> None:
        self.virtual_size = Size(self._columns, self._lines + self._spare)
        self.refresh()

    def _sees(self, y: int) -> bool:
        return 0 <= y - round(self.scroll_y) < self._rows

    def _reveal(self) -> None:
        """Scroll no further than needed to see the cursor, with a line to spare."""
        y, top = self._page.line_of(self._at), round(self.scroll_y)
        spare = 1 if self._rows > 4 else 0
        low, high = y - self._rows + 1 + spare, y - spare
        target = min(max(top, min(low, self.max_scroll_y)), max(0, high))
        if target != top:
            self._scroll(target)

    def _hold(self, parting: int, row: int) -> None:
        """Put line `parting` on `row` of the screen, or higher to have the end in sight."""
        top = max(0, parting - row)
        last = self._lines - 1
        if last - top >= self._rows:
            top = max(top, min(parting, last - self._rows + 1))
        self._spare = max(0, top + self._rows - self._lines)
        self._fit()
        self._scroll(top)

    def _scroll(self, top: int) -> None:
        self.scroll_to(y=top, animate=False, force=True)

    def on_resize(self, event: events.Resize) -> None:
        width = max(NARROWEST, min(PROSE, self._columns - 2))
        top = self._page.line(min(round(self.scroll_y), self._lines - 1)).start
        saw_cursor = self._sees(self._page.line_of(self._at))
        self._page.set_width(width)
        self._strips.clear()
        self._spare = 0
        self._fit()
        self._scroll(self._page.line_of(top))
        if saw_cursor or self.at_end:
            self._reveal()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._looks.clear()
        self._strips.clear()

    def watch_colour_layer(self) -> None:
        self._tokens.clear()
        self._strips.clear()
        self.refresh()

    # ── drawing ────────────────────────────────────────────────────────────────────────────

    def render_line(self, y: int) -> Strip:
        y += round(self.scroll_y)
        width = self.size.width
        if y >= self._lines:
            return Strip.blank(width, self.rich_style)
        if y in self._strips:
            return self._strips[y]
        line = self._page.line(y)
        cursor = self._cursor_on(y, line)
        strip = self._strip(line, cursor).adjust_cell_length(width, self.rich_style)
        if cursor is None:
            self._strips[y] = strip
        return strip

    def _cursor_on(self, y: int, line: Line) -> tuple[int, int] | None:
        """Bytes of the cursor's token, if some of it stands on this line."""
        stop = max(self._edge_after(self._at), self._at + 1)
        if self._at < line.stop and stop > line.start or y == self._page.line_of(self._at):
            return self._at, stop
        return None

    def _strip(self, line: Line, cursor: tuple[int, int] | None) -> Strip:
        segments = [RichSegment(" " * self._left, self.rich_style)]
        for names, cells in self._runs(line, cursor):
            segments.append(RichSegment("".join(cell.drawn for cell in cells), self._looks(*names)))
        return Strip(segments, self._left + sum(s.cell_length for s in segments[1:]))

    def _runs(
        self, line: Line, cursor: tuple[int, int] | None
    ) -> Iterator[tuple[Names, list[Cell]]]:
        """Neighbouring cells that look alike."""
        looks = self._stretches(line)
        look = next(looks, (line.stop, ()))
        run: list[Cell] = []
        before: Names = ()
        cells = list(line.cells)
        if cursor is not None and line.text_stop <= cursor[0]:
            cells = [*_cut(cells, self._page.width), Cell(cursor[0], " ", 1)]
        for cell, next_byte in _with_ends(cells, line):
            while cell.byte >= look[0]:
                following = next(looks, None)
                if following is None:
                    break
                look = following
            names = look[1]
            if cursor is not None and cell.byte < cursor[1] and next_byte > cursor[0]:
                names = (*names, "text--cursor")
            if run and names != before:
                yield before, run
                run = []
            run.append(cell)
            before = names
        if run:
            yield before, run

    def _stretches(self, line: Line) -> Iterator[tuple[int, Names]]:
        """(stop, component classes) of the stretches of a line that look alike."""
        scale = SCALES.get(self.colour_layer)
        for start, stretch in self._course.between(line.start, line.stop):
            names = self._node_names(stretch.node)
            stop = start + stretch.at
            tokens = self._tokens_of(stretch.node) if scale else None
            if scale is None or tokens is None or not tokens.steps:
                yield stop, names
                continue
            index = bisect_right(tokens.ends, line.start - start)
            while index < len(tokens.steps) and (
                index == 0 or start + tokens.ends[index - 1] < min(line.stop, stop)
            ):
                step = f"text--{scale.prefix}{tokens.steps[index]}"
                yield min(stop, start + tokens.ends[index]), (*names, step)
                index += 1
            yield stop, names

    def _node_names(self, node: int) -> Names:
        author = self.session.tree[node].author
        kind = "author-" if self.colour_layer == "author" else ""
        now = "current" if node == self._course.end.node else "earlier"
        return f"text--{now}", f"text--{kind}{author}"


def _with_ends(cells: Sequence[Cell], line: Line) -> Iterator[tuple[Cell, int]]:
    """Each cell and where the next one begins."""
    for i, cell in enumerate(cells):
        yield cell, cells[i + 1].byte if i + 1 < len(cells) else max(line.stop, cell.byte + 1)


def _cut(cells: Sequence[Cell], width: int) -> list[Cell]:
    """The cells that leave a column free at the edge of a page `width` wide."""
    kept = list(cells)
    while sum(cell.width for cell in kept) > width:
        kept.pop()
    return kept


def _unfinished(data: bytes) -> int:
    """Bytes at the end that begin a character which isn't whole yet."""
    for back in range(1, min(4, len(data) + 1)):
        byte = data[-back]
        if byte >= 0xC0:
            size = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if size > back else 0
        if byte < 0x80:
            return 0
    return 0
