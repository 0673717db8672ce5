from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.core.node import ROOT, Author, Ending, Node, Place
from loom.core.tree import Tree


def written(id: int, parent: int, at: int, text: bytes = b"abc") -> Node:
    return Node(id, parent, at, Author.WRITER, text, ended=Ending.WRITTEN)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    tree = Tree()
    for id in range(1, draw(st.integers(1, 20))):
        parent = draw(st.integers(0, id - 1))
        at = draw(st.integers(0, tree[parent].length))
        tree.add(written(id, parent, at, draw(st.binary(max_size=4))))
    return tree


def test_starts_with_the_empty_root() -> None:
    tree = Tree()
    assert list(tree) == [ROOT]
    assert (tree[ROOT].parent, tree[ROOT].text, tree[ROOT].growing) == (None, b"", False)
    assert tree.next_id == 1
    assert tree.children(ROOT) == ()


@given(trees())
def test_every_child_knows_its_parent_and_every_parent_its_children(tree: Tree) -> None:
    for id in tree:
        for child in tree.children(id):
            assert tree[child].parent == id
            assert tree.depth(child) == tree.depth(id) + 1
    assert sum(len(tree.children(id)) for id in tree) == len(tree) - 1


@given(trees())
def test_preorder_sees_every_node_once_with_parents_first_and_siblings_by_id(tree: Tree) -> None:
    order = list(tree.preorder())
    assert sorted(order) == sorted(tree)
    position = {id: index for index, id in enumerate(order)}
    for id in tree:
        children = sorted(tree.children(id))
        assert all(position[child] > position[id] for child in children)
        assert [position[child] for child in children] == sorted(map(position.get, children))  # type: ignore[type-var]


@given(trees(), st.data())
def test_preorder_from_a_node_is_what_hangs_below_it(tree: Tree, data: st.DataObject) -> None:
    start = data.draw(st.sampled_from(list(tree)))
    ends = {id: {place.node for place in tree.stretches(tree[id].end)} for id in tree}
    assert sorted(tree.preorder(start)) == [id for id in sorted(tree) if start in ends[id]]


@given(trees(), st.data())
def test_the_text_of_a_path_is_that_of_its_stretches(tree: Tree, data: st.DataObject) -> None:
    node = data.draw(st.sampled_from(list(tree)))
    place = Place(node, data.draw(st.integers(0, tree[node].length)))
    stretches = tree.stretches(place)
    assert stretches[0].node == ROOT
    assert stretches[-1] == place
    assert len(stretches) == tree.depth(node) + 1
    for above, below in zip(stretches, stretches[1:], strict=False):
        assert (tree[below.node].parent, tree[below.node].at) == above
    assert tree.path_bytes(place) == b"".join(tree[n].text[:stop] for n, stop in stretches)


def test_a_child_inside_a_node_hangs_on_its_first_bytes_only() -> None:
    tree = Tree()
    tree.add(written(1, ROOT, 0, b"good bad"))
    tree.add(written(2, 1, 5, b"better"))
    assert tree.path_bytes(tree[2].end) == b"good better"
    assert tree.stretches(tree[2].end) == [Place(0, 0), Place(1, 5), Place(2, 6)]


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (written(1, ROOT, 0), "already"),
        (written(2, 7, 0), "not in the tree"),
        (written(2, 1, 4), "3 bytes long"),
        (written(2, 1, -1), "3 bytes long"),
        (Node(2, None, 0, Author.WRITER), "not in the tree"),
    ],
)
def test_add_refuses_what_can_not_hang_there(node: Node, reason: str) -> None:
    tree = Tree()
    tree.add(written(1, ROOT, 0))
    with pytest.raises(ValueError, match=reason):
        tree.add(node)
    assert len(tree) == 2
    assert tree.children(1) == ()


def test_next_id_is_above_all_ids_in_whatever_order_they_come() -> None:
    tree = Tree()
    tree.add(written(9, ROOT, 0))
    tree.add(written(4, 9, 1))
    assert tree.next_id == 10
    assert list(tree.preorder()) == [0, 9, 4]


def test_a_growing_node_is_replaced_by_a_longer_one_under_its_children() -> None:
    tree = Tree()
    tree.add(Node(1, ROOT, 0, Author.MODEL, b"ab"))
    tree.add(written(2, 1, 2))
    tree.replace(replace(tree[1], text=b"abcd", ended=Ending.LENGTH))
    assert tree[1].text == b"abcd"
    assert tree.path_bytes(tree[2].end) == b"ababc"
    tree.replace(replace(tree[1], token_count=2))
    assert tree[1].token_count == 2


@pytest.mark.parametrize(
    "change",
    [
        {"text": b"xb"},
        {"text": b"a"},
        {"parent": 2},
        {"at": 1},
        {"author": Author.WRITER},
        {"id": 9},
    ],
)
def test_replace_refuses_another_node(change: dict[str, object]) -> None:
    tree = Tree()
    tree.add(Node(1, ROOT, 0, Author.MODEL, b"ab"))
    tree.add(written(2, ROOT, 0))
    before = tree[1]
    with pytest.raises(ValueError, match="node"):
        tree.replace(replace(before, **change))  # type: ignore[arg-type]
    assert tree[1] is before


def test_an_unknown_node_or_a_byte_outside_its_text_has_no_path() -> None:
    tree = Tree()
    tree.add(written(1, ROOT, 0))
    with pytest.raises(KeyError):
        tree.stretches(Place(5, 0))
    with pytest.raises(KeyError):
        tree.children(5)
    with pytest.raises(ValueError, match="byte 4 is outside"):
        tree.path_bytes(Place(1, 4))


def test_a_chain_of_100_000_nodes_needs_no_recursion() -> None:
    tree = Tree()
    for id in range(1, 100_001):
        tree.add(written(id, id - 1, tree[id - 1].length, b"x"))
    assert tree.path_bytes(tree[100_000].end) == b"x" * 100_000
    assert list(tree.preorder()) == list(range(100_001))
    assert tree.depth(100_000) == 100_000


def test_a_node_hangs_elsewhere_only_while_nothing_came_of_it() -> None:
    tree = Tree()
    tree.add(Node(1, ROOT, 0, Author.WRITER, b"The lam"))
    tree.add(Node(2, 1, 7, Author.MODEL))
    tree.hang(Node(2, 1, 3, Author.MODEL))
    assert tree[2].at == 3
    with pytest.raises(ValueError, match="can't hang at byte 8"):
        tree.hang(Node(2, 1, 8, Author.MODEL))
    tree.replace(Node(2, 1, 3, Author.MODEL, b" lamp"))
    with pytest.raises(ValueError, match="elsewhere any more"):
        tree.hang(Node(2, 1, 7, Author.MODEL, b" lamp"))
