from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loom.core.display import Display, Row, Segment
from loom.core.layout import Cutter, Layout
from loom.core.marks import Kind, Mark, Marks, is_hidden, seen_place
from loom.core.node import ROOT, Author, Ending, Node, Place
from loom.core.tree import Tree

# One step of a session: what is done, to which node, at which byte, with which text.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "grow", "more", "seal", "hide", "show", "bookmark"]),
        st.integers(0, 12),
        st.sampled_from([0, 0, 1, 2, 9]),
        st.sampled_from([b"", b"a", b"ab", b"abc"]),
    ),
    min_size=1,
    max_size=20,
)


@dataclass
class World:
    """A tree that changes as a session changes it, and the display that is told of each change."""

    tree: Tree = field(default_factory=Tree)
    marks: Marks = field(default_factory=Marks)

    def __post_init__(self) -> None:
        self.display = Display(self.tree, self.marks)

    def add(self, parent: int, at: int, text: bytes, author: Author, ended: Ending | None) -> int:
        node = Node(self.tree.next_id, parent, at, author, text, ended=ended)
        self.tree.add(node)
        self.display.invalidate(node.id)
        return node.id

    def write(self, parent: int, text: bytes, at: int | None = None) -> int:
        at = self.tree[parent].length if at is None else at
        return self.add(parent, at, text, Author.WRITER, Ending.WRITTEN)

    def grown(self, parent: int, text: bytes, at: int | None = None) -> int:
        at = self.tree[parent].length if at is None else at
        return self.add(parent, at, text, Author.MODEL, Ending.LENGTH)

    def change(self, node: int, text: bytes, ended: Ending | None) -> None:
        old = self.tree[node]
        self.tree.replace(replace(old, text=old.text + text, ended=ended))
        self.display.invalidate(node)

    def mark(self, node: int, start: int, kind: Kind, value: str | None = "") -> None:
        self.marks.set(Mark(node, start, kind), value)
        self.display.invalidate(node)

    def step(self, what: str, node: int, at: int, text: bytes) -> None:
        node %= self.tree.next_id
        old = self.tree[node]
        at = min(at, old.length)
        if what == "write":
            self.write(node, text, at)
        elif what == "grow":
            self.add(node, at, text, Author.MODEL, None)
        elif what == "more" and old.growing:
            self.change(node, text, None)
        elif what == "seal" and old.growing:
            self.change(node, b"", Ending.LENGTH)
        elif what in {"hide", "show"} and node != ROOT:
            self.mark(node, at, Kind.HIDDEN, "" if what == "hide" else None)
        elif what == "bookmark":
            self.mark(node, at, Kind.BOOKMARK)

    def run(self, steps: Iterable[tuple[str, int, int, bytes]]) -> World:
        for step in steps:
            self.step(*step)
        return self

    def visible(self) -> list[int]:
        return [node for node in self.tree if not is_hidden(self.tree, self.marks, node)]

    def text(self, segments: Iterable[Segment]) -> bytes:
        return b"".join(self.tree[s.node].text[s.start : s.stop] for s in segments)


def reachable(display: Display) -> list[Segment]:
    found = [display.root]
    for segment in found:
        found.extend(display.children(segment))
    return found


def twins_of(display: Display, shown: Iterable[Segment]) -> Iterator[Segment]:
    for segment in shown:
        yield from display.twins(segment)


def outline(world: World, rows: Iterable[Row]) -> list[str]:
    return [f"{'  ' * row.depth}{world.text([row.segment]).decode()}" for row in rows]


@given(STEPS)
def test_every_visible_byte_lies_in_exactly_one_segment_and_no_hidden_one_in_any(
    steps: list[tuple[str, int, int, bytes]],
) -> None:
    world = World().run(steps)
    covered = [
        (segment.node, byte)
        for segment in twins_of(world.display, reachable(world.display))
        for byte in range(segment.start, segment.stop)
    ]
    expected = [
        (node, byte)
        for node in world.tree
        for byte in range(world.tree[node].length)
        if not is_hidden(world.tree, world.marks, Place(node, byte + 1))
    ]
    assert sorted(covered) == expected


@given(STEPS)
def test_every_visible_node_is_shown_even_without_text(
    steps: list[tuple[str, int, int, bytes]],
) -> None:
    world = World().run(steps)
    shown = [s.node for s in twins_of(world.display, reachable(world.display)) if s.start == 0]
    assert sorted(shown) == world.visible()


