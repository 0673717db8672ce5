"""How a row of the tree is drawn: rails, marks, first words, counts; lines kept while they hold.

Reads the session; what rows there are and which is in sight is the tree view's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from rich.cells import cell_len
from rich.segment import Segment as Piece
from rich.style import Style
from textual.strip import Strip

from loom.core.display import Display, Row, Segment
from loom.core.marks import Kind, Mark, Marks
from loom.core.node import ROOT, Author, Place
from loom.core.text import ALIGNED, visible
from loom.core.tree import Tree
from loom.ui.widgets.course import Course
from loom.ui.widgets.drawn import Drawn
from loom.ui.widgets.looks import Looks
from loom.ui.widgets.rows import Rails, Rows
from loom.ui.widgets.wrapping import clip

WORDS = 20  # columns that indentation leaves to the words
SOURCE, SHORTEST = 11, 5  # columns at the end of a row for who may have written it
LEAST = 17  # columns that this leaves to the words
TOP = "⌂"
CURRENT = ("tree--current",)
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
GLYPHS = {Author.WRITER: "✎", Author.MODEL: "◇", Author.IMPORT: "↧"}
BYTES_A_COLUMN = 4  # read of a segment, to fill a column in any script


class Measures(NamedTuple):
    """Of the view: columns with and without a scrollbar, levels cut off at the left and drawn."""

    width: int = 0
    room: int = 0
    shift: int = 0
    most: int = 2


Look = tuple[tuple[str, ...], Measures]
"""All that the view and where the writer is decide about a row."""


class TreeSource(Protocol):
    """What of a session the widget reads."""

    @property
    def tree(self) -> Tree: ...
    @property
    def marks(self) -> Marks: ...
    @property
    def display(self) -> Display: ...
    @property
    def place(self) -> Place: ...
    @property
    def title(self) -> str: ...
    def is_visited(self, node: int) -> bool: ...
    def growing(self) -> tuple[int, ...]: ...


class TreeInk(Drawn, inherit_bindings=False):
    """Lines are kept by row, with all that the view and where the writer is decide about them."""

    def __init__(self, session: TreeSource, *, id: str | None, classes: str | None) -> None:
        super().__init__(id=id, classes=classes)
        self.session = session
        self.flag_of: Callable[[Segment], str] = _nothing
        self.source_of: Callable[[Segment], str] = _nothing
        self._looks = Looks(self)
        self._path = Course()
        self._current = 0
        self._rows = Rows(session.display, empty=True)
        self._window: tuple[int, list[Rails]] | None = None  # rails of the rows in sight
        self._lines: dict[int, tuple[Look, Strip]] = {}  # rows as they were drawn last
        self._measures = Measures()
        self._frame = 0

    def draw(self, index: int) -> Strip:
        if index >= len(self._rows):
            return Strip.blank(self._measures.width, self._looks())
        look = self._base(index), self._measures
        known = self._lines.get(index)
        if known is not None and known[0] == look:
            return known[1]
        strip = self._drawn_row(index, look[0])
        node = self._rows[index].segment.node
        if node != ROOT and not self.session.tree[node].growing:
            self._lines[index] = look, strip
        return strip

    def measure(self) -> None:
        super().measure()
        most = max(2, (self.room - WORDS) // 2)
        depth = self._rows[self._current].depth if len(self._rows) else 0
        least = max(0, depth + 2 - most)
        shift = max(least, min(self._measures.shift, depth - 2))  # it stays while it can
        self._measures = Measures(self.width, self.room, shift, most)

    def _drawn_row(self, index: int, base: tuple[str, ...]) -> Strip:
        pieces = list(self._pieces(index, base, self._measures.room))
        return Strip(pieces).adjust_cell_length(self._measures.width, self._looks(*base))

    def _base(self, index: int) -> tuple[str, ...]:
        """Component classes of the whole row."""
        if index == self._current:
            return CURRENT
        node, start, _ = self._rows[index].segment
        at = self._path.stop_in(node)
        if at > start or at == start == 0:
            return ("tree--path",)
        return ()

    def _pieces(self, index: int, base: tuple[str, ...], width: int) -> Iterator[Piece]:
        row = self._rows[index]
        head = self._head(index, row)
        yield Piece(head, self._part(base, "tree--rail"))
        marks = list(self._marks(row, index, base))
        yield from marks
        tail = list(self._tail(row, base))
        room = width - len(head) - sum(piece.cell_length for piece in (*marks, *tail))
        source = self._source(row.segment, room)
        room -= cell_len(source)
        words, used = clip(self._words(row.segment, room), max(0, room))
        yield Piece(words + " " * max(0, room - used), self._looks(*base))
        if source:
            yield Piece(source, self._part(base, "tree--source"))
        yield from tail

    def _head(self, index: int, row: Row) -> str:
        """Rails of the levels above, then the corner of the branch; of the levels, two below the
        current row are in sight."""
        _, _, shift, most = self._measures
        is_head = self._rows.is_head(index)
        own = row.depth - 1 if is_head else row.depth
        rails = self._rails_of(index, shift)
        text = "".join("│ " if rail else "  " for rail in rails[shift : min(own, shift + most)])
        if is_head and shift <= own < shift + most:
            text += ("├" if rails[own] else "╰") + ("▸" if row.folded else "╴")
        elif row.folded:
            text += "▸"
        return ("┊" if shift else "") + text

    def _rails_of(self, index: int, floor: int) -> Rails:
        first = round(self.scroll_y)
        if self._window is None or self._window[0] != first:
            self._window = first, self._rows.rails(first, first + self.size.height, floor)
        return self._window[1][index - first]

    def _marks(self, row: Row, index: int, base: tuple[str, ...]) -> Iterator[Piece]:
        node = self.session.tree[row.segment.node]
        if node.growing:
            glyph = SPINNER[(self._frame + node.id) % len(SPINNER)]
            yield Piece(glyph, self._part(base, "tree--growing"))
        else:
            glyph = TOP if node.id == ROOT else GLYPHS[node.author]
            yield Piece(glyph, self._part(base, f"tree--{node.author}"))
        yield Piece(" ", self._looks(*base))
        if self.session.marks.get(Mark(node.id, row.segment.start, Kind.BOOKMARK)) is not None:
            yield Piece("★ ", self._part(base, "tree--bookmark"))

    def _tail(self, row: Row, base: tuple[str, ...]) -> Iterator[Piece]:
        copies = self.session.display.copies(row.segment)
        counts = f" ×{copies}" if copies > 1 else ""
        counts += f" +{row.hidden_count}" if row.folded else ""
        if counts:
            yield Piece(counts, self._part(base, "tree--count"))
        flag = self.flag_of(row.segment)
        if flag:
            yield Piece(f" {flag}", self._part(base, "tree--flag"))
        node = self.session.tree[row.segment.node]
        if node.author is Author.MODEL and not self.session.is_visited(node.id):
            yield Piece(" ●", self._part(base, "tree--unvisited"))

    def _source(self, segment: Segment, room: int) -> str:
        """Who is likeliest to have written it, where that leaves enough to the words."""
        most = min(SOURCE, room - LEAST)
        source = visible(self.source_of(segment)) if most >= SHORTEST else ""
        return f" {clip(source, most - 1)[0]}" if source else ""

    def _words(self, segment: Segment, room: int) -> str:
        node, start, stop = self.session.display.current(segment)
        if node == ROOT and start == stop:
            return self.session.title
        data = self.session.tree[node].text[
            start : min(stop, start + BYTES_A_COLUMN * max(1, room))
        ]
        text = visible(data.decode("utf-8", ALIGNED)).replace("\t", " ")
        return text.lstrip(" ").replace("\n", "⏎")

    def _part(self, base: tuple[str, ...], name: str) -> Style:
        """On the current row nothing has a colour of its own, so that it can be read reversed."""
        return self._looks(*base) if base == CURRENT else self._looks(*base, name)


def _nothing(segment: Segment) -> str:
    return ""
