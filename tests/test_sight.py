"""Where the model's sight begins on a path, as it would be told by counting all of its tokens."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.core.node import ROOT, Author, Ending, Node, Place
from loom.core.recipe import Recipe
from loom.core.span import Span
from loom.core.tree import Tree
from loom.engine.api import Capabilities
from loom.engine.network import seen_from
from loom.session import Session
from loom.sight import Sight

WINDOW = 16
WORDS = st.lists(st.sampled_from([b"a", b" bc", b".\n", b"\n\n", b" def"]), min_size=1, max_size=9)


def span_of(pieces: list[bytes]) -> Span:
    count = len(pieces)
    zeros, whole = np.zeros(count, np.float32), np.zeros(count, np.int32)
    ends = np.cumsum([len(piece) for piece in pieces]).astype(np.int32)
    top = np.zeros((count, 1), np.int32)
    return Span(whole, ends, zeros, zeros, zeros, whole, top, top.astype(np.float32))


@dataclass
class Desk:
    """What of a session is looked at; how often spans were is counted."""

    sight: str = "stepwise"
    fingerprint: str = "mine"
    tree: Tree = field(default_factory=Tree)
    spans: dict[int, Span] = field(default_factory=dict)
    models: dict[int, str] = field(default_factory=dict)
    looks: int = 0
    recipe: Recipe = field(default_factory=Recipe)

    @property
    def engine(self) -> Any:
        runtime = {"sight": self.sight, "first": "0"}
        able = Capabilities("x", "x", self.fingerprint, 9, WINDOW, runtime=runtime)
        return SimpleNamespace(state="ready", capabilities=able)

    def span(self, node: int) -> Span | None:
        self.looks += 1
        return self.spans.get(node)

    def model_of(self, node: int) -> Any:
        name = self.models.get(node)
        return None if name is None else SimpleNamespace(fingerprint=name)

    def add(self, pieces: list[bytes], at: Place, model: str | None = "mine") -> Place:
        node, count = self.tree.next_id, None if model is None else len(pieces)
        text = b"".join(pieces)
        self.tree.add(
            Node(node, at.node, at.at, Author.MODEL, text, ended=Ending.LENGTH, token_count=count)
        )
        if model is not None:
            self.spans[node], self.models[node] = span_of(pieces), model
        return self.tree[node].end


def begins(desk: Desk, place: Place) -> int:
    return Sight(cast(Session, desk)).begins(place)


@given(st.lists(WORDS, min_size=1, max_size=8))
def test_it_is_where_the_engine_says_whatever_nodes_the_text_is_in(
    parts: list[list[bytes]],
) -> None:
    desk, place = Desk(), Place(ROOT, 0)
    sight = Sight(cast(Session, desk))
    pieces: list[bytes] = []
    for part in parts:
        place = desk.add(part, place)
        pieces += part
        start = seen_from(WINDOW, 1, len(pieces), pieces.__getitem__)
        assert sight.begins(place) == len(b"".join(pieces[:start]))


def test_a_text_that_fits_is_all_in_sight() -> None:
    desk = Desk()
    assert begins(desk, desk.add([b"a"] * 15, Place(ROOT, 0))) == 0
    assert begins(desk, desk.add([b"a"] * 16, Place(ROOT, 0))) == 4


def test_sight_that_slides_moves_token_by_token() -> None:
    desk = Desk(sight="sliding")
    assert begins(desk, desk.add([b"ab"] * 19, Place(ROOT, 0))) == 6


def test_a_branch_inside_a_node_counts_what_is_before_it() -> None:
    desk = Desk()
    end = desk.add([b"ab"] * 40, Place(ROOT, 0))
    after = desk.add([b"c"] * 3, Place(end.node, 36))  # 18 tokens
    assert begins(desk, after) == begins(desk, Place(end.node, 42)) == 2 * 8


def test_what_the_model_has_not_read_is_not_counted_and_hides_nothing_before() -> None:
    desk = Desk()
    end = desk.add([b"ab"] * 20, Place(ROOT, 0))
    assert begins(desk, desk.add([b"new"], end, model=None)) == begins(desk, end) == 16
    assert begins(desk, desk.add([b"x"] * 99, Place(ROOT, 0), model="another")) == 0


@pytest.mark.parametrize("sight", ["", "elsewhere"])
def test_an_engine_that_does_not_say_leaves_it_open(sight: str) -> None:
    desk = Desk(sight=sight)
    assert begins(desk, desk.add([b"a"] * 99, Place(ROOT, 0))) == 0


def test_a_step_further_costs_a_step() -> None:
    desk, place = Desk(), Place(ROOT, 0)
    sight = Sight(cast(Session, desk))
    for _ in range(2000):
        place = desk.add([b"a", b"b"], place)
    sight.begins(place)
    desk.looks = 0
    sight.begins(desk.add([b"a"], place))
    assert desk.looks <= 2 * WINDOW


def test_a_gap_is_climbed_to_once_and_forgotten_when_it_is_read() -> None:
    desk = Desk()
    place = gap = desk.add([b"a"] * 4, Place(ROOT, 0), None)
    for _ in range(30):
        place = desk.add([b"a"] * 2, place)
    sight = Sight(cast(Session, desk))
    assert sight.begins(place) == 0
    onward = desk.add([b"a"] * 2, place)
    assert sight.begins(onward) == 0
    assert set(sight._gaps.values()) == {gap}
    desk.tree.replace(replace(desk.tree[gap.node], token_count=4, model=1))
    desk.spans[gap.node], desk.models[gap.node] = span_of([b"a"] * 4), "mine"
    assert sight.begins(onward) == Sight(cast(Session, desk)).begins(onward) > 0
