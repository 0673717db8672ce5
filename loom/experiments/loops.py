"""Traps against temperature: how many runs loop, and how unsure the model is, as they get longer.

Loops are a matter of low temperatures; at 1 and above entropy grows with length instead (SCIENCE
§0.5). A loop is counted where as many tokens as two of its periods, and at least LEAST, repeat
those before them; a schema where TEMPLATE of 96 words equal the word one period before (SCIENCE
B2).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loom.asking.process import Asking
from loom.core.recipe import Recipe, Sampling
from loom.experiments.runs import OPENINGS, Grown, Report, grow
from loom.instruments.repeats import GRAMS, SCHEMA_WINDOW, Memory

TEMPERATURES = (0.0, 0.7, 1.0, 1.3)
LEAST = 16  # tokens
TEMPLATE = 0.4
LN2 = math.log(2)

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Course:
    """One run, token by token: `looped` and `template` from where on; `repeated` is the share of
    copies among the last 4-grams, `entropy` and `surprise` are in bits."""

    looped: int | None
    template: int | None
    repeated: Floats
    entropy: Floats
    surprise: Floats

    def __len__(self) -> int:
        return len(self.entropy)


@dataclass(frozen=True, slots=True)
class Stage:
    """Tokens `start` to `stop` of all runs at a temperature that are long enough."""

    start: int
    stop: int
    runs: int
    looped: float
    template: float
    repeated: float
    entropy: float
    surprise: float


async def courses(
    asking: Asking, temperature: float, each: int, length: int, seed: int, report: Report
) -> list[Course]:
    """`each` runs an opening; at temperature 0 they are all the same, so one."""
    recipe = Recipe(tokens=length, sampling=Sampling(temperature=temperature))
    seeds = [seed + number for number in range(each if temperature else 1)]
    found = []
    for number, opening in enumerate(OPENINGS):
        report(f"temperature {temperature:g}", number / len(OPENINGS))
        found += await grow(asking, opening, recipe, seeds)
    return [course(run) for run in found if run.span is not None]


def course(run: Grown) -> Course:
    span = run.span
    assert span is not None
    _, repeats = Memory.empty().after(span.ids, run.pieces)
    looped = repeats.loop >= np.maximum(2 * repeats.period, LEAST)
    return Course(
        looped=_first(looped),
        template=_first(repeats.schema >= TEMPLATE * SCHEMA_WINDOW),
        repeated=repeats.grams / GRAMS,
        entropy=span.entropy / LN2,
        surprise=-span.logprob / LN2,
    )


def stages(found: Sequence[Course], length: int) -> Iterator[Stage]:
    """Each as long as all before it together, from 32 tokens on; those that no run has reached are
    left out. A run that was over early counts in the stages it went through."""
    start, stop = 0, 32
    while start < length:
        stop = min(stop, length)
        there = [course for course in found if len(course) >= stop]
        if there:
            part = slice(start, stop)
            yield Stage(
                start,
                stop,
                len(there),
                _share([c.looped for c in there], stop),
                _share([c.template for c in there], stop),
                float(np.mean([c.repeated[stop - 1] for c in there])),
                float(np.mean([c.entropy[part].mean() for c in there])),
                float(np.mean([c.surprise[part].mean() for c in there])),
            )
        start, stop = stop, 2 * stop


def _share(firsts: Sequence[int | None], stop: int) -> float:
    return sum(first is not None and first < stop for first in firsts) / len(firsts)


def _first(yes: NDArray[np.bool_]) -> int | None:
    found = np.flatnonzero(yes)
    return int(found[0]) if len(found) else None
