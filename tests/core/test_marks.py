from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loom.core.marks import Kind, Mark, Marks, is_hidden, seen_place
from loom.core.node import ROOT, Author, Ending, Node, Place
from loom.core.tree import Tree

MARKS = st.builds(Mark, st.integers(0, 3), st.integers(0, 3), st.sampled_from(Kind))


def line(*texts: bytes) -> Tree:
    tree = Tree()
    for id, text in enumerate(texts, 1):
        tree.add(Node(id, id - 1, tree[id - 1].length, Author.WRITER, text, ended=Ending.WRITTEN))
    return tree


def test_setting_returns_what_was_there_so_that_it_can_be_undone() -> None:
    marks, mark = Marks(), Mark(1, 0, Kind.NOTE)
    assert marks.set(mark, "first") is None
    assert marks.set(mark, "second") == "first"
    assert marks.set(mark, None) == "second"
    assert marks.set(mark, None) is None
    assert marks.get(mark) is None
    assert len(marks) == 0


def test_an_empty_value_is_a_mark_all_the_same() -> None:
    marks, mark = Marks(), Mark(1, 0, Kind.HIDDEN)
    marks.set(mark, "")
    assert mark in marks
    assert marks.hidden_from(1) == 0


@given(st.lists(st.tuples(MARKS, st.none() | st.text(max_size=2))))
def test_marks_behave_as_a_dictionary(steps: list[tuple[Mark, str | None]]) -> None:
    marks, naive = Marks(), dict[Mark, str]()
    for mark, value in steps:
        assert marks.set(mark, value) == naive.get(mark)
        if value is None:
            naive.pop(mark, None)
        else:
            naive[mark] = value
    assert dict(marks) == naive
    assert len(marks) == len(naive)
    for node in range(4):
        assert dict(marks.of(node)) == {m: v for m, v in naive.items() if m.node == node}
        hidden = [m.start for m in naive if m.node == node and m.kind is Kind.HIDDEN]
        assert marks.hidden_from(node) == min(hidden, default=None)


def test_hiding_the_tail_leaves_what_lies_before_and_what_hangs_there() -> None:
    tree, marks = line(b"abcd"), Marks()
    for id, at in ((2, 1), (3, 2), (4, 3)):
        tree.add(Node(id, 1, at, Author.WRITER, b"x", ended=Ending.WRITTEN))
    marks.set(Mark(1, 2, Kind.HIDDEN), "")
    assert not is_hidden(tree, marks, 1)
    assert not is_hidden(tree, marks, Place(1, 2))
    assert is_hidden(tree, marks, Place(1, 3))
    assert [is_hidden(tree, marks, id) for id in (2, 3, 4)] == [False, False, True]


def test_hiding_a_whole_node_spares_what_hangs_at_its_start() -> None:
    tree, marks = line(b"ab"), Marks()
    tree.add(Node(2, 1, 0, Author.WRITER, b"x", ended=Ending.WRITTEN))
    tree.add(Node(3, 1, 1, Author.WRITER, b"y", ended=Ending.WRITTEN))
    marks.set(Mark(1, 0, Kind.HIDDEN), "")
    assert [is_hidden(tree, marks, id) for id in (1, 2, 3)] == [True, False, True]


def test_everything_below_a_hidden_node_is_hidden_and_seen_from_above() -> None:
    tree, marks = line(b"a", b"b", b"c", b"d"), Marks()
    marks.set(Mark(2, 0, Kind.HIDDEN), "")
    assert [is_hidden(tree, marks, id) for id in (1, 2, 3, 4)] == [False, True, True, True]
    assert seen_place(tree, marks, tree[4].end) == Place(2, 0)
    assert seen_place(tree, marks, Place(1, 1)) == Place(1, 1)
    assert not is_hidden(tree, marks, ROOT)


def test_what_is_remembered_of_a_path_changes_with_what_is_hidden() -> None:
    tree, marks = Tree(), Marks()
    for id_ in range(1, 6):
        tree.add(Node(id_, id_ - 1, 4 if id_ > 1 else 0, Author.WRITER, b"word"))
    marks.set(Mark(9, 0, Kind.HIDDEN), "1")  # something hidden elsewhere
    for _ in range(2):
        assert seen_place(tree, marks, Place(5, 4)) == Place(5, 4)
        marks.set(Mark(2, 1, Kind.HIDDEN), "1")
        assert seen_place(tree, marks, Place(5, 4)) == Place(2, 1)
        assert seen_place(tree, marks, Place(2, 1)) == Place(2, 1)
        marks.set(Mark(2, 1, Kind.HIDDEN), None)
