"""A fitted tempering is the one under which the filter's own posterior loses least."""

from __future__ import annotations

import numpy as np
import pytest

from loom.instruments.sources.api import NULL, Scores, Source, SourceSet, Tempering
from loom.instruments.sources.filtering import advance, begin
from loom.instruments.sources.tempering import (
    DEFAULT,
    LENGTHS,
    Example,
    Losses,
    closed_form,
    eta_at,
    fit,
)

K = 4
WANTED = SourceSet("four", "", tuple(Source(f"s{row}", (f"{row}",)) for row in range(K)))
NAMES = (NULL, *(source.name for source in WANTED.sources))


def examples(
    count: int, *, inflated: float = 1.0, tokens: int = 256, drift: float = 0.02, seed: int = 1
) -> list[Example]:
    """Gaussian ratios whose posterior is right as it is, then blown up: what misspecified frames
    do. For a passage of source r, log p_s/p_0 has mean ±drift and variance 2·drift."""
    rng = np.random.default_rng(seed)
    found = []
    for place in range(count):
        right = int(rng.choice(K + 1, p=[0.1] + [0.9 / K] * K))
        noise = rng.normal(0, np.sqrt(2 * drift), (tokens, K))
        mean = np.full(K, -drift)
        if right:
            mean[right - 1] = drift
        ratio = ((noise + mean) * inflated).astype(np.float32)
        empty = np.full(tokens, np.nan, np.float32)
        found.append(Example(Scores(empty, ratio, empty), NAMES[right], f"work {place % 20}"))
    return found


def test_eta_falls_with_the_place_in_the_passage_and_never_exceeds_one() -> None:
    tempering = Tempering(0.5, 0.5)
    assert eta_at(tempering, np.array([0, 63, 255, 1023])) == pytest.approx([1.0, 1.0, 0.5, 0.25])
    assert eta_at(Tempering(0.1, 0.0), np.arange(5)) == pytest.approx([0.1] * 5)
    assert eta_at(DEFAULT, np.array([255])) == pytest.approx([DEFAULT.eta])


def test_scores_that_are_right_as_they_are_are_left_nearly_alone() -> None:
    found = fit(WANTED, examples(250), hazard=0.0)
    assert 0.75 <= eta_at(found, np.array([127]))[0] <= 1.0
    assert (found.tokens, found.works, found.delta) == (250 * 256, 20, None)


def test_scores_that_say_everything_eight_times_are_taken_at_an_eighth() -> None:
    found = fit(WANTED, examples(250, inflated=8.0), hazard=0.0)
    assert eta_at(found, np.array([127]))[0] == pytest.approx(1 / 8, rel=0.25)


def test_scores_that_say_nothing_count_for_nothing() -> None:
    rng = np.random.default_rng(3)
    noise = [
        Example(one.scores, NAMES[int(rng.integers(K + 1))], one.work)
        for one in examples(120, inflated=8.0)
    ]
    found = fit(WANTED, noise)
    assert eta_at(found, np.array([127]))[0] < 0.02


def test_the_loss_is_that_of_the_filters_posterior_works_alike() -> None:
    """Also for passages of different lengths, of which a work may have several."""
    some = [
        Example(*(one.scores if tokens == 256 else _cut(one.scores, tokens), one.source, work))
        for one, tokens, work in zip(
            examples(4, inflated=3.0), (256, 100, 40, 256), ("a", "a", "b", "c"), strict=True
        )
    ]
    by_hand = []
    for length in LENGTHS:
        by_work: dict[str, list[float]] = {}
        for scores, source, work in some:
            if len(scores) >= length:
                _, course = advance(WANTED, begin(WANTED), scores, Tempering(0.3, 0.2))
                share = float(course.shares[length - 1, NAMES.index(source)])
                by_work.setdefault(work, []).append(-np.log(share))
        by_hand.append(np.mean([np.mean(each) for each in by_work.values()]))
    assert Losses.of(WANTED, some)(0.3, 0.2) == pytest.approx(np.mean(by_hand), rel=1e-4)


def _cut(scores: Scores, tokens: int) -> Scores:
    return Scores(scores.logprob[:tokens], scores.ratio[:tokens], scores.information[:tokens])


def test_nowhere_near_is_the_loss_less() -> None:
    some = examples(80, inflated=5.0)
    found, losses = fit(WANTED, some), Losses.of(WANTED, some)
    best = losses(found.eta, found.gamma)
    for eta in (0.7, 0.9, 1.1, 1.4):
        for gamma in (-0.2, 0.0, 0.2):
            assert losses(found.eta * eta, found.gamma + gamma) >= best - 1e-3
    assert best < losses(1.0, 0.0)


def test_frames_that_were_not_rescored_say_nothing() -> None:
    (one, *_) = examples(1)
    ratio = one.scores.ratio.copy()
    ratio[:, 1:] = np.nan
    zeroed = np.nan_to_num(ratio, nan=0.0)
    empty = one.scores.logprob
    missing = Losses.of(WANTED, [Example(Scores(empty, ratio, empty), "s0", "w")])
    nothing = Losses.of(WANTED, [Example(Scores(empty, zeroed, empty), "s0", "w")])
    assert missing(0.5, 0.0) == nothing(0.5, 0.0)


def test_passages_of_fewer_tokens_than_the_least_length_are_no_ground_to_stand_on() -> None:
    with pytest.raises(ValueError, match="no passage of 16 tokens"):
        fit(WANTED, examples(3, tokens=15))


def test_the_closed_form_finds_what_gaussian_ratios_are_worth() -> None:
    rng = np.random.default_rng(2)
    exact = rng.normal(3.0, np.sqrt(6.0), 4000)
    assert closed_form(exact) == pytest.approx(1.0, rel=0.06)
    assert closed_form(exact * 5) == pytest.approx(closed_form(exact) / 5)


def test_fit_and_closed_form_agree_on_two_sources() -> None:
    """At one length, with one prior for both and no hazard, which is what the closed form is of."""
    rng = np.random.default_rng(6)
    two = SourceSet("two", "", (Source("a", ("a",)),), null_prior=0.5)
    some, ratios = [], []
    for place in range(600):
        right = bool(rng.integers(2))
        ratio = np.zeros((16, 1), np.float32)
        ratio[:] = 6 * rng.normal(1.0 if right else -1.0, np.sqrt(2)) / 16
        ratios.append(float(ratio.sum()) * (1 if right else -1))
        empty = np.zeros(16, np.float32)
        some.append(Example(Scores(empty, ratio, empty), "a" if right else NULL, f"{place}"))
    found = fit(two, some, hazard=0.0)
    mean = float(eta_at(found, np.arange(16)).mean())
    assert mean == pytest.approx(closed_form(np.array(ratios)), rel=0.15)
