from __future__ import annotations

from dataclasses import replace

from loom.core.marks import Kind, Mark, Marks
from loom.core.node import ROOT, Author, Ending, Node, Place
from loom.core.tree import Tree
from loom.instruments.api import Choice
from loom.reading.arrivals import Arrivals
from loom.store.batch import EventRow

WRITER, MODEL = Author.WRITER, Author.MODEL


def tree_of(*nodes: tuple[int, int, int, Author, bytes]) -> Tree:
    """(id, parent, at, author, text); made a second after each other."""
    tree = Tree()
    for number, parent, at, author, text in nodes:
        ended = Ending.LENGTH if text else None
        tree.add(Node(number, parent, at, author, text, ended=ended, created=100.0 + number))
    return tree


def offered(tree: Tree, node: int) -> int:
    return Arrivals(tree, Marks()).choice_of(node).offered


def test_verbatim_copies_and_written_ones_are_not_counted_growing_ones_are() -> None:
    tree = tree_of(
        (1, ROOT, 0, WRITER, b"Once"),
        (2, 1, 4, MODEL, b" upon"),
        (3, 1, 4, MODEL, b" more"),
        (4, 1, 4, MODEL, b" upon"),
        (5, 1, 4, WRITER, b" again"),
        (6, 1, 2, MODEL, b"ce"),
    )
    assert [offered(tree, node) for node in (1, 2, 3, 4, 5)] == [1, 2, 2, 2, 2]
    assert offered(tree, 6) == 1  # the rest of what the writer wrote was not offered
    tree.add(Node(7, 1, 4, MODEL))
    assert offered(tree, 2) == 3


def test_inside_a_model_s_text_its_rest_stands_beside() -> None:
    tree = tree_of((1, ROOT, 0, MODEL, b"Once upon"), (2, 1, 4, MODEL, b" more"))
    assert offered(tree, 2) == 2


def taken(tree: Tree, marks: Marks, *nodes: int) -> list[tuple[int, int]]:
    choices = [Arrivals(tree, marks).choice_of(node) for node in nodes]
    return [(choice.taken, choice.offered) for choice in choices]


def test_taken_are_those_gone_on_from_and_those_bookmarked_and_this_one() -> None:
    tree = tree_of(
        (1, ROOT, 0, WRITER, b"Once"),
        (2, 1, 4, MODEL, b" upon"),
        (3, 1, 4, MODEL, b" more"),
        (4, 1, 4, MODEL, b" upon"),  # verbatim
        (5, 1, 4, MODEL, b" again"),
        (6, 1, 4, MODEL, b" then"),
    )
    marks = Marks()
    assert taken(tree, marks, 2, 3, 5) == [(1, 4)] * 3
    tree.add(Node(7, 2, 5, WRITER, b" a time", ended=Ending.WRITTEN))
    assert taken(tree, marks, 2, 3) == [(1, 4), (2, 4)]
    tree.add(Node(8, 4, 5, MODEL, b" a day", ended=Ending.LENGTH))  # the same words once more
    assert taken(tree, marks, 3) == [(2, 4)]
    marks.set(Mark(5, 6, Kind.BOOKMARK), "1")
    assert taken(tree, marks, 2, 3, 5, 6) == [(2, 4), (3, 4), (2, 4), (3, 4)]
    marks.set(Mark(7, 0, Kind.HIDDEN), "hidden")
    marks.set(Mark(4, 0, Kind.HIDDEN), "hidden")
    assert taken(tree, marks, 3, 5) == [(2, 4), (1, 4)]


def test_the_rest_of_a_node_is_taken_where_something_goes_on_from_there() -> None:
    tree = tree_of((1, ROOT, 0, MODEL, b"Once upon"), (2, 1, 4, MODEL, b" more"))
    assert taken(tree, Marks(), 2) == [(1, 2)]
    tree.add(Node(3, 1, 9, WRITER, b" a time", ended=Ending.WRITTEN))
    assert taken(tree, Marks(), 2) == [(2, 2)]
    arrivals = Arrivals(tree, Marks())
    assert arrivals.around([3]) == {1, 2}
    assert arrivals.around([2]) == {1}


