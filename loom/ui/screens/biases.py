"""A bias on single tokens as a line of text: `262:-5 ", the":2`. Knows a vocabulary, no model."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from loom.config import MOST
from loom.core.text import decode, visible

Biases = tuple[tuple[int, float], ...]

_ENTRY = re.compile(r'\s*("(?:\\.|[^"\\])*"|[^\s:,"]+)\s*:\s*([^\s,]+)\s*,?')
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def bias_text(biases: Biases) -> str:
    return " ".join(f"{token}:{amount:.12g}" for token, amount in biases)


def reader(vocabulary: Sequence[bytes]) -> Callable[[str], Biases]:
    """What `bias_text` has written, and tokens by their text, in quotes.

    It raises ValueError: "a list such as …".
    """

    def read(text: str) -> Biases:
        found: dict[int, float] = {}
        place, text = 0, text.strip()
        while place < len(text):
            entry = _ENTRY.match(text, place)
            if entry is None:
                raise ValueError('a list such as 262:-5 or " the":-5')
            found[_token(entry[1], vocabulary)] = _amount(entry[2])
            place = entry.end()
        return tuple(found.items())

    return read


def _amount(text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        raise ValueError(f"a token, a colon and a number, not {text}") from None
    if not abs(amount) <= MOST:
        raise ValueError(f"a number within {MOST}, not {text}")
    return amount


def _token(text: str, vocabulary: Sequence[bytes]) -> int:
    if not text.startswith('"'):
        if not text.isdecimal() or int(text) > MOST:
            raise ValueError(f"a token's id or its text in quotes, not {text}")
        return int(text)
    wanted = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text[1:-1])
    try:
        return vocabulary.index(wanted.encode())
    except ValueError:
        raise ValueError(_not_one(wanted, vocabulary)) from None


def _not_one(wanted: str, vocabulary: Sequence[bytes]) -> str:
    if not vocabulary:
        return "ids while there is no model to look up a text in"
    return f"of tokens that the model has; “{visible(wanted)}” is not one of them"


def told(biases: Biases, vocabulary: Sequence[bytes]) -> str:
    """Which tokens these are."""
    texts = [
        f"{token} is “{visible(decode(vocabulary[token]))}”"
        for token, _ in biases
        if token < len(vocabulary)
    ]
    return ", ".join(texts)
