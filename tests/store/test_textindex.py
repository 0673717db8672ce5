"""The index names every node that has the words, whatever else it names, or says that it can't."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom.core.display import Display
from loom.core.marks import Marks
from loom.core.node import Author, Ending, Node
from loom.core.search import Match, Search
from loom.core.tree import Tree
from loom.store import textindex
from loom.store.textindex import TextIndex


@pytest.fixture(autouse=True)
def for_small_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("LEAST", 0), ("FRESH", 0), ("SHARE", 1), ("TOGETHER", 3)):
        monkeypatch.setattr(textindex, name, value)


FAR = ", and then nothing for more than thirty bytes; "


def chain(*texts: str | bytes, ended: Ending | None = Ending.WRITTEN) -> Tree:
    tree = Tree()
    for number, text in enumerate(texts, start=1):
        data = text.encode() if isinstance(text, str) else text
        at = tree[number - 1].length
        tree.add(Node(number, number - 1, at, Author.WRITER, data, ended=ended))
    return tree


def built(tree: Tree) -> TextIndex:
    index = TextIndex(tree)
    index.among(b"lamp")
    index.wait()
    return index


def found(tree: Tree, query: str, index: TextIndex | None) -> list[Match]:
    looking = Search(Display(tree, Marks()), query, among=index.among if index else None)
    looking.advance(10**9)
    return looking.found


def test_it_names_the_nodes_that_have_it_and_few_others() -> None:
    index = built(chain("The lamp.", FAR, "A Lamp.", FAR, "LAMP", FAR, "lam"))
    # A node after one that has it may have the end of it, and is read for that.
    assert index.among(b"lamp") == {1, 2, 3, 4, 5, 6}
    assert index.among(b"the lamp") == {1, 2}
    assert index.among(b"nowhere") == set()
    index.close()


def test_what_begins_before_a_node_is_found_in_it() -> None:
    tree = chain("The li", "ght", "hou", "se")
    index = built(tree)
    assert index.among(b"lighthouse") == {4}
    assert found(tree, "lighthouse", index) == [Match(4, -8, 2)]
    index.close()


def test_what_is_too_short_or_not_yet_there_it_can_not_tell() -> None:
    index = TextIndex(chain("The lamp"))
    with index._lock:  # so that it can't be built yet
        assert index.among(b"lamp") is None
    index.wait()
    assert index.among(b"lamp") == {1}
    assert index.among(b"la") is None
    assert index.among("日本語".encode()) is None
    index.close()
    assert index.among(b"lamp") is None


def test_small_trees_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textindex, "LEAST", 5)
    index = built(chain("The lamp"))
    assert index._thread is None and index.among(b"lamp") is None


def test_what_nearly_every_node_has_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textindex, "SHARE", 2)
    index = built(chain("lamp", "lamp", "lamp", "light"))
    assert index.among(b"lamp") is None and index.among(b"light") == {4}
    index.close()


def test_what_came_since_and_what_grows_is_named() -> None:
    tree = chain("lamp " + FAR, "light " + FAR)
    tree.add(Node(3, 2, len(FAR), Author.MODEL, b"gro"))
    index = built(tree)
    assert index.among(b"lamp") == {1, 3}
    tree.replace(Node(3, 2, len(FAR), Author.MODEL, b"growing lamp", ended=Ending.EOS))
    tree.add(Node(4, 3, 0, Author.WRITER, b"late lamp", ended=Ending.WRITTEN))
    assert found(tree, "lamp", index) == found(tree, "lamp", None)
    index.wait()
    assert index.among(b"light") == {2}  # 3 and 4 have been taken in
    index.close()


def test_without_full_text_search_all_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking() -> sqlite3.Connection:
        raise sqlite3.OperationalError("no such module: fts5")

    monkeypatch.setattr(textindex, "_made", lacking)
    tree = chain("The lamp")
    index = built(tree)
    assert index.among(b"lamp") is None
    assert found(tree, "lamp", index) == [Match(1, 4, 8)]
    index.close()


def test_it_can_be_closed_while_it_is_built() -> None:
    index = TextIndex(chain(*["lamp "] * 500))
    index.among(b"lamp")
    index.close()
    assert index._thread is not None and not index._thread.is_alive()


LETTERS = st.sampled_from(
    ["l", "a", "m", "p", "L", "é", "ſ", "k", "\0", '"', " AND ", "\N{KELVIN SIGN}"]
)
WORDS = st.lists(LETTERS, min_size=1, max_size=8).map("".join)


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(WORDS.map(str.encode) | st.binary(max_size=4), min_size=1, max_size=8),
    query=WORDS,
    data=st.data(),
)
def test_a_search_finds_the_same_with_it(
    texts: list[bytes], query: str, data: st.DataObject
) -> None:
    tree = Tree()
    for number, text in enumerate(texts, start=1):
        parent = data.draw(st.integers(0, number - 1))
        at = data.draw(st.integers(0, tree[parent].length))
        tree.add(Node(number, parent, at, Author.WRITER, text, ended=Ending.WRITTEN))
    index = built(tree)
    try:
        assert found(tree, query, index) == found(tree, query, None)
    finally:
        index.close()
