"""Limits keep their promise whatever the distribution, also where works differ from one another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom.instruments.conformal import LADDER, Floats, fewest_works, ladder, limits


def windows(
    rng: np.random.Generator, works: int, each: int = 6, statistics: int = 5
) -> tuple[Floats, list[int]]:
    """Heavy-tailed statistics that go together, of works that differ more than their windows do."""
    level = rng.normal(0, 2, (works, 1, 1)) + rng.normal(0, 1, (works, 1, statistics))
    rows = np.exp(level + rng.normal(0, 1, (works, each, statistics)))
    return rows.reshape(-1, statistics), np.repeat(np.arange(works), each).tolist()


def alarms(rng: np.random.Generator, works: int, alpha: float) -> float:
    maxima, names = windows(rng, works)
    found = limits(maxima, names, alpha)
    assert found is not None
    unseen, _ = windows(rng, 200)
    return float((unseen > found).any(axis=1).mean())


@pytest.mark.parametrize(("alpha", "works"), [(0.05, 40), (0.05, 150), (0.01, 120)])
def test_windows_of_new_works_pass_the_limits_with_a_chance_of_at_most_alpha(
    alpha: float, works: int
) -> None:
    rng = np.random.default_rng(6)
    rates = [alarms(rng, works, alpha) for _ in range(80)]
    error = np.std(rates) / len(rates) ** 0.5
    assert np.mean(rates) <= alpha + 3 * error


def test_limits_are_not_so_wide_that_they_say_nothing() -> None:
    rng = np.random.default_rng(7)
    rates = [alarms(rng, 150, 0.05) for _ in range(50)]
    assert np.mean(rates) >= 0.02


def test_statistics_that_go_together_cost_no_more_than_one() -> None:
    maxima, works = windows(np.random.default_rng(8), 100, statistics=1)
    one = limits(maxima, works, 0.05)
    same = limits(np.repeat(maxima, 9, axis=1), works, 0.05)
    assert one is not None
    assert same is not None
    assert same.tolist() == one.tolist() * 9


def test_a_work_weighs_the_same_however_long_it_is() -> None:
    maxima, works = windows(np.random.default_rng(9), 50)
    long = np.concatenate([maxima, np.repeat(maxima[:6], 20, axis=0)])
    assert limits(long, works + [works[0]] * 120, 0.05) == pytest.approx(
        limits(maxima, works, 0.05)
    )


@pytest.mark.parametrize("alpha", LADDER)
def test_too_few_works_give_no_limit_rather_than_one_that_does_not_hold(alpha: float) -> None:
    enough = fewest_works(alpha)
    maxima, works = windows(np.random.default_rng(10), enough)
    few = [work < enough - 1 for work in works]
    assert limits(maxima, works, alpha) is not None
    assert limits(maxima[few], [w for w in works if w < enough - 1], alpha) is None


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 60), st.integers(0, 2**32 - 1))
def test_limits_rise_as_alpha_falls_and_are_rounded_up(works: int, seed: int) -> None:
    maxima, names = windows(np.random.default_rng(seed), works)
    alphas, table = ladder(maxima, names)
    assert alphas == [alpha for alpha in LADDER if fewest_works(alpha) <= works]
    for name, row in enumerate(table):
        assert row == sorted(row)
        for alpha, limit in zip(alphas, row, strict=True):
            exact = limits(maxima, names, alpha)
            assert exact is not None
            assert exact[name] <= limit <= exact[name] * 1.001
