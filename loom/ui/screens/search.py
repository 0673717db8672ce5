"""Search: what is looked for, and a list of where it is, while one types."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from textual import on, work
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from loom.core.search import MOST, Match, Search, surroundings
from loom.core.text import decode, visible
from loom.core.tree import Tree
from loom.ui.screens.lookup import Lookup

EFFORT = 50_000  # bytes of text looked at between two looks at the keyboard: a few milliseconds
LISTED = 100
BEFORE, AFTER = 24, 200  # bytes of text around a match in the list


def count_of(search: Search) -> str:
    """`17 matches`, as far as is known."""
    count = len(search.found)
    more = "+" if count >= MOST else "" if search.done else " …"
    return f"{count:,}{more} match{'' if count == 1 else 'es'}" if count else "no match" + more


class SearchScreen(Lookup[tuple[Search, int]]):
    """Answers with the search and which match was taken.

    `begin` makes the search for a text; `look` shows a match behind the list.
    """

    HEADING = "Search"
    HINT = "words of the text"
    KEYS = "Enter goes there · ↑ ↓ look · Esc goes back"

    def __init__(
        self, tree: Tree, begin: Callable[[str], Search], look: Callable[[Match], None]
    ) -> None:
        super().__init__()
        self._tree, self._begin, self._look = tree, begin, look
        self.search = begin("")
        self._taking = False  # Enter was pressed before anything was found

    def changed(self, text: str) -> None:
        self._taking = False
        self.search = self._begin(text)
        self._run(self.search)

    @work(exclusive=True, group="search")
    async def _run(self, search: Search) -> None:
        """Search on between the keys; the list shows the first matches as they are found."""
        self.options.clear_options()
        while not search.done:
            self._list(search.advance(EFFORT))
            self._count()
            await asyncio.sleep(0)
        self._count()
        if self._taking and search.found:
            self.dismiss((search, 0))

    def _count(self) -> None:
        self.subtitle(f"{count_of(self.search)} · {self.KEYS}" if self.search.query else self.KEYS)

    def _list(self, found: list[Match]) -> None:
        room = LISTED - self.options.option_count
        if found and room > 0:
            self.options.add_options(Option(self._row(match)) for match in found[:room])
            if self.options.highlighted is None:
                self.options.highlighted = 0

    def _row(self, match: Match) -> Content:
        before, inside, after = (
            visible(decode(part)).replace("\n", "⏎").replace("\t", " ")
            for part in surroundings(self._tree, match, BEFORE, AFTER)
        )
        row = Content.assemble(
            (before.rjust(BEFORE), self.look("words")),
            (inside, self.look("found")),
            (after, self.look("words")),
        )
        return row.truncate(max(BEFORE, self.line.size.width - 2), ellipsis=True)

    @on(OptionList.OptionHighlighted)
    def look_at(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        if event.option_index < len(self.search.found):
            self._look(self.search.found[event.option_index])

    def entered(self, text: str, index: int | None) -> None:
        if index is not None and index < len(self.search.found):
            self.dismiss((self.search, index))
        elif not self.search.done:
            self._taking = True
