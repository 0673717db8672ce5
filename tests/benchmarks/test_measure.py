"""How benchmarks are measured, on a clock that the test winds."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from benchmarks.measure import Benchmark, Work, measure


class Bench:
    """Rounds of 10 units that take as long as they are told to; notes what happened."""

    def __init__(self, *durations: float) -> None:
        self.now = 0.0
        self.durations = list(durations)
        self.log: list[str] = []

    def prepare(self, ending: ExitStack) -> Work:
        self.now += 100
        ending.callback(self.log.append, "closed")
        return self.work

    def work(self) -> int:
        self.log.append("round")
        self.now += self.durations.pop(0)
        return 10

    def benchmark(self) -> Benchmark:
        return Benchmark("bench", "units", self.prepare)


def test_the_median_leaves_out_preparing_and_the_first_round() -> None:
    bench = Bench(50, 1, 2, 4)
    result = measure(bench.benchmark(), 1, clock=lambda: bench.now)
    assert result.rates == pytest.approx((10, 5, 2.5))
    assert (result.median, result.seconds_a_round) == pytest.approx((5, 2))


def test_rounds_go_on_until_the_time_is_up() -> None:
    bench = Bench(1, 1, 1, 1, 1, 1, 1)
    result = measure(bench.benchmark(), 5, clock=lambda: bench.now)
    assert len(result.rates) == 5


def test_what_was_prepared_is_closed_after_the_last_round() -> None:
    bench = Bench(1, 1, 1, 1)
    measure(bench.benchmark(), 1, clock=lambda: bench.now)
    assert bench.log == ["round"] * 4 + ["closed"]


def test_the_spread_is_half_the_distance_between_the_quartiles() -> None:
    bench = Bench(1, 1, 2, 4)
    result = measure(bench.benchmark(), 1, clock=lambda: bench.now)
    assert result.spread == pytest.approx((7.5 - 3.75) / 2 / 5)
