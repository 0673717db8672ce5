"""What is on the main screen, and how it follows the session. Knows no keys and no commands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.messages import Layout
from textual.screen import Screen
from textual.scrollbar import ScrollBar

from loom.changes import (
    Change,
    EngineChanged,
    Grew,
    Moved,
    Notice,
    SamplingChanged,
    Scored,
    Sealed,
    TreeChanged,
)
from loom.core.display import Segment
from loom.core.node import Ending, Place
from loom.engine.api import EngineError
from loom.session import Session
from loom.sight import Sight
from loom.store.errors import StoreError
from loom.ui.bindings import Where, bindings
from loom.ui.compositor import compositor
from loom.ui.navigation import end_of
from loom.ui.widgets.banner import Banner
from loom.ui.widgets.cards import Cards
from loom.ui.widgets.divider import Divider
from loom.ui.widgets.editor import Editor
from loom.ui.widgets.legend import Legend
from loom.ui.widgets.lens import Lens
from loom.ui.widgets.status import Status
from loom.ui.widgets.strip import Strip
from loom.ui.widgets.text import TokenText
from loom.ui.widgets.tree import TreeView

SAID = (EngineError, StoreError, ValueError)
"""What a session raises for things that can't be done; the message is a sentence for the writer."""

CALM = 0.08  # seconds for which what grows can wait
SEVERITY = {"info": "information", "warning": "warning", "error": "error"}


class TreePane(TreeView):
    """The tree; its keys are the screen's."""


