"""The lens: what the model held likely where the writer looks, and all that is known of the node.

Reads a session and asks for the next token's distribution when the writer stays at a place; says by
a message which alternative is wanted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static
from textual.worker import Worker

from loom.core.node import Place
from loom.engine.api import EngineError
from loom.session import Session
from loom.ui import glyphs
from loom.ui.outlook import Outlook, Prospect
from loom.ui.screens.alternatives import following_choices, token_choices
from loom.ui.widgets import lens_facts, lens_lines
from loom.ui.widgets.lens_lines import BLANK, Fact, Line, Odd
from loom.ui.widgets.wrapping import clip

PAUSE = 0.15  # seconds the writer stays at a place before the engine is asked about it
PATIENCE = 0.5  # seconds after which it is said that the engine has been asked
SUBJECT = 9  # lines of a token, above its odds
BELOW = 19  # lines of node and recipe, below
FEWEST, MOST = 8, 21  # lines of a token's odds

LOOKS = (
    "heading", "aside", "label", "value", "note", "subject", "bar",
    "rank", "token", "chosen", "share", "mark", "rest", "hover",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sight:
    """What is looked at: token `index` of `node`, else what comes after `ahead`, else text of
    `node` that has no token there."""

    node: int
    index: int | None = None
    ahead: Place | None = None


class Panel(Static):
    """A part of the lens."""

    lines: Sequence[Line] = ()

    def show(self, lines: Sequence[Line]) -> None:
        """Lays out again only if the number of lines changes."""
        if lines == self.lines:
            return
        before, self.lines = len(self.lines), lines
        self.redraw(layout=len(lines) != before)

    def redraw(self, *, layout: bool = False) -> None:
        self.update(Content("\n").join(self._drawn(line) for line in self.lines), layout=layout)

    def _drawn(self, line: Line) -> Content:
        lens = self.query_ancestor(Lens)
        return Content.assemble(
            *((text, lens.get_visual_style(f"lens--{look}", partial=True)) for text, look in line)
        )

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self.is_mounted and self.lines:
            self.redraw()


class Odds(Panel):
    """Alternatives, one a line; a click on one picks it."""

    _tokens: Sequence[int | None] = ()
    _hovered: int | None = None

    @dataclass
    class Clicked(Message):
        """An alternative was clicked."""

        token: int

    def offer(self, odds: Sequence[Odd], height: int) -> None:
        """`height`: lines that are taken even if there are fewer."""
        self._tokens = [odd.token for odd in odds]
        empty = [BLANK] * max(0, height - len(odds))
        self.show([*(odd.line for odd in odds), *empty])

    def say(self, lines: Sequence[Line], height: int) -> None:
        self._tokens = ()
        self.show([*lines, *[BLANK] * max(0, height - len(lines))])

    def _drawn(self, line: Line) -> Content:
        drawn = super()._drawn(line)
        hovered = self._hovered is not None and line is self.lines[self._hovered]
        if not hovered:
            return drawn
        style = self.query_ancestor(Lens).get_visual_style("lens--hover", partial=True)
        return drawn.stylize(style)

    def _token_at(self, event: events.MouseEvent) -> int | None:
        """The line of an alternative under the mouse."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y >= len(self._tokens) or self._tokens[offset.y] is None:
            return None
        return offset.y

    def on_click(self, event: events.Click) -> None:
        line = self._token_at(event)
        token = None if line is None else self._tokens[line]
        if token is not None:
            event.stop()
            self.post_message(self.Clicked(token))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self._hover(self._token_at(event))

    def on_leave(self) -> None:
        self._hover(None)

    def _hover(self, line: int | None) -> None:
        if line != self._hovered:
            self._hovered = line if line is None or line < len(self.lines) else None
            self.redraw()


class Lens(VerticalScroll, can_focus=False):
    """See the module's docstring. `look` is to be called when what is looked at has changed."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"lens--{look}" for look in LOOKS}

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
        self.sight: Sight | None = None
        self._prospect: Prospect | None = None
        self._asking: tuple[Place, Worker[None]] | None = None
        self._refused: tuple[Place, str] | None = None

    def compose(self) -> ComposeResult:
        yield Panel(id="lens-subject")
        yield Odds(id="lens-odds")
        yield Panel(id="lens-node")
        yield Panel(id="lens-force")

    def on_mount(self) -> None:
        self.subject_panel = self.query_one("#lens-subject", Panel)
        self.odds = self.query_one(Odds)
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
        if sight != self.sight:
            self.scroll_home(animate=False)
        self.sight = sight
        self._prospect = None if sight.ahead is None else self.outlook.known(sight.ahead)
        if sight.ahead is None or self._prospect is not None:
            self._stop_asking()
        else:
            self._pursue(sight.ahead)
        if self.size.width:
            self._show_subject(sight)
            self._show_node(sight.node)

    @property
    def waits(self) -> bool:
        """Whether a distribution isn't known that may come with what grows."""
        if self.sight is None or self.sight.ahead is None or self._prospect is not None:
            return False
        return not self._session.tree[self.sight.ahead.node].growing

    def engine_changed(self) -> None:
        """What couldn't be said before may be said now."""
        self._refused = None
        self._stop_asking()

    def _pursue(self, place: Place) -> None:
        if self._asking is not None and self._asking[0] == place and self.outlook.can_ask(place):
            return
        self._stop_asking()
        refused = self._refused is not None and self._refused[0] == place
        if not refused and self.outlook.can_ask(place):
            worker = self.run_worker(self._ask(place), exit_on_error=False)
            self._asking = place, worker

    def _stop_asking(self) -> None:
        asking, self._asking = self._asking, None
        if asking is not None:
            asking[1].cancel()

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
            self.subject_panel.show([head, BLANK])
            self._say(self._why_not(place))
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
        if engine is None or engine.state in ("dead", "closed"):
            return "No model is loaded that could tell."
        if engine.state == "loading":
            return "The model is loading."
        return "Growing here." if self.outlook.grows_at(place) else ""

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
