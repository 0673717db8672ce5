from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from loom.core import sampling
from loom.core.recipe import PRESETS, Sampling
from loom.core.sampling import draw, sampled_logprobs
from loom.core.seeds import uniform

# Few levels, so that ties are common; −inf is what the engine bans.
LEVELS = st.sampled_from([0.0, -0.5, -1.0, -2.5, -7.0, -math.inf])
SAMPLINGS = st.builds(
    Sampling,
    logit_bias=st.lists(
        st.tuples(st.integers(-1, 9), st.sampled_from([2.0, -3.0, -math.inf])), max_size=3
    ).map(tuple),
    repetition_penalty=st.sampled_from([1.0, 1.3, 0.7]),
    repetition_window=st.sampled_from([0, 2, 256]),
    temperature=st.sampled_from([0.0, 0.5, 1.0, 1.7]),
    top_k=st.integers(0, 9),
    top_p=st.sampled_from([0.01, 0.4, 0.85, 1.0]),
    min_p=st.sampled_from([0.0, 0.02, 0.3, 0.99]),
    typical_p=st.sampled_from([0.01, 0.4, 0.85, 1.0]),
)


@st.composite
def rows(draw: st.DrawFn) -> NDArray[np.float32]:
    width = draw(st.integers(1, 8))
    count = draw(st.integers(1, 3))
    levels = draw(
        st.lists(
            st.lists(LEVELS, min_size=width, max_size=width).filter(lambda row: max(row) > -9),
            min_size=count,
            max_size=count,
        )
    )
    return np.array([normal(row) for row in levels], dtype=np.float32)


def normal(logs: Sequence[float]) -> list[float]:
    total = math.log(sum(math.exp(x) for x in logs))
    return [x - total for x in logs]


def kept(logs: list[float], ids: Sequence[int]) -> list[float]:
    return normal([x if i in set(ids) else -math.inf for i, x in enumerate(logs)])


def reach(logs: list[float], order: list[int], mass: float) -> list[int]:
    """The shortest beginning of `order` whose probabilities reach `mass`."""
    total = 0.0
    for count, token in enumerate(order, 1):
        total += math.exp(logs[token])
        if total >= mass:
            return order[:count]
    return order


def naive(logprobs: Sequence[float], s: Sampling, recent: Sequence[int]) -> list[float]:
    """One row, one filter after the other, in plain Python."""
    logs = normal([float(x) for x in logprobs])
    ids = range(len(logs))
    biased = [
        x + sum(bias for token, bias in s.logit_bias if token == i) for i, x in enumerate(logs)
    ]
    if max(biased) > -math.inf:
        logs = normal(biased)
    window = set(recent[-s.repetition_window :]) if s.repetition_window else set()
    logs = normal([x * s.repetition_penalty if i in window else x for i, x in enumerate(logs)])
    if s.temperature == 0:
        return kept(logs, [logs.index(max(logs))])
    logs = normal([x / s.temperature for x in logs])
    order = sorted(ids, key=lambda i: (-logs[i], i))
    if s.top_k:
        logs = kept(logs, order[: s.top_k])
    if s.top_p < 1:
        logs = kept(logs, reach(logs, order, s.top_p))
    if s.min_p:
        floor = max(logs) + math.log(s.min_p)
        logs = kept(logs, [i for i in ids if logs[i] >= floor])
    if s.typical_p < 1:
        entropy = -sum(math.exp(x) * x for x in logs if x > -math.inf)
        odd = [round(abs(-x - entropy), 9) for x in logs]
        logs = kept(logs, reach(logs, sorted(ids, key=lambda i: (odd[i], i)), s.typical_p))
    return logs


def assert_same(one: NDArray[np.float64], other: Sequence[float]) -> None:
    np.testing.assert_allclose(np.exp(one), np.exp(other), atol=1e-6)


