"""Columns that grow at their end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.core.gathering import Gathering
from loom.core.span import NAMES, Span, joined


def span_of(count: int, seed: int, drawn: bool = True, top: int = 2) -> Span:
    random = np.random.default_rng(seed)

    def floats(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return random.normal(size=shape).astype(np.float32)

    return Span(
        ids=random.integers(0, 99, count).astype(np.int32),
        ends=np.cumsum(random.integers(0, 5, count)).astype(np.int32),
        logprob=floats(count),
        entropy=floats(count),
        varentropy=floats(count),
        rank=random.integers(0, 9, count).astype(np.int32),
        top_ids=random.integers(0, 99, (count, top)).astype(np.int32),
        top_logprobs=floats(count, top),
        sampled_logprob=floats(count) if drawn else None,
        renyi=floats(count, 8) if drawn else None,
    )


PARTS = st.lists(st.builds(span_of, st.integers(0, 70), st.integers(0, 99), st.booleans()))


def assert_equal(one: Span, other: Span) -> None:
    for name in NAMES:
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None) == (theirs is None), name
        if mine is not None:
            assert mine.dtype == theirs.dtype and np.array_equal(mine, theirs), name


@given(PARTS, st.lists(st.booleans(), min_size=1))
def test_what_is_gathered_is_what_would_be_joined(parts: list[Span], looks: list[bool]) -> None:
    gathering = Gathering()
    shown = []
    for count, part in enumerate(parts, start=1):
        gathering.add(part)
        assert len(gathering) == sum(map(len, parts[:count]))
        if looks[count % len(looks)]:
            shown.append((count, gathering.span()))
    for count, span in shown:
        assert span is not None
        assert_equal(span, joined(parts[:count]))


def test_there_is_no_span_before_the_first_part() -> None:
    assert Gathering().span() is None


def test_another_number_of_alternatives_is_refused() -> None:
    gathering = Gathering()
    gathering.add(span_of(3, 0, top=2))
    assert gathering.span() is not None
    gathering.add(span_of(3, 0, top=5))
    with pytest.raises(ValueError):
        gathering.span()
