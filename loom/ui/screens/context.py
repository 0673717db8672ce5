"""What the model was given before it grew or read a node: the text, or token by token.

Knows a Context; asks nothing itself but for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static, TextArea

from loom.context import Context, Part
from loom.core.node import ROOT
from loom.core.text import decode, visible
from loom.engine.api import EngineError
from loom.ui import glyphs
from loom.ui.screens.dialog import Dialog

KEYS = "t {other} · y copies · Ctrl+C copies what is marked · Esc closes"
BEGIN = "⟨{id}: put before every text⟩"


class ContextScreen(Dialog[None]):
    """`t` goes from the text to its tokens and back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,p,q", "dismiss(None)", "Close"),
        ("t", "turn", "Text or tokens"),
        ("y", "copy", "Copy"),
        ("j", "go(1)", "Down"),
        ("k", "go(-1)", "Up"),
    ]

    def __init__(self, ask: Callable[[], Awaitable[Context]]) -> None:
        super().__init__()
        self._ask = ask
        self.context: Context | None = None
        self._by_token = False

    def compose(self) -> ComposeResult:
        with Vertical(id="context") as box:
            box.border_title = "What the model saw"
            yield Static(id="context-facts", markup=False)
            yield TextArea(id="context-text", read_only=True, show_cursor=False)

    def on_mount(self) -> None:
        self.area, self.facts = self.query_one(TextArea), self.query_one(Static)
        self.set_focus(self.area)
        self.area.loading = True
        self._fill()

    @work(exit_on_error=False)
    async def _fill(self) -> None:
        try:
            self.context = await self._ask()
        except (EngineError, ValueError) as error:
            hint = getattr(error, "hint", "")
            self.app.notify(f"{error} {hint}".strip(), severity="warning", markup=False)
            self.dismiss(None)
            return
        self.area.loading = False
        self.facts.update("\n".join(facts(self.context)))
        self._show()

    def _show(self) -> None:
        if self.context is None:
            return
        lines = token_lines(self.context) if self._by_token else [seen_text(self.context)]
        self.area.soft_wrap = not self._by_token
        self.area.load_text("\n".join(lines))
        self.area.scroll_end(animate=False)
        other = "as text" if self._by_token else "by token, with ids"
        self.query_one("#context").border_subtitle = Content(KEYS.format(other=other))

    def action_turn(self) -> None:
        self._by_token = not self._by_token
        self._show()

    def action_copy(self) -> None:
        """What is shown; text exactly as the model was given it, without what is put before it."""
        if self.context is None:
            return
        text = self.area.text if self._by_token else decode(seen_bytes(self.context))
        self.app.copy_to_clipboard(text)
        what = "tokens" if self._by_token else "text"
        self.notify(f"Copied the {what} that the model saw.")

    def action_go(self, lines: int) -> None:
        self.area.scroll_relative(y=lines, animate=False)


def facts(context: Context) -> Iterator[str]:
    """Who was given how much of what."""
    count, window, start = context.tokens, context.window, context.seen_from
    yield f"Before node {context.node} · {visible(context.model)}"
    if count is None:
        yield "It isn't known how many tokens this is."
    elif start:
        yield f"{count - start:,} of {count:,} tokens: the first {start:,} were out of sight."
    elif window is None or start is None:
        yield f"{count:,} tokens"
    else:
        yield f"All {count:,} tokens; it sees {window:,} at once."
    if context.doubt:
        yield context.doubt


def seen(context: Context) -> Iterator[Part]:
    """The parts that were in sight, the first of them cut where sight began."""
    skip = context.seen_from or 0
    for part in context.parts:
        if part.node is None or not skip:
            yield part
            continue
        count = len(part.pieces)
        if skip < count:
            ids = None if part.ids is None else part.ids[skip:]
            yield Part(part.node, part.pieces[skip:], ids)
        skip = max(0, skip - count)


def seen_bytes(context: Context) -> bytes:
    return b"".join(part.text for part in seen(context))


def seen_text(context: Context) -> str:
    """Special tokens, and where sight began, are seen."""
    front = [
        BEGIN.format(id=i) for part in seen(context) if part.node is None for i in part.ids or ()
    ]
    mark = "⟨sight begins here⟩" if context.seen_from else ""
    return "".join((*front, mark, visible(decode(seen_bytes(context)))))


def token_lines(context: Context) -> Iterator[str]:
    """Place, id and text of each token; a line for each node."""
    place, node = context.seen_from or 0, -1
    for part in seen(context):
        if part.node is None:
            yield from (f"{'':>7} {i:>7}  {BEGIN.format(id=i)}" for i in part.ids or ())
            continue
        if part.node != node:
            node = part.node
            yield f"        — node {node}" if node != ROOT else "        — the frame"
        if part.ids is None:
            yield f"{'':>7} {'?':>7}  {glyphs.token_text(part.text)}"
            continue
        for number, piece in zip(part.ids, part.pieces, strict=True):
            yield f"{place:>7} {number:>7}  {glyphs.token_text(piece)}"
            place += 1