@given(rows(), SAMPLINGS, st.lists(st.integers(0, 9), max_size=5))
def test_agrees_with_one_filter_after_the_other_in_plain_python(
    logprobs: NDArray[np.float32], settings: Sampling, recent: list[int]
) -> None:
    result = sampled_logprobs(logprobs, settings, [recent] * len(logprobs))
    assert result.dtype == np.float64
    assert result.shape == logprobs.shape
    for row, expected in zip(result, logprobs, strict=True):
        assert_same(row, naive(expected.tolist(), settings, recent))


@given(rows(), SAMPLINGS)
def test_every_row_is_normalised_and_allows_only_what_the_model_allows(
    logprobs: NDArray[np.float32], settings: Sampling
) -> None:
    result = sampled_logprobs(logprobs, settings, [[0, 1]] * len(logprobs))
    assert not np.isnan(result).any()
    np.testing.assert_allclose(np.exp(result).sum(axis=1), 1)
    assert np.isneginf(result[np.isneginf(logprobs)]).all()


@given(rows(), SAMPLINGS, st.lists(st.integers(0, 9), max_size=5))
def test_a_row_does_not_depend_on_the_rows_beside_it(
    logprobs: NDArray[np.float32], settings: Sampling, recent: list[int]
) -> None:
    together = sampled_logprobs(logprobs, settings, [recent] * len(logprobs))
    for index, row in enumerate(logprobs):
        alone = sampled_logprobs(row[None], settings, [recent])
        np.testing.assert_array_equal(alone[0], together[index])


def test_what_is_given_is_left_as_it_was() -> None:
    logprobs = np.log(np.array([[0.5, 0.3, 0.2]]))
    before = logprobs.copy()
    everything = Sampling(((0, 1.0),), 1.5, 8, 0.7, 2, 0.9, 0.1, 0.9)
    sampled_logprobs(logprobs, everything, [[0, 1]])
    np.testing.assert_array_equal(logprobs, before)


def test_the_neutral_sampler_draws_from_the_models_own_distribution() -> None:
    logprobs = np.log(np.array([[0.5, 0.3, 0.2]], dtype=np.float32))
    np.testing.assert_allclose(
        sampled_logprobs(logprobs, PRESETS["raw"], [[]]), logprobs, atol=1e-7
    )


def test_of_equal_tokens_the_lowest_ids_are_kept() -> None:
    even = np.log(np.full((1, 8), 1 / 8, dtype=np.float32))
    for settings, count in [
        (Sampling(temperature=0), 1),
        (Sampling(top_k=3), 3),
        (Sampling(top_p=0.3), 3),
        (Sampling(typical_p=0.3), 3),
        (Sampling(min_p=0.9), 8),
    ]:
        allowed = np.flatnonzero(np.isfinite(sampled_logprobs(even, settings, [[]])[0]))
        assert allowed.tolist() == list(range(count))


def test_the_filters_work_on_what_the_one_before_left() -> None:
    p = np.log(np.array([[0.4, 0.3, 0.2, 0.1]], dtype=np.float32))
    q = np.exp(sampled_logprobs(p, Sampling(top_k=2, top_p=0.5), [[]])[0])
    np.testing.assert_allclose(q, [1, 0, 0, 0], atol=1e-6)  # 0.4 of 0.7 is more than half
    q = np.exp(sampled_logprobs(p, Sampling(temperature=0.5, min_p=0.3), [[]])[0])
    np.testing.assert_allclose(q, [16 / 25, 9 / 25, 0, 0], atol=1e-6)  # 4 of 16 is less than 0.3


def test_the_penalty_sees_only_the_window() -> None:
    p = np.log(np.array([[0.4, 0.3, 0.3]], dtype=np.float32))
    settings = Sampling(repetition_penalty=2, repetition_window=1)
    result = np.exp(sampled_logprobs(p, settings, [[0, 1]])[0])
    np.testing.assert_allclose(result, np.array([0.4, 0.09, 0.3]) / 0.79, atol=1e-6)


