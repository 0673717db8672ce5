"""The text of a path, token by token: who wrote it, how probable it was, where the cursor is.

Reads the session and sends messages; moves nothing but its own cursor and view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar, Protocol

from rich.segment import Segment as Piece
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip

from loom.core.node import Author, Place
from loom.core.text import sentence_edges, word_edges
from loom.core.tree import Tree
from loom.ui.widgets.course import Course
from loom.ui.widgets.drawn import Drawn
from loom.ui.widgets.layers import SCALES, STEPS
from loom.ui.widgets.looks import Looks
from loom.ui.widgets.page import Line, Page
from loom.ui.widgets.runs import CURSOR, Look, runs, token_looks
from loom.ui.widgets.tokens import Tokens, TokenSource

PROSE = 80  # columns at most
NARROWEST = 8
STRIPS_KEPT = 1024
REACH = 4096  # bytes looked at for the next word or sentence


class TextSource(TokenSource, Protocol):
    """What of a session the widget reads."""

    @property
    def tree(self) -> Tree: ...


class TokenText(Drawn, can_focus=True, inherit_bindings=False):
    """Lines are wrapped when the path changes and drawn when they are seen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "text--current",
        "text--earlier",
        CURSOR,
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
        & > .text--import { text-style: italic; color: $text-secondary; }
        & > .text--cursor { text-style: underline; }
        &:focus > .text--cursor { text-style: reverse; }

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
        & > .text--e3 { background: $primary 26%; }
        & > .text--e4 { background: $primary 36%; text-style: underline; }
        & > .text--e5 { background: $primary 46%; text-style: bold underline; }

        & > .text--author-writer { background: $primary 30%; text-style: bold; }
        & > .text--author-import { background: $secondary 30%; text-style: italic; }

        &:nocolor {
            & > .text--p0, & > .text--p1 { background: transparent; }
            & > .text--p2, & > .text--s2, & > .text--e2 { background: $foreground 7%; }
            & > .text--p3, & > .text--s3, & > .text--e3 { background: $foreground 15%; }
            & > .text--p4, & > .text--s4, & > .text--e4 { background: $foreground 25%; }
            & > .text--p5, & > .text--s5, & > .text--e5 { background: $foreground 40%; }
        }
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
        self._tokens = Tokens(session, self._course)
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
        self.refresh_changed()

    def grew(self, nodes: Iterable[int]) -> None:
        """Text of these nodes got longer; also to be called when they are sealed."""
        touched = set(nodes)
        for node in touched:
            self._tokens.forget(node)
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
        self.refresh_changed()

    def scored(self, node: int) -> None:
        """A model has read the node: it has tokens and probabilities now."""
        self._tokens.forget(node)
        self._strips.clear()
        self.refresh_changed()

    def token_at_cursor(self) -> tuple[int, int] | None:
        """(node, index) of the token that starts at the cursor; None at the end of the path, or
        where the cursor stands inside a token."""
        return self._tokens.starting_at(self._at)

    def _lay(self, place: Place, line_of: Callable[[int], int]) -> tuple[int, int]:
        """Wrap what is new; the line where the paths part, before and after."""
        node = self.session.tree[place.node]
        self._follows = place.at == node.length
        if self._follows and node.growing:
            place = Place(node.id, node.length - _unfinished(node.text))
        current = self._course.end.node
        common = self._course.lead(place, self.session.tree)
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

    # ── the cursor ─────────────────────────────────────────────────────────────────────────

    def move_token(self, by: int) -> None:
        at = self._at
        for _ in range(abs(by)):
            at = self._tokens.after(at) if by > 0 else self._tokens.before(at)
        self._move_to(at)

    def move_word(self, by: int) -> None:
        self._move_by(by, word_edges)

    def move_sentence(self, by: int) -> None:
        self._move_by(by, sentence_edges)

    def move_line(self, by: int) -> None:
        """To the token above or below, in the column where moving by lines began."""
        y = self._page.line_of(self._at)
        goal = self._page.line(y).column(self._at) if self._goal is None else self._goal
        if 0 <= y + by < self._lines:
            self._move_to(self._token_at(y + by, goal))
            self._goal = goal

    def move_start(self) -> None:
        self._move_to(0)

    def move_end(self) -> None:
        self._move_to(self._page.length)

    def _move_by(self, by: int, edges: Callable[[bytes], list[int]]) -> None:
        at = self._at
        for _ in range(abs(by)):
            start, data = self._page.around(at, REACH)
            targets = [start + edge for edge in edges(data)]
            move = self._tokens.forward if by > 0 else self._tokens.backward
            at = move(at, targets)
        self._move_to(at)

    def _move_to(self, at: int) -> None:
        self._goal = None
        if at != self._at:
            self._at = at
            self.post_message(self.CursorMoved(self.cursor))
        self._reveal()
        self.refresh_changed()

    def _token_at(self, y: int, column: int) -> int:
        """Where the token drawn there begins; right of the text, the last token of the line."""
        line = self._page.line(y)
        byte = line.byte(column)
        if byte is None:
            if line.stop == self._page.length:
                return line.stop
            byte = line.stop - 1
        return self._tokens.before(byte + 1)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        event.stop()
        y = min(offset.y + round(self.scroll_y), self._lines - 1)
        self._move_to(self._token_at(y, max(0, offset.x - self._left)))
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

    def watch_colour_layer(self, layer: str) -> None:
        self._tokens.use_layer(layer)
        self._strips.clear()
        self.refresh()

    # ── drawing ────────────────────────────────────────────────────────────────────────────

    def draw(self, y: int) -> Strip:
        if y >= self._lines:
            return Strip.blank(self.size.width, self._looks())
        cursor = self._cursor_on(y)
        strip = self._strips.get(y) if cursor is None else None
        if strip is None:
            strip = self._strip(self._page.line(y), cursor)
            if cursor is None:
                self._remember(y, strip)
        return strip

    def _remember(self, y: int, strip: Strip) -> None:
        if len(self._strips) >= STRIPS_KEPT:
            self._strips.clear()
        self._strips[y] = strip

    def _cursor_on(self, y: int) -> tuple[int, int] | None:
        """The bytes of the cursor's token, if some of it stands on this line."""
        stop = max(self._tokens.after(self._at), self._at + 1)
        if self._page.line_of(self._at) <= y <= self._page.line_of(stop - 1):
            return self._at, stop
        return None

    def _strip(self, line: Line, cursor: tuple[int, int] | None) -> Strip:
        width = self._left
        pieces = [Piece(" " * width, self._looks())]
        for run in runs(line, list(self._stretches(line)), cursor, self._page.width):
            pieces.append(Piece(run.text, self._looks(*run.names)))
            width += run.width
        return Strip(pieces, width).adjust_cell_length(self.size.width, self._looks())

    def _stretches(self, line: Line) -> Iterator[Look]:
        """How the nodes on a line look, token by token where the layer is about tokens."""
        scale = SCALES.get(self.colour_layer)
        for start, stretch in self._course.between(line.start, line.stop):
            names, stop = self._names(stretch.node), start + stretch.at
            if scale is None:
                yield Look(stop, names)
                continue
            first, last = max(start, line.start), min(stop, line.stop)
            tokens = self._tokens.of(stretch.node)
            yield from token_looks(tokens, start, first, last, names, f"text--{scale.prefix}")

    def _names(self, node: int) -> tuple[str, str]:
        author = self.session.tree[node].author
        kind = "author-" if self.colour_layer == "author" else ""
        now = "current" if node == self._course.end.node else "earlier"
        return f"text--{now}", f"text--{kind}{author}"


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
