"""Repetition is counted in integers, and the same wherever the path is cut."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from loom.instruments.repeats import GRAMS, SCHEMA_WINDOW, Ints, Memory, Repeats

NAMES = ("loop", "period", "schema", "words", "grams")


def read(pieces: Sequence[bytes], cuts: Sequence[int] = ()) -> tuple[Memory, Repeats]:
    """Cut at those places, what is remembered kept as JSON in between."""
    ids = np.array([zlib.crc32(piece) >> 1 for piece in pieces])
    memory, parts = Memory.empty(), []
    for start, stop in pairwise([0, *cuts, len(pieces)]):
        memory = Memory.of(json.loads(json.dumps(memory.kept())))
        memory, part = memory.after(ids[start:stop], pieces[start:stop])
        parts.append(part)
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in NAMES}
    return memory, Repeats(**columns)


def words(text: str) -> list[bytes]:
    return [f" {word}".encode() for word in text.split()]


def distinct(count: int, first: int = 0) -> list[bytes]:
    """Words without digits, no two alike."""
    return [b" " + bytes(97 + int(d) for d in str(n + 1000)) for n in range(first, first + count)]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from([b" a", b"b", b"1", b"22", b",", b" c\n", b"", b"\xc3"]), min_size=1),
    st.integers(1, 4),
    st.sets(st.integers(1, 400)),
)
def test_counts_are_the_same_wherever_the_path_is_cut(
    pieces: list[bytes], times: int, cuts: set[int]
) -> None:
    pieces = (pieces * 8)[: 40 * times]
    whole, counts = read(pieces)
    parts, same = read(pieces, sorted(cut for cut in cuts if cut < len(pieces)))
    assert whole.kept() == parts.kept()
    for name in NAMES:
        assert (getattr(counts, name) == getattr(same, name)).all(), name


def naive_loop(codes: Sequence[bytes], place: int) -> int:
    best = 0
    for lag in range(1, min(place, 256) + 1):
        run = 0
        while place - run - lag >= 0 and codes[place - run] == codes[place - run - lag]:
            run += 1
        best = max(best, run if run >= lag else 0)
    return best


def test_a_loop_is_counted_from_its_first_whole_copy() -> None:
    pieces = distinct(30) + distinct(12, 500) * 4
    _, counts = read(pieces)
    assert counts.loop.tolist() == [naive_loop(pieces, place) for place in range(len(pieces))]
    assert counts.loop.tolist() == [0] * 53 + list(range(12, 37))
    assert counts.period[-1] == 12


def test_a_loop_longer_than_is_remembered_goes_on_being_counted() -> None:
    _, counts = read(distinct(256) * 4, cuts=range(100, 1000, 100))
    assert counts.loop[-1] == 768
    assert counts.period[-1] == 256


def schema(slot: Sequence[int]) -> Repeats:
    """Sixty lines of one template; its slots have so many words, by turns."""
    fills, pieces = iter(distinct(200)), list(distinct(150, 300))
    for number in range(60):
        filled = [next(fills) for _ in range(slot[number % len(slot)])]
        pieces += [b"\n", str(number).encode(), *words("then the price of"), *filled]
        pieces += [b",", *words("they said was far too high"), b"."]
    return read(pieces)[1]


def test_a_schema_is_found_behind_changing_numbers_and_words() -> None:
    counts = schema([1])
    assert counts.schema[149] <= 3
    assert counts.words[-1] in (11, 12, 13)
    assert counts.schema[-1] == SCHEMA_WINDOW * 10 // 12
    assert counts.loop.max() < 8


def test_a_schema_is_found_though_its_slots_differ_in_length() -> None:
    assert schema([1, 2]).schema[-1] >= 0.7 * SCHEMA_WINDOW


def test_a_column_of_numbers_is_no_schema() -> None:
    pieces = [part for n in range(300) for part in (str(n * 7919 % 1000).encode(), b"\n")]
    assert read(pieces)[1].schema.max() == 0


def test_words_that_tokens_cut_differently_are_the_same_words() -> None:
    whole = read(words("the number 1234 of them all ") * 20)[0]
    text = b"".join(words("the number 1234 of them all ") * 20)
    parts = read([text[i : i + 2] for i in range(0, len(text), 2)])[0]
    assert whole.kept()["words"] == parts.kept()["words"]
    assert whole.word == parts.word == b"all"


def copies(codes: Sequence[bytes], place: int) -> int:
    window = codes[max(0, place - 255) : place + 1]
    grams = [tuple(window[i : i + 4]) for i in range(len(window) - 3)]
    return len(grams) - len(set(grams))


def test_repeated_sequences_of_four_are_counted_in_the_window_that_is_left_behind() -> None:
    rng = np.random.default_rng(4)
    pieces = [distinct(3)[int(n)] for n in rng.integers(0, 3, 150)] + distinct(400)
    _, counts = read(pieces)
    expected: Ints = np.array([copies(pieces, place) for place in range(len(pieces))])
    assert counts.grams.tolist() == expected.tolist()
    assert counts.grams[-1] == 0 < counts.grams.max() < GRAMS


def test_what_is_remembered_is_small() -> None:
    memory, _ = read([*distinct(300), *distinct(50) * 8])
    assert len(json.dumps(memory.kept())) < 1500
