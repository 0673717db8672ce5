"""Numbers about two readings of the same tokens."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from loom.core.span import Span
from loom.replay.agreement import divergence, largest_difference, tolerance


def span(ids: list[int], logprobs: list[float], tops: list[list[tuple[int, float]]]) -> Span:
    count = len(ids)
    return Span(
        ids=np.array(ids, np.int32),
        ends=np.arange(1, count + 1, dtype=np.int32),
        logprob=np.array(logprobs, np.float32),
        entropy=np.zeros(count, np.float32),
        varentropy=np.zeros(count, np.float32),
        rank=np.zeros(count, np.int32),
        top_ids=np.array([[i for i, _ in row] for row in tops], np.int32),
        top_logprobs=np.array([[p for _, p in row] for row in tops], np.float32),
    )


TOPS = [[(5, -0.5), (6, -1.0)], [(7, -0.7), (8, -0.71)]]


def test_the_largest_difference_is_that_of_one_token() -> None:
    before = span([5, 7], [-0.5, -0.7], TOPS)
    after = replace(before, logprob=np.array([-0.5, -0.95], np.float32))
    assert math.isclose(largest_difference(before, after), 0.25, rel_tol=1e-6)
    assert largest_difference(before, before) == 0


def test_other_tokens_are_infinitely_different() -> None:
    before = span([5, 7], [-0.5, -0.7], TOPS)
    assert largest_difference(before, span([5, 8], [-0.5, -0.71], TOPS)) == math.inf
    assert largest_difference(before, before.cut(0, 1)) == math.inf


def test_a_near_tie_has_a_small_gap_and_another_distribution_a_large_one() -> None:
    before = span([5, 7], [-0.5, -0.7], TOPS)
    tie = divergence(before, span([5, 8], [-0.5, -0.71], [TOPS[0], [(8, -0.7), (7, -0.71)]]))
    assert tie is not None and (tie.index, tie.recorded, tie.found) == (1, 7, 8)
    assert math.isclose(tie.log_gap, 0.01, rel_tol=1e-3)
    other = divergence(before, span([6, 7], [-0.2, -0.7], [[(6, -0.2), (5, -2.0)], TOPS[1]]))
    assert other is not None and other.index == 0
    assert math.isclose(other.log_gap, 1.5, rel_tol=1e-6)
    assert math.isclose(other.gap, math.exp(-0.5) - math.exp(-2.0), rel_tol=1e-6)
    nothing = divergence(before, span([9, 7], [-0.5, -0.7], [[(9, -0.5), (1, -1)], TOPS[1]]))
    assert nothing is not None and nothing.log_gap == math.inf


def test_one_that_begins_with_all_of_the_other_does_not_part() -> None:
    before = span([5, 7], [-0.5, -0.7], TOPS)
    assert divergence(before, before) is None
    assert divergence(before, before.cut(0, 1)) is None


def test_the_less_exact_the_numbers_the_more_is_allowed() -> None:
    assert tolerance("float32") == tolerance("torch.float32") < tolerance("F16")
    assert tolerance("float16") < tolerance("Q8_0") == tolerance("whatever") < tolerance("bfloat16")
