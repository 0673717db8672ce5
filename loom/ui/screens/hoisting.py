"""Hoisting: one branch shown as if it were the whole tree."""

from __future__ import annotations

from textual import on
from textual.content import Content

from loom.changes import TreeChanged
from loom.core.display import Segment
from loom.core.marks import Kind
from loom.core.node import ROOT, Place
from loom.ui.glyphs import first_words
from loom.ui.navigation import end_of, is_marked, reading_order
from loom.ui.screens.arranging import Arranging
from loom.ui.screens.moving import Moving
from loom.ui.screens.page import Page

CRUMB = 8  # cells of a node's first words, at least
APART = " › "


class Hoisting(Moving, Arranging):
    """While hoisted, moving stays inside; going elsewhere by other ways shows all again."""

    _tops: tuple[tuple[int, int], ...] = ()  # (node, start) of what is hoisted, the innermost last

    @property
    def scope(self) -> Segment | None:
        """The segment that is hoisted, as it is now."""
        if not self._tops:
            return None
        node, start = self._tops[-1]
        return next((s for s in self.session.display.segments(node) if s.start >= start), None)

    def action_hoist(self) -> None:
        here = self.segment
        if here.node == ROOT:
            self.notify("This is the whole tree already.")
        elif here[:2] not in self._tops:
            self._hoist((*self._tops, here[:2]))

    def action_unhoist(self) -> None:
        if not self._tops:
            self.notify(f"Nothing is hoisted; {self.key_of('hoist')} hoists this node.")
        self._hoist(self._tops[:-1])

    async def on_mount(self) -> None:
        """As it was left, if that is still to be seen."""
        self._tops = self.session.hoisted
        if self._tops and (self.scope is None or not self._is_inside(self.here)):
            self._tops = ()
        if self._tops:
            self.call_after_refresh(self._hoist, self._tops)

    def _hoist(self, tops: tuple[tuple[int, int], ...]) -> None:
        self._tops = tops
        self.session.keep_hoisted(tops)
        top = self.scope
        self.tree_pane.hoist(top)
        self.tree_pane.show(self.here)
        self.tree_pane.set_class(top is not None, "-hoisted")
        self.tree_pane.border_title = Content("" if top is None else self._crumbs(top))

    @on(Page.Told)
    def keep_hoisted(self, told: Page.Told) -> None:
        """What is hoisted may have been cut or hidden."""
        if self._tops and told.tells(TreeChanged):
            top = self.scope
            if top is None or top != self.tree_pane.top:
                self._hoist(self._tops if top is not None else ())

    def _crumbs(self, top: Segment) -> str:
        """The first words of what is above, as far as they fit; the nearest are kept."""
        room = self.tree_pane.size.width - 4
        cells = max(CRUMB, room // 3 - len(APART))
        crumbs, above = "", self.session.display.parent(top)
        while above is not None:
            text = self.session.tree[above.node].text[above.start : above.stop]
            words = first_words(text, cells) or ("⌂" if above.node == ROOT else "…")
            longer = f"{words}{APART}{crumbs}" if crumbs else words
            if len(longer) > room:
                return f"…{APART}{crumbs}" if crumbs else words
            crumbs, above = longer, self.session.display.parent(above)
        return crumbs

    def _is_inside(self, place: Place) -> bool:
        top = self.scope
        if top is None:
            return not self._tops
        stops = dict(self.session.tree.stretches(place))
        return stops.get(top.node, -1) > top.start or place == end_of(top)

    def go_to(self, segment: Segment | None) -> None:
        if segment is not None and not self._is_inside(end_of(segment)):
            self._stepping_aside = False
            key = self.key_of("unhoist")
            self.notify(f"That is outside what is hoisted; {key} unhoists.", timeout=2)
            return
        super().go_to(segment)

    def action_root(self) -> None:
        top = self.scope
        if top is None:
            super().action_root()
        else:
            self.go_to(top)

    def action_next_bookmark(self) -> None:
        if self.scope is None:
            super().action_next_bookmark()
            return
        order = reading_order(self.session, self.segment)
        marked = (there for there in order if is_marked(self.session, there, Kind.BOOKMARK))
        found = next((there for there in marked if self._is_inside(end_of(there))), None)
        if found is None:
            self.notify("There are no bookmarks in what is hoisted.")
        self.go_to(found)

    async def show_place(self, *, keep_row: bool = False) -> None:
        """Show more again when the writer has left what is hoisted, or it is hidden."""
        tops = self._tops
        while self._tops and not self._is_inside(self.here):
            self._tops = self._tops[:-1]
        if tops:
            self._hoist(self._tops)
        await super().show_place(keep_row=keep_row)
