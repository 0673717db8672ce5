"""Going about: in the tree by nodes, in the text by tokens."""

from __future__ import annotations

import math
import random

from textual import on

from loom.core.node import ROOT
from loom.session import Session
from loom.ui import glyphs, navigation
from loom.ui.screens.page import Page, TextPane, TreePane
from loom.ui.widgets.card import Card


def token_line(session: Session, node: int, index: int) -> str:
    """A token, its probability, rank and surprise; "" where no model has read it."""
    span = session.span(node)
    if span is None or index >= len(span):
        return ""
    token = span[index]
    text = glyphs.token_text(session.tree[node].text[token.start : token.end])
    share, bits = glyphs.percent(math.exp(token.logprob)), -token.logprob * glyphs.BITS
    return f"{text} {share} · rank {token.rank + 1} · {bits:.1f} bits"


class Moving(Page):
    """Commands that change the place, or the cursor in the text."""

    _choice = random.Random()
    _stepping_aside = False

    def action_walk(self, number: int) -> None:
        place = self.cards.place_of(number)
        if place is None:
            count = len(self.cards)
            self.notify(f"There is no continuation {number} here ({count} in all).", markup=False)
            return
        self.go(place)

    def action_parent(self) -> None:
        self.go_to(navigation.parent(self.session, self.segment))

    def action_child(self) -> None:
        self.go_to(self.session.last_child(self.here))

    def action_sibling(self, step: int) -> None:
        beside = navigation.sibling(self.session, self.segment, step)
        self._stepping_aside = beside is not None
        self.go_to(beside)

    def _keep_row(self) -> bool:
        aside, self._stepping_aside = self._stepping_aside, False
        return aside

    def action_reading(self, step: int) -> None:
        on = navigation.following if step > 0 else navigation.preceding
        self.go_to(on(self.session, self.segment))

    def action_root(self) -> None:
        self.go(self.session.tree[ROOT].end)

    def action_leaf(self) -> None:
        self.go_to(navigation.leaf(self.session, self.segment))

    def action_random(self) -> None:
        self.go_to(navigation.random_leaf(self.session, self.segment, self._choice))

    def action_back(self) -> None:
        if not self.session.go_back():
            self.notify("This is where you began.")
        self._ride()

    def action_forward(self) -> None:
        if not self.session.go_forward():
            self.notify("There is nothing to go forward to.")
        self._ride()

    def action_page(self, step: int) -> None:
        if step < 0:
            self.text_pane.scroll_page_up(animate=False)
        else:
            self.text_pane.scroll_page_down(animate=False)

    def action_switch(self) -> None:
        if self.in_text:
            self.focus_tree()
        else:
            self.set_focus(self.text_pane)

    # ── the token cursor ───────────────────────────────────────────────────────────────────

    def action_token(self, step: int) -> None:
        self._text().move_token(step)

    def action_word(self, step: int) -> None:
        self._text().move_word(step)

    def action_sentence(self, step: int) -> None:
        self._text().move_sentence(step)

    def action_line(self, step: int) -> None:
        self._text().move_line(step)

    def action_edge(self, step: int) -> None:
        if step > 0:
            self._text().move_end()
        else:
            self._text().move_start()

    def _text(self) -> TextPane:
        """The text, with the keyboard in it (from the palette it may not have it yet)."""
        if not self.in_text:
            self.set_focus(self.text_pane)
        return self.text_pane

    @on(TextPane.CursorMoved)
    def tell_token(self) -> None:
        """What the model held of the token under the cursor, where no lens says it."""
        asked = self.in_text and not self.lens.display
        found = self.text_pane.token_at_cursor() if asked else None
        self.status.token = "" if found is None else token_line(self.session, *found)

    def on_descendant_focus(self) -> None:
        self.tell_token()

    def on_descendant_blur(self) -> None:
        self.tell_token()

    # ── the mouse ──────────────────────────────────────────────────────────────────────────

    @on(TreePane.Chosen)
    def choose(self, event: TreePane.Chosen) -> None:
        if not self.editor.is_open:
            self.attempt(lambda: self.go_to(event.segment))

    @on(TextPane.Clicked)
    def click_text(self) -> None:
        if not self.editor.is_open:
            self.set_focus(self.text_pane)

    @on(Card.Taken)
    def take(self, event: Card.Taken) -> None:
        if not self.editor.is_open:
            self.attempt(lambda: self.action_walk(event.number))
