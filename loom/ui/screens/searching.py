"""Searching: the list of matches, and going from one to the next."""

from __future__ import annotations

import asyncio

from textual import work

from loom.core.display import Segment
from loom.core.node import Place
from loom.core.search import Match, Search, beginning
from loom.core.text import visible
from loom.ui.screens.aiming import Aiming
from loom.ui.screens.search import EFFORT, SearchScreen, count_of

QUERY_CELLS = 16


class Searching(Aiming):
    """`/` opens the list; `n` and `N` go on after it is closed."""

    _search: Search | None = None
    _match = 0  # which of the matches was gone to last
    _seen: tuple[object, ...] = ()  # what of the tree the search has read
    _found: tuple[Place, Place] | None = None  # what was aimed at to show a match

    @property
    def scope(self) -> Segment | None:
        """What is searched; None is everything."""
        return None

    async def action_search(self) -> None:
        screen = SearchScreen(self.session.tree, self._begin_search, self._look_at)
        await self.app.push_screen(screen, self._searched)

    def _begin_search(self, query: str) -> Search:
        return self.session.search(query, self.scope)

    def _look_at(self, match: Match) -> None:
        """Show a match without going there."""
        place = self._end(match)
        self.tree_pane.show(place)
        self.text_pane.show(place)
        self.text_pane.cursor = beginning(self.session.tree, match)

    def _end(self, match: Match) -> Place:
        return self.session.display.place_of_end(self.session.display.segment_of(match.place))

    async def _searched(self, answer: tuple[Search, int] | None) -> None:
        if answer is None:
            await self.show_place()
            return
        self._search, index = answer
        self._seen = self._extent()
        await self._go_to_match(index)

    async def action_match(self, step: int) -> None:
        if self._search is None:
            self.notify(f"Nothing has been searched yet; {self.key_of('search')} does.")
        elif self._seen != self._extent() or not self._search.done:
            self._search_again(step)
        elif self._search.found:
            await self._go_to_match((self._match + step) % len(self._search.found))

    def _extent(self) -> tuple[object, ...]:
        session, top = self.session, self.scope
        growing = tuple(session.tree[node].length for node in session.growing())
        return len(session.tree), len(session.marks.hidden), growing, top and top[:2]

    @work(exclusive=True, group="search")
    async def _search_again(self, step: int) -> None:
        """The tree has changed since: find all matches anew, and go on from the last one."""
        old = self._search
        if old is None:
            return
        seen, fresh = self._extent(), self._begin_search(old.query)
        while not fresh.done:
            fresh.advance(EFFORT)
            await asyncio.sleep(0)
        before = old.found[self._match] if self._match < len(old.found) else None
        self._search, self._seen = fresh, seen
        if not fresh.found:
            self.notify(f"“{visible(old.query)}” is nowhere any more.", markup=False)
            return
        if before in fresh.found:
            self._match = fresh.found.index(before)
        else:
            self._match = min(self._match, len(fresh.found)) - (step > 0)
        await self._go_to_match((self._match + step) % len(fresh.found))

    async def _go_to_match(self, index: int) -> None:
        """Go to its node; the token cursor stands on it."""
        if self._search is None or self.editor.is_open:
            return
        match, self._match = self._search.found[index], index
        self._found = self._end(match), beginning(self.session.tree, match)
        await self.aim(*self._found)

    async def show_place(self, *, keep_row: bool = False) -> None:
        await super().show_place(keep_row=keep_row)
        self.status.found = self._standing()

    def _standing(self) -> str:
        """Which match this is, for the status line; nothing once the writer has gone elsewhere."""
        if self.aimed_at is None or self.aimed_at != self._found or self._search is None:
            return ""
        query = visible(self._search.query)
        words = query if len(query) <= QUERY_CELLS else query[: QUERY_CELLS - 1] + "…"
        total = count_of(self._search).split()[0]
        return f"“{words}” {self._match + 1} of {total}"