class TextPane(TokenText):
    """The text; moving in it is by token."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.TEXT)]


class Page(Screen[None], inherit_bindings=False):
    """Tree, text, cards, editor, status line; every change of the session ends up here."""

    AUTO_FOCUS = ""  # back from a dialog it would choose the tree, also where that isn't shown

    @dataclass
    class Told(Message):
        """The session has changed. What is told in one go is followed in one go."""

        changes: tuple[Change, ...]

        def can_replace(self, message: Message) -> bool:
            """`message` is a later one: it then tells of both."""
            if not isinstance(message, Page.Told):
                return False
            message.changes = self.changes + message.changes
            return True

        def tells(self, *kinds: type[Change]) -> bool:
            return any(isinstance(change, kinds) for change in self.changes)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._compositor = compositor()
        self.session = session
        self._unsubscribe: Callable[[], None] = lambda: None
        self._riding: int | None = None
        self._was_shown = False
        self.engine_settled = asyncio.Event()  # there is an engine, or there won't be one

    def on_layout(self, message: Layout) -> None:
        """A scrollbar asks for a layout when one has just given it its place: once is enough. The
        widget that it belongs to asks itself when it comes or goes."""
        if isinstance(message.widget, ScrollBar):
            message.stop().prevent_default()

    def compose(self) -> ComposeResult:
        yield Status(self.session, id="status")
        yield Banner(id="banner")
        with Horizontal(id="body"):
            yield TreePane(self.session, id="tree")
            yield Divider(id="tree-edge")
            with Vertical(id="middle"):
                yield TextPane(self.session, id="text")
                yield Legend(id="legend")
                yield Editor(id="editor")
                yield Divider(lying=True, id="cards-edge")
                yield Cards(self.session, id="cards")
            yield Divider(id="lens-edge")
            yield Lens(self.session, id="lens")
        yield Strip(id="strip")

    async def on_mount(self) -> None:
        self.status, self.banner = self.query_one(Status), self.query_one(Banner)
        self.tree_pane, self.text_pane = self.query_one(TreePane), self.query_one(TextPane)
        self.editor, self.cards = self.query_one(Editor), self.query_one(Cards)
        self.lens = self.query_one(Lens)
        self.text_pane.sight = Sight(self.session).begins
        self._unsubscribe = self.session.subscribe(self._tell)
        self._ride()
        await self.show_place()
        await self.show_cards()
        self.focus_tree()
        self.begin()

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """The first time, all have just got their styles."""
        event.refresh_styles = event.refresh_styles and self._was_shown
        self._was_shown = True

    def begin(self) -> None:
        """What the writer finds at the start, beside the page."""

    def _tell(self, change: Change) -> None:
        self.post_message(self.Told((change,)))

    def on_unmount(self) -> None:
        self._unsubscribe()

    # ── where the writer is ────────────────────────────────────────────────────────────────

    @property
    def here(self) -> Place:
        """The session's place; the moving end of a branch that one has walked into."""
        place = self.session.place
        return self.session.tree[place.node].end if self._riding == place.node else place

    @property
    def cursor(self) -> Place:
        """Where grow, write and edit act: the token cursor if one is in the text, else `here`."""
        return self.text_pane.cursor if self.in_text else self.here

    @property
    def in_text(self) -> bool:
        return self.focused is self.text_pane

    @property
    def segment(self) -> Segment:
        """The node, as the tree shows it, that the writer is at."""
        return self.session.display.segment_of(self.here)

    def go(self, place: Place) -> None:
        self.stay(place)
        self._ride()

    def stay(self, place: Place) -> None:
        """Go there, and stay also if the branch grows on."""
        rode, before = self._riding, self.session.place
        self._riding = None
        self.session.go(place)
        if rode is not None and self.session.place == before:
            self._tell(Moved(before))  # off the branch that was walked into here

    def go_to(self, segment: Segment | None) -> None:
        if segment is not None:
            self.go(end_of(segment))

    def _ride(self) -> None:
        """Go along with a branch that grows, if the writer is at its end."""
        place = self.session.place
        node = self.session.tree[place.node]
        self._riding = node.id if node.growing and place == node.end else None

    def focus_tree(self) -> None:
        """The tree, or nothing where it isn't shown: the page's keys work from there too."""
        if self.tree_pane.display:
            self.set_focus(self.tree_pane)
        else:
            self.set_focus(None)

    # ── following the session ──────────────────────────────────────────────────────────────

    @on(Told)
    async def follow(self, told: Told) -> None:
        """Growth first, as what has grown may be told to be sealed, too; the view once, at last."""
        grown = [change.nodes for change in told.changes if isinstance(change, Grew)]
        if grown:
            self._grew(frozenset().union(*grown))
        for change in told.changes:
            self._follow(change)
        if told.tells(Moved):
            await self.show_place()
        elif told.tells(TreeChanged, Sealed, SamplingChanged, EngineChanged):
            await self.show_cards()
        self.tree_pane.catch_up()

    def _follow(self, change: Change) -> None:
        match change:
            case TreeChanged(nodes):
                self.tree_pane.tree_changed(nodes)
                self.status.tree_changed()
            case Sealed(node, ended):
                self._sealed(node, ended)
            case Scored(node):
                self.text_pane.scored(node)
                self.cards.grew({node})
                self.status.scored()
            case SamplingChanged():
                self.status.refresh()
            case EngineChanged():
                self._engine_changed(change)
            case Notice():
                self.say(change)

    def hold_growth(self) -> None:
        """What grows lets the frame of a key that was pressed go first."""
        self.cards.pace.hold(CALM)
        self.tree_pane.hold()

    def _grew(self, nodes: frozenset[int]) -> None:
        self.tree_pane.grew()
        self.cards.grew(nodes)
        self.status.grew(nodes)
        if self.session.place.node in nodes and self._riding == self.session.place.node:
            self.tree_pane.show(self.here)
        if not self.editor.is_open:
            self.text_pane.grew(nodes)

    def _sealed(self, node: int, ended: Ending) -> None:
        self.status.sealed(node)
        self.tree_pane.tree_changed(frozenset({node}))
        if not self.editor.is_open:
            self.text_pane.grew({node})
        if self._riding == node == self.session.place.node:
            self.go(self.session.tree[node].end)
        if ended is Ending.EOS and node == self.session.place.node:
            self.notify("The model ended the document here.", markup=False)

    def _engine_changed(self, change: EngineChanged) -> None:
        self.status.engine_changed(change)
        if change.state == "dead":
            self.banner.say("\n".join((change.detail or "The engine stopped.", *change.lines[-3:])))
        elif change.state == "ready":
            self.banner.hush()
            self.text_pane.look_again()

    def say(self, notice: Notice) -> None:
        """One sentence that goes away, and what to do about it."""
        text = f"{notice.text} {notice.hint}".strip()
        severity = SEVERITY[notice.level]
        self.notify(text, severity=severity, markup=False)  # type: ignore[arg-type]

    def complain(self, error: Exception) -> None:
        """An error as one sentence and a way out."""
        hint = getattr(error, "hint", "")
        self.notify(f"{error} {hint}".strip(), severity="error", markup=False)

    def attempt(self, effect: Callable[[], object]) -> bool:
        """Whether it could be done; why not is said. For what no command's action stands around."""
        try:
            effect()
        except SAID as error:
            self.complain(error)
            return False
        return True

    # ── showing ────────────────────────────────────────────────────────────────────────────

    async def show_place(self, *, keep_row: bool = False) -> None:
        """Bring tree and text to where the writer is, and then the cards."""
        self.tree_pane.show(self.here)
        if not self.editor.is_open:
            rides = self._riding == self.session.place.node
            self.text_pane.show(self.here, keep_row or self._keep_row(), follow=rides)
        self._show_cards_soon()

    def _keep_row(self) -> bool:
        return False

    def _show_cards_soon(self) -> None:
        """Once the text is on the screen: where cards differ in number the page is laid out anew,
        and no key waits for that."""
        self.cards.expect(self.here)
        self.text_pane.once_seen(self._show_expected_cards)

    async def _show_expected_cards(self) -> None:
        if self.cards.awaited:
            await self.show_cards()

    async def show_cards(self) -> None:
        await self.cards.show(self.here, self._hint())

    def _hint(self) -> str:
        """The line that stands where there are no cards."""
        if self._riding is not None:
            return "This one grows; so do the others."
        if self.session.read_only:
            return "Another Loom has this session open: it can be read, not changed."
        if len(self.session.tree) == 1:
            return "An empty page."
        return "Nothing has grown here yet."
