"""One ratio: ours against theirs, measured in turns so that whatever else the machine does weighs
on both alike; the median of the quotients is reported. Knows no engines."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

HEAD = """| ratio | model | goal | here | quartiles | ours : theirs |
|---|---|---|---|---|---|"""
Pair = tuple[float, float]
"""(ours, theirs), in the same unit: what the one and the other took."""


@dataclass(frozen=True, slots=True)
class Contest:
    """`pairs` yields pairs as long as it is asked; what must be closed it leaves in the stack.

    A goal that is a speed is to be reached: theirs / ours. Where it is a `share` it must not be
    passed: ours / theirs. `unit` is that of what is measured, `each` how many pairs a sample needs.
    """

    name: str
    model: str
    goal: float | None
    pairs: Callable[[ExitStack], Iterator[Pair]]
    share: bool = False
    unit: str = "s"
    each: int = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """`ratio` is the median over `samples`, `low` and `high` the quartiles around it."""

    name: str
    model: str
    ratio: float
    low: float
    high: float
    goal: float | None
    share: bool
    ours: float
    theirs: float
    unit: str
    samples: int

    @property
    def reached(self) -> bool:
        if self.goal is None:
            return True
        return self.ratio <= self.goal if self.share else self.ratio >= self.goal

    def facts(self) -> dict[str, Any]:
        return {**asdict(self), "reached": self.reached}


def judge(contest: Contest, samples: int) -> Verdict:
    """Takes so many samples, or as many as there are. Raises RuntimeError where there are none."""
    with ExitStack() as ending:
        pairs = list(islice(contest.pairs(ending), samples * contest.each))
    if not pairs:
        raise RuntimeError(f"{contest.name} ({contest.model}): there was nothing to measure")
    quotients = [o / t if contest.share else t / o for o, t in pairs]
    low, ratio, high = _quartiles(quotients)
    return Verdict(
        name=contest.name,
        model=contest.model,
        ratio=ratio,
        low=low,
        high=high,
        goal=contest.goal,
        share=contest.share,
        ours=statistics.median(ours for ours, _ in pairs),
        theirs=statistics.median(theirs for _, theirs in pairs),
        unit=contest.unit,
        samples=len(pairs),
    )


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def line(verdict: Verdict) -> str:
    """A row of the table under HEAD; ✗ where the goal is not reached."""
    goal = "–"
    if verdict.goal is not None:
        goal = f"{'≤' if verdict.share else '≥'} {verdict.goal:g}"
    mark = "" if verdict.reached else " ✗"
    return (
        f"| {verdict.name} | {verdict.model} | {goal} | {verdict.ratio:.2f}{mark} | "
        f"{verdict.low:.2f}–{verdict.high:.2f} | "
        f"{_amount(verdict.ours, verdict.unit)} : {_amount(verdict.theirs, verdict.unit)} |"
    )


def _amount(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value * 1000:.3g} ms"
    return f"{value / 2**20:.3g} MiB" if unit == "bytes" else f"{value:.3g} {unit}"
