"""One benchmark, and how it is measured: rounds until the time is up, the median reported.

Knows clocks, not what is being measured.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

Work = Callable[[], int]
"""One round; returns how many units it did."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """`prepare` makes the input, outside the clock, and returns the work; what must be closed or
    removed when that has been measured it leaves in the stack."""

    name: str
    unit: str
    prepare: Callable[[ExitStack], Work]


@dataclass(frozen=True, slots=True)
class Result:
    """Units a second in each round."""

    name: str
    unit: str
    rates: tuple[float, ...]
    seconds_a_round: float

    @property
    def median(self) -> float:
        return statistics.median(self.rates)

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, as a part of the median; 0 for one round."""
        if len(self.rates) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.rates, n=4, method="inclusive")
        return (high - low) / 2 / self.median


def measure(
    benchmark: Benchmark, seconds: float, clock: Callable[[], float] = time.perf_counter
) -> Result:
    """One round to warm up, then at least three, and more until `seconds` have passed."""
    rates: list[float] = []
    spent: list[float] = []
    with ExitStack() as ending:
        work = benchmark.prepare(ending)
        work()
        while len(rates) < 3 or sum(spent) < seconds:
            begun = clock()
            units = work()
            spent.append(max(clock() - begun, 1e-9))
            rates.append(units / spent[-1])
    return Result(benchmark.name, benchmark.unit, tuple(rates), statistics.median(spent))
