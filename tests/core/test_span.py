from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.core.span import TEMPERATURES, Span, joined

OPTIONAL = ("sampled_logprob", "sampled_entropy", "sampled_varentropy", "mass_above")


def span_of_sizes(sizes: list[int], seed: int = 0, drawn: bool = True, top: int = 3) -> Span:
    """Random columns for tokens of so many bytes each."""
    random, count = np.random.default_rng(seed), len(sizes)

    def floats(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return random.normal(size=shape).astype(np.float32)

    return Span(
        ids=random.integers(0, 99, count).astype(np.int32),
        ends=np.cumsum(sizes).astype(np.int32),
        logprob=floats(count),
        entropy=floats(count),
        varentropy=floats(count),
        rank=random.integers(0, 9, count).astype(np.int32),
        top_ids=random.integers(0, 99, (count, top)).astype(np.int32),
        top_logprobs=floats(count, top),
        top_sampled=floats(count, top) if drawn else None,
        renyi=floats(count, len(TEMPERATURES)) if drawn else None,
        **{name: floats(count) if drawn else None for name in OPTIONAL},
    )


SPANS = st.builds(
    span_of_sizes, st.lists(st.integers(0, 5), max_size=8), st.integers(0, 99), st.booleans()
)


def assert_equal(one: Span, other: Span) -> None:
    for (name, mine), (_, theirs) in zip(one.columns(), other.columns(), strict=True):
        assert (mine is None) == (theirs is None), name
        if mine is not None and theirs is not None:
            np.testing.assert_array_equal(mine, theirs, err_msg=name)
            assert mine.dtype == theirs.dtype


@given(SPANS)
def test_tokens_lie_end_to_end_and_carry_their_row(span: Span) -> None:
    tokens = [span[i] for i in range(len(span))]
    assert [token.end for token in tokens] == span.ends.tolist()
    text = bytes(i % 251 for i in range(int(span.ends.max(initial=0))))
    assert span.pieces(text) == tuple(text[token.start : token.end] for token in tokens)
    assert [token.start for token in tokens] == [0, *span.ends.tolist()][: len(span)]
    for i, token in enumerate(tokens):
        assert (token.id, token.rank) == (span.ids[i], span.rank[i])
        assert token.logprob == pytest.approx(float(span.logprob[i]))
        assert [id for id, _ in token.alternatives] == span.top_ids[i].tolist()
        sampled = span.sampled_logprob
        assert token.sampled_logprob == (None if sampled is None else float(sampled[i]))


def test_tokens_count_from_the_end_too_and_stop_there() -> None:
    span = span_of_sizes([2, 3])
    assert span[-1] == span[1]
    assert (span[-1].start, span[-1].end) == (2, 5)
    with pytest.raises(IndexError):
        span[2]


@given(SPANS, st.integers(0, 45))
def test_count_until_is_the_number_of_whole_tokens(span: Span, offset: int) -> None:
    assert span.count_until(offset) == sum(int(end) <= offset for end in span.ends)


@given(SPANS, st.data())
def test_what_is_cut_in_two_joins_to_what_it_was(span: Span, data: st.DataObject) -> None:
    middle = data.draw(st.integers(0, len(span)))
    head, tail = span.cut(0, middle), span.cut(middle, len(span))
    assert len(head) + len(tail) == len(span)
    assert_equal(joined([head, tail]), span)
    if len(tail):
        assert tail[0].start == 0
        assert tail[0].end == span[middle].end - span[middle].start


@given(SPANS, SPANS)
def test_a_joined_span_keeps_an_optional_column_only_if_all_have_it(one: Span, other: Span) -> None:
    both = joined([one, other])
    assert len(both) == len(one) + len(other)
    for name, column in both.columns():
        assert (column is None) == (getattr(one, name) is None or getattr(other, name) is None)
    if len(one) and len(other):
        assert both.ends[-1] == one.ends[-1] + other.ends[-1]


def test_joining_nothing_or_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        joined([])
    with pytest.raises(ValueError, match="dimension"):
        joined([span_of_sizes([1], top=3), span_of_sizes([1], top=4)])


def test_an_alternative_is_a_token_that_was_read_with_the_same_row_behind_it() -> None:
    span = span_of_sizes([2, 3, 4])
    other = span.alternative(1, 2, length=7)
    assert len(other) == 1
    token = other[0]
    assert (token.id, token.start, token.end, token.rank) == (span.top_ids[1, 2], 0, 7, 2)
    assert token.logprob == float(span.top_logprobs[1, 2])
    assert token.entropy == float(span.entropy[1])
    assert token.alternatives == span[1].alternatives
    assert token.sampled_logprob is None
    assert other.mass_above is None


@given(SPANS)
def test_single_tokens_are_what_cutting_gives(span: Span) -> None:
    singles = span.singles()
    assert len(singles) == len(span)
    for index, single in enumerate(singles):
        assert_equal(single, span.cut(index, index + 1))
