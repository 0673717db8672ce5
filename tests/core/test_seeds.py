from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from loom.core.seeds import branch_seed, uniform

ADDRESSES = st.tuples(st.integers(), st.binary(max_size=16), st.integers(0, 9), st.integers(0, 9))


@given(ADDRESSES)
def test_a_seed_is_fixed_by_its_address_and_survives_json(
    address: tuple[int, bytes, int, int],
) -> None:
    seed = branch_seed(*address)
    assert seed == branch_seed(*address)
    assert 0 <= seed < 2**53
    assert float(seed) == seed


@given(ADDRESSES, ADDRESSES)
def test_another_address_has_another_seed(
    one: tuple[int, bytes, int, int], other: tuple[int, bytes, int, int]
) -> None:
    assert (one == other) == (branch_seed(*one) == branch_seed(*other))


def test_seeds_and_uniforms_never_change_between_versions() -> None:
    assert branch_seed(7, b"place", 1, 2) == 1728677807397764
    assert uniform(1728677807397764, 0) == 0.7526898915730117


@given(st.integers(0, 2**53 - 1), st.integers(0, 10**6))
def test_uniforms_lie_in_the_half_open_interval(seed: int, t: int) -> None:
    assert 0 <= uniform(seed, t) < 1


def test_uniforms_are_uniform_along_a_branch_and_across_branches() -> None:
    for values in (
        [uniform(1, t) for t in range(20_000)],
        [uniform(seed, 0) for seed in range(20_000)],
    ):
        counts = [0] * 20
        for value in values:
            counts[int(value * 20)] += 1
        chi_square = sum((count - 1000) ** 2 / 1000 for count in counts)
        assert chi_square < 43.8  # 99.9 % of χ² with 19 degrees of freedom
        mean = sum(values) / len(values)
        assert abs(mean - 0.5) < 4 * math.sqrt(1 / 12 / len(values))
        lagged = sum((a - 0.5) * (b - 0.5) for a, b in zip(values, values[1:], strict=False))
        assert abs(lagged) / len(values) < 4 / 12 / math.sqrt(len(values))