@given(STEPS)
def test_parent_and_children_are_inverse(steps: list[tuple[str, int, int, bytes]]) -> None:
    display = World().run(steps).display
    assert display.parent(display.root) is None
    for segment in reachable(display):
        children = display.children(segment)
        assert len(set(children)) == len(children)
        for child in children:
            assert display.parent(child) == segment
            assert display.siblings(child) == children
    assert display.siblings(display.root) == (display.root,)


@given(STEPS)
def test_a_tail_comes_before_the_branches_and_those_in_order_of_id(
    steps: list[tuple[str, int, int, bytes]],
) -> None:
    display = World().run(steps).display
    for segment in reachable(display):
        children = display.children(segment)
        tails = [child for child in children if child.node == segment.node]
        assert tails == [child for child in children[:1] if child.start == segment.stop > 0]
        nodes = [child.node for child in children if child not in tails]
        assert nodes == sorted(nodes)
        assert all(child.start == 0 for child in children if child not in tails)


@given(STEPS)
def test_the_path_on_the_screen_reads_as_the_path_in_the_tree(
    steps: list[tuple[str, int, int, bytes]],
) -> None:
    world = World().run(steps)
    for segment in reachable(world.display):
        for twin in world.display.twins(segment):
            end = world.display.place_of_end(twin)
            path = world.display.path(end)
            assert path[0] == world.display.root
            assert path[-1] == segment
            assert world.text(path) == world.tree.path_bytes(end)
            for above, below in zip(path, path[1:], strict=False):
                assert below in world.display.children(above)


@given(STEPS)
def test_the_segment_of_a_place_contains_it_and_an_edge_belongs_to_what_ends_there(
    steps: list[tuple[str, int, int, bytes]],
) -> None:
    world = World().run(steps)
    shown = reachable(world.display)
    for node in world.visible():
        for at in range(world.tree[node].length + 1):
            place = Place(node, at)
            segment = world.display.segment_of(place)
            assert segment in shown
            if is_hidden(world.tree, world.marks, place):
                assert segment == world.display.segment_of(Place(node, at - 1))
            elif at:
                twins = world.display.twins(segment)
                assert any(t.node == node and t.start < at <= t.stop for t in twins)


@example([("write", 0, 0, b"ab"), ("write", 1, 1, b""), ("hide", 2, 0, b"")])
@given(STEPS)
def test_a_hidden_place_is_shown_by_its_nearest_visible_ancestor(
    steps: list[tuple[str, int, int, bytes]],
) -> None:
    world = World().run(steps)
    for node in world.tree:
        segment = world.display.segment_of(world.tree[node].end)
        assert segment in reachable(world.display)
        seen = seen_place(world.tree, world.marks, world.tree[node].end)
        before = world.tree.path_bytes(seen)
        path = world.display.path(world.display.place_of_end(segment))
        assert world.text(path).startswith(before)
        assert before.startswith(world.text(path[:-1]))


@given(STEPS, st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3)), max_size=4))
def test_a_display_kept_through_changes_equals_a_new_one(
    steps: list[tuple[str, int, int, bytes]], folds: list[tuple[int, int]]
) -> None:
    world, folded = World(), frozenset(Place(*fold) for fold in folds)
    for step in steps:
        world.step(*step)
        new = Display(world.tree, world.marks)
        assert world.display.rows(folded=folded) == new.rows(folded=folded)
        assert reachable(world.display) == reachable(new)
        for segment in reachable(new):
            assert world.display.twins(segment) == new.twins(segment)
            assert world.display.copies(segment) == new.copies(segment)


@given(STEPS)
def test_rows_are_the_tree_in_reading_order_and_only_a_fork_goes_deeper(
    steps: list[tuple[str, int, int, bytes]],
) -> None:
    display = World().run(steps).display
    rows = display.rows()
    depths = {row.segment: row.depth for row in rows}
    assert sorted(depths) == sorted(reachable(display))
    assert len(depths) == len(rows)
    assert rows[0] == Row(display.root, 0, False, 0)
    position = {row.segment: index for index, row in enumerate(rows)}
    for segment, depth in depths.items():
        children = display.children(segment)
        assert [depths[child] for child in children] == [depth + (len(children) > 1)] * len(
            children
        )
        assert [position[child] for child in children] == sorted(position[c] for c in children)
        assert not children or position[children[0]] == position[segment] + 1


