"""The text of a path, token by token: who wrote it, how probable it was, where the cursor is.

Reads the session and sends messages; moves nothing but its own cursor and view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Protocol

from rich.style import Style
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.style import Style as ContentStyle

from loom.core.node import Place
from loom.core.tree import Tree
from loom.ui.widgets.caret import Caret
from loom.ui.widgets.course import Course
from loom.ui.widgets.drawn import Drawn
from loom.ui.widgets.ink import CLASSES, CSS, Ink
from loom.ui.widgets.looks import Looks
from loom.ui.widgets.margin import Passage, Spot
from loom.ui.widgets.page import Page
from loom.ui.widgets.tokens import Tokens, TokenSource

PROSE = 80  # columns at most
NARROWEST = 8


class TextSource(TokenSource, Protocol):
    """What of a session the widget reads."""

    @property
    def tree(self) -> Tree: ...


class TokenText(Drawn, can_focus=True, inherit_bindings=False):
    """Lines are wrapped when the path changes and drawn when they are seen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = CLASSES
    DEFAULT_CSS = CSS

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
        self.sight: Callable[[Place], int] = _all_in_sight
        self._follows = False  # whether the end shown is the end of a node that may grow
        self._spare = 0  # empty lines under the text that hold the branch point on its row
        self._tokens = Tokens(session, self._course)
        self._looks = Looks(self)
        self._caret = Caret(self._page, self._tokens)
        self._ink = Ink(self._page, self._course, self._tokens, self._looks)

    # ── what is shown ──────────────────────────────────────────────────────────────────────

    @property
    def shown(self) -> Place:
        """The end of the path."""
        return self._course.end

    @property
    def cursor(self) -> Place:
        return self._course.end if self.at_end else self._course.place(self._caret.at)

    @cursor.setter
    def cursor(self, place: Place) -> None:
        """A place that isn't on the path is ignored."""
        at = self._course.byte(place)
        if at is not None:
            self._move_to(at)

    @property
    def at_end(self) -> bool:
        return self._caret.at_end

    def show(self, place: Place, keep_row: bool = False, *, follow: bool = True) -> None:
        """Show the path to `place`, the cursor at its end.

        `keep_row`: the point where the paths part stays on its row of the screen, as far as the end
        of the text can be seen with it. `follow`: what grows at the end is shown as it comes.
        """
        self._follows = follow and place.at == self.session.tree[place.node].length
        top, before = round(self.scroll_y), self._page
        parting = self._lay(place, before.line_of)
        self._caret.put(self._page.length)
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
            self._caret.put(self._page.length)
            if saw_end:
                self._reveal()
        self.refresh_changed()

    def scored(self, node: int) -> None:
        """A model has read the node: it has tokens and probabilities now."""
        self._tokens.forget(node)
        self._ink.dry()
        self.look_again()

    def colour_sources(
        self, steps: Callable[[str, int], Sequence[int]], moved: Sequence[Spot] = ()
    ) -> None:
        """`steps` of a layer about sources, by layer and node; `moved`: tokens to be set off."""
        self._tokens.of_sources = steps
        self._tokens.use_layer(self.colour_layer)
        self._ink.moved = moved
        self._ink.dry()
        self.refresh_changed()

    def look_again(self) -> None:
        """The model's sight may begin elsewhere."""
        self._ink.seen_from = self.sight(self._course.end)
        self.refresh_changed()

    def token_at_cursor(self) -> tuple[int, int] | None:
        """(node, index) of the token that starts at the cursor; None at the end of the path, or
        where the cursor stands inside a token."""
        return self._tokens.starting_at(self._caret.at)

    def _lay(self, place: Place, line_of: Callable[[int], int]) -> tuple[int, int]:
        """Wrap what is new; the line where the paths part, before and after."""
        node = self.session.tree[place.node]
        if self._follows and node.growing:
            place = Place(node.id, node.length - _unfinished(node.text))
        current = self._course.end.node
        common = self._course.lead(place, self.session.tree)
        last = max(0, common - 1)
        before = line_of(last)
        self._replace_tail(common)
        if current != place.node:
            self._ink.dry()
        self._ink.seen_from = self.sight(place)
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
        if self._caret.at > self._page.length:
            self._caret.put(self._page.length)
        self._ink.dry_from(first)

    # ── the cursor ─────────────────────────────────────────────────────────────────────────

    def move_token(self, by: int) -> None:
        self._move_to(self._caret.token(by))

    def move_word(self, by: int) -> None:
        self._move_to(self._caret.word(by))

    def move_sentence(self, by: int) -> None:
        self._move_to(self._caret.sentence(by))

    def move_line(self, by: int) -> None:
        """To the token above or below, in the column where moving by lines began."""
        self._tell(self._caret.move_line(by))

    def move_start(self) -> None:
        self._move_to(0)

    def move_end(self) -> None:
        self._move_to(self._page.length)

    def _move_to(self, at: int) -> None:
        self._tell(self._caret.put(at))

    def _tell(self, moved: bool) -> None:
        """Show the cursor, and say so if it has moved."""
        if moved:
            self.post_message(self.CursorMoved(self.cursor))
        self._reveal()
        self.refresh_changed()

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        event.stop()
        y = min(offset.y + round(self.scroll_y), self._lines - 1)
        self._move_to(self._caret.token_at(y, max(0, offset.x - self.left)))
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
    def passages(self) -> Sequence[Passage]:
        """What flags are about; to be seen once it is drawn again."""
        return self._ink.passages

    @passages.setter
    def passages(self, passages: Sequence[Passage]) -> None:
        self._ink.passages = passages

    @property
    def left(self) -> int:
        """Empty columns left of the text."""
        return self._left_in(self._columns)

    @property
    def prose_width(self) -> int:
        """Columns at which lines are wrapped."""
        return self._page.width

    def style_of(self, author: str, when: str) -> Style:
        """Of the words of an author; `when`: in the current node or an earlier one."""
        return self._looks(f"text--{when}", f"text--{author}")

    def look_of(self, *names: str) -> ContentStyle:
        """Of text with these of the component classes, in the current node."""
        return self._looks.content("text--current", *names)

    def _left_in(self, columns: int) -> int:
        """Empty columns left of the text; one is kept right of it for the cursor."""
        return max(0, (columns - self._page.width) // 2)

    def _fit(self) -> None:
        self.have_lines(self._lines + self._spare)

    def _sees(self, y: int) -> bool:
        return 0 <= y - round(self.scroll_y) < self._rows

    def _reveal(self) -> None:
        """Scroll no further than needed to see the cursor, with a line to spare."""
        y, top = self._caret.line, round(self.scroll_y)
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
        saw_cursor = self._sees(self._caret.line)
        self._page.set_width(width)
        self._ink.dry()
        self._spare = 0
        self._fit()
        self._scroll(self._page.line_of(top))
        if saw_cursor or self.at_end:
            self._reveal()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._looks.clear()
        self._ink.dry()

    def watch_colour_layer(self, layer: str) -> None:
        self._tokens.use_layer(layer)
        self._ink.use_layer(layer)
        self.refresh()

    # ── drawing ────────────────────────────────────────────────────────────────────────────

    def draw(self, y: int) -> Strip:
        if y >= self._lines:
            return Strip.blank(self.width, self._looks())
        cursor = self._caret.cells_on(y)
        left = self._left_in(self.room)
        return self._ink.line(y, self.session.tree, cursor, left, self.width)


def _all_in_sight(place: Place) -> int:
    return 0


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
