"""The end of a text drawn anew: which tokens may repeat it, and as likely as they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from loom.core.recipe import Sampling
from loom.engine.seam import Beginnings, Mending, Seam

TABLE = [b"", b" ", b" l", b" lam", b" lamp", b" lamps", b"a", b"am", b"amp", b"m", b"mp", b"p"]
PIECES = st.lists(st.binary(max_size=4), max_size=40)


def rows_of(seed: int, count: int) -> NDArray[np.float32]:
    """Distributions over TABLE."""
    weights = np.random.default_rng(seed).gamma(0.5, size=(count, len(TABLE))) + 1e-6
    return np.asarray(np.log(weights / weights.sum(axis=1, keepdims=True)), np.float32)


def seam_of(begins: bytes, own: list[int]) -> Seam:
    return Seam.of(begins, own, [TABLE[token] for token in own], Beginnings(TABLE))


@given(PIECES, st.binary(min_size=1, max_size=3))
def test_tokens_that_go_beyond_are_found_like_one_by_one(
    pieces: list[bytes], begins: bytes
) -> None:
    found = Beginnings(pieces, banned={0})
    wanted = [
        token
        for token, piece in enumerate(pieces)
        if token and piece.startswith(begins) and piece != begins
    ]
    assert found.beyond(begins).tolist() == wanted
    assert found.any_beyond(begins) == bool(wanted)


def test_a_seam_lists_at_each_token_what_goes_beyond_the_end() -> None:
    seam = seam_of(b" lam", [2, 7])
    assert [ids.tolist() for ids in seam.beyond] == [[4, 5], [8]]


def test_a_tokenizers_space_before_a_document_is_looked_for_too() -> None:
    tokens = Beginnings([b" Once", b"Onc"])
    assert Seam.of(b"Onc", [1], [b"Onc"], tokens).beyond[0].tolist() == []
    assert Seam.of(b"Onc", [1], [b"Onc"], tokens, lead=b" ").beyond[0].tolist() == [0]


@given(st.integers(0, 1000))
def test_every_way_to_repeat_the_text_is_as_likely_as_the_model_says(seed: int) -> None:
    """P(way | the text begins so), with each way written out: its tokens' probabilities."""
    rows = rows_of(seed, 2)
    p, seam = np.exp(rows.astype(np.float64)), seam_of(b" lam", [2, 7])
    ways = {(4,): p[0, 4], (5,): p[0, 5], (2, 8): p[0, 2] * p[1, 8], (2, 7): p[0, 2] * p[1, 7]}
    total = sum(ways.values())
    weights = seam.weights(rows)
    logq = weights - np.logaddexp.reduce(weights, axis=1, keepdims=True)
    for way, wanted in ways.items():
        found = sum(logq[stage, token] for stage, token in enumerate(way))
        assert np.exp(found) == pytest.approx(wanted / total)


def test_draws_are_as_frequent_as_likely_and_their_spans_say_how_likely() -> None:
    rows, seam = rows_of(3, 2), seam_of(b" lam", [2, 7])
    mending = Mending(seam, rows, Sampling(), [], 5)
    drawn = [mending.drawn(seed) for seed in range(4000)]
    assert {(4,), (5,), (2, 8), (2, 7)} == set(drawn)
    for way in set(drawn):
        spans = mending.spans(way, [TABLE[token] for token in way])
        logprobs = [span.logprob[0] for span in spans]
        sampled = [span.sampled_logprob[0] for span in spans if span.sampled_logprob is not None]
        assert logprobs == [rows[stage, token] for stage, token in enumerate(way)]
        share = drawn.count(way) / len(drawn)
        assert share == pytest.approx(float(np.exp(sum(sampled))), abs=0.03)


def test_a_sampler_that_cuts_hard_chooses_among_what_repeats_the_text() -> None:
    rows = rows_of(1, 2)
    rows[:, 6] = 0.0  # by far the likeliest, and none that repeats the text
    for sampling in (Sampling(temperature=0), Sampling(top_p=0.01), Sampling(top_k=1)):
        tokens = Mending(seam_of(b" lam", [2, 7]), rows, sampling, [], 5).drawn(7)
        assert b"".join(TABLE[token] for token in tokens).startswith(b" lam")


def test_a_bias_counts_among_what_repeats_the_text() -> None:
    biased = Sampling(logit_bias=((5, 50.0), (6, 99.0)))
    assert Mending(seam_of(b" lam", [2, 7]), rows_of(2, 2), biased, [], 5).drawn(1) == (5,)
