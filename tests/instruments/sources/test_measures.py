"""Entropy, Bayesian surprise and expected information, against what they are by definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom.instruments.sources.measures import entropy_bits, information, surprise_bits


def test_entropy_in_bits() -> None:
    assert entropy_bits(np.array([0.25] * 4)) == pytest.approx(2.0)
    assert entropy_bits(np.array([[1.0, 0.0], [0.5, 0.5]])) == pytest.approx([0.0, 1.0])
    assert np.signbit(entropy_bits(np.array([1.0, 0.0]))) == np.False_


def test_surprise_is_how_far_a_belief_moved() -> None:
    half = np.array([0.5, 0.5])
    assert surprise_bits(half, half) == 0.0
    assert surprise_bits(np.array([1.0, 0.0]), half) == pytest.approx(1.0)


def jsd(weights: np.ndarray, rows: np.ndarray) -> float:
    return float(entropy_bits(weights @ rows) - weights @ entropy_bits(rows))


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(2, 12))
def test_it_is_the_divergence_where_every_token_is_listed(
    seed: int, frames: int, size: int
) -> None:
    rng = np.random.default_rng(seed)
    rows, weights = rng.dirichlet(np.ones(size), frames), rng.dirichlet(np.ones(frames))
    order = np.argsort(-rows, axis=1)
    found = information(weights, order, np.log(np.take_along_axis(rows, order, 1)))
    assert found == pytest.approx(jsd(weights, rows), abs=1e-9)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(1, 8))
def test_with_the_tail_unknown_it_lies_between_nothing_and_the_entropy_of_the_belief(
    seed: int, frames: int, top: int
) -> None:
    rng = np.random.default_rng(seed)
    rows, weights = rng.dirichlet(np.full(40, 0.2), frames), rng.dirichlet(np.ones(frames))
    order = np.argsort(-rows, axis=1)[:, :top]
    found = float(information(weights, order, np.log(np.take_along_axis(rows, order, 1))))
    assert -1e-12 <= found <= float(entropy_bits(weights)) + 1e-9


def test_the_likeliest_twenty_rank_as_the_whole_would_and_say_less() -> None:
    """Frames that vary one expectation, from hardly to greatly: 8 over 800 tokens."""
    rng = np.random.default_rng(4)
    usual = -1.2 * np.log(np.arange(1, 801))
    weights = rng.dirichlet(np.ones(8))
    whole, found = [], []
    for apart in (0.1, 0.2, 0.4, 0.8, 1.6):
        rows = np.exp(rng.permuted(usual) + rng.normal(0, apart, (8, 800)))
        rows /= rows.sum(axis=1, keepdims=True)
        order = np.argsort(-rows, axis=1)[:, :20]
        whole.append(jsd(weights, rows))
        found.append(float(information(weights, order, np.log(np.take_along_axis(rows, order, 1)))))
    assert found == sorted(found)
    assert all(
        0.3 * all_of_it < seen < all_of_it for seen, all_of_it in zip(found, whole, strict=True)
    )


def test_frames_that_expect_the_same_tell_nothing_and_those_that_share_nothing_everything() -> None:
    same = np.tile(np.log([0.6, 0.3]), (3, 1))
    assert information(np.ones(3), np.tile([4, 9], (3, 1)), same) == pytest.approx(0.0, abs=1e-12)
    apart = np.array([[1, 2], [3, 4]])
    assert information(np.array([2.0, 2.0]), apart, np.log(np.full((2, 2), 0.5))) == pytest.approx(
        1
    )


def test_a_belief_in_one_source_leaves_nothing_to_be_told() -> None:
    apart = np.array([[1, 2], [3, 4]])
    found = information(np.array([1.0, 0.0]), apart, np.log(np.full((2, 2), 0.5)))
    assert found == pytest.approx(0.0, abs=1e-12)


def test_many_tokens_at_once_are_each_by_itself() -> None:
    rng = np.random.default_rng(1)
    ids = np.stack([[rng.permutation(30)[:5] for _ in range(4)] for _ in range(9)])
    logprobs = np.log(rng.dirichlet(np.ones(8), (9, 4))[..., :5])
    weights = rng.dirichlet(np.ones(4), 9)
    found = information(weights, ids, logprobs)
    one = [information(w, i, p) for w, i, p in zip(weights, ids, logprobs, strict=True)]
    assert found.shape == (9,) and found == pytest.approx(np.array(one))
    assert float(information(weights[0], ids, logprobs)[0]) == pytest.approx(float(one[0]))


def test_missing_entries_are_no_tokens() -> None:
    ids = np.array([[1, 2, 0], [1, 2, 3]])
    logprobs = np.log(np.array([[0.5, 0.5, 1.0], [0.25, 0.25, 0.5]]))
    whole = np.array([[0.5, 0.5, 0.0], [0.25, 0.25, 0.5]])
    for missing in (-np.inf, np.nan):
        logprobs[0, 2] = missing
        assert information(np.array([0.5, 0.5]), ids, logprobs) == pytest.approx(
            jsd(np.array([0.5, 0.5]), whole)
        )
