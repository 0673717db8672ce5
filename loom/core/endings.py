"""When a continuation is over: its length, a stop string, the end of a sentence or a paragraph.

Fed token by token, it sees what was drawn and nothing before it. The end of the document is the
engine's to see.
"""

from __future__ import annotations

import re

from loom.core.node import Ending
from loom.core.recipe import End, Recipe
from loom.core.text import CLOSERS, TERMINATORS, Decoder, sentence_stops

_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
_BEFORE_OPENER = frozenset("([{“‘«—–-")
_PAIRS = {"”": "“", "’": "‘", "»": "«", ")": "(", "]": "[", "」": "「", "』": "『", "）": "（"}
_OPENERS = frozenset(_PAIRS.values())
_CLOSING = frozenset('"') | _PAIRS.keys()


class EndingCheck:
    """One branch's. `feed` takes the bytes of each token and says whether it was the last.

    A stop string may span tokens; the branch ends with the token that completes it. A sentence is
    complete with its closing quotes and brackets, as far as they were opened in the branch; a full
    stop after a digit waits for what comes next (3.14); a blank line ends it too. A paragraph is
    complete at the blank line after some text.
    """

    __slots__ = ("_decoder", "_recipe", "_seen", "_stops", "_tail", "_text", "tokens")

    def __init__(self, recipe: Recipe) -> None:
        self.tokens = 0
        self._recipe = recipe
        self._stops = tuple(stop.encode("utf-8", "replace") for stop in recipe.stop if stop)
        self._tail = b""
        self._decoder = Decoder()
        self._text = ""
        self._seen = 0

    def feed(self, piece: bytes) -> Ending | None:
        """Why the branch ends with this token, or None."""
        self.tokens += 1
        if self._stops and self._completes_stop(piece):
            return Ending.STOP
        if self._recipe.end is not End.TOKENS and self._completes_edge(piece):
            return Ending.EDGE
        return Ending.LENGTH if self.tokens >= self._recipe.tokens else None

    def _completes_stop(self, piece: bytes) -> bool:
        window = self._tail + piece
        longest = max(map(len, self._stops))
        self._tail = window[len(window) - longest + 1 :] if len(window) >= longest else window
        return any(stop in window for stop in self._stops)

    def _completes_edge(self, piece: bytes) -> bool:
        self._seen = len(self._text)
        self._text += self._decoder.feed(piece)
        if len(self._text) == self._seen:
            return False
        if self._completes_paragraph():
            return True
        return self._recipe.end is End.SENTENCE and self._completes_sentence()

    def _completes_paragraph(self) -> bool:
        start = max(0, self._text.rfind("\n", 0, self._seen))
        found = _BLANK_LINE.search(self._text, start)
        while found is not None and not self._text[: found.start()].strip():
            found = _BLANK_LINE.search(self._text, found.end() - 1)
        return found is not None

    def _completes_sentence(self) -> bool:
        start = self._seen
        while start > 0 and self._text[start - 1] in TERMINATORS + CLOSERS:
            start -= 1
        return any(self._is_end(*stop) for stop in sentence_stops(self._text, start))

    def _is_end(self, start: int, stop: int) -> bool:
        """Whether the sentence with its terminator at `start` and closers until `stop` is over."""
        text = self._text
        waits = text[start] == "." and text[start - 1 : start].isdigit() and start + 1 == stop
        if stop <= self._seen and not (waits and text[self._seen :].isspace()):
            return False
        if stop == len(text) and (waits or self._decoder.held):
            return False
        return _open_pairs(text[text.rfind("\n", 0, start) + 1 : stop]) == 0


def _open_pairs(line: str) -> int:
    """How many quotes and brackets were opened in `line` and not closed."""
    open_: list[str] = []
    for index, character in enumerate(line):
        if character in _OPENERS or (character == '"' and _opens(line, index)):
            open_.append(character)
        elif character == "’" and line[index + 1 : index + 2].isalpha():
            continue  # it’s
        elif open_ and character in _CLOSING and open_[-1] == _PAIRS.get(character, character):
            open_.pop()
    return len(open_)


def _opens(line: str, index: int) -> bool:
    """Whether the straight quote at `index` stands before a word and not behind one."""
    before, after = line[:index][-1:], line[index + 1 : index + 2]
    at_start = not before or before.isspace() or before in _BEFORE_OPENER
    return at_start and bool(after) and not after.isspace()
