"""All readings along the path, under each other, and what is believed of the sources: where one
moves, the token cursor moves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from loom.core.text import decode, visible
from loom.raised import Raised
from loom.ui import glyphs
from loom.ui.screens.dialog import Dialog
from loom.ui.series import Name, Series
from loom.ui.widgets.stack import Stack
from loom.ui.widgets.strips import Strips

AROUND = 60  # bytes of text before and after the token under the cursor
PAGE = 10  # columns
NOTHING = "No plugin has read this path yet (`X` lists them), and no sources are weighed (`S`)."


@dataclass(frozen=True, slots=True)
class Course:
    """A path: its text, what was read along it, what was flagged."""

    text: bytes
    series: Series
    flags: Sequence[Raised]
    units: dict[Name, str]
    stack: Stack | None = None


class Instruments(Dialog[None]):
    """`fetch` gets what there is to show, again after `look_again`; `look` moves the token cursor
    to a byte of the path."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,I,q,enter", "dismiss", "Close"),
        Binding("left,h", "token(-1)", "Back"),
        Binding("right,l", "token(1)", "On"),
        Binding("ctrl+left,pageup", f"column(-{PAGE})", "Far back"),
        Binding("ctrl+right,pagedown", f"column({PAGE})", "Far on"),
        Binding("home", "edge(-1)", "Start"),
        Binding("end", "edge(1)", "End"),
        Binding("f", "flag(1)", "Next flag"),
        Binding("F", "flag(-1)", "Previous flag"),
        Binding("up,k", "scroll(-2)", "Up"),
        Binding("down,j", "scroll(2)", "Down"),
    ]

    def __init__(
        self, fetch: Callable[[], Awaitable[Course]], look: Callable[[int], None], byte: int
    ) -> None:
        super().__init__()
        self._fetch, self._look, self._byte = fetch, look, byte
        self.course: Course | None = None
        self._stale = self._fetching = False

    def compose(self) -> ComposeResult:
        with Vertical(id="instruments") as box:
            box.border_title = "Readings along the path"
            box.border_subtitle = "← → token · PgUp PgDn far · f F flags · ↑ ↓ scroll · Esc"
            with VerticalScroll(can_focus=False):
                yield Strips(id="strips")
            yield Static(id="reading-of")

    def on_mount(self) -> None:
        self.strips = self.query_one(Strips)
        self.look_again()

    def look_again(self) -> None:
        """More may have been read, or the path goes on."""
        self._stale = True
        if not self._fetching:
            self._show()

    @work(exit_on_error=False)
    async def _show(self) -> None:
        self._fetching = True
        try:
            while self._stale:
                self._stale = False
                self._take(await self._fetch())
        finally:
            self._fetching = False

    def _take(self, course: Course) -> None:
        """The cursor stays on its token."""
        first = self.course is None or not self.course.series.columns
        self.course = course
        if not course.series.columns:
            self.query_one("#reading-of", Static).update(Content(NOTHING))
            return
        token = course.series.token_at(self._byte) if first else self.strips.cursor
        self.strips.show(course.series, course.flags, course.units, course.stack)
        self.strips.point(min(token, len(course.series) - 1))
        self._tell()

    # ── moving ─────────────────────────────────────────────────────────────────────────────

    def action_token(self, step: int) -> None:
        self._go(self.strips.cursor + step)

    def action_column(self, columns: int) -> None:
        self._go(self.strips.step(self.strips.cursor, columns))

    def action_edge(self, step: int) -> None:
        self._go(0 if step < 0 or self.course is None else len(self.course.series) - 1)

    def action_flag(self, step: int) -> None:
        """The next token that has raised one."""
        spots = sorted({one.stop - 1 for one in self.course.flags}) if self.course else []
        ahead = [token for token in spots if (token - self.strips.cursor) * step > 0]
        if ahead:
            self._go(ahead[0 if step > 0 else -1])

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    @on(Strips.Sought)
    def seek(self, event: Strips.Sought) -> None:
        self._go(event.token)

    def _go(self, token: int) -> None:
        course = self.course
        if course is None or not course.series.columns:
            return
        self.strips.point(max(0, min(token, len(course.series) - 1)))
        self._look(int(course.series.begins[self.strips.cursor]))
        self._tell()

    # ── the token under the cursor ─────────────────────────────────────────────────────────

    def _tell(self) -> None:
        """Its words, and what was flagged there."""
        course = self.course
        if course is None:
            return
        token, begins = self.strips.cursor, course.series.begins
        first = int(begins[token])
        last = int(begins[token + 1]) if token + 1 < len(begins) else len(course.text)
        before, inside, after = (
            visible(decode(part)).replace("\n", "⏎").replace("\t", " ")
            for part in (
                course.text[max(0, first - AROUND) : first],
                course.text[first:last],
                course.text[last : last + AROUND],
            )
        )
        half = max(4, (self.size.width - 12 - len(inside)) // 2)
        words = Content.assemble(before[-half:].rjust(half), (inside, "reverse bold"), after[:half])
        here = [one for one in course.flags if one.start <= token < one.stop]
        said = [f"{glyphs.FLAGS[o.flag.level]} {o.plugin}: {o.flag.reason}" for o in here[-2:]]
        lines = [words, *(Content(visible(line)) for line in said)]
        self.query_one("#reading-of", Static).update(Content("\n").join(lines))
