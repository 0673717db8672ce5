"""Prefixes: what is found is right, the bound holds, the least used goes first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.engine.prefixes import Prefixes

Text = tuple[int, ...]


def remembered(prefixes: Prefixes[Text], ids: Text) -> Text:
    """The beginning of `ids` as put together from the stretches, each of which holds its tokens."""
    joined: Text = ()
    for stretch in prefixes.longest(ids):
        assert stretch.start == len(joined)
        joined += stretch.value[: stretch.stop - stretch.start]
    return joined


def keep(prefixes: Prefixes[Text], ids: Text) -> None:
    start = prefixes.known(ids)
    prefixes.put(ids, start, ids[start:], len(ids) - start)


texts = st.lists(st.lists(st.integers(0, 2), max_size=9).map(tuple), max_size=12)


def common(a: Text, b: Text) -> int:
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )


@given(texts, st.lists(st.integers(0, 2), max_size=9).map(tuple))
def test_the_longest_known_beginning_is_found(kept: list[Text], asked: Text) -> None:
    prefixes: Prefixes[Text] = Prefixes(10_000)
    for ids in kept:
        keep(prefixes, ids)
    expected = max((common(ids, asked) for ids in kept), default=0)
    assert remembered(prefixes, asked) == asked[:expected]
    assert prefixes.known(asked) == expected


@given(texts, st.integers(0, 20), st.lists(st.integers(0, 2), max_size=9).map(tuple))
def test_the_bound_holds_and_what_is_left_is_still_right(
    kept: list[Text], limit: int, asked: Text
) -> None:
    prefixes: Prefixes[Text] = Prefixes(limit)
    for ids in kept:
        keep(prefixes, ids)
        assert prefixes.bytes <= limit
    found = remembered(prefixes, asked)
    assert found == asked[: len(found)]


@given(texts)
def test_a_shared_beginning_is_held_once(kept: list[Text]) -> None:
    prefixes: Prefixes[Text] = Prefixes(10_000)
    for ids in kept:
        keep(prefixes, ids)
    assert prefixes.bytes == len({ids[:n] for ids in kept for n in range(1, len(ids) + 1)})


def test_the_least_recently_used_end_is_dropped() -> None:
    prefixes: Prefixes[Text] = Prefixes(8)
    keep(prefixes, (1, 1, 1, 1))
    keep(prefixes, (1, 1, 2, 2))
    prefixes.longest((1, 1, 1, 1))
    keep(prefixes, (1, 1, 3, 3, 3))
    assert prefixes.known((1, 1, 2, 2)) == 2
    assert prefixes.known((1, 1, 3, 3, 3)) == 5


def test_what_alone_is_too_large_is_not_kept_and_drops_nothing() -> None:
    prefixes: Prefixes[Text] = Prefixes(4)
    keep(prefixes, (1, 2))
    keep(prefixes, (5,) * 9)
    assert prefixes.known((1, 2)) == 2
    assert prefixes.known((5,) * 9) == 0


def test_whole_values_are_found_only_at_their_full_length() -> None:
    prefixes: Prefixes[Text] = Prefixes(100, whole=True)
    prefixes.put((1, 2, 3), 0, (1, 2, 3), 3)
    prefixes.put((1, 2, 3, 4), 0, (1, 2, 3, 4), 4)
    assert prefixes.known((1, 2)) == 0
    assert remembered(prefixes, (1, 2, 3, 9)) == (1, 2, 3)
    assert remembered(prefixes, (1, 2, 3, 4, 5)) == (1, 2, 3, 4)


def test_a_stretch_on_unknown_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="known"):
        Prefixes[Text](10).put((1, 2, 3), 2, (3,), 1)


def test_clear_forgets_everything() -> None:
    prefixes: Prefixes[Text] = Prefixes(10)
    keep(prefixes, (1, 2))
    prefixes.clear()
    assert (prefixes.bytes, len(prefixes), prefixes.known((1, 2))) == (0, 0, 0)
