"""Paths in one model's tokens: every byte once, wherever a branch begins, and what a passage is."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loom.core.node import Author, Ending, Node, Place
from loom.core.span import Span
from loom.core.tree import Tree
from loom.sources.spellings import Spelling, Spellings

BYLINE = "by me\n"


class Desk:
    """A record whose model has two-byte tokens for what it is asked, any others for what it read:
    the number of a token is its place among all pieces that were ever met."""

    def __init__(self) -> None:
        self.tree = Tree()
        self.pieces: list[bytes] = []
        self.spans: dict[int, Span] = {}
        self.waiting: set[int] = set()
        self.asked = 0

    def id_of(self, piece: bytes) -> int:
        if piece not in self.pieces:
            self.pieces.append(piece)
        return self.pieces.index(piece)

    def add(self, place: Place, pieces: list[bytes], *, read: bool) -> Place:
        number, text = self.tree.next_id, b"".join(pieces)
        author = Author.MODEL if read else Author.WRITER
        self.tree.add(Node(number, *place, author, text, ended=Ending.WRITTEN))
        if read:
            none = np.zeros(len(pieces), np.float32)
            ids = np.array([self.id_of(piece) for piece in pieces], np.int32)
            ends = np.cumsum([len(piece) for piece in pieces]).astype(np.int32)
            top = ids[:, None]
            self.spans[number] = Span(ids, ends, none, none, none, ids, top, none[:, None])
        return self.tree[number].end

    def span(self, node: int) -> Span | None:
        return self.spans.get(node)

    def model_of(self, node: int) -> Any:
        return SimpleNamespace(fingerprint="mine") if node in self.spans else None

    async def encode(self, text: bytes, opens: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
        self.asked += 1
        parts = [text[at : at + 2] for at in range(0, len(text), 2)]
        return tuple(map(self.id_of, parts)), tuple(np.cumsum(list(map(len, parts))).tolist())

    def spellings(self, *bylines: str) -> Spellings:
        record: Any = self
        return Spellings(record, "mine", bylines, self.encode, self.waiting.__contains__)


def text_of(desk: Desk, ids: tuple[int, ...]) -> bytes:
    return b"".join(desk.pieces[i] for i in ids)


def known(spellings: Spellings, node: int) -> Spelling:
    found = asyncio.run(spellings.of(node))
    assert found is not None
    return found


PIECES = st.lists(st.binary(min_size=1, max_size=4), max_size=5)


@given(st.data())
def test_a_path_has_every_byte_once(data: st.DataObject) -> None:
    desk = Desk()
    for _ in range(data.draw(st.integers(1, 7))):
        parent = data.draw(st.sampled_from(sorted(desk.tree)))
        at = data.draw(st.integers(0, desk.tree[parent].length))
        desk.add(Place(parent, at), data.draw(PIECES), read=data.draw(st.booleans()))
    spellings = desk.spellings()
    for node in sorted(desk.tree, reverse=True):
        found = known(spellings, node)
        path = desk.tree.path_bytes(desk.tree[node].end)
        ids = spellings.passage_until(found)
        assert text_of(desk, ids) == path
        assert len(ids) == found.position + len(found)
        for token, end in enumerate(found.ends.tolist(), start=1):
            assert len(text_of(desk, ids[: found.position + token])) == found.offset + end


@given(st.data())
def test_branches_that_share_tokens_share_what_stands_for_them(data: st.DataObject) -> None:
    desk = Desk()
    first = desk.add(Place(0, 0), [b"ab", b"cd", b"ef"], read=True)
    at = data.draw(st.sampled_from([2, 4, 6]))
    one = desk.add(Place(first.node, at), [b"x"], read=True)
    other = desk.add(Place(first.node, at), [b"x"], read=True)
    third = desk.add(Place(first.node, at), [b"y"], read=True)
    spellings = desk.spellings()
    assert known(spellings, one.node).basis == known(spellings, other.node).basis
    assert known(spellings, one.node).basis != known(spellings, third.node).basis
    assert known(spellings, one.node).before == known(spellings, first.node).after(at // 2)


@given(st.integers(0, 9), st.booleans(), st.booleans())
def test_the_passage_begins_behind_a_byline(cut: int, first: bool, second: bool) -> None:
    desk = Desk()
    text = BYLINE.encode() + b"And so"
    parts = [text[:cut], text[cut:]]
    place = desk.add(Place(0, 0), [parts[0]] if parts[0] else [], read=first)
    place = desk.add(place, [parts[1][n : n + 1] for n in range(len(parts[1]))], read=second)
    spellings = desk.spellings(BYLINE, "by nobody\n")
    found = known(spellings, place.node)
    spelled = text_of(desk, spellings.passage_until(found))
    after = text[len(BYLINE) :]
    assert after.endswith(spelled) and len(after) - len(spelled) < max(2, cut - len(BYLINE) + 1)
    plain = desk.spellings("by nobody\n")
    assert text_of(desk, plain.passage_until(known(plain, place.node))) == text


def test_what_the_model_is_going_to_read_is_waited_for() -> None:
    desk = Desk()
    place = desk.add(Place(0, 0), [b"abc"], read=False)
    below = desk.add(place, [b"de"], read=True)
    desk.waiting.add(place.node)
    spellings = desk.spellings()
    assert asyncio.run(spellings.of(below.node)) is None
    desk.waiting.clear()
    before = known(spellings, below.node)
    desk.spans[place.node] = desk.spans[below.node]  # it has been read, in other tokens
    assert known(spellings, below.node) is before
    spellings.forget([place.node, below.node])
    assert known(spellings, below.node).basis != before.basis


def test_what_is_spelled_is_not_asked_for_again() -> None:
    desk = Desk()
    place = Place(0, 0)
    for _ in range(40):
        place = desk.add(place, [b"abc"], read=False)
    spellings = desk.spellings(BYLINE)
    found = known(spellings, place.node)
    asked = desk.asked
    assert known(spellings, place.node) is found and desk.asked == asked == 40
    assert spellings.get(1) is not None
