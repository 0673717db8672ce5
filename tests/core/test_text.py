from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.core import text
from loom.core.text import ALIGNED, Decoder, decode, visible

SAMPLES = (
    "plain",
    "  two spaces  ",
    "a\r\nb\r\n",
    "👩‍🚀🏽 emoji 🇳🇱",
    "漢字かなカナ。한글",
    "e\u0301 o\u0308 combining",
    "tab\there\x00\x1b[31m",
)
BYTES = st.one_of(
    st.binary(max_size=24),
    st.text(max_size=12).map(str.encode),
    st.lists(
        st.one_of(
            st.sampled_from([sample.encode() for sample in SAMPLES]),
            st.binary(max_size=3),
            st.sampled_from([b"\xf0\x9f\x98", b"\xe2\x82", b"\xc3", b"\xed\xa0\x80", b"\xff"]),
        ),
        max_size=4,
    ).map(b"".join),
)


def pieces(data: bytes, ends: list[int]) -> list[bytes]:
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@given(st.text())
def test_text_survives_the_way_to_bytes_and_back(original: str) -> None:
    assert decode(original.encode()) == original


def test_an_invalid_byte_is_one_replacement_character() -> None:
    assert decode(b"a\xffb") == "a\ufffdb"
    assert decode(b"\xf0\x9f\x98") == "\ufffd" * 3
    assert decode(b"\xed\xa0\x80") == "\ufffd" * 3
    assert decode(b"\xe2\x82x") == "\ufffd\ufffdx"
    assert decode(b"\xf0\x9f\x98\x80") == "😀"


@given(BYTES)
def test_text_and_bytes_stay_aligned_character_by_character(data: bytes) -> None:
    aligned = data.decode("utf-8", ALIGNED)
    assert aligned.encode("utf-8", ALIGNED) == data
    shown = decode(data)
    assert len(shown) == len(aligned)
    for one, other in zip(shown, aligned, strict=True):
        assert one == other or (one == "\ufffd" and 0xDC80 <= ord(other) <= 0xDCFF)


@given(BYTES, st.lists(st.integers(0, 24)))
def test_decoding_in_pieces_is_decoding_the_whole(data: bytes, cuts: list[int]) -> None:
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    decoder = Decoder()
    parts = [decoder.feed(piece) for piece in pieces(data, ends)]
    assert "".join(parts) + decoder.finish() == decode(data)
    assert decoder.feed(b"x") == "x"


def test_a_character_cut_in_two_is_held_back() -> None:
    decoder = Decoder()
    assert decoder.feed("é😀".encode()[:4]) == "é"
    assert decoder.held == "😀".encode()[:2]
    assert decoder.feed("😀".encode()[2:]) == "😀"
    assert decoder.held == b""


@given(st.text())
def test_nothing_that_could_steer_a_terminal_stays(original: str) -> None:
    shown = visible(original)
    assert len(shown) == len(original)
    for character in shown:
        assert (
            unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"} or character in "\n\t"
        )
        assert unicodedata.bidirectional(character) not in {"LRE", "RLE", "LRO", "RLO", "PDF"}
        assert unicodedata.bidirectional(character) not in {"LRI", "RLI", "FSI", "PDI"}


def test_controls_are_shown_as_their_symbols_and_letters_as_they_are() -> None:
    assert visible("\x1b[31m\x00\x7f\r\n\t") == "␛[31m␀␡␍\n\t"
    assert visible("\u202eabc\u2066\x9b\ud800") == "\ufffdabc\ufffd\ufffd\ufffd"
    for plain in ("👩‍🚀", "e\u0301", "漢字", "שלום", "\u00a0\u00ad"):
        assert visible(plain) == plain


@given(BYTES, st.data())
def test_char_and_byte_offsets_are_inverse(data: bytes, picks: st.DataObject) -> None:
    aligned = data.decode("utf-8", ALIGNED)
    starts = [len(aligned[:index].encode("utf-8", ALIGNED)) for index in range(len(aligned) + 1)]
    byte = picks.draw(st.integers(0, len(data)))
    char = text.char_offset(data, byte)
    assert starts[char] <= byte
    assert char == len(aligned) or byte < starts[char + 1]
    assert text.byte_offset(data, char) == starts[char]


@given(BYTES)
def test_words_and_sentences_cut_the_text_without_loss_and_never_inside_a_character(
    data: bytes,
) -> None:
    for edges in (text.word_edges(data), text.sentence_edges(data)):
        assert edges == sorted(set(edges))
        assert b"".join(pieces(data, edges)) == data
        assert all(edge > 0 for edge in edges)
        assert all(text.byte_offset(data, text.char_offset(data, edge)) == edge for edge in edges)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("The keeper  hadn't", ["The", " keeper", " ", " hadn't"]),
        ("“No,” he said.", ["“", "No", ",”", " he", " said", "."]),
        ("a\r\n\r\n b\n", ["a", "\r\n", "\r\n", " b", "\n"]),
        ("漢字です ok", ["漢", "字", "で", "す", " ok"]),
        ("cafe\u0301 हिन्दी", ["cafe\u0301", " हिन्दी"]),
        ("trailing  ", ["trailing", "  "]),
        ("3.14-ish", ["3", ".", "14", "-", "ish"]),
    ],
)
def test_words_take_the_space_before_them(line: str, words: list[str]) -> None:
    data = line.encode()
    assert [piece.decode() for piece in pieces(data, text.word_edges(data))] == words


@pytest.mark.parametrize(
    ("prose", "sentences"),
    [
        ("One. Two! Three?", ["One. ", "Two! ", "Three?"]),
        ("“Stop!” he said. Mr. J. Low ran.", ["“Stop!” ", "he said. ", "Mr. J. Low ran."]),
        (
            "Pi is 3.14, e.g. here. Can't. No. End",
            ["Pi is 3.14, e.g. here. ", "Can't. ", "No. ", "End"],
        ),
        ("Title\n\nBody… and more.\n", ["Title\n\n", "Body… ", "and more.\n"]),
        ("日本。次。", ["日本。", "次。"]),
        ("no end", ["no end"]),
    ],
)
def test_sentences_end_where_a_reader_would_say(prose: str, sentences: list[str]) -> None:
    data = prose.encode()
    assert [piece.decode() for piece in pieces(data, text.sentence_edges(data))] == sentences


def test_what_no_model_has_read_is_cut_into_words() -> None:
    data = b"Hello there friend"
    assert text.token_edges(data, [3, 5]) == [3, 5, 11, 18]
    assert text.token_edges(data, []) == text.word_edges(data)
    assert text.token_edges(b"Hello", [3, 5, 9]) == [3, 5]
    assert text.token_edges(b"", []) == []
