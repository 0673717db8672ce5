"""Brackets and quotation marks that a text opens and must close, character by character.

What closes nothing is told at once, a bracket that stays open after so many tokens, a quotation
mark that stays open when its paragraph is over and the next doesn't begin with one, as a speech
that goes on does. Letters in lists, faces and inches are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

CLOSES = {")": "(", "]": "[", "}": "{"}
OPENS = frozenset(CLOSES.values())
QUOTES = {"”": "“", "“": "„", '"': '"'}
DEEPEST = 64
BEFORE = 8  # characters that are looked back upon

_ITEM = re.compile(r"(?:^|\s)(?:\d{1,3}|[a-zA-Z]|[ivxlc]{1,4})\Z")
_FACE = re.compile(r"[:;=8][-'^]?\Z")


@dataclass(slots=True)
class Pairs:
    """`open` are [sign, position of its token], the innermost last; `before` the last characters,
    `breaks` how many newlines they end with."""

    open: list[list[Any]] = field(default_factory=list)
    before: str = ""
    breaks: int = 0

    @property
    def state(self) -> dict[str, Any]:
        return {"open": [list(one) for one in self.open], "before": self.before, "n": self.breaks}

    @classmethod
    def of(cls, state: dict[str, Any]) -> Pairs:
        return cls([list(one) for one in state["open"]], state["before"], state["n"])

    def feed(self, text: str, position: int, patience: int) -> Iterator[tuple[int, str]]:
        """What is wrong with the text of one token: (position it began at, a sentence)."""
        for sign in text:
            yield from self._paragraph(sign)
            yield from self._sign(sign, position)
            self.breaks = self.breaks + 1 if sign == "\n" else self.breaks * sign.isspace()
            self.before = (self.before + sign)[-BEFORE:]
        yield from self._forgotten(position - patience)

    def _sign(self, sign: str, position: int) -> Iterator[tuple[int, str]]:
        quote = QUOTES.get(sign)
        if sign in OPENS or sign == "„" or (sign == "“" and not self._is_open("„")):
            if not (
                sign == "“" and self._is_open("“")
            ):  # each paragraph of a speech begins with one
                self._push(sign, position)
        elif sign in CLOSES:
            yield from self._close(sign, position)
        elif sign == '"':
            if self._is_open(sign):
                self._drop(sign)
            elif not self.before[-1:].isdigit():  # inches
                self._push(sign, position)
        elif quote is not None:
            self._drop(quote)

    def _push(self, sign: str, position: int) -> None:
        self.open = [*self.open, [sign, position]][-DEEPEST:]

    def _close(self, sign: str, position: int) -> Iterator[tuple[int, str]]:
        mate = CLOSES[sign]
        brackets = [one for one in self.open if one[0] in OPENS]
        if brackets and brackets[-1][0] == mate:
            self._drop(mate)
        elif self._is_open(mate):
            wrong, began = brackets[-1]
            self.open.remove(brackets[-1])
            self._drop(mate)
            yield began, f"The bracket {wrong} was still open when {sign} came."
        elif not (sign == ")" and (_ITEM.search(self.before) or _FACE.search(self.before))):
            yield position, f"The bracket {sign} closes none that was opened."

    def _paragraph(self, sign: str) -> Iterator[tuple[int, str]]:
        """Before the first character of a paragraph."""
        if self.breaks < 2 or sign.isspace():
            return
        for one in [one for one in self.open if one[0] in '“„"']:
            goes_on = sign == one[0]
            if not goes_on or sign == '"':
                self.open.remove(one)
            if not goes_on and not self.before.rstrip().endswith(":"):  # before verses
                yield one[1], f"The quotation mark {one[0]} isn't closed in its paragraph."

    def _forgotten(self, before: int) -> Iterator[tuple[int, str]]:
        for one in [one for one in self.open if one[0] in OPENS and one[1] <= before]:
            self.open.remove(one)
            yield one[1], f"The bracket {one[0]} was opened long ago and never closed."

    def _is_open(self, sign: str) -> bool:
        return any(one[0] == sign for one in self.open)

    def _drop(self, sign: str) -> None:
        """The innermost."""
        found = [one for one in self.open if one[0] == sign]
        if found:
            self.open.remove(found[-1])
