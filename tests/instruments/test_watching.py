"""Folds that don't depend on where a path is cut, and alarms that are raised once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loom.instruments.watching import Floats, crossings, cusum, run, since

ALPHAS = (0.05, 0.02, 0.01)
LIMITS = {"loop": (10.0, 15.0, 20.0), "schema": (10.0, 15.0, 20.0)}

steps = st.lists(st.floats(-3, 3), min_size=2, max_size=40)


@given(steps, st.integers(1, 39), st.floats(0, 5))
def test_sums_are_the_same_to_the_last_bit_wherever_they_are_cut(
    values: list[float], cut: int, before: float
) -> None:
    column = np.array(values)
    first = cusum(column[:cut], before)
    rest = cusum(column[cut:], float(first[-1]))
    assert np.concatenate([first, rest]).tolist() == cusum(column, before).tolist()


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 39), st.integers(0, 9))
def test_runs_and_beginnings_are_the_same_wherever_they_are_cut(
    yes: list[bool], cut: int, before: int
) -> None:
    column, places = np.array(yes), np.arange(100, 100 + len(yes))
    whole_run, whole_since = run(column, before), since(~column, 90, places)
    if cut >= len(yes):
        return
    left = run(column[:cut], before)
    assert [*left, *run(column[cut:], int(left[-1]))] == whole_run.tolist()
    left = since(~column[:cut], 90, places[:cut])
    assert [*left, *since(~column[cut:], int(left[-1]), places[cut:])] == whole_since.tolist()


def test_a_run_counts_from_where_it_began() -> None:
    assert run(np.array([True, True, False, True]), 3).tolist() == [4, 5, 0, 1]
    settled = np.array([False, True, False])
    assert since(settled, 7, np.array([10, 11, 12])).tolist() == [7, 12, 12]


def found(
    loop: list[float], schema: list[float] | None = None, raised: dict[str, int] | None = None
) -> list[tuple[str, int, int]]:
    series: dict[str, Floats] = {"loop": np.array(loop)}
    if schema is not None:
        series["schema"] = np.array(schema)
    state = {} if raised is None else raised
    return list(crossings(series, LIMITS, ALPHAS, state, {"schema": "loop"}))


def test_an_alarm_is_raised_once_and_once_more_when_it_is_sure() -> None:
    assert found([5, 11, 12, 16, 21, 30]) == [("loop", 1, 0), ("loop", 4, 2)]
    assert found([5, 25, 30]) == [("loop", 1, 2)]


def test_it_is_raised_again_only_after_it_has_settled() -> None:
    assert found([11, 9, 11]) == [("loop", 0, 0)]
    assert found([11, 5, 11]) == [("loop", 0, 0), ("loop", 2, 0)]


def test_what_is_explained_is_silent_while_that_lasts_and_stays_said() -> None:
    assert found([11, 11, 11], [0, 12, 12]) == [("loop", 0, 0)]
    assert found([11, 0, 0], [12, 12, 12]) == [("loop", 0, 0)]
    assert found([0, 0, 0], [12, 12, 12]) == [("schema", 0, 0)]


@given(st.lists(st.integers(0, 25), min_size=2, max_size=40), st.integers(1, 39))
def test_alarms_are_the_same_wherever_a_path_is_cut(values: list[int], cut: int) -> None:
    column = [float(value) for value in values]
    whole: dict[str, int] = {}
    parts: dict[str, int] = {}
    expected = found(column, column[::-1], whole)
    first = found(column[:cut], column[::-1][:cut], parts)
    rest = found(column[cut:], column[::-1][cut:], parts) if cut < len(column) else []
    assert first + [(name, place + cut, rung) for name, place, rung in rest] == expected
    assert parts == whole
