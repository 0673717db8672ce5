"""Search finds what a reader of the paths would find, in reading order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom.core import search
from loom.core.display import Display
from loom.core.marks import Kind, Mark, Marks
from loom.core.node import ROOT, Author, Ending, Node
from loom.core.search import Match, Search, surroundings
from loom.core.tree import Tree


def display_of(*nodes: tuple[int, int, int, str], author: Author = Author.WRITER) -> Display:
    """(id, parent, at, text) of each node."""
    tree = Tree()
    for id_, parent, at, text in nodes:
        tree.add(Node(id_, parent, at, author, text.encode(), ended=Ending.WRITTEN))
    return Display(tree, Marks())


def found(display: Display, query: str, effort: int = 10**9) -> list[Match]:
    looking = Search(display, query)
    while not looking.done:
        looking.advance(effort)
    return looking.found


def test_small_letters_find_all_and_capitals_only_themselves() -> None:
    display = display_of((1, ROOT, 0, "The lamp. A Lamp. LAMP"))
    assert [match.start for match in found(display, "lamp")] == [4, 12, 18]
    assert [match.start for match in found(display, "Lamp")] == [12]


def test_offsets_are_bytes_also_outside_ascii() -> None:
    display = display_of((1, ROOT, 0, "été, É, ÉTÉ"))
    assert found(display, "été") == [Match(1, 0, 5), Match(1, 11, 16)]
    assert found(display, "ÉTÉ") == [Match(1, 11, 16)]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("kelvin é", "\N{KELVIN SIGN}elvin É"),
        ("sé", "\N{LATIN SMALL LETTER LONG S}É"),
        ("日本 x", "日本 X"),
        ("ß", "ß"),
        ("é", "É"),
        ("naïve lamp", "NAÏVE LAMP"),
        ("Naïve", "Naïve"),
    ],
)
def test_letters_outside_ascii_are_found_in_either_case(query: str, text: str) -> None:
    (match,) = found(display_of((1, ROOT, 0, f"a {text} b")), query)
    assert match == Match(1, 2, 2 + len(text.encode()))


def test_a_query_is_no_pattern() -> None:
    assert found(display_of((1, ROOT, 0, "a.c abc (")), "a.c") == [Match(1, 0, 3)]
    assert found(display_of((1, ROOT, 0, "a.c abc (")), "(") == [Match(1, 8, 9)]


def test_nothing_is_found_for_nothing() -> None:
    assert Search(display_of((1, ROOT, 0, "text")), "").done


def test_a_match_may_lie_across_nodes_of_one_path() -> None:
    display = display_of(
        (1, ROOT, 0, "The li"), (2, 1, 6, "g"), (3, 2, 1, "hthouse"), (4, 1, 3, "x")
    )
    assert found(display, "lighthouse") == [Match(3, -3, 7)]
    assert found(display, "lighx") == []
    assert found(display, "he") == [Match(1, 1, 3)]


def test_a_branch_goes_on_from_where_it_hangs() -> None:
    display = display_of((1, ROOT, 0, "one two three"), (2, 1, 4, "ton"))
    assert found(display, "one ton") == [Match(2, -4, 3)]
    assert found(display, "threeton") == []


def test_matches_come_in_reading_order() -> None:
    display = display_of(
        (1, ROOT, 0, "x and x"),
        (2, 1, 1, "x early"),
        (3, 1, 7, "x a"),
        (4, 1, 7, "x b"),
        (5, 3, 3, "x"),
    )
    order = [match.node for match in found(display, "x")]
    assert order == [1, 1, 3, 5, 4, 2]
    rows = [row.segment.node for row in display.rows()]
    assert list(dict.fromkeys(order)) == list(dict.fromkeys(node for node in rows if node != ROOT))


def test_what_is_hidden_is_not_found() -> None:
    display = display_of((1, ROOT, 0, "lamp lamp"), (2, 1, 4, " lamp"), (3, 1, 9, " lamp"))
    display.marks.set(Mark(1, 4, Kind.HIDDEN), "1")
    assert found(display, "lamp") == [Match(1, 0, 4), Match(2, 1, 5)]
    display.marks.set(Mark(1, 0, Kind.HIDDEN), "1")
    assert found(display, "lamp") == []


def test_text_shown_as_one_is_found_once() -> None:
    nodes = ((1, ROOT, 0, "start"), (2, 1, 5, " lamp"), (3, 1, 5, " lamp"))
    assert [m.node for m in found(display_of(*nodes, author=Author.MODEL), "lamp")] == [2]
    assert [m.node for m in found(display_of(*nodes, author=Author.WRITER), "lamp")] == [2, 3]


def test_below_a_segment_nothing_else_is_found() -> None:
    display = display_of(
        (1, ROOT, 0, "lamp and lamp"), (2, 1, 4, " lamp"), (3, 1, 13, " lamp"), (4, ROOT, 0, "lamp")
    )
    tail = display.segments(1)[1]
    looking = Search(display, "lamp", tail)
    looking.advance(10**6)
    assert looking.found == [Match(1, 9, 13), Match(3, 1, 5)]


def test_work_is_done_in_slices() -> None:
    display = display_of(*((i, i - 1, 0 if i == 1 else 4, "word") for i in range(1, 101)))
    looking = Search(display, "word")
    assert len(looking.advance(10 * (search.NODE + 4))) < 15
    assert not looking.done
    assert found(display, "word", effort=1) == found(display, "word")


def test_a_search_stops_at_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST", 7)
    looking = Search(display_of((1, ROOT, 0, "a" * 50)), "a")
    looking.advance(10**6)
    assert looking.done
    assert len(looking.found) == 7


def test_a_chain_of_many_nodes_is_searched() -> None:
    count = 20_000
    display = display_of(
        *((i, i - 1, 0 if i == 1 else 1, "ab"[i % 2]) for i in range(1, count + 1))
    )
    assert len(found(display, "ba")) == count // 2


def test_a_long_match_climbs_through_many_short_nodes() -> None:
    text = "the lamp went round as it had every night, " * 20
    display = display_of(
        *((i, i - 1, 0 if i == 1 else 1, letter) for i, letter in enumerate(text, start=1))
    )
    query = text[3:400]
    # After the first, a match begins wherever the query begins once more.
    ends = [i for i in range(len(query), len(text) + 1) if text[:i].endswith(query)]
    assert [m.node for m in found(display, query)] == ends
    assert all(m.stop == 1 and m.stop - m.start == len(query) for m in found(display, query))


@pytest.mark.parametrize("effort", [1, 1000, 10**9])
def test_a_hoisted_part_is_searched_without_what_is_before_it(effort: int) -> None:
    display = display_of((1, ROOT, 0, "lamp and la"), (2, 1, 11, "mp"), (3, 1, 6, "mp"))
    top = display.segments(1)[1]
    looking = Search(display, "lamp", top)
    while not looking.done:
        looking.advance(effort)
    assert looking.found == [Match(2, -2, 2)]
    looking = Search(display, " and la", top)
    looking.advance(effort)
    assert looking.found == []


def test_surroundings_reach_into_the_nodes_above() -> None:
    display = display_of((1, ROOT, 0, "The li"), (2, 1, 6, "ghthouse keeper"))
    (match,) = found(display, "lighthouse")
    assert surroundings(display.tree, match, 4, 5) == (b"The ", b"lighthouse", b" keep")
    assert surroundings(display.tree, match, 99, 99) == (b"The ", b"lighthouse", b" keeper")
    assert surroundings(display.tree, match, 0, 0) == (b"", b"lighthouse", b"")


@settings(max_examples=60)
@given(
    texts=st.lists(st.text("abAé", min_size=1, max_size=5), min_size=1, max_size=8),
    query=st.text("abé", min_size=1, max_size=3),
    data=st.data(),
)
def test_every_match_reads_like_the_query(
    texts: list[str], query: str, data: st.DataObject
) -> None:
    tree = Tree()
    for id_, text in enumerate(texts, start=1):
        parent = data.draw(st.integers(0, id_ - 1))
        whole = tree[parent].text.decode()
        cut = len(whole[: data.draw(st.integers(0, len(whole)))].encode())
        node = Node(id_, parent, cut, Author.WRITER, text.encode(), ended=Ending.WRITTEN)
        tree.add(replace(node))
    display = Display(tree, Marks())
    matches = found(display, query)
    for match in matches:
        path = tree.path_bytes(match.place)
        assert path[match.start - match.stop :].decode().lower() == query.lower()
    for id_ in range(1, len(texts) + 1):
        if query in tree[id_].text.decode():
            assert any(match.node == id_ for match in matches)
