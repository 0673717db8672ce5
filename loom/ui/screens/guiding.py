"""Keeps the strip at the foot true: which keys matter where the writer is now."""

from __future__ import annotations

from textual import events, on

from loom.changes import Grew, Scored, Weighed, Weighing
from loom.core.node import ROOT, Place
from loom.ui.moments import Moment
from loom.ui.screens.growing import Growing
from loom.ui.screens.hoisting import Hoisting
from loom.ui.screens.page import Page, TextPane
from loom.ui.widgets.strip import Strip

NO_MODEL = ("dead", "none")
UNGUIDED = (Grew, Scored, Weighed, Weighing)  # after which the same keys matter


class Guiding(Hoisting, Growing):
    """See the module's docstring."""

    _done_at: Place | None = None  # where the writer was when something was hidden or undone

    async def on_mount(self) -> None:
        self.strip = self.query_one(Strip)
        self.strip.commands = self.commands
        self.guide()

    def action_hide(self) -> None:
        super().action_hide()
        self._done_at = self.session.place

    def action_undo(self) -> None:
        super().action_undo()
        self._done_at = self.session.place

    @on(Page.Told)
    def guide_on(self, told: Page.Told) -> None:
        if not all(isinstance(change, UNGUIDED) for change in told.changes):
            self.guide()

    @on(TextPane.CursorMoved)
    @on(events.DescendantFocus)
    @on(events.DescendantBlur)
    def guide(self) -> None:
        """Once everything else knows of what has happened, and no key waits for it."""
        if self.is_mounted:
            self.text_pane.once_seen(self._guide)

    async def _guide(self) -> None:
        self.strip.moment = self.moment

    @property
    def moment(self) -> Moment:
        """What the writer is at."""
        session = self.session
        segment, engine = self.segment, session.engine
        history = session.history if self._done_at == session.place else None
        last = history.last if history is not None else None
        undone = history.last_undone if history is not None else None
        return Moment(
            writing=self.editor.is_open,
            blank=not session.display.children(session.display.root),
            in_text=self.in_text,
            at_end=self.text_pane.at_end,
            read_only=session.read_only,
            model=not self.engine_settled.is_set()
            or (engine is not None and engine.state not in NO_MODEL),
            growing=any(self._is_near(node) for node in session.growing()),
            riding=self._riding is not None,
            cards=len(self.cards),
            siblings=len(session.display.siblings(segment)),
            root=segment.node == ROOT,
            found=bool(self.status.found),
            hoisted=self.scope is not None,
            hid=last is not None and last.kind == "hide",
            undone=undone is not None,
            branches=session.branches,
        )

    def _is_near(self, node: int) -> bool:
        """Whether it is the writer's own node or one of the cards."""
        return self.segment.node in (node, self.session.tree[node].parent)
