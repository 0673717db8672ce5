from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loom.core.endings import EndingCheck
from loom.core.node import Ending
from loom.core.recipe import End, Recipe

TOKEN = re.compile(r" ?\w+|\s|[^\w\s]")


def grow(pieces: Iterable[bytes], recipe: Recipe) -> tuple[bytes, Ending | None]:
    """The text up to the token that ends it, and why it ends."""
    check, text = EndingCheck(recipe), b""
    for piece in pieces:
        text += piece
        ending = check.feed(piece)
        if ending is not None:
            return text, ending
    return text, None


def until(prose: str, end: End) -> tuple[str, Ending | None]:
    pieces = [piece.encode() for piece in TOKEN.findall(prose)]
    text, ending = grow(pieces, Recipe(tokens=200, end=end))
    return text.decode(), ending


@given(st.lists(st.binary(max_size=3), max_size=12), st.integers(1, 10))
def test_the_number_of_tokens_ends_it_at_the_latest(pieces: list[bytes], most: int) -> None:
    check = EndingCheck(Recipe(tokens=most))
    endings = [check.feed(piece) for piece in pieces[:most]]
    assert check.tokens == min(most, len(pieces))
    assert endings[:-1] == [None] * len(endings[:-1])
    assert endings[-1:] == ([Ending.LENGTH] if len(pieces) >= most else endings[-1:])
    assert len(pieces) >= most or endings[-1:] in ([], [None])


@example([b"a", b"a", b"b"], ("ab",))
@given(
    st.lists(st.sampled_from([b"a", b"b", b"ab", b"\xc3", b"\xa9", b"aab"]), max_size=12),
    st.lists(st.sampled_from(["ab", "aab", "bab", "é", "éa", ""]), max_size=3).map(tuple),
)
def test_a_stop_string_ends_it_with_the_token_that_completes_it(
    pieces: list[bytes], stops: tuple[str, ...]
) -> None:
    check = EndingCheck(Recipe(tokens=100, stop=stops))
    text = b""
    for piece in pieces:
        text += piece
        found = any(stop.encode() in text for stop in stops if stop)
        assert check.feed(piece) is (Ending.STOP if found else None)
        if found:
            break


def test_a_stop_string_goes_before_the_length() -> None:
    recipe = Recipe(tokens=3, stop=("THE END",))
    assert grow([b"x TH", b"E E", b"ND!"], recipe) == (b"x THE END!", Ending.STOP)


@pytest.mark.parametrize(
    ("prose", "sentence"),
    [
        ("He ran. Then", "He ran."),
        ("Really? Yes", "Really?"),
        ("Gone… and", "Gone…"),
        ("He met Mr. J. Smith, e.g. here. Then", "He met Mr. J. Smith, e.g. here."),
        ("It was 3.14 metres. Then", "It was 3.14 metres."),
        ("I can't. So", "I can't."),
        ("No. Never", "No."),
        ('She said, "Go. Now." Then', 'She said, "Go. Now."'),
        ("“Wait. Stop!” he said", "“Wait. Stop!”"),
        ("‘It’s over.’ Then", "‘It’s over.’"),
        ("(He left.) Then", "(He left.)"),
        ('." And she left. Then', "."),
        ('" she said. And', '" she said.'),
        ("日本（東京。）次", "日本（東京。）"),
        ("Chapter One\n\nIt", "Chapter One\n\n"),
        ("\n\nIt rained. Then", "\n\nIt rained."),
    ],
)
def test_a_sentence_ends_with_its_closing_quotes(prose: str, sentence: str) -> None:
    assert until(prose, End.SENTENCE) == (sentence, Ending.EDGE)


@pytest.mark.parametrize(
    "prose", ["", "no end", "In 3.14", "Dr.", "it was 5.", "“Not yet. He", "b.c.d", "v1.2 (a. b"]
)
def test_a_sentence_that_is_not_over_goes_on(prose: str) -> None:
    assert until(prose, End.SENTENCE)[1] is None


def test_a_full_stop_after_a_digit_ends_it_once_only_space_follows() -> None:
    assert until("In 1999.\nThen", End.SENTENCE) == ("In 1999.\n", Ending.EDGE)
    assert until("In 1999. Then he left. Now", End.SENTENCE)[0] == "In 1999. Then he left."


def test_one_token_may_hold_the_end_and_more() -> None:
    recipe = Recipe(tokens=9, end=End.SENTENCE)
    assert grow([b"He ran", b". She", b" sat."], recipe) == (b"He ran. She", Ending.EDGE)


def test_an_end_mark_split_over_tokens_counts_when_it_is_whole() -> None:
    recipe = Recipe(tokens=9, end=End.SENTENCE)
    ellipsis, quote = "…".encode(), "”".encode()
    pieces = [b"Oh", ellipsis[:1], ellipsis[1:] + quote[:2], quote[2:], b" x"]
    assert grow(pieces, recipe) == ("Oh…”".encode(), Ending.EDGE)


@pytest.mark.parametrize(
    ("prose", "paragraph"),
    [
        ("One. Two.\n\nThree", "One. Two.\n\n"),
        ("One\r\n\r\nTwo", "One\r\n\r\n"),
        ("One\n \t\nTwo", "One\n \t\n"),
        ("\n\n\nOne\nstill one\n\nTwo", "\n\n\nOne\nstill one\n\n"),
    ],
)
def test_a_paragraph_ends_at_the_blank_line_after_some_text(prose: str, paragraph: str) -> None:
    assert until(prose, End.PARAGRAPH) == (paragraph, Ending.EDGE)


def test_sentences_do_not_end_a_paragraph_nor_edges_a_number_of_tokens() -> None:
    assert until("One. Two. Three\nFour.", End.PARAGRAPH)[1] is None
    assert until("One. Two.\n\nThree", End.TOKENS)[1] is None


@given(st.text(alphabet='aB ."“”()\n.!?1', max_size=40), st.lists(st.integers(1, 5)))
def test_any_prose_in_any_cut_ends_at_an_edge_or_not_at_all(prose: str, sizes: list[int]) -> None:
    pieces, rest = [], prose.encode()
    for size in [*sizes, len(rest)]:
        pieces.append(rest[:size])
        rest = rest[size:]
    for end in (End.SENTENCE, End.PARAGRAPH):
        text, ending = grow(pieces, Recipe(tokens=100, end=end))
        assert ending in {None, Ending.EDGE}
        assert prose.encode().startswith(text)
        if ending is Ending.EDGE:
            assert re.search(rb"\n\s*\n" if end is End.PARAGRAPH else rb"[.!?]|\n\s*\n", text)
        elif end is End.PARAGRAPH:
            assert not re.search(rb"\S\s*?\n[^\S\n]*\n", text)
