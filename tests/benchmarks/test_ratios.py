"""How ratios are judged, on pairs that the test makes up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle

import pytest

from benchmarks.ratios import HEAD, Contest, Pair, judge, line

PAIRS = [(1.0, 2.0), (1.0, 3.0), (2.0, 2.0)]


def pairs(ending: ExitStack) -> Iterator[Pair]:
    return iter(cycle(PAIRS))


@pytest.mark.parametrize(
    ("goal", "share", "ratio", "reached"),
    [
        (2.0, False, 2.0, True),
        (2.1, False, 2.0, False),
        (0.5, True, 0.5, True),
        (0.4, True, 0.5, False),
        (None, False, 2.0, True),
    ],
)
def test_a_speed_is_to_be_reached_and_a_share_not_to_be_passed(
    goal: float | None, share: bool, ratio: float, reached: bool
) -> None:
    verdict = judge(Contest("ours : theirs", "house", goal, pairs, share=share), 3)
    assert (verdict.ratio, verdict.reached, verdict.samples) == (ratio, reached, 3)
    assert (verdict.ours, verdict.theirs) == (1.0, 2.0)
    assert verdict.facts()["reached"] is reached
    assert ("✗" in line(verdict)) is not reached
    assert line(verdict).count("|") == HEAD.splitlines()[0].count("|")


def test_a_sample_may_need_several_pairs_and_none_is_an_error() -> None:
    assert judge(Contest("a : b", "house", 1, pairs, each=4), 3).samples == 12
    with pytest.raises(RuntimeError, match="nothing to measure"):
        judge(Contest("a : b", "house", 1, lambda ending: iter(())), 3)


def test_what_a_contest_opens_is_closed() -> None:
    closed: list[bool] = []

    def opening(ending: ExitStack) -> Iterator[Pair]:
        ending.callback(closed.append, True)
        yield 1.0, 1.0

    judge(Contest("a : b", "house", 1, opening), 3)
    assert closed == [True]
