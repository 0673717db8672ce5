"""The token cursor on a page: where it stands, and where a step leads.

Knows bytes, lines and tokens; draws nothing and tells nobody.
"""

from __future__ import annotations

from collections.abc import Callable

from loom.core.text import sentence_edges, word_edges
from loom.ui.widgets.page import Page
from loom.ui.widgets.tokens import Tokens

REACH = 4096  # bytes looked at for the next word or sentence


class Caret:
    """`at` is in bytes of the page. `token`, `word` and `sentence` say where a step leads."""

    def __init__(self, page: Page, tokens: Tokens) -> None:
        self._page, self._tokens = page, tokens
        self.at = 0
        self._goal: int | None = None  # column that moves by line aim at

    @property
    def at_end(self) -> bool:
        return self.at == self._page.length

    @property
    def line(self) -> int:
        return self._page.line_of(self.at)

    def put(self, at: int) -> bool:
        """Stand there; whether that is another place."""
        moved, self.at, self._goal = at != self.at, at, None
        return moved

    def token(self, by: int) -> int:
        at = self.at
        for _ in range(abs(by)):
            at = self._tokens.after(at) if by > 0 else self._tokens.before(at)
        return at

    def word(self, by: int) -> int:
        return self._steps(by, word_edges)

    def sentence(self, by: int) -> int:
        return self._steps(by, sentence_edges)

    def _steps(self, by: int, edges: Callable[[bytes], list[int]]) -> int:
        at = self.at
        for _ in range(abs(by)):
            start, data = self._page.around(at, REACH)
            targets = [start + edge for edge in edges(data)]
            move = self._tokens.forward if by > 0 else self._tokens.backward
            at = move(at, targets)
        return at

    def move_line(self, by: int) -> bool:
        """To the token above or below, in the column where moving by lines began."""
        y = self.line
        goal = self._page.line(y).column(self.at) if self._goal is None else self._goal
        if not 0 <= y + by < self._page.line_count:
            return False
        moved = self.put(self.token_at(y + by, goal))
        self._goal = goal
        return moved

    def token_at(self, y: int, column: int) -> int:
        """Where the token drawn there begins; right of the text, the last token of the line."""
        line = self._page.line(y)
        byte = line.byte(column)
        if byte is None:
            if line.stop == self._page.length:
                return line.stop
            byte = line.stop - 1
        return self._tokens.before(byte + 1)

    def cells_on(self, y: int) -> tuple[int, int] | None:
        """The bytes of the cursor's token, if some of it stands on line `y`."""
        stop = max(self._tokens.after(self.at), self.at + 1)
        if self.line <= y <= self._page.line_of(stop - 1):
            return self.at, stop
        return None
