"""A model of letters is a distribution at every place, and learns what it was shown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom.instruments.sources.letters import Letters


@settings(deadline=None, max_examples=12)
@given(st.lists(st.binary(max_size=60), max_size=3), st.binary(max_size=8), st.integers(1, 7))
def test_after_any_context_the_chances_of_all_bytes_add_up_to_one(
    texts: list[bytes], context: bytes, order: int
) -> None:
    letters = Letters(texts, order)
    last = [letters.logprobs(context + bytes([byte]))[-1] for byte in range(256)]
    assert np.exp(last).sum() == pytest.approx(1.0)


def test_nothing_known_is_eight_bits_a_byte() -> None:
    assert Letters([]).logprobs(b"abc") == pytest.approx([-np.log(256)] * 3)
    assert len(Letters([b"abc"]).logprobs(b"")) == 0


def test_witten_bell_by_hand() -> None:
    """After "aab": p(a) = (2 + 2/256) / (3 + 2); p(b | a) = (1 + 2 p(b)) / (2 + 2)."""
    found = np.exp(Letters([b"aab"], 2).logprobs(b"ab"))
    chance_of_b = (1 + 2 / 256) / 5
    assert found == pytest.approx([(2 + 2 / 256) / 5, (1 + 2 * chance_of_b) / 4])


def test_what_was_read_is_expected_more() -> None:
    letters = Letters([b"the rain in spain stays mainly in the plain. " * 20])
    assert letters.logprobs(b"the rain in spain").mean() > -0.6
    assert letters.logprobs(b"zyxwv utsrq").mean() < -4


def test_texts_are_not_run_together() -> None:
    apart = Letters([b"ab", b"cd"]).logprobs(b"bc")[-1]
    assert apart < Letters([b"abcd"]).logprobs(b"bc")[-1]


def test_the_order_has_bounds() -> None:
    with pytest.raises(ValueError, match="order must be between 1 and 7"):
        Letters([b"a"], 8)