@given(STEPS, st.data())
def test_a_fold_hides_and_counts_what_is_below_it(
    steps: list[tuple[str, int, int, bytes]], data: st.DataObject
) -> None:
    display = World().run(steps).display
    segment = data.draw(st.sampled_from(reachable(display)))
    below = display.rows(segment)[1:]
    rows = display.rows(folded={Place(segment.node, segment.start)})
    row = next(row for row in rows if row.segment == segment)
    assert (row.folded, row.hidden_count) == (bool(below), len(below))
    hidden = {row.segment for row in below}
    assert [row.segment for row in rows] == [
        row.segment for row in display.rows() if row.segment not in hidden
    ]


def test_branching_inside_a_node_shows_prefix_tail_and_branch() -> None:
    world = World()
    start = world.write(ROOT, b"One day")
    grown = world.grown(start, b" it rained. Then it stopped.")
    branch = world.grown(grown, b" Nobody came.", at=11)
    prefix, tail = Segment(grown, 0, 11), Segment(grown, 11, 28)
    assert world.display.segments(grown) == (prefix, tail)
    assert world.display.children(prefix) == (tail, Segment(branch, 0, 13))
    assert world.display.parent(Segment(branch, 0, 13)) == prefix
    assert outline(world, world.display.rows()) == [
        "",
        "One day",
        " it rained.",
        "   Then it stopped.",
        "   Nobody came.",
    ]


def test_a_segment_given_out_before_is_found_as_it_is_now() -> None:
    world = World()
    node = world.add(world.write(ROOT, b"It"), 2, b"", Author.MODEL, None)
    given_out = world.display.segments(node)[0]
    world.change(node, b" rained all day.", None)
    assert world.display.current(given_out) == Segment(node, 0, 16), "grown"
    whole = world.display.current(given_out)
    branch = world.grown(node, b" a little.", at=7)
    first, rest = Segment(node, 0, 7), Segment(node, 7, 16)
    assert world.display.current(whole) == world.display.current(given_out) == first, "cut"
    assert [row.segment for row in world.display.rows(whole)][:2] == [first, rest]
    world.mark(branch, 0, Kind.HIDDEN)
    assert world.display.current(rest) == world.display.current(first) == whole, "one again"
    world.mark(node, 0, Kind.HIDDEN)
    assert world.display.current(whole) == world.display.path(Place(node, 0))[-1], "hidden"


def test_hiding_a_tail_keeps_the_branch_that_hangs_before_it() -> None:
    world = World()
    node = world.grown(ROOT, b"good bad")
    branch = world.grown(node, b"better", at=5)
    world.mark(node, 5, Kind.HIDDEN)
    assert outline(world, world.display.rows()) == ["", "good ", "better"]
    assert world.display.segment_of(world.tree[node].end) == Segment(node, 0, 5)
    world.mark(node, 5, Kind.HIDDEN, None)
    assert outline(world, world.display.rows()) == ["", "good ", "  bad", "  better"]
    world.mark(node, 0, Kind.HIDDEN)
    assert world.display.rows() == [Row(world.display.root, 0, False, 0)]
    assert world.display.segment_of(Place(branch, 3)) == world.display.root


def test_rewriting_a_node_from_its_start_gives_it_a_sibling_chain_after_chain() -> None:
    world = World()
    first = world.write(ROOT, b"one")
    second = world.write(first, b"two", at=0)
    third = world.write(second, b"three", at=0)
    assert outline(world, world.display.rows()) == ["", "  one", "  two", "  three"]
    assert world.display.parent(Segment(third, 0, 5)) == world.display.root
    world.mark(first, 0, Kind.HIDDEN)
    assert outline(world, world.display.rows()) == ["", "  two", "  three"]
    assert world.display.segment_of(Place(third, 0)) == world.display.root


def test_what_follows_a_node_without_text_is_its_child_until_it_has_some() -> None:
    world = World()
    empty = world.add(ROOT, 0, b"", Author.MODEL, None)
    after = world.write(empty, b"x")
    assert world.display.children(Segment(empty, 0, 0)) == (Segment(after, 0, 1),)
    world.change(empty, b"y", None)
    assert outline(world, world.display.rows()) == ["", "  y", "  x"]