def test_what_came_after_the_choice_was_not_offered() -> None:
    tree = tree_of(
        (1, ROOT, 0, WRITER, b"Once"),
        (2, 1, 4, MODEL, b" upon"),
        (3, 1, 4, MODEL, b" more"),
        (4, 2, 5, WRITER, b" a time"),
        (5, 1, 4, MODEL, b" again"),
    )
    assert [offered(tree, node) for node in (2, 3, 5)] == [2, 3, 3]


def test_seconds_are_those_since_the_node_before() -> None:
    tree = tree_of((1, ROOT, 0, WRITER, b"Once"), (4, 1, 4, MODEL, b" upon"))
    arrivals = Arrivals(tree, Marks())
    assert arrivals.choice_of(1).seconds is None
    assert arrivals.choice_of(4) == Choice(1, 0, 3.0)
    tree.replace(replace(tree[4], created=0.0))
    assert arrivals.choice_of(4).seconds is None
    tree.replace(replace(tree[4], created=1.0))
    assert arrivals.choice_of(4).seconds == 0.0


def test_coming_back_is_counted_until_the_node_is_made() -> None:
    tree = tree_of(
        (1, ROOT, 0, WRITER, b"Once"),
        (2, 1, 4, MODEL, b" upon"),
        (3, 2, 5, MODEL, b" a time"),
        (4, 1, 4, MODEL, b" more"),
        (5, 1, 4, MODEL, b" again"),
        (6, 1, 2, MODEL, b"ly"),
    )
    fork, end = [1, 4], [3, 7]
    events = [
        EventRow(1, 0, "write", {"added": [1], "moved": [[0, 0], fork]}),
        EventRow(2, 0, "grow", {"added": [2], "moved": None}),
        EventRow(3, 0, "grow", {"added": [3]}),
        EventRow(4, 0, "go", {"moved": [fork, end]}),
        EventRow(5, 0, "go", {"moved": [end, fork]}),
        EventRow(6, 0, "grow", {"added": [4]}),
        EventRow(7, 0, "go", {"moved": [fork, [2, 5]]}),
        EventRow(8, 0, "go", {"moved": [[2, 5], fork]}),
        EventRow(9, 0, "go", {"moved": [fork, [4, 2]]}),
        EventRow(10, 0, "go", {"moved": [[4, 2], [2, 5]]}),  # beside, not back
        EventRow(11, 0, "grow", {"added": [5]}),
        EventRow(12, 0, "go", {"moved": [end, [1, 2]]}),
        EventRow(13, 0, "grow", {"added": [6]}),
        EventRow(14, 0, "sealed", {"node": 6}),
    ]
    arrivals = Arrivals(tree, Marks())
    for event in events:
        arrivals.happened(event)
    assert [arrivals.choice_of(n).backtracks for n in (1, 2, 3, 4, 5, 6)] == [0, 0, 0, 1, 2, 1]
    arrivals.moved(Place(3, 7), Place(1, 4))
    arrivals.added([4, 5])  # heard of before
    assert arrivals.choice_of(4).backtracks == 1


def test_beside_are_those_at_the_same_place() -> None:
    tree = tree_of(
        (1, ROOT, 0, WRITER, b"Once"),
        (2, 1, 4, MODEL, b" upon"),
        (3, 1, 2, MODEL, b"e"),
        (4, 1, 4, WRITER, b" more"),
    )
    arrivals = Arrivals(tree, Marks())
    assert arrivals.beside([2]) == arrivals.beside([4, 2]) == {2, 4}
    assert arrivals.beside([3, 4]) == {2, 3, 4}
    assert arrivals.beside([99]) == set()
