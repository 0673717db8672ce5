"""The tree view: its rows, its marks, what it keeps in sight and what it says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from loom.core.display import Display, Segment
from loom.core.marks import Kind, Mark, Marks
from loom.core.node import ROOT, Author, Ending, Node, Place
from loom.core.text import visible
from loom.core.tree import Tree
from loom.ui.widgets import tree
from loom.ui.widgets.rows import Rows
from loom.ui.widgets.tree import TreeView
from loom.ui.widgets.tree_ink import SPINNER


@dataclass
class Garden:
    """The part of a session the widget reads."""

    title: str = "story"
    tree: Tree = field(default_factory=Tree)
    marks: Marks = field(default_factory=Marks)
    place: Place = Place(ROOT, 0)

    def __post_init__(self) -> None:
        self.display = Display(self.tree, self.marks)

    def add(
        self,
        text: str,
        parent: int = ROOT,
        at: int | None = None,
        author: Author = Author.MODEL,
        growing: bool = False,
    ) -> int:
        place = self.tree[parent].length if at is None else at
        ended = None if growing else Ending.LENGTH
        node = Node(self.tree.next_id, parent, place, author, text.encode(), ended=ended)
        self.tree.add(node)
        self.display.invalidate(node.id)
        return node.id

    def extend(self, node: int, text: str, ended: Ending | None = None) -> None:
        old = self.tree[node]
        self.tree.replace(replace(old, text=old.text + text.encode(), ended=ended))
        self.display.invalidate(node)

    def mark(self, node: int, kind: Kind, start: int = 0, value: str | None = "1") -> None:
        self.marks.set(Mark(node, start, kind), value)
        self.display.invalidate(node)

    def is_visited(self, node: int) -> bool:
        return self.marks.get(Mark(node, 0, Kind.VISITED)) is not None

    def growing(self) -> tuple[int, ...]:
        return tuple(node for node in self.tree if self.tree[node].growing)


class Yard(App[None]):
    def __init__(self, garden: Garden) -> None:
        super().__init__()
        self.view = TreeView(garden)
        self.chosen: list[Segment] = []

    def compose(self) -> ComposeResult:
        yield self.view

    def on_tree_view_chosen(self, message: TreeView.Chosen) -> None:
        self.chosen.append(message.segment)


@asynccontextmanager
async def shown(
    garden: Garden, size: tuple[int, int] = (40, 12)
) -> AsyncIterator[tuple[TreeView, Pilot[None], Yard]]:
    app = Yard(garden)
    async with app.run_test(size=size) as pilot:
        app.view.focus()
        await pilot.pause()
        yield app.view, pilot, app


def rows(view: TreeView) -> list[str]:
    found = [view.render_line(y).text.rstrip() for y in range(view.size.height)]
    return [row for row in found if row]


def current_row(view: TreeView) -> str:
    """The row that is drawn unlike all others."""
    strips = [view.render_line(y) for y in range(view.size.height)]
    looks = [{str(piece.style) for piece in strip if piece.text.strip()} for strip in strips]
    plain = view.get_component_rich_style("tree--current")
    found = [s.text.rstrip() for s, look in zip(strips, looks, strict=True) if str(plain) in look]
    assert len(found) == 1
    return found[0]


def forest() -> tuple[Garden, dict[str, int]]:
    garden = Garden()
    trunk = garden.add("The keeper waited.", author=Author.WRITER)
    left = garden.add(" The sea was grey", trunk)
    right = garden.add(" A ship came", trunk)
    tail = garden.add(" and cold", left)
    inner = garden.add(" was blue", left, at=8)
    names = {"trunk": trunk, "left": left, "right": right, "tail": tail, "inner": inner}
    for node in names.values():
        garden.mark(node, Kind.VISITED)
    return garden, names


async def test_branches_are_indented_and_chains_are_not() -> None:
    garden, _ = forest()
    async with shown(garden) as (view, _, _):
        assert rows(view) == [
            "⌂ story",
            "✎ The keeper waited.",
            "├╴◇ The sea",
            "│ ├╴◇ was grey",
            "│ │ ◇ and cold",
            "│ ╰╴◇ was blue",
            "╰╴◇ A ship came",
        ]


async def test_marks_say_unvisited_bookmarked_copied_and_folded() -> None:
    garden, names = forest()
    garden.add(" A wave", names["right"])
    for _ in range(3):
        garden.add(" A gull", names["right"])
    garden.mark(names["right"], Kind.BOOKMARK)
    garden.mark(names["left"], Kind.FOLDED)
    async with shown(garden) as (view, _, _):
        assert [row.split() for row in rows(view)[2:]] == [
            ["├▸◇", "The", "sea", "+3"],
            ["╰╴◇", "★", "A", "ship", "came"],
            ["├╴◇", "A", "wave", "●"],
            ["╰╴◇", "A", "gull", "×3", "●"],
        ]


async def test_text_is_made_safe_and_cut_to_the_width() -> None:
    garden = Garden()
    node = garden.add("\x1b[31mred\n\nblue\tgreen", author=Author.WRITER)
    garden.add("漢字👩‍👧e\u0301 " * 20, node, author=Author.WRITER)
    async with shown(garden, (24, 6)) as (view, _, _):
        assert rows(view)[1] == "✎ ␛[31mred⏎⏎blue green"
        assert rows(view)[2].endswith("…")
        for y in range(6):
            strip = view.render_line(y)
            assert sum(piece.cell_length for piece in strip) == strip.cell_length == 24
            assert strip.text == visible(strip.text)


async def test_the_current_segment_is_marked_and_kept_in_sight() -> None:
    garden = Garden()
    nodes = [garden.add(f"branch {i}") for i in range(100)]
    async with shown(garden) as (view, pilot, _):
        view.show(garden.tree[nodes[60]].end)
        await pilot.pause()
        assert "branch 60" in current_row(view)
        view.show(garden.tree[nodes[3]].end)
        await pilot.pause()
        assert "branch 3" in current_row(view)


async def test_the_path_is_emphasised() -> None:
    garden, names = forest()
    async with shown(garden) as (view, pilot, _):
        view.show(garden.tree[names["inner"]].end)
        await pilot.pause()
        words = {
            piece.text.strip(): piece.style
            for y in range(7)
            for piece in view.render_line(y)
            if piece.text.strip()
        }
        assert words["The sea"] == words["The keeper waited."]
        assert words["was grey"] == words["A ship came"] != words["The sea"]
        assert "was blue" in current_row(view)


async def test_a_place_that_is_folded_away_is_marked_where_it_was_folded() -> None:
    garden, names = forest()
    garden.mark(names["left"], Kind.FOLDED)
    async with shown(garden) as (view, pilot, _):
        view.show(garden.tree[names["tail"]].end)
        await pilot.pause()
        assert "The sea" in current_row(view)


async def test_changes_of_the_tree_are_shown_by_the_next_frame() -> None:
    garden, names = forest()
    async with shown(garden) as (view, pilot, _):
        new = garden.add(" Nothing came", names["trunk"])
        view.tree_changed({new})
        await pilot.pause()
        assert rows(view)[-1].split() == ["╰╴◇", "Nothing", "came", "●"]
        garden.mark(new, Kind.HIDDEN)
        garden.mark(names["left"], Kind.FOLDED)
        view.tree_changed({new, names["left"]})
        await pilot.pause()
        found = [row.split() for row in rows(view)[2:]]
        assert found == [["├▸◇", "The", "sea", "+3"], ["╰╴◇", "A", "ship", "came"]]
        garden.mark(names["left"], Kind.FOLDED, value=None)
        view.tree_changed({names["left"]})
        await pilot.pause()
        assert len(rows(view)) == 7


async def test_growing_nodes_spin_and_show_their_words_until_they_are_sealed() -> None:
    garden = Garden()
    node = garden.add("", growing=True)
    async with shown(garden) as (view, pilot, _):
        assert rows(view)[1][0] in SPINNER
        garden.extend(node, "The sea")
        view.grew()
        await pilot.pause()
        assert "The sea" in rows(view)[1] and rows(view)[1][0] in SPINNER
        frames = {rows(view)[1][0]}
        while len(frames) < 3:
            await pilot.pause(0.05)
            frames.add(rows(view)[1][0])
        garden.extend(node, " was", Ending.LENGTH)
        view.grew()
        assert rows(view)[1].split() == ["◇", "The", "sea", "was", "●"]


async def test_a_click_or_enter_chooses_a_segment() -> None:
    garden, names = forest()
    async with shown(garden) as (view, pilot, app):
        await pilot.click(TreeView, offset=(6, 3))
        assert app.chosen == [Segment(names["left"], 8, 17)]
        view.show(garden.tree[names["right"]].end)
        await pilot.pause()
        await pilot.press("enter")
        assert app.chosen[-1] == Segment(names["right"], 0, 12)
        await pilot.click(TreeView, offset=(6, 11))
        assert len(app.chosen) == 2


async def test_a_chosen_segment_is_as_long_as_it_is_by_now() -> None:
    garden = Garden()
    node = garden.add("a", growing=True)
    async with shown(garden) as (view, pilot, app):
        garden.extend(node, "bc")
        view.grew()
        await pilot.click(TreeView, offset=(2, 1))
        assert app.chosen == [Segment(node, 0, 3)]


async def test_hoisting_shows_one_branch_only() -> None:
    garden, names = forest()
    async with shown(garden) as (view, pilot, _):
        view.hoist(garden.display.segment_of(Place(names["left"], 8)))
        await pilot.pause()
        assert rows(view) == ["◇ The sea", "├╴◇ was grey", "│ ◇ and cold", "╰╴◇ was blue"]
        view.hoist(None)
        await pilot.pause()
        assert len(rows(view)) == 7


async def test_deep_trees_leave_room_for_words() -> None:
    garden, node = Garden(), ROOT
    for depth in range(40):
        garden.add(f"side {depth}", node)
        node = garden.add(f"deep {depth}", node)
    garden.place = garden.tree[node].end
    async with shown(garden, (40, 20)) as (view, _, _):
        assert "deep 39" in current_row(view)
        assert all(len(row.strip("┊│├╰╴ ")) >= 8 for row in rows(view))


@pytest.mark.parametrize("length", [10_000])
async def test_a_long_chain_is_shown_at_its_end(length: int) -> None:
    garden, node = Garden(), ROOT
    for i in range(length):
        node = garden.add(f"link {i}", node)
    garden.place = garden.tree[node].end
    async with shown(garden) as (view, _, _):
        assert f"link {length - 1}" in current_row(view)
        assert view.virtual_size.height == length + 1


def expected_rails(garden: Garden, segment: Segment) -> list[bool]:
    """For every level, whether a later sibling follows; the slow way, from the segment up."""
    found: list[bool] = []
    while (parent := garden.display.parent(segment)) is not None:
        siblings = garden.display.children(parent)
        if len(siblings) > 1:
            found.append(siblings[-1][:2] != segment[:2])
        segment = parent
    return found[::-1]


@settings(max_examples=80)
@given(st.data())
def test_rails_run_exactly_where_a_sibling_follows(data: st.DataObject) -> None:
    garden = Garden()
    for i in range(data.draw(st.integers(1, 14))):
        parent = data.draw(st.integers(0, garden.tree.next_id - 1))
        at = data.draw(st.integers(0, garden.tree[parent].length))
        garden.add(data.draw(st.sampled_from([f"text{i}", "a", ""])), parent, at)
    index = Rows(garden.display)
    first = data.draw(st.integers(0, len(index) - 1))
    last = data.draw(st.integers(first + 1, len(index)))
    expected = [expected_rails(garden, index[i].segment) for i in range(first, last)]
    assert [list(rails) for rails in index.rails(first, last)] == expected
    floor = data.draw(st.integers(0, 4))
    assert [list(rails[floor:]) for rails in index.rails(first, last, floor)] == [
        rails[floor:] for rails in expected
    ]
    for i in range(len(index)):
        assert index.find(index[i].segment) == i


def change(garden: Garden, data: st.DataObject) -> int:
    """Anything that can happen to a tree; the node it happened to."""
    tree = garden.tree
    node = data.draw(st.integers(0, tree.next_id - 1))
    at = data.draw(st.integers(0, tree[node].length))
    match data.draw(st.sampled_from(["add", "add", "add", "mark", "mark", "grow"])):
        case "add":
            text = data.draw(st.sampled_from(["text", "same", "same", ""]))
            return garden.add(text, node, at, growing=data.draw(st.booleans()))
        case "mark" if node != ROOT:
            kind = data.draw(st.sampled_from([Kind.HIDDEN, Kind.FOLDED, Kind.VISITED]))
            at = data.draw(st.sampled_from([0, at]))
            garden.mark(node, kind, at, data.draw(st.sampled_from(["1", None])))
        case "grow" if tree[node].growing:
            ended = data.draw(st.sampled_from([None, Ending.LENGTH]))
            garden.extend(node, data.draw(st.sampled_from(["", "more"])), ended)
    return node


def folded_in(garden: Garden) -> frozenset[Place]:
    marks = [mark for mark, _ in garden.marks if mark.kind is Kind.FOLDED]
    return frozenset(Place(mark.node, mark.start) for mark in marks)


def structure(rows: Rows) -> list[tuple[object, ...]]:
    found = [rows[i] for i in range(len(rows))]
    return [
        (row.segment, row.depth, row.folded, row.hidden_count, rows.is_head(i))
        for i, row in enumerate(found)
    ]


@settings(max_examples=60)
@given(st.data())
def test_rows_kept_up_to_date_equal_rows_listed_anew(data: st.DataObject) -> None:
    garden = Garden()
    garden.add("first", author=Author.WRITER)
    rows = Rows(garden.display)
    for _ in range(data.draw(st.integers(1, 8))):
        nodes = {change(garden, data) for _ in range(data.draw(st.integers(1, 3)))}
        rows.renew(nodes, folded_in(garden))
        fresh = Display(garden.tree, garden.marks)
        assert structure(rows) == structure(Rows(fresh, None, folded_in(garden)))


def test_a_row_whose_segment_was_divided_is_listed_again_as_it_is_now() -> None:
    """Where of two equal branches the second, which has no row, comes after the first."""
    garden = Garden()
    node = garden.add("first", author=Author.WRITER)
    rows = Rows(garden.display)
    rows.renew({garden.add("text", node, 2)}, frozenset())
    rows.renew({garden.add("text", node, 1), garden.add("text", node, 1)}, frozenset())
    assert structure(rows) == structure(Rows(Display(garden.tree, garden.marks)))


def test_a_branch_beside_others_leaves_their_rows_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    garden = Garden()
    for i in range(3):
        node = garden.add(f"branch {i}")
        for j in range(50):
            node = garden.add(f"leaf {j}", node)
    rows, listed = Rows(garden.display), []
    original = Display.rows

    def counting(self: Display, *args: object) -> object:
        found = original(self, *args)  # type: ignore[arg-type]
        listed.append(len(found))
        return found

    monkeypatch.setattr(Display, "rows", counting)
    rows.renew({garden.add("new")}, frozenset())
    garden.mark(1, Kind.VISITED)
    rows.renew({1}, frozenset())
    assert listed == [1] and len(rows) == 1 + 3 * 51 + 1


async def test_rows_of_a_large_tree_come_after_the_first_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    garden, names = forest()
    async with shown(garden) as (view, _, _):
        at_once = rows(view)
    monkeypatch.setattr(tree, "AT_ONCE", 0)
    async with shown(garden) as (view, pilot, _):
        assert rows(view) == at_once
        view.show(garden.tree[names["tail"]].end)
        await pilot.pause()
        assert "and cold" in current_row(view)


async def test_what_was_asked_before_the_rows_are_there_is_done_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    garden, names = forest()
    monkeypatch.setattr(tree, "AT_ONCE", 0)
    app = Yard(garden)
    async with app.run_test(size=(40, 12)) as pilot:
        app.view._is_filled = False
        garden.mark(names["right"], Kind.BOOKMARK)
        app.view.tree_changed({names["right"]})
        app.view.show(garden.tree[names["right"]].end)
        await pilot.pause()
        app.view._fill()
        await pilot.pause()
        assert "★ A ship came" in current_row(app.view)
