"""Byte tables: both spellings, raw bytes, refusals; and encoding that gives back every text."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.engine.api import JobFailed
from loom.engine.bytetable import (
    BLOCK,
    ByteExact,
    Entry,
    Inexact,
    Sort,
    Spelling,
    byte_alphabet,
    byte_table,
    spelling_of,
)

LETTERS = {byte: letter for letter, byte in byte_alphabet().items()}


def byte_level(*words: str) -> list[Entry]:
    texts = [*LETTERS.values(), *("".join(LETTERS[b] for b in w.encode()) for w in words)]
    texts = [LETTERS[byte] for byte in range(256)] + texts[256:]
    return [Entry(i, text) for i, text in enumerate(texts)]


def sentencepiece(*words: str) -> list[Entry]:
    texts = [*(f"<0x{byte:02X}>" for byte in range(256)), *words]
    return [Entry(i, text) for i, text in enumerate(texts)]


def test_the_alphabet_is_gpt2s() -> None:
    alphabet = byte_alphabet()
    assert sorted(alphabet.values()) == list(range(256))
    assert (alphabet["A"], alphabet["Ġ"], alphabet["Ċ"], alphabet["ł"]) == (0x41, 0x20, 0x0A, 0xA0)


def test_byte_level_tokens_are_bytes() -> None:
    table = byte_table(byte_level(" the", "é", "日本"), 260)
    assert table[256:] == [b" the", "é".encode(), "日本".encode(), b""]
    assert table[0xFF] == b"\xff"


def test_sentencepiece_tokens_are_bytes() -> None:
    table = byte_table(sentencepiece("▁the", "▁▁", "é", "<0x0a>"), 260)
    assert table[256:] == [b" the", b"  ", "é".encode(), b"<0x0a>"]
    assert table[0x0A] == b"\n"


def test_added_tokens_are_literal_and_control_tokens_are_nothing() -> None:
    entries = [
        *byte_level(),
        Entry(256, "  é", Sort.LITERAL),
        Entry(257, "<|endoftext|>", Sort.CONTROL),
    ]
    assert byte_table(entries, 258)[256:] == ["  é".encode(), b""]


def test_a_control_token_lends_its_place_among_raw_bytes() -> None:
    raw = [Entry(0, "<|nul|>", Sort.CONTROL), *byte_level()[1:]]
    assert byte_table(raw, 256) == [bytes([byte]) for byte in range(256)]
    shifted = [Entry(0, "<|nul|>", Sort.CONTROL), *(Entry(e.id + 1, e.text) for e in byte_level())]
    assert byte_table(shifted, 257)[0] == b""


def test_a_vocabulary_without_bytes_is_refused() -> None:
    with pytest.raises(Inexact, match="single bytes"):
        spelling_of([Entry(0, "the"), Entry(1, "▁the")])
    with pytest.raises(Inexact, match="0x41"):
        byte_table([e for e in byte_level() if e.text != "A"], 256)
    with pytest.raises(Inexact):
        byte_table([e for e in sentencepiece("A") if e.text != "<0x41>"], 257)


def test_bytes_that_no_text_has_may_be_missing() -> None:
    entries = [e for e in byte_level() if e.id not in (0xC0, 0xFF)]
    exact = ByteExact(byte_table(entries, 256), lambda run: list(run.encode()))
    assert exact.encode(b"a\xfe", start=True) == (0x61, 0xFE)
    with pytest.raises(JobFailed, match="0xFF"):
        exact.encode(b"a\xff", start=True)


def careless(run: str) -> Sequence[int]:
    """A tokenizer that normalises, drops and gives up."""
    return list(run.lower().replace("\r", "").strip().encode())


texts = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40).map(str.encode),
    st.text("▁ \r\nABthe日本e\u0301👩\u200d", max_size=40).map(str.encode),
)


@given(texts, st.booleans(), st.booleans())
def test_whatever_the_tokenizer_does_the_bytes_are_the_texts(
    text: bytes, start: bool, dummy: bool
) -> None:
    for entries, spelling in (
        (byte_level(" the", "日本", "\r\n"), Spelling.BYTE_LEVEL),
        (sentencepiece("▁", "▁the", "日本", "\r\n"), Spelling.SENTENCEPIECE),
    ):
        table = byte_table(entries, len(entries))
        exact = ByteExact(table, careless, dummy=dummy, spelling=spelling)
        ids = exact.encode(text, start=start)
        assert b"".join(exact.spelled(ids, start=start)) == text


def test_where_the_tokenizer_fails_the_longest_pieces_are_taken() -> None:
    table = byte_table(byte_level("th", "the", " the"), 259)
    exact = ByteExact(table, careless)
    assert exact.encode(b"THE the", start=False) == (0x54, 0x48, 0x45, 258)


def test_control_tokens_are_not_used_to_write() -> None:
    entries = [Entry(0, "<|nul|>", Sort.CONTROL), *byte_level("the")[1:]]
    exact = ByteExact(byte_table(entries, 257), careless, usable=lambda token: token != 256)
    assert exact.encode(b"The\x00", start=False) == (0x54, 0x68, 0x65, 0)


def test_a_literal_mark_for_space_stays_one() -> None:
    entries = sentencepiece("▁", "▁▁")
    table = byte_table(entries, len(entries))
    exact = ByteExact(table, lambda run: [256] * len(run), spelling=Spelling.SENTENCEPIECE)
    assert exact.encode(" ▁".encode(), start=False) == (256, 0xE2, 0x96, 0x81)


def test_a_long_text_is_encoded_in_blocks_that_end_with_a_line() -> None:
    text = b"a line of text\nand another\n\n" * (BLOCK // 8)
    seen: list[str] = []

    def tokenizer(run: str) -> Sequence[int]:
        seen.append(run)
        return list(run.encode())

    exact = ByteExact(byte_table(byte_level(), 256), tokenizer)
    assert bytes(exact.encode(text, start=True)) == text
    assert len(seen) > 2 and max(map(len, seen)) <= 2 * BLOCK
    assert all(run.endswith("t\n") for run in seen[:-1])
    assert bytes(exact.encode(b"x" * (5 * BLOCK), start=True)) == b"x" * (5 * BLOCK)
