"""How far back the end of a written text is taken, and what a branch that repeats it amounts to."""

from __future__ import annotations

import numpy as np

from loom.core.node import Author, Node, Place
from loom.core.span import Span
from loom.engine.api import Grown
from loom.engine.seam import Beginnings
from loom.seams import WINDOW, Cut, Repeats, Tail

VOCABULARY = Beginnings([b"The", b" keeper", b" lam", b" lamp", b"pi", b"p", b" ", b".", b" Once"])


def node_of(text: bytes) -> Node:
    return Node(3, 1, 0, Author.WRITER, text)


def span_of(*pieces: bytes) -> Span:
    count = len(pieces)
    zeros = np.zeros(count, np.float32)
    return Span(
        ids=np.arange(count, dtype=np.int32),
        ends=np.cumsum([len(piece) for piece in pieces]).astype(np.int32),
        logprob=zeros,
        entropy=zeros,
        varentropy=zeros,
        rank=np.zeros(count, np.int32),
        top_ids=np.zeros((count, 2), np.int32),
        top_logprobs=np.zeros((count, 2), np.float32),
    )


def cut_of(*pieces: bytes, opens: bool = False) -> Cut | None:
    text = b"".join(pieces)
    tail = Tail.of(node_of(text), len(text), span_of(*pieces), opens=opens)
    return tail.cut(VOCABULARY)


def test_half_a_word_is_taken_back() -> None:
    assert cut_of(b"The", b" lam") == Cut(Place(3, 3), b" lam", (1,))


def test_a_space_at_the_end_is_taken_back() -> None:
    assert cut_of(b"The", b" ") == Cut(Place(3, 3), b" ", (1,))


def test_it_goes_back_as_far_as_a_token_reaches_beyond_the_end() -> None:
    assert cut_of(b"The", b" k", b"ee") == Cut(Place(3, 3), b" kee", (1, 2))
    assert cut_of(b"The", b" l", b"am") == Cut(Place(3, 3), b" lam", (1, 2))


def test_what_no_token_goes_beyond_is_left_alone() -> None:
    assert cut_of(b"The", b".") is None
    assert cut_of(b"The", b" lamp") is None
    assert cut_of(b"The", b" ", b" ") == Cut(Place(3, 4), b" ", (2,))


def test_a_document_may_begin_with_a_tokenizers_space() -> None:
    assert cut_of(b"Onc") is None
    assert cut_of(b"Onc", opens=True) == Cut(Place(3, 0), b"Onc", (0,))


def test_the_cut_is_inside_the_place_not_at_the_nodes_end() -> None:
    node, span = node_of(b"The lamp."), span_of(b"The", b" lamp", b".")
    tail = Tail.of(node, 7, span, opens=False)
    assert (tail.text, tail.known, tail.unread) == (b"The lam", 3, 3)
    assert tail.read((8,), (4,)).cut(VOCABULARY) == Cut(Place(3, 3), b" lam", (8,))


def test_only_the_end_of_a_long_unread_text_is_cut_into_tokens() -> None:
    text = b"word " * WINDOW + b"lam"
    tail = Tail.of(node_of(text), len(text), None, opens=True)
    start = tail.unread
    assert len(text) - WINDOW <= start < len(text) - WINDOW + 5
    assert text[start : start + 1] == b" "
    read = tail.read((4, 4, 2), (1, len(text) - start - 4, len(text) - start))
    assert read.tokens[-1] == (len(text) - 4, 2)
    assert read.cut(VOCABULARY) == Cut(Place(3, len(text) - 4), b" lam", (2,))


def grown(*tokens: tuple[int, bytes]) -> Grown:
    span = span_of(*(piece for _, piece in tokens))
    ids = np.array([token for token, _ in tokens], np.int32)
    columns = dict(span.columns()) | {"ids": ids}
    return Grown("job", 0, b"".join(piece for _, piece in tokens), Span(**columns))  # type: ignore[arg-type]


CUT = Cut(Place(3, 3), b" lam", (1, 2))


def test_a_branch_that_repeats_the_texts_own_tokens_repeats_nothing() -> None:
    repeats = Repeats(CUT)
    assert repeats.take(grown((1, b" l"))) is None
    found = repeats.take(grown((2, b"am"), (9, b"p was")))
    assert found is not None
    cut, rest = found
    assert (cut, rest.text) == (None, b"p was")
    assert (rest.span.ids.tolist(), rest.span.ends.tolist()) == ([9], [5])


def test_a_branch_that_repeats_it_in_other_tokens_has_them_all() -> None:
    for tokens in ([(1, b" l"), (8, b"amp")], [(7, b" lam"), (9, b"e")], [(1, b" l"), (5, b"am")]):
        repeats = Repeats(CUT)
        found = [repeats.take(grown(token)) for token in tokens]
        cut, whole = next(one for one in found if one is not None)
        assert cut == CUT
        assert whole.text.startswith(b" lam")
        assert whole.span.ids[0] == tokens[0][0]
