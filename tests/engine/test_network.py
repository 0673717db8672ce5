"""Sight: what a model sees of a text that is too long for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.engine.network import seen_from

tokens = st.lists(st.sampled_from([b"a", b" b", b"\n", b"\n\n", b".\n"]), min_size=1, max_size=200)


@given(tokens, st.integers(8, 40), st.integers(0, 1))
def test_the_start_moves_on_only_and_leaves_at_least_half_the_context(
    pieces: list[bytes], context: int, head: int
) -> None:
    before = 0
    for count in range(len(pieces) + 1):
        start = seen_from(context, head, count, pieces.__getitem__)
        assert before <= start <= count
        assert head + count - start <= context
        assert not start or count - start >= context - head - 2 * (context // 4)
        before = start


@given(tokens, st.integers(8, 40))
def test_what_comes_after_does_not_move_the_start(pieces: list[bytes], context: int) -> None:
    for count in range(len(pieces) + 1):
        known = pieces[:count]
        found = seen_from(context, 1, count, known.__getitem__)
        assert found == seen_from(context, 1, count, pieces.__getitem__)


@pytest.mark.parametrize(
    "text, start",
    [
        ("aaaaaaaaaaaaaaaaaaaaaaaa", 8),
        ("aaaaaaaaaa/aaaaaaaaaaaaa", 11),
        ("aaaaaaaaa/aa//aaaaaaaaaa", 14),
        ("aaaaaaaaa//a//aaaaaaaaaa", 11),
        ("aaaaaaa//aaaaaaaaaaaaaaa", 9),
        ("aaaaaaaaaaaaaa///aaaaaaa", 8),
        ("aaaaaa//aaaaaaaaaaaaaaaa", 8),
        ("aaaaaaaaaaaaaaa//aaaaaaa", 8),
    ],
)
def test_it_moves_to_the_next_paragraph_or_else_line(text: str, start: int) -> None:
    pieces = [b"\n" if letter == "/" else letter.encode() for letter in text]
    assert len(pieces) == 24
    assert seen_from(32, 9, len(pieces), pieces.__getitem__) == start
