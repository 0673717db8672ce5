"""Prefixes: what is found is right, the bound holds, the least used goes first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.engine.prefixes import Prefixes, Values, Wholes

Text = tuple[int, ...]

VALUES: Values[Text] = Values(len, lambda value, start, stop: value[start:stop])


def prefixes_of(limit: int) -> Prefixes[Text]:
    """The value of a piece is its own ids, a byte each."""
    return Prefixes(limit, VALUES)


def remembered(prefixes: Prefixes[Text], ids: Text) -> Text:
    """The beginning of `ids` as put together from the stretches, each of which holds its tokens."""
    joined: Text = ()
    for stretch in prefixes.longest(ids):
        assert stretch.start == len(joined)
        joined += stretch.value[: stretch.stop - stretch.start]
    return joined


def keep(prefixes: Prefixes[Text], ids: Text) -> None:
    start = prefixes.known(ids)
    prefixes.put(ids, start, ids[start:])


text = st.lists(st.integers(0, 2), max_size=9).map(tuple)
texts = st.lists(text, max_size=12)


def common(a: Text, b: Text) -> int:
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )


@given(texts, text)
def test_the_longest_known_beginning_is_found(kept: list[Text], asked: Text) -> None:
    prefixes = prefixes_of(10_000)
    for ids in kept:
        keep(prefixes, ids)
    expected = max((common(ids, asked) for ids in kept), default=0)
    assert remembered(prefixes, asked) == asked[:expected]
    assert prefixes.known(asked) == expected


@given(texts, st.integers(0, 20), text)
def test_the_bound_holds_and_what_is_left_is_still_right(
    kept: list[Text], limit: int, asked: Text
) -> None:
    prefixes = prefixes_of(limit)
    for ids in kept:
        keep(prefixes, ids)
        assert prefixes.bytes <= limit
    found = remembered(prefixes, asked)
    assert found == asked[: len(found)]


@given(texts)
def test_a_shared_beginning_is_held_once(kept: list[Text]) -> None:
    prefixes = prefixes_of(10_000)
    for ids in kept:
        keep(prefixes, ids)
    assert prefixes.bytes == len({ids[:n] for ids in kept for n in range(1, len(ids) + 1)})


@given(texts, st.integers(0, 20))
def test_the_bytes_counted_are_those_held(kept: list[Text], limit: int) -> None:
    prefixes = prefixes_of(limit)
    for ids in kept:
        keep(prefixes, ids)
    held = {remembered(prefixes, ids)[:n] for ids in kept for n in range(1, len(ids) + 1)}
    assert prefixes.bytes == len(held - {()})


@given(st.lists(text.filter(bool), min_size=1, max_size=12), st.integers(1, 20))
def test_the_newest_is_there_unless_it_alone_is_too_large(kept: list[Text], limit: int) -> None:
    prefixes = prefixes_of(limit)
    for ids in kept:
        keep(prefixes, ids)
        assert prefixes.known(ids) == len(ids) or len(ids) > limit


def test_the_least_recently_used_leaf_is_dropped_and_what_others_share_stays() -> None:
    prefixes = prefixes_of(8)
    keep(prefixes, (1, 1, 1, 1))
    keep(prefixes, (1, 1, 2, 2))
    assert (prefixes.bytes, len(prefixes)) == (6, 3)
    prefixes.longest((1, 1, 1, 1))
    keep(prefixes, (1, 1, 3, 3, 3))
    assert prefixes.known((1, 1, 2, 2)) == 2
    assert prefixes.known((1, 1, 1, 1)) == 4
    assert prefixes.known((1, 1, 3, 3, 3)) == 5
    assert prefixes.bytes == 7


def test_the_end_of_a_long_text_goes_before_the_beginning_that_is_in_use() -> None:
    prefixes = prefixes_of(12)
    keep(prefixes, (1,) * 10)
    keep(prefixes, (1, 1, 2))
    keep(prefixes, (1, 1, 3, 3, 3, 3))
    assert prefixes.known((1,) * 10) == 2
    assert [prefixes.known(ids) for ids in ((1, 1, 2), (1, 1, 3, 3, 3, 3))] == [3, 6]


def test_many_go_for_one_that_is_large_the_least_used_first_and_no_other_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prefixes, looks = prefixes_of(200), 0
    pieces = Prefixes._pieces

    def counted(of: Prefixes[Text]) -> Iterator[Any]:
        nonlocal looks
        looks += 1
        return pieces(of)

    for number in range(100):
        keep(prefixes, (number, 0))
    for number in range(40):
        prefixes.longest((number, 0))
    monkeypatch.setattr(Prefixes, "_pieces", counted)
    keep(prefixes, (100, *range(119)))
    assert looks == 0 and prefixes.bytes == 200
    assert [n for n in range(101) if prefixes.known((n, 0))] == [*range(40), 100]


class Looking(Prefixes[Text]):
    """Looks at all pieces to find those that go, however many there are."""

    def _shrink(self, newest: Any) -> None:
        while self.bytes > self._limit:
            leaves = [piece for piece in self._pieces() if not piece.children]
            self._drop(min(leaves, key=lambda piece: (piece is newest, piece.used)))


@given(st.lists(st.tuples(st.booleans(), text), max_size=40), st.integers(1, 25))
def test_those_go_that_one_would_find_by_looking_at_all(
    steps: list[tuple[bool, Text]], limit: int
) -> None:
    quick, slow = prefixes_of(limit), Looking(limit, VALUES)
    for asked, ids in steps:
        for one in (quick, slow):
            if asked:
                one.longest(ids)
            else:
                keep(one, ids)
        assert {piece.ids.tobytes() for piece in quick._pieces()} == {
            piece.ids.tobytes() for piece in slow._pieces()
        }
        assert all(quick.known(ids) == slow.known(ids) for _, ids in steps)


def test_what_is_used_again_and_again_takes_no_more_room() -> None:
    prefixes = prefixes_of(100)
    for number in range(20):
        keep(prefixes, (number, 0))
    for _ in range(100):
        for number in range(20):
            prefixes.longest((number, 0))
    assert len(prefixes._leaves) < 200


def test_what_alone_is_too_large_is_not_kept_and_drops_nothing() -> None:
    prefixes = prefixes_of(4)
    keep(prefixes, (1, 2))
    keep(prefixes, (5,) * 9)
    assert prefixes.known((1, 2)) == 2
    assert prefixes.known((5,) * 9) == 0


@pytest.mark.parametrize("start", [1, 3])
def test_a_value_that_does_not_follow_on_what_is_known_is_refused(start: int) -> None:
    prefixes = prefixes_of(10)
    keep(prefixes, (1, 2))
    with pytest.raises(ValueError, match="known"):
        prefixes.put((1, 2, 3, 4), start, (3,))


def test_clear_forgets_everything() -> None:
    prefixes = prefixes_of(10)
    keep(prefixes, (1, 2))
    prefixes.clear()
    assert (prefixes.bytes, len(prefixes), prefixes.known((1, 2))) == (0, 0, 0)


# values that can't be cut


def test_whole_values_are_found_only_at_their_full_length() -> None:
    wholes: Wholes[str] = Wholes(100, len)
    wholes.put((1, 2, 3), "abc")
    wholes.put((1, 2, 3, 4), "abcd")
    assert wholes.longest((1, 2)) is None
    assert wholes.longest((1, 2, 3, 9)) == ("abc", 3)
    assert wholes.longest((1, 2, 3, 4, 5)) == ("abcd", 4)
    assert (1, 2, 3) in wholes and (1, 2) not in wholes


def test_the_least_used_whole_value_goes_first_and_the_bound_holds() -> None:
    wholes: Wholes[str] = Wholes(6, len)
    wholes.put((1,), "ab")
    wholes.put((2,), "cd")
    wholes.put((1,), "ef")
    assert (wholes.bytes, len(wholes)) == (4, 2)
    wholes.put((3,), "ghi")
    assert wholes.longest((2,)) is None
    assert (wholes.longest((1,)), wholes.longest((3,))) == (("ef", 1), ("ghi", 1))
    wholes.put((4,), "too large")
    assert (wholes.bytes, len(wholes)) == (5, 2)
