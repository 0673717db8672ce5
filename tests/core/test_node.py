from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.core.node import Author, Ending, Node, Place, place_hash
from loom.core.span import Span

MODEL = Node(1, 0, 0, Author.MODEL, b"one two", ended=Ending.LENGTH)
WRITER = replace(MODEL, author=Author.WRITER)


def span(ids: list[int], ends: list[int]) -> Span:
    zeros = np.zeros(len(ids), np.float32)
    table: Any = np.zeros((len(ids), 1))
    return Span(
        ids=np.array(ids, np.int32),
        ends=np.array(ends, np.int32),
        logprob=zeros,
        entropy=zeros,
        varentropy=zeros,
        rank=zeros.astype(np.int32),
        top_ids=table.astype(np.int32),
        top_logprobs=table.astype(np.float32),
    )


TOKENS = span([5, 6, 7], [3, 4, 7])


def test_a_node_is_immutable_and_grows_by_replacement() -> None:
    growing = Node(1, 0, 0, Author.MODEL, "é".encode())
    assert growing.growing
    assert (growing.length, growing.end) == (2, Place(1, 2))
    assert not replace(growing, ended=Ending.CANCEL).growing
    with pytest.raises(FrozenInstanceError):
        growing.text = b""  # type: ignore[misc]


def test_authors_and_endings_keep_the_words_that_sessions_are_stored_with() -> None:
    assert {str(author) for author in Author} == {"writer", "model", "import"}
    assert {str(ending) for ending in Ending} == {
        "length", "eos", "stop", "edge", "cancel", "crash", "written",
    }  # fmt: skip


@given(st.binary(max_size=16), st.binary(max_size=16))
def test_the_hash_of_a_place_depends_on_the_hash_before_it(one: bytes, other: bytes) -> None:
    hashes = [place_hash(before, WRITER, None, "") for before in (one, other)]
    assert (hashes[0] == hashes[1]) == (one == other)
    assert all(len(digest) == 16 for digest in hashes)


def test_the_hash_tells_authors_models_and_contents_apart() -> None:
    hashes = {
        place_hash(b"", WRITER, None, ""),
        place_hash(b"", replace(WRITER, author=Author.IMPORT), None, ""),
        place_hash(b"", replace(WRITER, text=b"one twx"), None, ""),
        place_hash(b"", MODEL, TOKENS, "m1"),
        place_hash(b"", MODEL, TOKENS, "m2"),
        place_hash(b"", MODEL, span([5, 6, 8], [3, 4, 7]), "m1"),
        place_hash(b"", MODEL, None, "m1"),
    }
    assert len(hashes) == 7


def test_ids_ended_and_time_play_no_part_in_it() -> None:
    changed = replace(MODEL, id=9, parent=4, ended=None, created=5.0, seed=3, recipe=2, hash=b"x")
    assert place_hash(b"p", changed, TOKENS, "m") == place_hash(b"p", MODEL, TOKENS, "m")


@given(st.integers(0, 7))
def test_what_comes_after_a_place_plays_no_part_in_its_hash(at: int) -> None:
    for node, tokens in ((WRITER, None), (MODEL, TOKENS)):
        whole = place_hash(b"", node, tokens, "m", at)
        shorter = replace(node, text=node.text[:at], ended=None)
        known = None if tokens is None else tokens.cut(0, tokens.count_until(at))
        assert place_hash(b"", shorter, known, "m") == whole


def test_every_place_of_a_node_has_its_own_hash() -> None:
    for node, tokens in ((WRITER, None), (MODEL, TOKENS)):
        hashes = [place_hash(b"", node, tokens, "m", at) for at in range(8)]
        assert len(set(hashes)) == 8
        assert hashes[7] == place_hash(b"", node, tokens, "m")
