from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from loom.core.span import Span
from loom.store.columns import COLUMNS, decode, encode

INT32 = st.integers(-(2**31), 2**31 - 1)
SMALL = st.integers(0, 300)
FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)
OPTIONAL = COLUMNS[8:]


@st.composite
def spans(draw: st.DrawFn) -> Span:
    count, top = draw(st.integers(0, 5)), draw(st.integers(0, 4))
    whole = draw(st.sampled_from((INT32, SMALL, st.integers(0, 2**24 - 1), st.just(65535))))

    def ints(*shape: int) -> np.ndarray:
        return draw(hn.arrays(np.int32, shape, elements=whole))

    def floats(*shape: int) -> np.ndarray:
        return draw(hn.arrays(np.float32, shape, elements=FLOATS))

    shapes = {"top_sampled": (count, top), "renyi": (count, 8)}
    given_too = draw(st.sets(st.sampled_from(OPTIONAL)))
    return Span(
        ids=ints(count),
        ends=ints(count),
        logprob=floats(count),
        entropy=floats(count),
        varentropy=floats(count),
        rank=ints(count),
        top_ids=ints(count, top),
        top_logprobs=floats(count, top),
        **{name: floats(*shapes.get(name, (count,))) for name in given_too},
    )


def same(one: Span, other: Span) -> bool:
    return all(
        (a is None and b is None)
        or (
            a is not None
            and b is not None
            and a.dtype == b.dtype
            and a.shape == b.shape
            and a.tobytes() == b.tobytes()
        )
        for (_, a), (_, b) in zip(one.columns(), other.columns(), strict=True)
    )


@settings(deadline=None)
@given(spans())
def test_every_bit_of_a_span_comes_back(span: Span) -> None:
    assert same(decode(*encode(span)), span)


@pytest.mark.parametrize(
    ("vocabulary", "most"), [(256, 300), (50_257, 300), (128_256, 300), (2**24 - 1, 300)]
)
def test_a_token_with_everything_recorded_takes_at_most_300_bytes(
    span: Callable[..., Span], vocabulary: int, most: int
) -> None:
    full = span(48, top=20, vocabulary=vocabulary)
    assert all(column is not None for _, column in full.columns())
    assert sum(len(blob or b"") for blob in encode(full)[2]) <= most * 48


def test_integers_take_no_more_bytes_than_they_need(span: Callable[..., Span]) -> None:
    sizes = [
        len(encode(span(50, vocabulary=2**bits))[2][COLUMNS.index("top_ids")] or b"") // 1000
        for bits in (8, 16, 24, 31)
    ]
    assert sizes == [1, 2, 3, 4]


def test_columns_that_are_views_or_reversed_come_back(span: Callable[..., Span]) -> None:
    cut = span(12).cut(2, 9)
    assert same(decode(*encode(cut)), cut)


def test_blobs_are_little_endian() -> None:
    one = Span(
        ids=np.array([0x010203], np.int32),
        ends=np.array([5], np.int32),
        logprob=np.array([1.0], np.float32),
        entropy=np.zeros(1, np.float32),
        varentropy=np.zeros(1, np.float32),
        rank=np.zeros(1, np.int32),
        top_ids=np.zeros((1, 0), np.int32),
        top_logprobs=np.zeros((1, 0), np.float32),
    )
    blobs = encode(one)[2]
    assert blobs[0] == b"\x03\x02\x01"
    assert blobs[2] == b"\x00\x00\x80\x3f"


def test_a_column_of_the_wrong_shape_is_refused(span: Callable[..., Span]) -> None:
    good = span(4)
    columns = dict(good.columns()) | {"logprob": good.logprob[:3]}
    with pytest.raises(ValueError, match="logprob"):
        encode(Span(**columns))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["ids", "top_logprobs", "renyi"])
@pytest.mark.parametrize(
    "change", [lambda blob: blob[:-1], lambda blob: blob + b"x", lambda _: b""]
)
def test_a_blob_of_the_wrong_length_is_refused(
    span: Callable[..., Span], name: str, change: Callable[[bytes], bytes]
) -> None:
    count, top, blobs = encode(span(7))
    index = COLUMNS.index(name)
    broken = [change(b) if i == index and b is not None else b for i, b in enumerate(blobs)]
    with pytest.raises(ValueError, match=name):
        decode(count, top, broken)


def test_a_missing_column_is_refused(span: Callable[..., Span]) -> None:
    count, top, blobs = encode(span(2))
    with pytest.raises(ValueError, match="ids"):
        decode(count, top, (None, *blobs[1:]))


def test_a_negative_count_is_refused(span: Callable[..., Span]) -> None:
    _, top, blobs = encode(span(2))
    with pytest.raises(ValueError):
        decode(-2, top, blobs)
