"""Runs to be counted: texts that a model grew, and what an instrument says of them.

Knows answers of engines and instruments; knows no session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from loom.asking.process import Answer, Asking
from loom.core.node import Author, Ending
from loom.core.recipe import Recipe
from loom.core.span import Span
from loom.discovery import listed, module_of
from loom.engine.api import Piece
from loom.instruments.api import Context, Flag, Instrument, Settings
from loom.instruments.folding import Stretch, fold
from loom.instruments.loading import declared

AT_ONCE = 16  # branches

OPENINGS = (
    "The letter had been lying on the table since morning, and nobody had opened it.",
    "It is generally supposed that the sea takes its colour from the sky.",
    "To bake a plain loaf, take two pounds of flour and a little salt.",
    "CHAPTER I.\n\nI was born in the year of the great frost, in a house by the river.",
)
"""What runs begin with where nothing else is given; written for this."""


class Report(Protocol):
    def __call__(self, what: str, fraction: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Grown:
    """One run: what it began with, and its tokens (None: the model ended the text at once)."""

    opening: str
    text: bytes
    span: Span | None
    ended: Ending | None

    def __len__(self) -> int:
        return 0 if self.span is None else len(self.span)

    @property
    def pieces(self) -> tuple[bytes, ...]:
        """The bytes of each token."""
        return () if self.span is None else self.span.pieces(self.text)

    @property
    def ids(self) -> tuple[int, ...]:
        return () if self.span is None else tuple(self.span.ids.tolist())


async def grow(
    asking: Asking, opening: str, recipe: Recipe, seeds: Sequence[int], after: tuple[int, ...] = ()
) -> list[Grown]:
    """A run a seed, AT_ONCE at a time, after the tokens `after` of a run that began likewise."""
    prefix: tuple[Piece, ...] = tuple(p for p in (opening.encode(), after) if p)
    found: list[Answer] = []
    for start in range(0, len(seeds), AT_ONCE):
        found += await asking.generate(prefix, recipe, seeds[start : start + AT_ONCE])
    return [Grown(opening, bytes(a.text), a.span, a.ended) for a in found]


class Judge:
    """A plugin that comes with Loom, started with what is known of a model."""

    def __init__(self, name: str, model: str, calibration: Any, **options: Any) -> None:
        found = next(each for each in listed("plugin") if each.name == name and each.usable)
        self._instrument: Instrument
        self._instrument, its = declared(module_of(found))
        self._settings = Settings({**its.options, **options}, model, calibration)

    def flags(self, run: Grown, temperature: float) -> tuple[Flag, ...]:
        """All that is raised in the run, which is judged without its opening."""
        if run.span is None:
            return ()
        stretch = Stretch(run.span, Context(0, 0, Author.MODEL, run.pieces, temperature))
        ((_, reading),) = fold(self._instrument, self._settings, [stretch])
        return reading.flags
