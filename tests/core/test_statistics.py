from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from loom.core import statistics
from loom.core.recipe import Sampling
from loom.core.sampling import sampled_logprobs
from loom.core.span import TEMPERATURES, Span
from loom.core.statistics import read_columns, span_of

Array = NDArray[Any]


@st.composite
def reads(draw: st.DrawFn) -> tuple[Array, Array]:
    """(logprobs float32[T, V], chosen int[T]); values on a grid, so that ties are common."""
    rows, width = draw(st.integers(1, 5)), draw(st.integers(1, 7))
    grid = draw(arrays.arrays(np.int8, (rows, width), elements=st.integers(-8, 8)))
    logits = grid.astype(np.float64)
    logits[:, 1:][draw(arrays.arrays(np.bool_, (rows, width - 1)))] = -np.inf
    logprobs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    chosen = [draw(st.sampled_from(np.flatnonzero(np.isfinite(row)).tolist())) for row in logits]
    return logprobs.astype(np.float32), np.array(chosen, dtype=np.int32)


def order(row: Array) -> list[int]:
    return sorted(range(len(row)), key=lambda i: (-row[i], i))


def moments(row: Array) -> tuple[float, float]:
    terms = [(math.exp(x), -float(x)) for x in row if x > -math.inf]
    mean = sum(p * s for p, s in terms)
    return mean, sum(p * (s - mean) ** 2 for p, s in terms)


def close(one: Array | None, other: Any) -> None:
    assert one is not None
    np.testing.assert_allclose(one, np.asarray(other, dtype=np.float64), rtol=1e-5, atol=2e-6)


def check_read(span: Span, logprobs: Array, chosen: Array, top: int) -> None:
    for t, row in enumerate(logprobs):
        mean, variance = moments(row)
        ranked = order(row)
        close(span.entropy[t], mean)
        close(span.varentropy[t], variance)
        assert span.logprob[t] == row[chosen[t]]
        assert span.rank[t] == ranked.index(chosen[t])
        assert span.top_ids[t].tolist() == ranked[:top]
        assert span.top_logprobs[t].tolist() == row[ranked[:top]].tolist()


def check_drawn(span: Span, logq: Array, chosen: Array) -> None:
    assert span.mass_above is not None
    assert span.renyi is not None
    for t, row in enumerate(logq):
        ranked = order(row)
        above = ranked[: ranked.index(chosen[t])]
        close(span.mass_above[t], sum(math.exp(row[i]) for i in above))
        expected = [
            math.log(sum(math.exp(float(x) / T) for x in row if x > -math.inf))
            for T in TEMPERATURES
        ]
        close(span.renyi[t], expected)


@given(reads(), st.integers(1, 9))
def test_the_columns_of_read_text_agree_with_the_formulas(
    read: tuple[Array, Array], top: int
) -> None:
    logprobs, chosen = read
    span = span_of(logprobs, chosen, np.arange(len(chosen)), top)
    check_read(span, logprobs, chosen, top)
    assert all(column is None for _, column in span.columns()[8:])


@given(reads(), st.integers(1, 9))
def test_a_draw_from_the_models_own_distribution_has_no_sampled_columns(
    read: tuple[Array, Array], top: int
) -> None:
    logprobs, chosen = read
    span = span_of(logprobs, chosen, np.arange(len(chosen)), top, drawn=True)
    check_read(span, logprobs, chosen, top)
    check_drawn(span, logprobs, chosen)
    assert [name for name, column in span.columns() if column is None] == [
        "sampled_logprob",
        "sampled_entropy",
        "sampled_varentropy",
        "top_sampled",
    ]


@given(
    reads(),
    st.builds(
        Sampling,
        temperature=st.sampled_from([0.0, 0.6, 1.4]),
        top_k=st.integers(0, 4),
        min_p=st.sampled_from([0.0, 0.1]),
    ),
)
def test_the_samplers_columns_agree_with_the_formulas(
    read: tuple[Array, Array], sampling: Sampling
) -> None:
    logprobs, _ = read
    logq = sampled_logprobs(logprobs, sampling, [[]] * len(logprobs))
    chosen = logq.argmax(axis=1)
    span = span_of(logprobs, chosen, np.arange(len(chosen)), 4, sampled=logq, drawn=True)
    check_read(span, logprobs, chosen, 4)
    check_drawn(span, logq, chosen)
    assert span.sampled_entropy is not None
    assert span.sampled_varentropy is not None
    close(span.sampled_logprob, [row[i] for row, i in zip(logq, chosen, strict=True)])
    close(span.sampled_entropy, [moments(row)[0] for row in logq])
    close(span.sampled_varentropy, [moments(row)[1] for row in logq])
    close(span.top_sampled, [row[ids] for row, ids in zip(logq, span.top_ids, strict=True)])


@given(reads())
def test_the_dtypes_are_those_a_span_is_stored_with(read: tuple[Array, Array]) -> None:
    logprobs, chosen = read
    logq = sampled_logprobs(logprobs, Sampling(temperature=0.9), [[]] * len(logprobs))
    span = span_of(logprobs, chosen, range(len(chosen)), 3, sampled=logq, drawn=True)
    for name, column in span.columns():
        whole = name in {"ids", "ends", "rank", "top_ids"}
        assert column is not None
        assert column.dtype == (np.int32 if whole else np.float32)
        assert len(column) == len(chosen)


@given(reads())
def test_a_row_does_not_depend_on_the_rows_beside_it(read: tuple[Array, Array]) -> None:
    logprobs, chosen = read
    together = span_of(logprobs, chosen, range(len(chosen)), 3, drawn=True)
    for t in range(len(chosen)):
        alone = span_of(logprobs[t : t + 1], chosen[t : t + 1], [0], 3, drawn=True)
        for (name, one), (_, other) in zip(alone.columns(), together.columns(), strict=True):
            if one is not None and other is not None and name != "ends":
                np.testing.assert_allclose(one[0], other[t], rtol=1e-6, atol=1e-7)


@given(st.lists(reads(), min_size=1, max_size=1), st.integers(1, 20))
def test_blocks_change_nothing(read: list[tuple[Array, Array]], block: int) -> None:
    logprobs, chosen = read[0]
    whole = read_columns(logprobs, chosen, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "BLOCK", block)
        parts = read_columns(logprobs, chosen, 3)
    for name, column in whole.items():
        np.testing.assert_allclose(column, parts[name], rtol=1e-6)


def test_a_certain_token_has_no_entropy_and_a_uniform_one_no_varentropy() -> None:
    certain = np.array([[-np.inf, 0.0, -np.inf]], dtype=np.float32)
    span = span_of(certain, [1], [1], 2, drawn=True)
    assert (span.entropy[0], span.varentropy[0], span.rank[0]) == (0, 0, 0)
    assert span.renyi is not None
    np.testing.assert_array_equal(span.renyi, np.zeros((1, 8)))
    even = np.full((1, 50_000), -math.log(50_000), dtype=np.float32)
    span = span_of(even, [7], [1], 5)
    close(span.entropy, [math.log(50_000)])
    assert span.varentropy[0] < 1e-9
    assert span.top_ids.tolist() == [[0, 1, 2, 3, 4]]
    assert span.rank[0] == 7


def test_no_rows_make_empty_columns_of_the_right_shape() -> None:
    nothing = np.empty((0, 9), dtype=np.float32)
    span = span_of(nothing, [], [], 4, sampled=nothing.astype(np.float64), drawn=True)
    assert len(span) == 0
    assert span.top_ids.shape == (0, 4)
    assert span.renyi is not None
    assert span.renyi.shape == (0, 8)
