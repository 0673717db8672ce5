"""Glyphs, lines and pages: what is drawn where."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from loom.core.text import decode, visible
from loom.ui.widgets import wrapping
from loom.ui.widgets.page import Page
from loom.ui.widgets.wrapping import clip, glyphs, is_simple, wrap

PIECES = st.sampled_from(
    [
        "a",
        "word",
        " ",
        "  ",
        "-",
        "—",
        "…",
        "\t",
        "漢",
        "字。",
        "「",
        "é",
        "e\u0301",
        "👩",
        "👩‍👧",
        "❤️",
        "ﷺ",
    ]
    + ["\u200d", "\u0301", "\ufe0f", "\xad", "\u200b", "한", "🇫🇷"]
)
TEXTS = st.lists(PIECES, max_size=60).map("".join)
PLAIN = st.text("ab -—’", max_size=80)
BYTES = st.one_of(
    st.lists(st.one_of(PIECES, st.sampled_from(["\n", "\r\n", "\x1b", "\x07"])), max_size=60)
    .map("".join)
    .map(str.encode),
    st.binary(max_size=40),
)


def lines(text: str, width: int) -> list[str]:
    starts = wrap(text, width)
    return [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]


def test_lines_break_after_spaces() -> None:
    assert lines("the sea was grey", 8) == ["the sea ", "was grey"]


def test_one_space_hangs_over_the_edge() -> None:
    assert lines("abcd efgh", 4) == ["abcd ", "efgh"]


def test_words_longer_than_a_line_are_cut() -> None:
    assert lines("abcdefghij", 4) == ["abcd", "efgh", "ij"]


def test_lines_break_at_hyphens_inside_words_only() -> None:
    assert lines("well-known", 7) == ["well-", "known"]
    assert lines("ab --flag", 6) == ["ab ", "--flag"]


def test_wide_characters_take_two_columns_and_may_break_between() -> None:
    assert lines("漢字漢字漢", 5) == ["漢字", "漢字", "漢"]


def test_closing_marks_never_begin_a_line() -> None:
    assert lines("漢字漢字。", 8) == ["漢字漢", "字。"]


def test_marks_stay_with_what_they_stand_on() -> None:
    assert [glyph.drawn for glyph in glyphs("e\u0301x")] == ["e\u0301", "x"]
    assert [glyph.drawn for glyph in glyphs("👩‍👧!")] == ["👩‍👧", "!"]


def test_a_mark_on_nothing_gets_a_circle() -> None:
    assert [(glyph.drawn, glyph.width) for glyph in glyphs("\u0301a")] == [("◌\u0301", 1), ("a", 1)]


def test_a_joiner_between_letters_is_not_drawn() -> None:
    assert "".join(glyph.drawn for glyph in glyphs("a\u200db")) == "ab"


@given(TEXTS)
def test_glyphs_cover_the_text_and_are_as_wide_as_the_screen_thinks(text: str) -> None:
    found = glyphs(text)
    assert [g.start for g in found] == [0, *(g.stop for g in found[:-1])][: len(found)]
    assert not text or found[-1].stop == len(text)
    for glyph in found:
        assert glyph.drawn == "\t" or cell_len(glyph.drawn) == glyph.width > 0
    drawn = "".join(glyph.drawn for glyph in found if glyph.drawn != "\t")
    assert cell_len(drawn) == sum(glyph.width for glyph in found)


@given(PLAIN, st.integers(2, 12))
def test_simple_text_wraps_as_any_other(text: str, width: int) -> None:
    assert is_simple(text)
    assert wrap(text, width) == wrapping._wrap_glyphs(text, width)


@given(TEXTS, st.integers(2, 12), st.data())
def test_wrapping_can_go_on_from_any_line(text: str, width: int, data: st.DataObject) -> None:
    starts = wrap(text, width)
    index = data.draw(st.integers(0, len(starts) - 1))
    assert starts[:index] + wrap(text, width, starts[index]) == starts


@given(TEXTS, st.integers(2, 12), st.integers(1, 40))
def test_a_long_line_is_wrapped_piece_by_piece_as_in_one(text: str, width: int, size: int) -> None:
    whole = wrap(text, width)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wrapping, "PIECE", size)
        assert wrap(text, width) == whole


@given(TEXTS, st.integers(1, 20))
def test_clipped_text_fits_and_says_how_wide_it_is(text: str, width: int) -> None:
    shown, used = clip(text, width)
    assert cell_len(shown.replace("\t", " ")) == used <= width


def test_clipped_text_ends_in_an_ellipsis() -> None:
    assert clip("the sea was grey", 9) == ("the sea…", 8)
    assert clip("漢字漢字", 6) == ("漢字…", 5)
    assert clip("漢字漢", 6) == ("漢字漢", 6)


def page_of(data: bytes, width: int = 10) -> Page:
    page = Page(width)
    page.replace_tail(0, data)
    return page


def drawn(page: Page) -> list[str]:
    return ["".join(page.line(y).drawn) for y in range(page.line_count)]


def test_a_page_shows_control_characters_as_symbols() -> None:
    assert drawn(page_of(b"a\x1b[1m\x07")) == ["a␛[1m␇"]


def test_a_line_end_opens_a_new_line_with_or_without_carriage_return() -> None:
    assert drawn(page_of(b"one\r\ntwo\n")) == ["one", "two", ""]


def test_tabs_reach_the_next_stop() -> None:
    assert drawn(page_of(b"ab\tc")) == ["ab  c"]


@given(BYTES, st.integers(2, 12))
def test_every_byte_is_on_the_line_it_is_said_to_be_on(data: bytes, width: int) -> None:
    page = page_of(data, width)
    found = [page.line(y) for y in range(page.line_count)]
    assert [line.start for line in found] == [0, *(line.stop for line in found[:-1])]
    assert found[-1].stop == page.length == len(data)
    for byte in range(len(data)):
        line = found[page.line_of(byte)]
        assert line.start <= byte < line.stop
        assert 0 <= line.column(byte) <= line.width <= width + 1


@given(BYTES, st.integers(2, 12))
def test_no_control_character_is_ever_drawn(data: bytes, width: int) -> None:
    for line in drawn(page_of(data, width)):
        assert line == visible(line) and "\n" not in line and "\t" not in line


@given(st.lists(BYTES, max_size=5), st.integers(2, 12), st.data())
def test_a_page_changed_piece_by_piece_equals_a_new_one(
    parts: list[bytes], width: int, data: st.DataObject
) -> None:
    page, text = Page(width), b""
    for part in parts:
        keep = data.draw(st.integers(0, len(text)))
        before = drawn(page)
        text = text[:keep] + part
        first = page.replace_tail(keep, part)
        fresh = page_of(text, width)
        assert drawn(page) == drawn(fresh)
        for y in range(page.line_count):
            one, other = page.line(y), fresh.line(y)
            assert one[:3] == other[:3] and list(one.bytes) == list(other.bytes)
            assert one.widths == other.widths
        assert drawn(page)[:first] == before[:first]


@settings(max_examples=20)
@given(BYTES, st.integers(2, 12), st.integers(2, 12))
def test_another_width_is_the_same_as_a_page_of_that_width(
    data: bytes, width: int, other: int
) -> None:
    page = page_of(data, width)
    page.set_width(other)
    assert drawn(page) == drawn(page_of(data, other))


def test_appending_to_a_long_paragraph_wraps_its_end_only(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(1)
    text = " ".join("x" * rng.randint(1, 9) for _ in range(20_000)).encode()
    page = page_of(text, 80)
    wrapped: list[int] = []

    def counting(text: str, width: int, start: int = 0) -> list[int]:
        wrapped.append(len(text) - start)
        return wrap(text, width, start)

    monkeypatch.setattr("loom.ui.widgets.page.wrap", counting)
    page.replace_tail(page.length, b" more")
    assert 0 < sum(wrapped) <= 200
    assert decode(text + b" more").endswith(drawn(page)[-1])