def test_sealed_leaves_of_equal_text_by_the_model_are_shown_once() -> None:
    world = World()
    one, two, three = (world.grown(ROOT, b"same") for _ in range(3))
    world.grown(ROOT, b"other")
    world.write(ROOT, b"same")
    assert outline(world, world.display.rows()) == ["", "  same", "  other", "  same"]
    shown = Segment(one, 0, 4)
    assert world.display.copies(shown) == 3
    assert [twin.node for twin in world.display.twins(shown)] == [one, two, three]
    assert world.display.segment_of(Place(three, 2)) == shown
    world.write(two, b"!")
    assert world.display.copies(shown) == 2
    assert world.display.segment_of(Place(two, 2)) == Segment(two, 0, 4)
    world.mark(one, 0, Kind.HIDDEN)
    assert world.display.segment_of(Place(three, 2)) == Segment(three, 0, 4)


def test_growing_and_remarked_leaves_are_never_merged() -> None:
    world = World()
    growing = [world.add(ROOT, 0, b"same", Author.MODEL, None) for _ in range(2)]
    noted = world.grown(ROOT, b"same")
    world.mark(noted, 0, Kind.NOTE, "look")
    assert len(world.display.children(world.display.root)) == 3
    for node in growing:
        world.change(node, b"", Ending.LENGTH)
    assert len(world.display.children(world.display.root)) == 2


def test_a_list_of_rows_given_out_stays_as_it_was_while_nodes_grow() -> None:
    world = World()
    node = world.add(ROOT, 0, b"a", Author.MODEL, None)
    world.change(node, b"b", None)
    before = world.display.rows()
    world.change(node, b"c", None)
    assert before[1].segment == Segment(node, 0, 2)
    assert world.display.rows()[1].segment == Segment(node, 0, 3)


def test_a_branch_at_the_end_of_a_growing_node_stays_there_while_it_grows_on() -> None:
    world = World()
    node = world.add(ROOT, 0, b"ab", Author.MODEL, None)
    world.write(node, b"branch")
    world.display.invalidate(node)
    assert outline(world, world.display.rows()) == ["", "ab", "branch"]
    world.change(node, b"c", None)
    assert outline(world, world.display.rows()) == ["", "ab", "  c", "  branch"]
    world.change(node, b"d", None)
    assert outline(world, world.display.rows()) == ["", "ab", "  cd", "  branch"]


def test_growth_lays_out_only_the_node_itself_and_adding_one_only_what_is_near(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    laid_out: list[int] = []
    lay_out = Cutter.lay_out

    def noted(cutter: Cutter, node: int) -> Layout:
        laid_out.append(node)
        return lay_out(cutter, node)

    monkeypatch.setattr(Cutter, "lay_out", noted)
    world = World()
    for index in range(2000):
        world.write(index // 2, b"some text %d" % index)
    node = world.add(700, 3, b"a", Author.MODEL, None)
    display = world.display = Display(world.tree, world.marks)
    world.change(node, b"b", None)
    display.rows()
    laid_out.clear()
    for _ in range(10):
        world.change(node, b"more", None)
        assert Segment(node, 0, world.tree[node].length) in {r.segment for r in display.rows()}
    assert laid_out == [node] * 10
    laid_out.clear()
    world.write(900, b"near")
    display.rows()
    assert len(laid_out) < 5


@pytest.mark.parametrize("at_start", [False, True])
def test_a_chain_of_100_000_nodes_is_shown_without_recursion(at_start: bool) -> None:
    world, count = World(), 100_000
    world.tree.add(Node(1, ROOT, 0, Author.WRITER, b"x", ended=Ending.WRITTEN))
    for id in range(2, count + 1):
        at = 0 if at_start else 1
        world.tree.add(Node(id, id - 1, at, Author.WRITER, b"x", ended=Ending.WRITTEN))
    rows = world.display.rows()
    assert [row.segment.node for row in rows] == list(range(count + 1))
    assert rows[-1].depth == (1 if at_start else 0)
    path = world.display.path(Place(count, 1))
    assert len(path) == (2 if at_start else count + 1)
    world.display.invalidate(count)
    assert world.display.rows(folded={Place(ROOT, 0)}) == [Row(world.display.root, 0, True, count)]


def test_a_fan_of_100_000_nodes_is_shown() -> None:
    world, count = World(), 100_000
    for id in range(1, count + 1):
        text = b"%d" % (id % 50_000)
        world.tree.add(Node(id, ROOT, 0, Author.MODEL, text, ended=Ending.LENGTH))
    children = world.display.children(world.display.root)
    assert [child.node for child in children] == list(range(1, 50_001))
    assert {world.display.copies(child) for child in children} == {2}
    assert len(world.display.rows()) == 50_001
