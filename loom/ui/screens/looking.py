"""The lens on the main screen: where it looks, when it looks again, and what a click in it does."""

from __future__ import annotations

from textual import events, on

from loom.changes import Change, EngineChanged, Grew, Read, Weighed, Weighing
from loom.context import context_of
from loom.ui.screens.context import ContextScreen
from loom.ui.screens.growing import Growing
from loom.ui.screens.page import Page, TextPane
from loom.ui.widgets.lens import Lens, Sight


class Looking(Growing):
    """Keeps the lens on the token under the cursor, or on what comes next where the writer is."""

    _engine_state = ""

    def action_lens(self) -> None:
        """Beside the text where there is room, over it where there isn't."""
        shown = self.lens.display
        for part in (self.lens, self.query_one("#lens-edge")):
            part.set_class(shown, "-away")
        self.lens.set_class(not shown, "-called")
        self.post_message(TextPane.CursorMoved(self.text_pane.cursor))

    async def action_context(self) -> None:
        """Of the node under the cursor, or where the writer is."""
        number = self.session.display.segment_of(self.cursor).node
        found = self.text_pane.token_at_cursor() if self.in_text else None
        node = number if found is None else found[0]
        await self.app.push_screen(ContextScreen(lambda: context_of(self.session, node)))

    def engine_attached(self) -> None:
        super().engine_attached()
        self.lens.engine_changed(awaited=False)
        self.look_again()

    @on(Page.Told)
    def follow_with_lens(self, told: Page.Told) -> None:
        concerned = [self._concerns_lens(change) for change in told.changes]
        if any(concerned):
            self.look_again()

    def _concerns_lens(self, change: Change) -> bool:
        if isinstance(change, Grew):
            return self.lens.waits
        if isinstance(change, Read | Weighed | Weighing):
            return False  # who shows flags and sources tells the lens
        if isinstance(change, EngineChanged):
            if change.state == self._engine_state:
                return False
            self._engine_state = change.state
            self.lens.engine_changed(awaited=not self.engine_settled.is_set())
        return True

    @on(TextPane.CursorMoved)
    @on(events.DescendantFocus)
    @on(events.DescendantBlur)
    @on(Lens.Opened)
    def look_again(self) -> None:
        """Once everything else is shown: a key waits for its text, not for the odds."""
        if self.is_mounted:
            self.text_pane.once_seen(self._look)

    async def _look(self) -> None:
        if self.lens.display:
            self.lens.look(self._sight())

    def _sight(self) -> Sight:
        text = self.text_pane
        if not self.in_text or text.at_end:
            return Sight(self.here.node, ahead=self.here)
        found = text.token_at_cursor()
        if found is None:
            return Sight(text.cursor.node)
        node, index = found
        span = self.session.span(node)
        is_read = span is not None and index < len(span)
        return Sight(node, index if is_read else None)

    @on(Lens.Picked)
    def branch(self, event: Lens.Picked) -> None:
        """The same as `a` and Enter."""
        sight, prospect = event.sight, event.prospect
        if self.editor.is_open:
            return
        if sight.index is not None:
            index = sight.index
            self.attempt(lambda: self.session.take_alternative(sight.node, index, event.token))
        elif prospect is not None:
            self.attempt(lambda: self.lens.outlook.take(prospect, event.token))
