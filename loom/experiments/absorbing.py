"""The absorbing state: how many runs enter it, what it costs a predictor, how soon it is noticed.

A token of probability ENTRY which, once out, is always predicted. A predictor loses next to nothing
by it, −ln(1 − ENTRY) nats a token, and nearly every long text that it writes ends there (SCIENCE
B4): what is measured here beside the formulas.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from loom.asking.process import Asking
from loom.core.node import Ending
from loom.core.recipe import Recipe, Sampling
from loom.core.span import joined
from loom.experiments.runs import AT_ONCE, Grown, Judge, Report, grow
from loom.instruments.sources.attribution import wilson

ENTRY = 0.01
SIGN = " ■"  # the token's text
WATCHED = 48  # tokens after the entry in which it may be noticed


@dataclass(frozen=True, slots=True)
class Absorbed:
    """`entries`: tokens of each run up to the absorbing one, None where it didn't come. `extra`:
    nats that each token of the reference text costs more than under the model without the flaw.
    `delays`: for each run that was watched on, tokens from the entry to the first flag about it,
    None where there was none, None in all where nothing can be flagged yet."""

    runs: int
    length: int
    entries: tuple[int | None, ...]
    extra: tuple[float, ...]
    delays: tuple[int | None, ...] | None
    early: int = 0  # runs watched in which something was flagged before the entry

    @property
    def share(self) -> float:
        return sum(entry is not None for entry in self.entries) / max(1, self.runs)

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's, 95 %."""
        return wilson(sum(entry is not None for entry in self.entries), self.runs)

    def facts(self) -> dict[str, Any]:
        """For JSON: each measured number beside what the formula says."""
        came = sorted(entry for entry in self.entries if entry is not None)
        seen = [delay for delay in self.delays or () if delay is not None]
        return {
            "runs": self.runs,
            "tokens": self.length,
            "absorbed": self.share,
            "absorbed_interval": list(self.interval),
            "absorbed_analytic": absorbed_by(self.length),
            "entry_median": statistics.median(came) if came else None,
            "entry_median_analytic": math.log(2) / -math.log1p(-ENTRY),
            "entry_mean": statistics.fmean(came) if came else None,
            "entry_mean_analytic": 1 / ENTRY,
            "loss_tokens": len(self.extra),
            "extra_nats": statistics.fmean(self.extra) if self.extra else None,
            "extra_nats_analytic": -math.log1p(-ENTRY),
            "watched": None if self.delays is None else len(self.delays),
            "flagged": None if self.delays is None else len(seen) / max(1, len(self.delays)),
            "delay_median": statistics.median(seen) if seen else None,
            "flagged_early": None if self.delays is None else self.early,
            "entries": list(self.entries),
            "delays": None if self.delays is None else list(self.delays),
        }


def absorbed_by(length: int) -> float:
    """The chance that `length` tokens have the absorbing one among them."""
    return 1 - (1 - ENTRY) ** length


async def entries(
    asking: Asking, opening: str, runs: int, length: int, seed: int, report: Report
) -> list[Grown]:
    """Runs that stop where the token comes, which makes them as long as need be and no longer."""
    recipe = Recipe(tokens=length, sampling=Sampling(), stop=(SIGN,))
    found: list[Grown] = []
    for start in range(0, runs, AT_ONCE):
        report("runs", start / runs)
        seeds = [seed + number for number in range(start, min(start + AT_ONCE, runs))]
        found += await grow(asking, opening, recipe, seeds)
    return found


def entry_of(run: Grown) -> int | None:
    """Tokens up to the absorbing one, itself included."""
    return len(run) if run.ended is Ending.STOP else None


async def watched(
    asking: Asking, runs: Sequence[Grown], judge: Judge, report: Report
) -> tuple[list[int | None], int]:
    """(delay of each run's first flag that comes after the entry, runs flagged before it)."""
    delays: list[int | None] = []
    early = 0
    recipe = Recipe(tokens=WATCHED, sampling=Sampling())
    for number, run in enumerate(runs):
        report("after the entry", number / len(runs))
        assert run.span is not None
        (rest,) = await grow(asking, run.opening, recipe, [number], run.ids)
        places = sorted(flag.at for flag in judge.flags(_joined(run, rest), 1.0))
        entry = len(run) - 1
        after = [place - entry for place in places if place >= entry]
        early += any(place < entry for place in places)
        delays.append(after[0] if after else None)
    return delays, early


async def extra(flawed: Asking, plain: Asking, text: bytes) -> tuple[float, ...]:
    """What each token of `text` costs more under the flawed model, in nats."""
    found = [(await asking.score((), text)).span for asking in (plain, flawed)]
    if found[0] is None or found[1] is None:
        return ()
    return tuple(np.subtract(found[0].logprob, found[1].logprob, dtype=np.float64).tolist())


def _joined(run: Grown, rest: Grown) -> Grown:
    spans = [span for span in (run.span, rest.span) if span is not None]
    return Grown(run.opening, run.text + rest.text, joined(spans), rest.ended)
