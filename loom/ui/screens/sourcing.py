"""Sources on the main screen: where they are told, colours of the text, where the worlds part."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from textual import on

from loom.changes import Change, EngineChanged, Sealed, Weighed
from loom.core.display import Segment
from loom.core.node import Place
from loom.session import Session
from loom.ui import glyphs
from loom.ui.along import Along, along_on
from loom.ui.bindings import COMMANDS, Command
from loom.ui.screens.flagging import Flagging
from loom.ui.screens.instruments import Course as Readings
from loom.ui.screens.instruments import Instruments
from loom.ui.screens.page import Page, TextPane, TreePane
from loom.ui.series import Name
from loom.ui.widgets import lens_sources
from loom.ui.widgets.cards import Cards
from loom.ui.widgets.course import Course
from loom.ui.widgets.layers import LAYERS, WORLD_LAYERS
from loom.ui.widgets.legend import Legend, entries
from loom.ui.widgets.lens import Lens, Sight
from loom.ui.widgets.lens_lines import Line
from loom.ui.widgets.stack import Stack
from loom.ui.widgets.strips import SOURCES
from loom.ui.widgets.wrapping import clip
from loom.ui.worlds import NONE, Worlds, brief, leader

BRIEFLY = 14  # cells of a source's name on a card
PATIENCE, MOMENT = 20, 0.05  # looks at whether all of a path is known, and seconds between them


class Sourcing(Flagging):
    """What is believed is shown where it is known; asking for it is what has it weighed."""

    def __init__(self, session: Session, commands: Sequence[Command] = COMMANDS) -> None:
        super().__init__(session, commands)
        self.worlds = Worlds(session)
        self._along: tuple[Place, Along] | None = None
        self._marks_moved = False  # also where the layer isn't about sources
        self._was_coloured = False
        self._engine_was = ""

    async def on_mount(self) -> None:
        self.query_one(TreePane).source_of = self.worlds.short
        self.query_one(Cards).source_of = self._source_on_card
        self.query_one(Lens).sources_here = self._in_lens
        self.legend = self.query_one(Legend)
        self.legend.look_of = self.query_one(TextPane).look_of

    def _source_on_card(self, segment: Segment) -> str:
        return clip(self.worlds.short(segment), BRIEFLY)[0]

    # ── following what is weighed ──────────────────────────────────────────────────────────

    @on(Page.Told)
    def follow_sources(self, told: Page.Told) -> None:
        had = self.worlds.sources
        if any(self._is_anew(change) for change in told.changes):
            self.worlds.forget_all()
            touched = frozenset(self.session.tree)
        else:
            touched = frozenset(self._touched(told.changes))
            self.worlds.forget(touched)
        if touched and (had is not None or self.worlds.sources is not None):
            self._show_again(touched)

    def _is_anew(self, change: Change) -> bool:
        """Whether another set may be in force, or another model's opinion."""
        if isinstance(change, EngineChanged) and change.state != self._engine_was:
            self._engine_was = change.state
            return True
        return isinstance(change, Weighed) and not change.nodes

    def _touched(self, changes: Iterable[Change]) -> Iterator[int]:
        for change in changes:
            if isinstance(change, Weighed):
                yield from change.nodes
            elif isinstance(change, Sealed):
                yield change.node

    def _show_again(self, nodes: frozenset[int]) -> None:
        self._along = None
        self.tree_pane.flags_changed(nodes)
        self.cards.grew(nodes)
        self.lens.look_again()
        above = self.app.screen
        if isinstance(above, Instruments):
            above.look_again()
        self._tell_source()
        self._colour_soon()

    async def show_place(self, *, keep_row: bool = False) -> None:
        self.worlds.ask_again()
        await super().show_place(keep_row=keep_row)
        self._tell_source()
        self._colour_soon()

    def _tell_source(self) -> None:
        """In the status line."""
        posterior = self.worlds.at(self.here)
        if posterior is None:
            self.status.source = ""
            return
        name = leader(posterior) or NONE
        if not posterior.calibrated:
            self.status.source = f"{name}, uncalibrated"
        else:
            self.status.source = f"{name} {glyphs.percent(posterior.lead)}"

    # ── in the lens ────────────────────────────────────────────────────────────────────────

    def _in_lens(self, sight: Sight, width: int) -> Sequence[Line]:
        if self.worlds.sources is None:
            return ()
        if sight.index is not None:
            return self._token_in_lens(sight.node, sight.index, width)
        posterior = self.worlds.at(sight.ahead or self.text_pane.cursor)
        if posterior is None:
            return ()
        return list(lens_sources.at_place(posterior, width))

    def _token_in_lens(self, node: int, token: int, width: int) -> Sequence[Line]:
        movement = self.worlds.movement(node, token)
        posterior = self.worlds.at(self.session.tree[node].end)
        if movement is None or posterior is None:
            return ()
        shorts = {one.name: brief(one) for one in posterior.standings}
        note = lens_sources.along(posterior)
        return list(lens_sources.of_token(movement, shorts, width, posterior.calibrated, note))

    # ── colours ────────────────────────────────────────────────────────────────────────────

    @property
    def colour_layers(self) -> Sequence[str]:
        return LAYERS if self.worlds.sources is None else (*LAYERS, *WORLD_LAYERS)

    def action_layer(self) -> None:
        super().action_layer()
        self._colour_soon()

    @property
    def _is_coloured(self) -> bool:
        """Whether the text shows something of the sources."""
        return self.text_pane.colour_layer in WORLD_LAYERS or self._marks_moved

    def _colour_soon(self) -> None:
        """A long path is looked through while the writer goes on."""
        self._tell_legend()
        if self._is_coloured:
            self._was_coloured = True
            self.run_worker(self._colour(), group="colour", exclusive=True, exit_on_error=False)
        elif self._was_coloured:
            self._was_coloured = False
            self.text_pane.colour_sources(self.worlds.steps)

    async def _colour(self) -> None:
        along = await self.along()
        self.worlds.slots = along.slots
        self.text_pane.colour_sources(self.worlds.steps, along.spots)
        self._tell_legend()

    def _tell_legend(self) -> None:
        known = self.worlds.sources
        shorts = {} if known is None else {one.name: one.short or one.name for one in known.sources}
        slots = [shorts.get(name, name) for name in self.worlds.slots]
        self.legend.show(entries(self.text_pane.colour_layer, slots))

    async def along(self) -> Along:
        """The path on the page, as far as it is known."""
        place = self.here
        if self._along is None or self._along[0] != place:
            found = await along_on(self.session, self.worlds, place)
            self._along = place, found
        return self._along[1]

    async def _whole_along(self) -> Along:
        """The same; what was weighed on the way there is worked out when it is asked for."""
        along = await self.along()
        for _ in range(PATIENCE):
            if along.whole or self.worlds.at(self.here) is None:
                break
            await asyncio.sleep(MOMENT)
            along = await self.along()
        return along

    # ── along the path ─────────────────────────────────────────────────────────────────────

    async def action_instruments(self) -> None:
        await super().action_instruments()
        self._marks_moved = self.worlds.sources is not None
        self._colour_soon()

    def instruments_closed(self) -> None:
        super().instruments_closed()
        self._marks_moved = False
        self._colour_soon()

    async def _course_to(self, place: Place) -> Readings:
        found = await super()._course_to(place)
        along, posterior = await self.along(), self.worlds.at(place)
        if not along.stretches or posterior is None or len(along) != len(found.series):
            return found
        columns = {
            Name(SOURCES, "moved"): along.moved,
            Name(SOURCES, "expected"): along.information,
        }
        units = dict.fromkeys(columns, "bits")
        said = lens_sources.along(posterior) if posterior.calibrated else "uncalibrated"
        series = replace(
            found.series,
            columns=columns | found.series.columns,
            said={SOURCES: said} | found.series.said,
        )
        shorts = {one.name: brief(one) for one in posterior.standings}
        stack = Stack(along, shorts, posterior.calibrated)
        return replace(found, series=series, units=units | found.units, stack=stack)

    # ── where the worlds part ──────────────────────────────────────────────────────────────

    async def action_diverge(self) -> None:
        """To where the next token tells most about the source; from there to where it tells next
        most, and from the last one to the first again."""
        spots = await self._partings()
        if not spots:
            self.notify(self._why_no_partings())
            return
        way = Course()
        way.lead(self.here, self.session.tree)
        at = way.byte(self.cursor)
        known = [byte for byte, _ in spots]
        number = (known.index(at) + 1) % len(spots) if self.in_text and at in known else 0
        byte, bits = spots[number]
        self.set_focus(self.text_pane)
        self.text_pane.cursor = way.next_place(byte) or way.end
        self.app.clear_notifications()
        expected = f"{lens_sources.told(bits)} about the source are expected of the next token"
        self.notify(f"{number + 1} of {len(spots)}: {expected}.", timeout=4, markup=False)

    async def _partings(self) -> list[tuple[int, float]]:
        """(byte of the path, bits), the most first; the end of the path is one of them."""
        along, end = await self._whole_along(), self.worlds.at(self.here)
        found = [(along.bytes_of(t)[0], float(along.information[t])) for t in along.peaks]
        if end is not None and end.following is not None:
            found.append((along.length, end.following))
        return sorted(found, key=lambda one: -one[1])

    def _why_no_partings(self) -> str:
        if self.worlds.sources is None:
            return f"No set of sources is in force; {self.key_of('sources')} chooses one."
        if self.session.weighing is not None:
            return "The sources are still being weighed."
        return "Nothing is known of the sources here yet."
