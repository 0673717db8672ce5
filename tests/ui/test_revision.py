"""Where an edited text branches off, and numbers as glyphs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.ui import glyphs
from loom.ui.revision import Revision, shared_length


@given(st.text(), st.text(), st.text())
def test_the_old_text_up_to_the_branch_and_the_new_one_make_the_new_text(
    common: str, old: str, new: str
) -> None:
    before, after = (common + old).encode(), (common + new).encode()
    at, rest = Revision(5, 0, before).outcome(after)
    assert before[:at] + rest == after
    assert at >= len(common.encode())
    rest.decode()
    before[:at].decode()


@given(st.binary(), st.binary())
def test_what_is_shared_is_shared_also_of_bytes_that_are_no_text(old: bytes, new: bytes) -> None:
    length = shared_length(old, new)
    assert old[:length] == new[:length]


def test_an_accent_that_changes_is_not_cut_in_two() -> None:
    assert shared_length("né".encode(), "nè".encode()) == 1


def test_offsets_count_from_the_node() -> None:
    assert Revision(1, 10, b"abc").outcome(b"abX") == (12, b"X")


@pytest.mark.parametrize(
    ("bits", "width", "drawn"),
    [([], 8, ""), ([0.0], 8, "▁"), ([20.0], 8, "█"), ([0, 0, 20, 20], 2, "▁█")],
)
def test_a_strip_is_the_mean_of_equal_parts(bits: list[float], width: int, drawn: str) -> None:
    assert glyphs.strip(bits, width) == drawn


@given(st.lists(st.floats(0, 40), min_size=1, max_size=200), st.integers(1, 40))
def test_a_strip_is_as_wide_as_it_may_be(bits: list[float], width: int) -> None:
    assert len(glyphs.strip(bits, width)) == min(width, len(bits))


@given(st.floats(0, 1), st.integers(1, 40))
def test_a_bar_fills_its_width(share: float, width: int) -> None:
    assert len(glyphs.bar(share, width)) == width


@pytest.mark.parametrize(
    ("probability", "written"),
    [(0.973, "97 %"), (0.031, "3.1 %"), (0.0002, "0.02 %"), (1e-9, "<0.01 %"), (1.0, "100 %")],
)
def test_percentages_have_as_many_figures_as_help(probability: float, written: str) -> None:
    assert glyphs.percent(probability) == written


@pytest.mark.parametrize(
    ("piece", "shown"),
    [(b" the", "␣the"), (b"\n\n", "⏎⏎"), (b"\t", "⇥"), (b"\xe2\x80", "\\xe2\\x80"), (b"", "∅")],
)
def test_tokens_can_be_told_apart(piece: bytes, shown: str) -> None:
    assert glyphs.token_text(piece) == shown


@given(st.binary(max_size=64))
def test_no_token_steers_the_terminal(piece: bytes) -> None:
    assert all(ord(c) >= 32 and not 0x7F <= ord(c) < 0xA0 for c in glyphs.token_text(piece))