def test_a_bias_that_bans_everything_is_passed_over_and_nothing_at_all_is_refused() -> None:
    p = np.log(np.array([[0.6, 0.4]], dtype=np.float32))
    banned = Sampling(logit_bias=((0, -math.inf), (1, -math.inf)))
    np.testing.assert_allclose(np.exp(sampled_logprobs(p, banned, [[]])), [[0.6, 0.4]], atol=1e-6)
    with pytest.raises(ValueError, match="without any possible token"):
        sampled_logprobs(np.full((1, 3), -np.inf), Sampling(), [[]])


@pytest.mark.parametrize("scale", [0.3, 3.0])
@pytest.mark.parametrize(
    "settings", [Sampling(top_p=0.9), Sampling(typical_p=0.9), Sampling(top_k=50, top_p=0.5)]
)
def test_ranking_only_the_head_of_a_vocabulary_changes_nothing(
    settings: Sampling, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = np.random.default_rng(3).normal(scale=scale, size=(2, 20_000)).round(2)
    logprobs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    fast = sampled_logprobs(logprobs, settings, [[], []])
    monkeypatch.setattr(sampling, "HEAD", 10**9)
    np.testing.assert_array_equal(fast, sampled_logprobs(logprobs, settings, [[], []]))


@given(rows(), st.floats(0, 1, exclude_max=True))
def test_a_draw_is_the_inverse_of_the_cumulative_sum_in_order_of_ids(
    logprobs: NDArray[np.float32], u: float
) -> None:
    logq = sampled_logprobs(logprobs, Sampling(), [[]] * len(logprobs))[0]
    token = draw(logq, u)
    q = np.exp(logq)
    assert q[token] > 0
    assert q[:token].sum() <= u + 1e-12
    assert q[: token + 1].sum() >= u - 1e-12


@pytest.mark.parametrize("u", [0.0, 0.5, 1 - 2**-53])
def test_a_draw_never_takes_what_was_cut_off(u: float) -> None:
    logq = np.log(
        np.array([0.0, 1e-300, 1.0, 0.0]), where=[False, True, True, False], out=np.full(4, -np.inf)
    )
    assert draw(logq, u) in {1, 2}
    assert draw(np.array([-np.inf, 0.0, -np.inf]), u) == 1


def test_draws_with_addressed_uniforms_follow_the_distribution() -> None:
    q = np.array([0.1, 0.2, 0.05, 0.4, 0.25])
    count = 20_000
    drawn = np.bincount([draw(np.log(q), uniform(5, t)) for t in range(count)], minlength=5)
    assert (((drawn - q * count) ** 2) / (q * count)).sum() < 18.5  # 99.9 % of χ², 4 degrees


@given(rows(), SAMPLINGS, st.lists(st.integers(0, 7), max_size=3))
def test_banned_tokens_are_as_if_the_model_had_ruled_them_out(
    logprobs: NDArray[np.float32], settings: Sampling, banned: list[int]
) -> None:
    ids = np.array([i for i in banned if i < logprobs.shape[1]], dtype=np.intp)
    without = logprobs.copy()
    without[:, ids] = -np.inf
    if np.isneginf(without).all(axis=1).any():
        return
    recent: list[list[int]] = [[0]] * len(logprobs)
    found = sampling.choices(logprobs, settings, recent, ids)
    dense = sampled_logprobs(without, settings, recent)
    assert len(found) == len(logprobs)
    for index, row in enumerate(dense):
        part = found.row(index)
        np.testing.assert_array_equal(found.ids[part], np.flatnonzero(np.isfinite(row)))
        np.testing.assert_array_equal(found.logs[part], row[found.ids[part]])
        for u in (0.0, 0.3, 0.999999):
            assert found.draw(index, u) == draw(row, u)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_first_rough_cut_changes_nothing(preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    logits = np.random.default_rng(5).gumbel(scale=2.0, size=(3, 9000)).astype(np.float32)
    fast = sampling.choices(logits, PRESETS[preset], [[]] * 3)
    monkeypatch.setattr(sampling, "SLACK", 1e6)
    slow = sampling.choices(logits, PRESETS[preset], [[]] * 3)
    np.testing.assert_array_equal(fast.ids, slow.ids)
    np.testing.assert_allclose(fast.logs, slow.logs, atol=1e-12)
