"""The way to a node: as climbing step by step would find it, and climbed once."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from typing import Any, cast

import pytest

from loom.core.node import ROOT, Author, Ending, Node
from loom.core.span import Span
from loom.core.tree import Tree
from loom.instruments.api import Choice
from loom.reading.stretches import Link, Start, Stretches
from loom.record import Record
from loom.store.batch import ModelRow
from loom.testing import path_of

MODELS = {1: ModelRow(1, "one", "one", "one"), 2: ModelRow(2, "two", "two", "two")}


class Fake:
    """As much of a Record as is asked; every node is made of tokens of two bytes."""

    def __init__(self) -> None:
        self.tree, self.asked = Tree(), 0

    def add(self, parent: int, at: int, model: int | None, tokens: int = 3) -> int:
        number = self.tree.next_id
        author = Author.WRITER if model is None else Author.MODEL
        count = None if model is None else tokens
        self.tree.add(Node(number, parent, at, author, b"ab" * tokens, model=model,
                           token_count=count, ended=Ending.LENGTH))  # fmt: skip
        return number

    def score(self, number: int, model: int) -> None:
        node = self.tree[number]
        self.tree.replace(replace(node, model=model, token_count=node.length // 2))

    def model_of(self, node: int) -> ModelRow | None:
        self.asked += 1
        number = self.tree[node].model
        return None if number is None else MODELS[number]

    def span(self, node: int) -> Span | None:
        return path_of(["ab"] * (self.tree[node].length // 2))[0].span

    def recipe_of(self, node: int) -> None:
        return None


def stretches_of(fake: Fake) -> Stretches:
    return Stretches(cast(Record, cast(Any, fake)), lambda node: Choice())


def climbed(
    fake: Fake, number: int, model: str, known: set[int]
) -> tuple[int | None, list[Link], list[int]]:
    """A way as it is defined: node by node."""
    links, node = [Link(number)], fake.tree[number]
    unread: list[int] = []
    while node.parent is not None:
        parent = fake.tree[node.parent]
        row = MODELS.get(parent.model or 0)
        count = min(node.at // 2, parent.token_count or 0)
        if row is not None and row.fingerprint == model and count:
            whole = count == parent.token_count
            if whole and parent.id in known:
                return parent.id, links[::-1], unread[::-1]
            links.append(Link(parent.id, None if whole else count))
        elif parent.token_count is None and parent.length:
            unread.append(parent.id)
        node = parent
    return None, links[::-1], unread[::-1]


@pytest.mark.parametrize("seed", range(6))
def test_a_way_is_what_climbing_finds_also_after_nodes_were_read(seed: int) -> None:
    chance, fake = random.Random(seed), Fake()
    stretches = stretches_of(fake)
    for _ in range(120):
        parent = chance.choice([*fake.tree][-12:])
        at = chance.choice([0, 1, 2, 5, 6]) if parent else 0
        fake.add(parent, at, chance.choice([None, None, 1, 1, 2]))
        written = [n for n in fake.tree if n and fake.tree[n].token_count is None]
        if written and chance.random() < 0.4:
            node = chance.choice(written)
            fake.score(node, chance.choice([1, 2]))
            stretches.forget_below(node)
        known = {n for n in fake.tree if chance.random() < 0.2}
        for number in chance.sample([n for n in fake.tree if n], min(8, len(fake.tree) - 1)):
            model = MODELS[fake.tree[number].model or 1].fingerprint
            way = stretches.way_to(number, model, known.__contains__)
            found = way.base, way.links, list(way.unread())
            assert found == climbed(fake, number, model, known)
            assert stretches.start_of(number) == start(fake, number)


def start(fake: Fake, number: int) -> Start:
    position = offset = 0
    path = fake.tree.stretches(fake.tree[number].hangs_at)
    for place in path:
        node = fake.tree[place.node]
        position += min(place.at // 2, node.token_count or 0)
        offset += place.at
    return Start(position, offset)


def test_thousands_of_unread_nodes_are_climbed_once() -> None:
    """Leaves hang all along a chain of written nodes that no model has read."""
    fake, number, leaves = Fake(), ROOT, []
    for _ in range(4000):
        number = fake.add(number, 6 if number else 0, None)
        leaves.append(fake.add(number, 6, 1))
    stretches = stretches_of(fake)
    for leaf in reversed(leaves):
        way = stretches.way_to(leaf, "one", lambda node: False)
        assert (way.base, way.links) == (None, [Link(leaf)])
        assert next(way.unread()) == 1
    assert fake.asked <= 3 * len(fake.tree)
    lists = {id(gap.unread): len(gap.unread) for gap in stretches._gaps["one"].values()}
    assert sum(lists.values()) <= len(fake.tree)


def test_reading_a_long_chain_from_its_end_forgets_what_is_below_once() -> None:
    fake, chain = Fake(), [ROOT]
    for _ in range(5000):
        chain.append(fake.add(chain[-1], 6 if chain[-1] else 0, None))
    stretches = stretches_of(fake)
    stretches.way_to(chain[-1], "one", lambda node: False)
    fake.asked = 0
    for above, below in pairwise(reversed(chain)):
        fake.score(above, 1)
        stretches.forget_below(above)
        way = stretches.way_to(above, "one", lambda node: False)
        assert len(way.links) == 1 and (below == ROOT or next(way.unread()) == 1)
    assert fake.asked <= 3 * len(chain)
