"""Lines of the lens as text with the names of their looks: headings, facts, odds.

Every line fits the width it is made for. Knows neither widgets nor colours nor sessions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from rich.cells import cell_len

from loom.ui import glyphs
from loom.ui.choices import Choice
from loom.ui.widgets.wrapping import clip

LABEL = 13  # columns of a fact's name
VALUE = 10  # columns of a number that a bar follows
SHARE = 8  # columns of a probability
MARKS = 3  # columns for what an alternative has become
FIXED = 4 + 1 + SHARE + MARKS  # columns of an alternative besides its text and its bar
FEWEST = 3
SCALES = (0.125, 0.25, 0.5, 1.0)

Part = tuple[str, str]
"""Text, and the look it has."""

Line = tuple[Part, ...]
BLANK: Line = ()


class Fact(NamedTuple):
    """A name, what it is, and how much of the most it could be, for a bar."""

    label: str
    value: str
    share: float | None = None


class Odd(NamedTuple):
    """One line of the odds; `token` None is all the others together."""

    line: Line
    token: int | None


def heading(left: str, right: str, width: int) -> Line:
    """A name on the left, the most important number on the right."""
    shown, used = clip(left, width - (cell_len(right) + 1 if right else 0))
    gap = " " * (width - used - cell_len(right))
    return ((shown, "heading"), (gap, "value"), (right, "aside"))


def fact(fact: Fact, width: int, columns: int = LABEL) -> list[Line]:
    """On one line with its bar; a long value goes on below itself. `columns` are for the name."""
    label = (fact.label.ljust(columns), "label")
    if fact.share is not None:
        bar = glyphs.bar(fact.share, max(0, width - columns - VALUE))
        return [(label, (fact.value.ljust(VALUE), "value"), (bar, "bar"))]
    first, *rest = folded(fact.value, max(8, width - columns))
    indent = (" " * columns, "label")
    return [(label, (first, "value")), *((indent, (line, "value")) for line in rest)]


def folded(text: str, width: int) -> list[str]:
    """Words on lines of a width; a word that doesn't fit one is clipped."""
    lines = [""]
    for word in filter(None, text.split(" ")):
        word = clip(word, width)[0]
        if lines[-1] and cell_len(lines[-1]) + 1 + cell_len(word) > width:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return lines


def sentence(text: str, width: int) -> list[Line]:
    """What is said where there are no numbers."""
    return [((line, "note"),) for line in folded(text, width)]


def odds(
    choices: Sequence[Choice], width: int, most: int, marks: Mapping[int, str] | None = None
) -> list[Odd]:
    """At most `most` lines: the likeliest, the chosen one, and all the others as one.

    `marks`: what stands after a token, by token id; the chosen one has ● otherwise.
    """
    kept = _kept(choices, max(FEWEST, most - 1))
    full = scale(max((choice.probability for choice in kept), default=1.0))
    found = [Odd(_odd(choice, width, full, marks or {}), choice.token) for choice in kept]
    rest = max(0.0, 1.0 - sum(choice.probability for choice in kept))
    return [*found, Odd(_rest(rest, width), None)] if found else []


def _kept(choices: Sequence[Choice], most: int) -> Sequence[Choice]:
    if len(choices) <= most:
        return choices
    kept = list(choices[:most])
    if not any(choice.chosen for choice in kept):
        kept[-1] = next((choice for choice in choices if choice.chosen), kept[-1])
    return kept


def scale(likeliest: float) -> float:
    """The probability at which a bar is full: one of few, so that bars stay comparable."""
    return next(full for full in SCALES if likeliest <= full or full == SCALES[-1])


def columns(width: int) -> tuple[int, int]:
    """(columns of a token's text, columns of its bar)."""
    room = max(10, width - FIXED)
    text = min(16, room * 11 // 20)
    return text, room - text


def _odd(choice: Choice, width: int, full: float, marks: Mapping[int, str]) -> Line:
    room, bar = columns(width)
    shown, used = clip(choice.text, room)
    look = "chosen" if choice.chosen or choice.token in marks else "token"
    mark = marks.get(choice.token, "●" if choice.chosen else "")
    rank = str(choice.rank) if choice.rank < 1000 else "···"
    return (
        (f"{rank:>3} ", "rank"),
        (shown, look),
        (" " * (room - used + 1), "value"),
        (glyphs.bar(choice.probability / full, bar), "bar"),
        (f"{glyphs.percent(choice.probability):>{SHARE}}", "share"),
        (f" {mark}".ljust(MARKS), "mark"),
    )


def _rest(probability: float, width: int) -> Line:
    room, bar = columns(width)
    return (
        ("    ", "rank"),
        (clip("all others", room + 1 + bar)[0].ljust(room + 1 + bar), "rest"),
        (f"{glyphs.percent(probability):>{SHARE}}", "share"),
    )


def cards(numbers: Collection[int]) -> str:
    """The keys of the continuations that begin with a token; ● where those have none."""
    keys = [str(number) for number in sorted(numbers) if number < 10]
    if not keys:
        return "●"
    return "".join(keys) if len(keys) == len(numbers) < MARKS else f"{keys[0]}+"
