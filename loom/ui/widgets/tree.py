"""The tree of segments as a list of rows, drawn by the screen and not by the tree.

Reads the session and says which segment was chosen; moves nothing but its own view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import ClassVar, NamedTuple, Protocol

from rich.segment import Segment as Piece
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer

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
SPIN = 0.1  # seconds a step of the spinner lasts
TOP = "⌂"
CURRENT = ("tree--current",)
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
GLYPHS = {Author.WRITER: "✎", Author.MODEL: "◇", Author.IMPORT: "↧"}
BYTES_A_COLUMN = 4  # read of a segment, to fill a column in any script

LINES_KEPT = 512
AT_ONCE = 5000  # nodes: of a larger tree the rows come after the first frame, as they take long


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


class TreeView(Drawn, can_focus=True, inherit_bindings=False):
    """Rows are listed anew once a frame at most, and only when the tree has changed."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "tree--rail",
        "tree--path",
        *CURRENT,
        "tree--unvisited",
        "tree--bookmark",
        "tree--count",
        "tree--flag",
        "tree--growing",
        *(f"tree--{author}" for author in Author),
    }
    DEFAULT_CSS = """
    TreeView {
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        color: $foreground 72%;

        & > .tree--rail { color: $foreground 30%; }
        & > .tree--path { color: $foreground; }
        & > .tree--current { background: $primary 28%; color: $foreground; text-style: bold; }
        &:focus > .tree--current {
            background: $block-cursor-background;
            color: $block-cursor-foreground;
            text-style: bold;
        }
        &:nocolor > .tree--path { text-style: bold; }
        &:nocolor > .tree--current { text-style: bold reverse; }
        & > .tree--writer { color: $text-primary; }
        & > .tree--model { color: $foreground 72%; }
        & > .tree--import { color: $text-secondary; }
        & > .tree--growing { color: $text-success; }
        & > .tree--unvisited { color: $text-accent; }
        & > .tree--bookmark { color: $text-warning; text-style: bold; }
        & > .tree--flag { color: $text-warning; text-style: bold; }
        & > .tree--count { color: $foreground 72%; text-style: italic; }
    }
    """

    class Chosen(Message):
        """A segment was clicked, or Enter pressed on the current one."""

        def __init__(self, segment: Segment) -> None:
            super().__init__()
            self.segment = segment

    def __init__(
        self, session: TreeSource, *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.session = session
        self.top: Segment | None = None  # the segment the tree is hoisted to
        self._folded = {
            Place(mark.node, mark.start) for mark, _ in session.marks if mark.kind is Kind.FOLDED
        }
        self.flag_of: Callable[[Segment], str] = _no_flag
        self._place = session.place
        self._looks = Looks(self)
        self._path = Course()
        self._current = 0
        self._rows = Rows(session.display, empty=True)
        self._window: tuple[int, list[Rails]] | None = None  # rails of the rows in sight
        self._lines: dict[int, tuple[Look, Strip]] = {}  # rows as they were drawn last
        self._measures = Measures()
        self._changed: set[int] = set()
        self._is_filled = False
        self._is_stale, self._is_moved = True, True
        self._awaits_frame = False
        self._frame = 0
        self._spinning: Timer | None = None
        self._is_held, self._was_held = False, False

    # ── what is shown ──────────────────────────────────────────────────────────────────────

    @property
    def current(self) -> Segment:
        """The segment of the place shown last."""
        return self.session.display.segment_of(self._place)

    def show(self, place: Place) -> None:
        """Mark the segment of `place` and bring it into view."""
        self._place, self._is_moved = place, True
        self._soon()

    def hoist(self, segment: Segment | None) -> None:
        """Show only what hangs below a segment; None shows all."""
        self.top, self._is_stale, self._is_moved = segment, True, True
        self._soon()

    def tree_changed(self, nodes: Iterable[int]) -> None:
        """Nodes were added, hidden or marked."""
        for node in nodes:
            self._folded = {place for place in self._folded if place.node != node}
            self._folded |= {
                Place(node, mark.start)
                for mark, _ in self.session.marks.of(node)
                if mark.kind is Kind.FOLDED
            }
            self._changed.add(node)
        self._soon()

    def flags_changed(self, nodes: AbstractSet[int]) -> None:
        """Flags of these came or went."""
        self._lines = {
            index: line
            for index, line in self._lines.items()
            if self._rows[index].segment.node not in nodes
        }
        if not self._awaits_frame:
            self.refresh_changed()

    def grew(self) -> None:
        """Text got longer: shown with the next step of the spinners."""
        self._spin()

    def hold(self) -> None:
        """Let the next step of the spinners be, but not two in a row."""
        self._is_held = not self._was_held

    def on_mount(self) -> None:
        self._spinning = self.set_interval(SPIN, self._step, pause=True)
        if len(self.session.tree) > AT_ONCE:
            self.call_after_refresh(self._fill)
        else:
            self._fill()

    def _fill(self) -> None:
        """List the rows for the first time."""
        self._is_filled = True
        self._update()

    def _soon(self) -> None:
        if self.is_mounted and not self._awaits_frame:
            self._awaits_frame = True
            self.call_next(self.catch_up)

    def catch_up(self) -> None:
        """Bring rows, path and view up to what was asked since the last time, now and not soon."""
        if self._awaits_frame:
            self._update()

    def _update(self) -> None:
        self._awaits_frame = False
        if not self._is_filled:
            return
        display = self.session.display
        if self._is_stale:
            self._rows = Rows(display, self.top, frozenset(self._folded))
            self._lines.clear()
        elif self._changed:
            self._renew_rows()
        self._changed.clear()
        self.have_lines(len(self._rows))
        self._path.lead(self._place, self.session.tree)
        self._current = self._rows.nearest(self.current) or 0
        if self._is_moved:
            self._reveal()
        self._is_stale = self._is_moved = False
        self._window = None
        self._spin()
        self.refresh_changed()

    def _renew_rows(self) -> None:
        """A row by itself looks different only where its node was marked; its rails anywhere."""
        version = self._rows.version
        self._rows.renew(self._changed, frozenset(self._folded))
        same = self._rows.version == version and len(self._lines) < LINES_KEPT
        known = self._lines.items() if same else ()
        self._lines = {
            index: line
            for index, line in known
            if self._rows[index].segment.node not in self._changed
        }

    # ── the view ───────────────────────────────────────────────────────────────────────────

    def _reveal(self) -> None:
        height = self.scrollable_content_region.height
        if not height:
            return
        spare = min(2, (height - 1) // 2)
        low, high = self._current - height + 1 + spare, self._current - spare
        target = max(0, min(max(round(self.scroll_y), low), high))
        self.scroll_to(y=min(target, self.max_scroll_y), animate=False, force=True)

    def on_resize(self, event: events.Resize) -> None:
        self.have_lines(len(self._rows))
        self._window = None
        self._reveal()

    def _spin(self) -> None:
        if self._spinning is not None and self.session.growing():
            self._spinning.resume()

    def _step(self) -> None:
        self._was_held, self._is_held = self._is_held, False
        if self._was_held:
            return
        growing = self.session.growing()
        if not growing and self._spinning is not None:
            self._spinning.pause()
            self.refresh()
        self._frame += 1
        first = round(self.scroll_y)
        for node in growing:
            seen = self._rows.of_node(node, first, first + self.size.height)
            self.refresh_lines_changed(seen)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._looks.clear()
        self._lines.clear()

    @property
    def allow_select(self) -> bool:
        return False

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        index = round(self.scroll_y) + offset.y if offset is not None else len(self._rows)
        if index < len(self._rows):
            event.stop()
            self.post_message(self.Chosen(self._now(self._rows[index].segment)))

    def on_key(self, event: events.Key) -> None:
        if event.key == "enter" and len(self._rows):
            event.stop()
            self.post_message(self.Chosen(self._now(self._rows[self._current].segment)))

    # ── drawing ────────────────────────────────────────────────────────────────────────────

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
        words, used = clip(self._words(row.segment, room), max(0, room))
        yield Piece(words + " " * max(0, room - used), self._looks(*base))
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

    def _words(self, segment: Segment, room: int) -> str:
        node, start, stop = self._now(segment)
        if node == ROOT and start == stop:
            return self.session.title
        data = self.session.tree[node].text[
            start : min(stop, start + BYTES_A_COLUMN * max(1, room))
        ]
        text = visible(data.decode("utf-8", ALIGNED)).replace("\t", " ")
        return text.lstrip(" ").replace("\n", "⏎")

    def _now(self, segment: Segment) -> Segment:
        """A row's segment as long as it is by now."""
        segments = self.session.display.segments(segment.node)
        if segments and segments[-1].start == segment.start:
            return segments[-1]
        return segment

    def _part(self, base: tuple[str, ...], name: str) -> Style:
        """On the current row nothing has a colour of its own, so that it can be read reversed."""
        return self._looks(*base) if base == CURRENT else self._looks(*base, name)


def _no_flag(segment: Segment) -> str:
    return ""
