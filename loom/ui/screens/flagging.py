"""Flags on the main screen: where they are marked, going from one to the next, where one began."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on

from loom.changes import Moved, Read, Scored
from loom.core.display import Segment
from loom.core.node import Place
from loom.raised import Raised
from loom.session import Session
from loom.ui.bindings import COMMANDS, Command
from loom.ui.flags import Flags, briefly, counted, gravest, mark_of
from loom.ui.navigation import end_of
from loom.ui.screens.aiming import Aiming
from loom.ui.screens.hoisting import Hoisting
from loom.ui.screens.instruments import Course, Instruments
from loom.ui.screens.page import Page, TreePane
from loom.ui.series import Name, series_on
from loom.ui.widgets.cards import Cards
from loom.ui.widgets.lens import Lens
from loom.ui.widgets.lens_flags import FlagPanel
from loom.ui.widgets.margin import Passage
from loom.ui.widgets.wrapping import clip

BRIEFLY = 22  # cells of what a card says of a flag


class Flagging(Hoisting, Aiming):
    """Flags are shown, and hide nothing."""

    def __init__(self, session: Session, commands: Sequence[Command] = COMMANDS) -> None:
        super().__init__(session, commands)
        self.flags = Flags(session)
        self._flagged: frozenset[int] = frozenset()  # as far as it was told

    async def on_mount(self) -> None:
        self.query_one(TreePane).flag_of = self.flags.mark
        self.query_one(Cards).flag_of = self._on_card
        self.query_one(Lens).flags_here = self._at_cursor

    def _on_card(self, segment: Segment) -> str:
        raised = self.flags.of_segment(segment)
        worst = gravest(raised)
        return "" if worst is None else clip(f"{mark_of(raised)} {briefly(worst)}", BRIEFLY)[0]

    # ── following what is read ─────────────────────────────────────────────────────────────

    @on(Page.Told)
    def follow_flags(self, told: Page.Told) -> None:
        if told.tells(Scored):
            self.flags.forget_all()
        touched: frozenset[int] = frozenset()
        for change in told.changes:
            if isinstance(change, Read):
                self.flags.forget(change.nodes)
                touched |= (self._flagged & change.nodes) | change.flagged
                self._flagged = (self._flagged - change.nodes) | change.flagged
        if touched:
            self.tree_pane.flags_changed(touched)
            self.cards.grew(touched)
        if touched or told.tells(Read, Scored):
            self._show_flags()
        if touched or told.tells(Scored):
            self.text_pane.refresh_changed()
            self.lens.look_again()
        above = self.app.screen
        if isinstance(above, Instruments) and told.tells(Read, Scored, Moved):
            above.look_again()

    async def show_place(self, *, keep_row: bool = False) -> None:
        self._show_flags()
        await super().show_place(keep_row=keep_row)

    def _show_flags(self) -> None:
        """In the text and the status line."""
        raised = self.flags.on_path(self.here)
        self.text_pane.passages = tuple(self._passage(one) for one in raised)
        self.status.flags = counted(raised)
        calibrated = self.session.is_calibrated(self.here.node)
        self.status.badge = "uncalibrated" if calibrated is False else ""

    def _passage(self, raised: Raised) -> Passage:
        size = raised.place.at - self.flags.spot(raised).at
        return Passage(raised.first, raised.last - size, raised.last, raised.flag.level)

    def _at_cursor(self) -> list[Raised]:
        """Those that were raised in the node under the cursor, and those about the text there; of
        the token under it first."""
        raised = self.flags.on_path(self.here)
        at = self.flags.byte(self.cursor)
        if not raised or at is None:
            return []
        own = {id(one) for one in self.flags.of_segment(self._segment_at_cursor())}
        found = [one for one in raised if id(one) in own or one.first <= at < one.last]
        return sorted(found, key=lambda one: (not self._is_by(one, at), one.flag.level != "flag"))

    def _segment_at_cursor(self) -> Segment:
        """Of the token under the cursor, which may begin where the node before ends."""
        found = self.text_pane.token_at_cursor() if self.in_text else None
        if found is None:
            return self.session.display.segment_of(self.cursor)
        node, index = found
        return self.session.display.segment_of(Place(node, self.session.edges(node)[index]))

    @property
    def at_flag(self) -> bool:
        """Whether the token under the cursor has raised one, or is in what one is about."""
        raised = self.flags.on_path(self.here)
        at = self.flags.byte(self.cursor) if raised else None
        return at is not None and any(one.first <= at < one.last for one in raised)

    def _is_by(self, raised: Raised, at: int) -> bool:
        """Whether the token at a byte of the path has raised it."""
        return self.flags.byte(self.flags.spot(raised)) == at

    # ── going there ────────────────────────────────────────────────────────────────────────

    async def action_flag(self, step: int) -> None:
        """On this path first, else in the tree."""
        ahead = self.flags.ahead(self.here, self.cursor, step)
        if ahead is not None:
            await self._go_to(ahead.place, self.flags.spot(ahead))
            return
        found = self.flags.elsewhere(self.here, self.cursor, step, self._is_inside)
        if found is None:
            self.notify("No flags here.")
        else:
            await self._aim_at(found.place, self.flags.spot(found))

    async def action_flag_start(self) -> None:
        """Of the flag at the cursor."""
        raised = self._at_cursor()
        if raised:
            await self._go_to(raised[0].place, raised[0].origin)
        else:
            self.notify("No flag is raised here.")

    async def action_instruments(self) -> None:
        at = self.flags.byte(self.cursor)

        def look(byte: int) -> None:
            self.set_focus(self.text_pane)
            self.text_pane.cursor = self.flags.place(byte)

        readings = Instruments(lambda: self._course_to(self.here), look, at or 0)
        await self.app.push_screen(readings, lambda _: self.instruments_closed())

    def instruments_closed(self) -> None:
        """The readings along the path are no longer shown."""

    async def _course_to(self, place: Place) -> Course:
        session = self.session
        units = {
            Name(one.name, value): unit
            for one in session.instruments()
            for value, unit in one.about.units.items()
        }
        series, flags = await series_on(session, place), self.flags.on_path(place)
        return Course(session.tree.path_bytes(place), series, flags, units)

    @on(FlagPanel.Picked)
    async def show_start(self, event: FlagPanel.Picked) -> None:
        if not self.editor.is_open:
            await self._go_to(event.raised.place, event.raised.origin)

    async def _go_to(self, place: Place, cursor: Place) -> None:
        """The token cursor to a place on the way to `place`; along another path where it must."""
        if self.flags.byte(place) is None:
            await self._aim_at(place, cursor)
            return
        self.set_focus(self.text_pane)
        self.text_pane.cursor = cursor

    async def _aim_at(self, place: Place, cursor: Place) -> None:
        await self.aim(end_of(self.session.display.segment_of(place)), cursor)
