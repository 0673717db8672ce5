"""Steps in the tree on a random one with branches inside nodes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from loom.core.display import Segment
from loom.core.marks import Kind, Mark
from loom.core.node import ROOT, Place
from loom.session import Session
from loom.ui import navigation


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """Eighty nodes at random places, a few of them hidden."""
    made, chance = Session.create(tmp_path / "tree.loom", seed=1), random.Random(4)
    for number in range(80):
        node = chance.randrange(len(made.tree))
        at = chance.randint(0, made.tree[node].length)
        if made.is_hidden(node):
            continue
        made.write(f"w{number} and more", Place(node, at))
        if chance.random() < 0.1:
            made.hide(made.display.segment_of(made.place))
    return made


def in_order(session: Session) -> list[Segment]:
    return [row.segment for row in session.display.rows()]


def test_reading_order_is_that_of_the_tree(session: Session) -> None:
    expected = in_order(session)
    here: Segment | None = session.display.root
    found = []
    while here is not None:
        found.append(here)
        here = navigation.following(session, here)
    assert found == expected


def test_back_in_reading_order_undoes_on(session: Session) -> None:
    for here in in_order(session)[1:]:
        before = navigation.preceding(session, here)
        assert before is not None
        assert navigation.following(session, before) == here
    assert navigation.preceding(session, session.display.root) is None


def test_siblings_end_at_both_edges(session: Session) -> None:
    for here in in_order(session)[1:]:
        beside = session.display.siblings(here)
        assert navigation.sibling(session, beside[0], -1) is None
        assert navigation.sibling(session, beside[-1], 1) is None
        assert navigation.sibling(session, beside[0], len(beside) - 1) == beside[-1]


def test_random_walks_end_at_leaves(session: Session) -> None:
    for seed in range(20):
        leaf = navigation.random_leaf(session, session.display.root, random.Random(seed))
        assert session.display.children(leaf) == ()


def test_the_leaf_is_the_one_visited_last(session: Session) -> None:
    leaves = [s for s in in_order(session) if not session.display.children(s)]
    for leaf in (leaves[len(leaves) // 2], leaves[-1]):
        session.go(navigation.end_of(leaf))
        assert navigation.leaf(session, session.display.root) == leaf


def test_bookmarks_go_round(session: Session) -> None:
    order = in_order(session)
    assert navigation.next_bookmark(session, order[0]) is None
    marked = [order[5], order[20]]
    for segment in marked:
        session.mark(Mark(segment.node, segment.start, Kind.BOOKMARK), "1")
    assert navigation.next_bookmark(session, order[0]) == marked[0]
    assert navigation.next_bookmark(session, marked[0]) == marked[1]
    assert navigation.next_bookmark(session, marked[1]) == marked[0]
    assert navigation.next_bookmark(session, order[-1]) == marked[0]


def test_everything_below_the_root_is_everything(session: Session) -> None:
    assert list(navigation.below(session, session.display.root)) == in_order(session)
    assert session.display.root.node == ROOT
