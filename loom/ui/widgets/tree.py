"""The tree of segments as a list of rows, drawn by the screen and not by the tree.

Reads the session and says which segment was chosen; moves nothing but its own view.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import ClassVar

from textual import events
from textual.message import Message
from textual.timer import Timer

from loom.core.display import Segment
from loom.core.marks import Kind
from loom.core.node import Author, Place
from loom.ui.widgets.rows import Rows
from loom.ui.widgets.tree_ink import CURRENT, TreeInk, TreeSource

SPIN = 0.1  # seconds a step of the spinner lasts
LINES_KEPT = 512
AT_ONCE = 5000  # nodes: of a larger tree the rows come after the first frame, as they take long


class TreeView(TreeInk, can_focus=True, inherit_bindings=False):
    """Rows are listed anew once a frame at most, and only when the tree has changed."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "tree--rail",
        "tree--path",
        *CURRENT,
        "tree--unvisited",
        "tree--bookmark",
        "tree--count",
        "tree--flag",
        "tree--source",
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
        & > .tree--source { color: $foreground 72%; text-style: italic; }
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
        super().__init__(session, id=id, classes=classes)
        self.top: Segment | None = None  # the segment the tree is hoisted to
        self._folded = {
            Place(mark.node, mark.start) for mark, _ in session.marks if mark.kind is Kind.FOLDED
        }
        self._place = session.place
        self._changed: set[int] = set()
        self._is_filled = False
        self._is_stale, self._is_moved = True, True
        self._awaits_frame = False
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
        """Flags of these came or went, or what is believed of their sources."""
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
        last = first + self.size.height
        self.refresh_lines_changed(
            [line for node in growing for line in self._rows.of_node(node, first, last)]
        )

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
            self.post_message(self.Chosen(self.session.display.current(self._rows[index].segment)))

    def on_key(self, event: events.Key) -> None:
        if event.key == "enter" and len(self._rows):
            event.stop()
            self.post_message(
                self.Chosen(self.session.display.current(self._rows[self._current].segment))
            )
