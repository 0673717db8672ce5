"""The belief is the same by whatever steps one got there, and no more than the scores say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loom.instruments.sources.api import (
    HAZARD,
    NULL,
    Belief,
    Pair,
    Scores,
    Source,
    SourceSet,
    Tempering,
)
from loom.instruments.sources.filtering import advance, begin, beliefs_along, posterior
from loom.instruments.sources.layout import layout

AS_IT_IS = Tempering(1.0, 0.0)

temperings = st.builds(Tempering, st.floats(0.001, 2.0), st.floats(-0.5, 1.5))
counts = st.lists(st.integers(1, 3), min_size=1, max_size=6)


def set_of(frames: list[int], null: float = 0.1) -> SourceSet:
    """One source with so many frames each, and rising priors."""
    sources = tuple(
        Source(f"s{row}", tuple(f"{row}.{frame}" for frame in range(count)), prior=1.0 + row)
        for row, count in enumerate(frames)
    )
    return SourceSet("some", "", sources, null)


def scores_of(ratio: NDArray[Any]) -> Scores:
    count = len(ratio)
    unknown = np.full(count, np.nan, np.float32)
    return Scores(np.full(count, -2.0, np.float32), ratio.astype(np.float32), unknown)


def drawn(seed: int, count: int, wanted: SourceSet, scale: float = 1.0) -> Scores:
    shape = (count, len(wanted.frames) - 1)
    return scores_of(np.random.default_rng(seed).normal(0, scale, shape))


def part(scores: Scores, start: int, stop: int) -> Scores:
    cut = slice(start, stop)
    return Scores(scores.logprob[cut], scores.ratio[cut], scores.information[cut])


def test_before_any_token_the_belief_is_the_prior() -> None:
    wanted = set_of([1, 2], null=0.2)
    found = posterior(wanted, begin(wanted), calibrated=True)
    assert found.null == pytest.approx(0.2)
    assert {one.name: one.probability for one in found.standings} == pytest.approx(
        {"s0": 0.8 / 3, "s1": 1.6 / 3}
    )
    assert [one.bits for one in found.standings] == [0.0, 0.0]
    assert begin(wanted).weights == pytest.approx([0.2, 0.8 / 3, 0.8 / 3, 0.8 / 3])


@settings(deadline=None)
@given(st.integers(0, 2**32), counts, st.integers(0, 40), st.integers(0, 40), temperings)
def test_a_branch_and_the_whole_path_agree_exactly(
    seed: int, frames: list[int], first: int, second: int, tempering: Tempering
) -> None:
    wanted = set_of(frames)
    scores = drawn(seed, first + second, wanted)
    whole, course = advance(wanted, begin(wanted), scores, tempering)
    middle, before = advance(wanted, begin(wanted), part(scores, 0, first), tempering)
    end, after = advance(wanted, middle, part(scores, first, first + second), tempering)
    assert (end.weights == whole.weights).all()
    assert (end.bits == whole.bits).all()
    assert end.tokens == whole.tokens == first + second
    assert (np.concatenate([before.shares, after.shares]) == course.shares).all()
    assert (np.concatenate([before.moved, after.moved]) == course.moved).all()


@settings(deadline=None)
@given(st.integers(0, 2**32), counts, st.integers(1, 60), temperings, st.floats(0.1, 100))
def test_weights_are_a_distribution_however_loud_the_scores(
    seed: int, frames: list[int], count: int, tempering: Tempering, scale: float
) -> None:
    wanted = set_of(frames)
    after, course = advance(wanted, begin(wanted), drawn(seed, count, wanted, scale), tempering)
    assert after.weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert (after.weights >= HAZARD * layout(wanted).prior * (1 - 1e-12)).all()
    assert course.shares.sum(axis=1) == pytest.approx(np.ones(count), abs=1e-5)
    assert (course.moved >= 0).all() and (course.entropy >= 0).all()


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40), temperings)
def test_a_frame_that_was_not_rescored_keeps_its_share_relative_to_the_null(
    seed: int, count: int, tempering: Tempering
) -> None:
    wanted = set_of([1, 1, 1])
    ratio = drawn(seed, count, wanted).ratio.copy()
    ratio[:, 1] = np.nan
    before = begin(wanted).weights
    after, _ = advance(wanted, begin(wanted), scores_of(ratio), tempering)
    assert after.weights[2] / after.weights[0] == pytest.approx(before[2] / before[0])
    assert after.bits[2] == 0.0
    rescored = np.array([True, True, False, True])
    found = posterior(wanted, after, calibrated=True, rescored=rescored)
    assert {one.name: one.rescored for one in found.standings} == {
        "s0": True,
        "s1": False,
        "s2": True,
    }


def test_without_hazard_and_tempering_it_is_bayes() -> None:
    wanted = set_of([1, 1, 2])
    scores = drawn(5, 12, wanted, scale=0.3)
    after, _ = advance(wanted, begin(wanted), scores, AS_IT_IS, hazard=0.0)
    total = np.concatenate([[0.0], scores.ratio.astype(float).sum(axis=0)])
    bayes = layout(wanted).prior * np.exp(total)
    assert after.weights == pytest.approx(bayes / bayes.sum())
    assert after.bits == pytest.approx(total / np.log(2))


def test_each_token_counts_as_the_tempering_says_by_its_place_in_the_passage() -> None:
    wanted = set_of([1])
    tempering = Tempering(0.5, 0.5)
    ratio = np.full((1, 1), 0.7, np.float32)
    prior = layout(wanted).prior
    for tokens, eta in ((0, 1.0), (63, 1.0), (255, 0.5), (1023, 0.25)):
        before = Belief(prior.copy(), np.zeros(2), tokens)
        after, _ = advance(wanted, before, scores_of(ratio), tempering, hazard=0.0)
        odds = np.log(after.weights[1] / after.weights[0]) - np.log(prior[1] / prior[0])
        assert odds == pytest.approx(0.7 * eta, rel=1e-6)


def test_what_is_read_late_counts_as_much_as_what_is_remembered() -> None:
    wanted, tempering = set_of([1]), Tempering(0.2, 0.5)
    ratio = np.full((600, 1), 0.05, np.float32)
    prior = layout(wanted).prior
    ends = []
    for tokens in (256, 20_000):
        before = Belief(prior.copy(), np.zeros(2), tokens)
        after, _ = advance(wanted, before, scores_of(ratio), tempering)
        ends.append(after.weights[1])
    assert ends[0] == ends[1] > prior[1] + 0.05


def test_the_belief_comes_back_after_a_change_of_source() -> None:
    wanted = set_of([1, 1])
    ratio = np.array([[3.0, -3.0]] * 40 + [[-3.0, 3.0]] * 6)
    _, course = advance(wanted, begin(wanted), scores_of(ratio), AS_IT_IS)
    assert course.names == (NULL, "s0", "s1")
    assert course.shares[39].argmax() == 1
    assert course.shares[-1].argmax() == 2
    # That is what the hazard is for: without it, 34 more tokens would be needed.
    _, stubborn = advance(wanted, begin(wanted), scores_of(ratio), AS_IT_IS, hazard=0.0)
    assert stubborn.shares[-1].argmax() == 1


def test_what_moved_the_belief_is_the_divergence_from_the_belief_before() -> None:
    wanted = set_of([1, 1])
    _, course = advance(wanted, begin(wanted), drawn(3, 5, wanted), AS_IT_IS)
    of = layout(wanted)
    shares = np.vstack([of.members @ of.prior, course.shares]).astype(float)
    by_hand = (shares[1:] * np.log2(shares[1:] / shares[:-1])).sum(axis=1)
    assert course.moved == pytest.approx(by_hand, abs=1e-5)
    assert course.entropy == pytest.approx(
        -(shares[1:] * np.log2(shares[1:])).sum(axis=1), abs=1e-5
    )


def test_beliefs_along_a_stretch_begin_before_its_first_token() -> None:
    wanted = set_of([2, 1])
    scores = drawn(8, 7, wanted)
    along = beliefs_along(wanted, begin(wanted), scores.ratio, AS_IT_IS)
    after, _ = advance(wanted, begin(wanted), scores, AS_IT_IS)
    assert along.shape == (8, 4)
    assert (along[0] == begin(wanted).weights).all()
    assert (along[-1] == after.weights).all()


def test_nothing_read_changes_nothing() -> None:
    wanted = set_of([1, 2])
    after, course = advance(wanted, begin(wanted), drawn(0, 0, wanted), AS_IT_IS)
    assert (after.weights == begin(wanted).weights).all() and after.tokens == 0
    assert course.shares.shape == (0, 3)


def test_a_source_is_as_likely_as_the_mean_of_its_frames() -> None:
    wanted = set_of([2])
    belief = Belief(np.array([0.1, 0.6, 0.3]), np.array([0.0, 3.0, 1.0]), 4)
    (standing,) = posterior(wanted, belief, calibrated=True).standings
    assert standing.probability == pytest.approx(0.9)
    assert standing.bits == pytest.approx(np.log2((2**3 + 2**1) / 2))


def test_evidence_of_thousands_of_bits_is_still_a_number() -> None:
    wanted = set_of([2, 1])
    belief = Belief(np.array([0.25] * 4), np.array([0.0, 5000.0, -5000.0, -9000.0]), 4)
    found = {one.name: one.bits for one in posterior(wanted, belief, calibrated=True).standings}
    assert found == pytest.approx({"s0": 4999.0, "s1": -9000.0})


def test_standings_come_from_the_likeliest_on_and_the_null_may_lead() -> None:
    wanted = set_of([1, 1, 1])
    belief = Belief(np.array([0.4, 0.1, 0.3, 0.2]), np.array([0.0, -2.0, 1.0, 0.5]), 9)
    found = posterior(wanted, belief, calibrated=False, following=0.25)
    assert [one.name for one in found.standings] == ["s1", "s2", "s0"]
    assert found.leading is None
    assert (found.calibrated, found.tokens, found.following) == (False, 9, 0.25)
    assert found.worlds == pytest.approx(2**found.entropy)
    assert found.entropy == pytest.approx(1.8464, abs=1e-4)


def test_a_pair_is_shown_by_its_log_odds_in_bits() -> None:
    sources = (Source("a person", ("p",)), Source("a machine", ("m",)))
    wanted = SourceSet("gauge", "", sources, pairs=(Pair("made", "a machine", "a person"),))
    belief = Belief(np.array([0.2, 0.1, 0.7]), np.zeros(3))
    ((name, odds),) = posterior(wanted, belief, calibrated=True).pairs
    assert name == "made" and odds == pytest.approx(np.log2(7))


def test_a_frame_of_two_sources_is_shared_by_them() -> None:
    wanted = SourceSet("twice", "", (Source("a", ("f",)), Source("b", ("f", "g"))))
    of = layout(wanted)
    assert of.prior == pytest.approx([0.1, 0.675, 0.225])
    assert of.members @ of.prior == pytest.approx([0.1, 0.45, 0.45])
