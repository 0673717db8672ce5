"""Nodes that are made when asked for: all there, each made once, whatever is asked first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.core.node import ROOT, Author, Ending, Node, Place
from loom.core.nodes import CHUNK, Unmade
from loom.core.tree import Tree


@st.composite
def rows(draw: st.DrawFn) -> list[Node]:
    """Up to a few chunks of nodes with gaps between their ids, parents first."""
    source = draw(st.randoms(use_true_random=False))
    ids = sorted(source.sample(range(1, 5 * CHUNK), draw(st.integers(0, 3 * CHUNK))))
    nodes, before = list[Node](), [ROOT]
    for number in ids:
        ended = source.choice([None, Ending.WRITTEN])
        parent = source.choice(before[-5:])
        at = 1 if parent != ROOT else 0
        nodes.append(Node(number, parent, at, Author.WRITER, b"%d" % number, ended=ended))
        before.append(number)
    return nodes


def unmade(nodes: Sequence[Node], made: Counter[int] | None = None) -> Unmade:
    def make(start: int, stop: int) -> Sequence[Node]:
        if made is not None:
            made.update(range(start, stop))
        return nodes[start:stop]

    growing = [node.id for node in nodes if node.growing]
    parents = [node.parent for node in nodes]
    return Unmade([node.id for node in nodes], parents, growing, make)


@given(rows(), st.data())
def test_a_tree_of_unmade_nodes_is_the_tree_to_which_they_were_added(
    nodes: list[Node], data: st.DataObject
) -> None:
    made = Counter[int]()
    expected, tree = Tree(), Tree.of(unmade(nodes, made))
    for node in nodes:
        expected.add(node)
    assert not made
    assert (len(tree), tree.next_id, tree.growing) == (
        len(expected),
        expected.next_id,
        expected.growing,
    )
    for number in data.draw(st.permutations(list(expected)[:: CHUNK // 4])):
        assert tree[number] == expected[number]
        assert tree.children(number) == expected.children(number)
        assert (
            tree.depth(number)
            == expected.depth(number)
            == len(tree.stretches(Place(number, 0))) - 1
        )
    assert list(tree) == list(expected) == [ROOT, *(node.id for node in nodes)]
    assert [tree[number] for number in tree] == [expected[number] for number in expected]
    assert set(made.values()) <= {1}


def test_only_the_chunk_that_is_asked_for_is_made() -> None:
    nodes = [Node(1 + i, ROOT, 0, Author.WRITER, b"x") for i in range(3 * CHUNK)]
    made = Counter[int]()
    tree = Tree.of(unmade(nodes, made))
    assert tree[CHUNK + 5] is nodes[CHUNK + 4]
    assert sorted(made) == list(range(CHUNK, 2 * CHUNK))


def test_what_was_replaced_or_added_stays_when_its_neighbours_are_made() -> None:
    nodes = [Node(1 + i, ROOT, 0, Author.WRITER, b"x") for i in range(2 * CHUNK)]
    tree = Tree.of(unmade(nodes))
    longer = Node(3, ROOT, 0, Author.WRITER, b"xyz", ended=Ending.WRITTEN)
    later = Node(tree.next_id, 3, 2, Author.WRITER, b"!")
    tree.replace(longer)
    tree.add(later)
    assert (tree[1], tree[3], tree[later.id]) == (nodes[0], longer, later)
    assert tree.path_bytes(Place(later.id, 1)) == b"xy!"
    assert tree.growing == {*range(1, 2 * CHUNK + 2)} - {3}


def test_the_root_may_be_among_them() -> None:
    root = Node(ROOT, None, 0, Author.WRITER, ended=Ending.WRITTEN)
    child = Node(4, ROOT, 0, Author.WRITER, b"x")
    tree = Tree.of(unmade([root, child]))
    assert (list(tree), tree.children(ROOT), tree.depth(4)) == ([ROOT, 4], [4], 1)


def test_they_are_a_sequence() -> None:
    nodes = [Node(1 + i, ROOT, 0, Author.WRITER, b"x") for i in range(CHUNK + 2)]
    found = unmade(nodes)
    assert found == nodes and found == tuple(nodes) and found == Unmade.of(nodes)
    assert found != nodes[1:]
    assert (found[0], found[-1], found[CHUNK]) == (nodes[0], nodes[-1], nodes[CHUNK])
    assert list(found[CHUNK - 1 :]) == nodes[CHUNK - 1 :]
    assert [node.id for node in reversed(found)] == [node.id for node in reversed(nodes)]
    for index in (len(nodes), -len(nodes) - 1):
        with pytest.raises(IndexError):
            found[index]


@pytest.mark.parametrize("number", [-1, 2, 99])
def test_an_unknown_id_is_a_key_error(number: int) -> None:
    tree = Tree.of(unmade([Node(i, ROOT, 0, Author.WRITER, b"x") for i in (1, 3)]))
    for ask in (tree.__getitem__, tree.children, tree.depth, tree.nodes.__getitem__):
        with pytest.raises(KeyError):
            ask(number)
    assert number not in tree
