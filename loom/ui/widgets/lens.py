"""The lens: what the model held likely where the writer looks, and all that is known of the node.

Reads a session and asks for the next token's distribution when the writer stays at a place; says by
a message which alternative is wanted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from textual import on, work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.worker import Worker

from loom.core.node import Place
from loom.core.text import decode, visible
from loom.engine.api import EngineError
from loom.raised import Raised
from loom.session import Session
from loom.ui import glyphs
from loom.ui.choices import following_choices, token_choices
from loom.ui.outlook import Outlook, Prospect
from loom.ui.widgets import lens_facts, lens_flags, lens_lines
from loom.ui.widgets.lens_flags import FlagPanel
from loom.ui.widgets.lens_lines import BLANK, Fact, Line
from loom.ui.widgets.lens_panels import Odds, Panel
from loom.ui.widgets.wrapping import clip

PAUSE = 0.15  # seconds the writer stays at a place before the engine is asked about it
PATIENCE = 0.5  # seconds after which it is said that the engine has been asked
SUBJECT = 9  # lines of a token, above its odds
AHEAD = 3  # lines of what may come next, above its odds
BELOW = 19  # lines of node and recipe, below
FEWEST, MOST = 8, 21  # lines of a token's odds
LEAST = 3  # of them where there are flags or sources to tell
WORDS = 48  # bytes of what a flag is about


@dataclass(frozen=True, slots=True)
class Sight:
    """What is looked at: token `index` of `node`, else what comes after `ahead`, else text of
    `node` that has no token there."""

    node: int
    index: int | None = None
    ahead: Place | None = None


class Lens(VerticalScroll, can_focus=False):
    """See the module's docstring. `look` is to be called when what is looked at has changed."""

    class Opened(Message):
        """The lens is in sight now and wants to be told where to look."""

    @dataclass
    class Picked(Message):
        """The writer wants to branch with another token: of the text, or the next one."""

        token: int
        sight: Sight
        prospect: Prospect | None

    def __init__(self, session: Session, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._session = session
        self.outlook = Outlook(session)
        self.flags_here: Callable[[], Sequence[Raised]] = tuple
        self.sources_here: Callable[[Sight, int], Sequence[Line]] = lambda sight, width: ()
        self.sight: Sight | None = None
        self.awaits_engine = True
        self._prospect: Prospect | None = None
        self._asking: tuple[Place, Worker[None]] | None = None
        self._refused: tuple[Place, str] | None = None

    def compose(self) -> ComposeResult:
        yield Panel(id="lens-subject")
        yield Odds(id="lens-odds")
        yield FlagPanel(id="lens-flags")
        yield Panel(id="lens-sources")
        yield Panel(id="lens-node")
        yield Panel(id="lens-force")

    def on_mount(self) -> None:
        self.subject_panel = self.query_one("#lens-subject", Panel)
        self.odds = self.query_one(Odds)
        self.flag_panel = self.query_one(FlagPanel)
        self.source_panel = self.query_one("#lens-sources", Panel)
        self.node_panel = self.query_one("#lens-node", Panel)
        self.force_panel = self.query_one("#lens-force", Panel)

    def on_show(self) -> None:
        self.post_message(self.Opened())

    def on_hide(self) -> None:
        self._stop_asking()

    def on_resize(self) -> None:
        if self.sight is not None:
            self.look(self.sight)

    # ── looking ────────────────────────────────────────────────────────────────────────────

    def look(self, sight: Sight) -> None:
        """Show it; the next token's distribution as soon as it is known."""
        self.sight = sight
        self._prospect = None if sight.ahead is None else self.outlook.known(sight.ahead)
        if sight.ahead is None or self._prospect is not None:
            self._stop_asking()
        else:
            self._pursue(sight.ahead)
        if self.size.width:
            self._show_flags()
            self._show_sources(sight)
            self._show_subject(sight)
            self._show_node(sight.node)

    def look_again(self) -> None:
        """There may be other flags, or other sources."""
        if self.sight is not None:
            self.look(self.sight)

    @property
    def waits(self) -> bool:
        """Whether a distribution isn't known that may come with what grows."""
        if self.sight is None or self.sight.ahead is None or self._prospect is not None:
            return False
        return not self._session.tree[self.sight.ahead.node].growing

    def engine_changed(self, *, awaited: bool) -> None:
        """What couldn't be said before may be said now. `awaited`: there will be an engine soon."""
        self.awaits_engine = awaited
        self._refused = None
        self._stop_asking()

    def _pursue(self, place: Place) -> None:
        if self._asking is not None and self._asking[0] == place and self.outlook.can_ask(place):
            return
        self._stop_asking()
        refused = self._refused is not None and self._refused[0] == place
        if not refused and self.outlook.can_ask(place):
            self._asking = place, self._ask(place)

    def _stop_asking(self) -> None:
        asking, self._asking = self._asking, None
        if asking is not None:
            asking[1].cancel()

    @work(exit_on_error=False)
    async def _ask(self, place: Place) -> None:
        """Ask the engine, unless the writer goes on at once; cancelled when they go later."""
        await asyncio.sleep(PAUSE)
        patience = self.set_timer(PATIENCE, lambda: self._say("asking…"))
        try:
            await self.outlook.ask(place)
        except EngineError as error:
            self._refused = place, f"{error} {error.hint}".strip()
        finally:
            patience.stop()
        self._asking = None
        if self.sight is not None and self.sight.ahead == place:
            self.look(self.sight)

    # ── showing ────────────────────────────────────────────────────────────────────────────

    @property
    def _width(self) -> int:
        return max(20, self.scrollable_content_region.width)

    @property
    def _rows(self) -> int:
        """Lines for the odds: as many as make what is below begin on the same line always."""
        both = max(FEWEST, min(MOST, self.size.height - SUBJECT - BELOW)) + SUBJECT
        more = len(self.flag_panel.lines) + len(self.source_panel.lines)
        if more:
            both = min(both, max(SUBJECT + LEAST, self.size.height - 1 - more))
        return both - len(self.subject_panel.lines)

    def _say(self, text: str) -> None:
        self.odds.say(lens_lines.sentence(text, self._width), self._rows)

    def _show_subject(self, sight: Sight) -> None:
        if sight.index is not None:
            self._show_token(sight.node, sight.index)
        elif sight.ahead is not None:
            self._show_ahead(sight.ahead)
        else:
            self.subject_panel.show([lens_lines.heading("This word", "", self._width), BLANK])
            self._say("No model has read this yet.")

    def _show_token(self, node: int, index: int) -> None:
        span, width = self._session.span(node), self._width
        if span is None or index >= len(span):
            return
        token = span[index]
        text = self._session.tree[node].text[token.start : token.end]
        shown = clip(glyphs.token_text(text), width - 2)[0]
        head = lens_lines.heading("This token", f"rank {token.rank + 1}", width)
        named = ((f" {shown} ", "subject"),)
        facts = self._listed(lens_facts.of_token(token, text))
        self.subject_panel.show([head, BLANK, named, BLANK, *facts, BLANK])
        choices = token_choices(self._session, node, index)
        self.odds.offer(lens_lines.odds(choices, width, self._rows), self._rows)

    def _show_ahead(self, place: Place) -> None:
        head = lens_lines.heading("The next token", "", self._width)
        prospect = self._prospect
        if prospect is None:
            why_not = self._why_not(place)
            room = [] if why_not else [BLANK] * AHEAD  # what comes then moves nothing
            self.subject_panel.show([head, BLANK, *room])
            self._say(why_not)
            return
        facts = self._listed(lens_facts.of_following(prospect.following))
        self.subject_panel.show([head, BLANK, *facts, BLANK])
        begun = self.outlook.begun(prospect)
        marks = {token: lens_lines.cards(numbers) for token, numbers in begun.items()}
        choices = following_choices(prospect.following)
        self.odds.offer(lens_lines.odds(choices, self._width, self._rows, marks), self._rows)

    def _why_not(self, place: Place) -> str:
        """Why there are no odds; nothing while they are about to come."""
        if self._refused is not None and self._refused[0] == place:
            return self._refused[1]
        engine = self._session.engine
        if engine is None and self.awaits_engine:
            return "The model is on its way."
        if engine is None or engine.state in ("dead", "closed"):
            return "No model is loaded."
        if engine.state == "loading":
            return "The model is loading."
        return "Growing here." if self.outlook.grows_at(place) else ""

    def _show_flags(self) -> None:
        rows = list(lens_flags.rows(self.flags_here(), self._width, self._words_of))
        self.flag_panel.tell([(BLANK, None), *rows[:-1]] if rows else [])

    def _show_sources(self, sight: Sight) -> None:
        lines = self.sources_here(sight, self._width)
        self.source_panel.show([BLANK, *lines] if lines else [])

    def _words_of(self, raised: Raised) -> str:
        number, at = raised.origin
        text = self._session.tree[number].text[at : at + WORDS]
        return " ".join(visible(decode(text)).split())[: self._width // 2]

    def _show_node(self, node: int) -> None:
        session, width = self._session, self._width
        about = lens_facts.of_node(session, session.tree[node], session.now)
        force = lens_facts.in_force(session.recipe, session.branches)
        heading = lens_lines.heading
        self.node_panel.show([BLANK, heading("This node", "", width), *self._listed(about)])
        self.force_panel.show([BLANK, heading("In force here", "", width), *self._listed(force)])

    def _listed(self, facts: Iterable[Fact]) -> list[Line]:
        return [line for fact in facts for line in lens_lines.fact(fact, self._width)]

    @on(Odds.Clicked)
    def pick(self, event: Odds.Clicked) -> None:
        event.stop()
        if self.sight is not None:
            self.post_message(self.Picked(event.token, self.sight, self._prospect))
