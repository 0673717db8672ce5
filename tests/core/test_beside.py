from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loom.core.beside import Reading, Stretch, beside

LENGTH = 20


@st.composite
def readings(draw: st.DrawFn) -> list[Reading]:
    """Tokens in order over LENGTH bytes, some of them missing, some without bytes."""
    edges = sorted(draw(st.lists(st.integers(0, LENGTH), min_size=2, max_size=9)))
    tokens = [
        (start, stop, -float(number + 1))
        for number, (start, stop) in enumerate(zip(edges, edges[1:], strict=False))
    ]
    return [token for token in tokens if draw(st.booleans())]


@given(readings(), readings())
def test_stretches_cover_everything_and_lose_nothing(
    first: list[Reading], second: list[Reading]
) -> None:
    found = beside(LENGTH, first, second)
    assert [s.start for s in found] == [0, *(s.stop for s in found)][: len(found)]
    assert found[-1].stop == LENGTH
    for name, tokens in (("first", first), ("second", second)):
        for stretch in found:
            inside = [t for t in tokens if stretch.start <= t[0] and t[1] <= stretch.stop]
            whole = [t for t in inside if t[1] > t[0]]
            covered = sum(stop - start for start, stop, _ in whole)
            value = getattr(stretch, name)
            assert (value is not None) == (covered == stretch.stop - stretch.start)
            across = [t for t in tokens if t[0] < stretch.stop < t[1]]
            assert not across


def test_tokens_that_are_cut_otherwise_are_added_up() -> None:
    first = [(0, 3, -1.0), (3, 4, -2.0), (4, 6, -4.0)]
    second = [(0, 1, -0.5), (1, 3, -0.25), (3, 6, -8.0)]
    assert beside(6, first, second) == [Stretch(0, 3, -1.0, -0.75), Stretch(3, 6, -6.0, -8.0)]


def test_what_only_one_has_read_is_a_gap_of_the_other() -> None:
    assert beside(4, [(2, 4, -1.0)], [(0, 2, -3.0), (2, 4, -5.0)]) == [
        Stretch(0, 2, None, -3.0),
        Stretch(2, 4, -1.0, -5.0),
    ]
    assert beside(3, [], [(0, 3, -1.0)]) == [Stretch(0, 3, None, -1.0)]


def test_a_token_without_bytes_counts_with_the_one_before() -> None:
    found = beside(2, [(0, 2, -1.0), (2, 2, -0.5)], [(0, 2, -1.0)])
    assert found == [Stretch(0, 2, -1.5, -1.0)]


def test_nothing_has_no_stretches() -> None:
    assert beside(0, [], []) == []
