"""What reading along costs beside generating: seconds a token, of the best of several rounds."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from loom.asking.process import Answer, Asking
from loom.core.node import Author
from loom.core.recipe import Recipe
from loom.discovery import listed, module_of
from loom.instruments.api import Context, Instrument, Settings
from loom.instruments.calibration import Calibration
from loom.instruments.folding import Stretch, advance, begin
from loom.instruments.loading import declared
from loom.passages import context_of

PLUGINS = ("surprise", "traps", "ledger")
NODE, BRANCHES, ROUNDS = 48, 8, 5


async def cost_of(
    asking: Asking, prefix: tuple[int, ...], kept: Calibration, rounds: int = ROUNDS
) -> dict[str, Any]:
    """Microseconds a token; `share` is all of the plugins beside generating."""
    generating, answers = float("inf"), []
    for number in range(rounds):
        seeds = [number * BRANCHES + branch for branch in range(BRANCHES)]
        before = perf_counter()
        answers = await asking.generate((prefix,), Recipe(tokens=NODE), seeds)
        tokens = sum(len(answer.span or ()) for answer in answers)
        generating = min(generating, (perf_counter() - before) / tokens)
    stretches = [_stretch(answer, len(prefix)) for answer in answers if answer.span is not None]
    found = {}
    for each in listed("plugin"):
        if each.name in PLUGINS and each.usable:
            instrument, its = declared(module_of(each))
            settings = Settings(its.options, kept.fingerprint, kept.of(its.name))
            found[its.name] = min(_seconds(instrument, settings, stretches) for _ in range(rounds))
    return {
        "generating": round(generating * 1e6, 1),
        "plugins": {name: round(seconds * 1e6, 1) for name, seconds in found.items()},
        "share": round(sum(found.values()) / generating, 4),
    }


def _stretch(answer: Answer, position: int) -> Stretch:
    assert answer.span is not None
    pieces = context_of(answer.span, bytes(answer.text)).pieces
    return Stretch(answer.span, Context(position, 0, Author.MODEL, pieces, 1.0))


def _seconds(instrument: Instrument, settings: Settings, stretches: list[Stretch]) -> float:
    """A token, each stretch after the same beginning."""
    state = begin(instrument, settings)
    before = perf_counter()
    for stretch in stretches:
        advance(instrument, state, stretch)
    return (perf_counter() - before) / sum(map(len, stretches))
