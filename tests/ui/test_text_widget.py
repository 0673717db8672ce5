"""The token text: what it shows, where its cursor goes, what it says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.segment import Segment as Piece
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from loom.core.node import ROOT, Author, Ending, Node, Place
from loom.core.span import Span
from loom.core.text import visible, word_edges
from loom.core.tree import Tree
from loom.ui.widgets.course import Course
from loom.ui.widgets.layers import LAYERS, SCALES, STEPS, steps
from loom.ui.widgets.text import TokenText
from loom.ui.widgets.tokens import Tokens

LAST = "END"  # on the line where siblings part
LONG = (
    b"The lighthouse keeper had not spoken to anyone since the storm took the boat. " * 40 + b"\n"
)


def span_of(text: bytes, bits: float = 1.0) -> Span:
    """Words as tokens, each as surprising as told."""
    ends = np.array(word_edges(text), np.int32)
    flat = np.full(len(ends), bits * np.log(2), np.float32)
    whole = np.zeros(len(ends), np.int32)
    top = np.zeros((len(ends), 1))
    return Span(whole, ends, -flat, flat, flat, whole, top.astype(np.int32), top.astype(np.float32))


@dataclass
class Paper:
    """The part of a session the widget reads."""

    tree: Tree = field(default_factory=Tree)
    spans: dict[int, Span] = field(default_factory=dict)
    ends: dict[int, list[int]] = field(default_factory=dict)

    def add(
        self,
        text: bytes,
        parent: int = ROOT,
        at: int | None = None,
        author: Author = Author.MODEL,
        growing: bool = False,
    ) -> int:
        place = self.tree[parent].length if at is None else at
        ended = None if growing else Ending.LENGTH
        self.tree.add(Node(self.tree.next_id, parent, place, author, text, ended=ended))
        return self.tree.next_id - 1

    def extend(self, node: int, text: bytes, ended: Ending | None = None) -> None:
        old = self.tree[node]
        self.tree.replace(replace(old, text=old.text + text, ended=ended))

    def span(self, node: int) -> Span | None:
        return self.spans.get(node)

    def edges(self, node: int) -> Sequence[int]:
        return self.ends.get(node) or word_edges(self.tree[node].text)


class Desk(App[None]):
    def __init__(self, paper: Paper) -> None:
        super().__init__()
        self.text = TokenText(paper)
        self.heard: list[object] = []

    def compose(self) -> ComposeResult:
        yield self.text

    def on_token_text_cursor_moved(self, message: TokenText.CursorMoved) -> None:
        self.heard.append(("moved", message.place))

    def on_token_text_clicked(self, message: TokenText.Clicked) -> None:
        self.heard.append(("clicked", message.place))


@asynccontextmanager
async def shown(
    paper: Paper, place: Place, size: tuple[int, int] = (42, 12)
) -> AsyncIterator[tuple[TokenText, Pilot[None], Desk]]:
    app = Desk(paper)
    async with app.run_test(size=size) as pilot:
        app.text.show(place)
        app.text.focus()
        await pilot.pause()
        yield app.text, pilot, app


def rows(text: TokenText) -> list[str]:
    return [text.render_line(y).text.strip() for y in range(text.size.height)]


def pieces(text: TokenText) -> list[Piece]:
    return [piece for y in range(text.size.height) for piece in text.render_line(y)]


def reversed_text(text: TokenText) -> str:
    return "".join(p.text for p in pieces(text) if p.style is not None and p.style.reverse)


def style_of(text: TokenText, word: str) -> Piece:
    return next(piece for piece in pieces(text) if word in piece.text)


async def test_the_path_is_shown_and_nothing_after_it() -> None:
    paper = Paper()
    first = paper.add(b"The sea was grey and cold.")
    paper.add(b" NOT SHOWN", first)
    branch = paper.add(b" blue.", first, at=11)
    async with shown(paper, paper.tree[branch].end) as (text, _, _):
        assert rows(text)[0] == "The sea was blue."
        text.show(Place(first, 7))
        assert rows(text)[0] == "The sea"


async def test_prose_is_at_most_80_columns_wide_and_centred() -> None:
    paper = Paper()
    node = paper.add(LONG)
    async with shown(paper, paper.tree[node].end, (120, 40)) as (text, _, _):
        line = text.render_line(0).text
        left = len(line) - len(line.lstrip())
        assert len(line.strip()) <= 80
        assert abs(left - (120 - 80) / 2) <= 1


@pytest.mark.parametrize("size", [(42, 12), (80, 24), (12, 3)])
async def test_every_line_is_as_wide_as_the_widget(size: tuple[int, int]) -> None:
    paper = Paper()
    node = paper.add("漢字 e\u0301 👩‍👧 a\tb\x1b[31m\r\n".encode() * 30)
    async with shown(paper, paper.tree[node].end, size) as (text, _, _):
        for y in range(size[1]):
            strip = text.render_line(y)
            assert sum(piece.cell_length for piece in strip) == strip.cell_length == size[0]
            assert strip.text == visible(strip.text)


async def test_the_cursor_stands_behind_the_last_character() -> None:
    paper = Paper()
    node = paper.add(b"Grey sea")
    async with shown(paper, paper.tree[node].end) as (text, _, _):
        assert text.cursor == Place(node, 8)
        assert reversed_text(text) == " "
        assert rows(text)[0] == "Grey sea"


async def test_the_cursor_is_seen_at_the_end_of_a_full_line_and_on_an_empty_one() -> None:
    paper = Paper()
    full = paper.add(b"x" * 39)
    with_space = paper.add(b" ", full)
    below = paper.add(b"\n", with_space)
    async with shown(paper, paper.tree[full].end) as (text, _, _):
        for node in (full, with_space, below):
            text.show(paper.tree[node].end)
            assert reversed_text(text) == " "
        assert text.render_line(1).text.strip() == ""


async def test_moving_by_token_crosses_nodes_and_stops_at_both_ends() -> None:
    paper = Paper()
    first = paper.add(b"The sea")
    second = paper.add(b" was", first)
    async with shown(paper, paper.tree[second].end) as (text, pilot, app):
        places = []
        for _ in range(5):
            text.move_token(-1)
            places.append(text.cursor)
        assert places == [Place(first, 7), Place(first, 3), *[Place(ROOT, 0)] * 3]
        assert text.token_at_cursor() == (first, 0)
        assert reversed_text(text) == "The"
        text.move_token(+2)
        assert text.cursor == Place(first, 7) and text.token_at_cursor() == (second, 0)
        text.move_end()
        assert text.cursor == Place(second, 4) and text.token_at_cursor() is None
        await pilot.pause()
        assert app.heard[-1] == ("moved", Place(second, 4))


async def test_tokens_that_end_inside_a_character_are_stepped_through() -> None:
    paper = Paper()
    node = paper.add("a漢b".encode())
    paper.ends[node] = [1, 2, 4, 5]
    async with shown(paper, paper.tree[node].end) as (text, _, _):
        found = []
        for _ in range(4):
            text.move_token(-1)
            found.append((text.cursor.at, reversed_text(text)))
        assert found == [(4, "b"), (2, "漢"), (1, "漢"), (0, "a")]


async def test_words_and_sentences_are_left_at_token_edges() -> None:
    paper = Paper()
    node = paper.add(b"He waited. The lighthouse shone.")
    paper.ends[node] = [2, 6, 9, 10, 14, 20, 25, 31, 32]
    async with shown(paper, paper.tree[node].end) as (text, _, _):
        text.move_sentence(-1)
        assert text.cursor.at == 10
        text.move_sentence(-1)
        assert text.cursor.at == 0
        text.move_sentence(+1)
        assert text.cursor.at == 10
        text.move_word(+1)
        assert text.cursor.at == 14
        text.move_word(+1)
        assert text.cursor.at == 25
        text.move_word(-2)
        assert text.cursor.at == 10


async def test_moving_by_line_keeps_the_column() -> None:
    paper = Paper()
    node = paper.add(b"one two three\nx\nfour five six")
    async with shown(paper, Place(node, 29)) as (text, _, _):
        text.move_token(-1)
        start = text.cursor.at
        text.move_line(-1)
        assert 14 <= text.cursor.at <= 15
        text.move_line(-1)
        assert text.cursor.at == 7
        text.move_line(+2)
        assert text.cursor.at == start
        text.move_line(+1)
        assert text.cursor.at == start


async def test_the_view_follows_the_cursor() -> None:
    paper = Paper()
    node = paper.add(LONG)
    async with shown(paper, paper.tree[node].end) as (text, pilot, _):
        assert text.scroll_y > 0 and reversed_text(text) == " "
        text.move_start()
        await pilot.pause()
        assert text.scroll_y == 0 and reversed_text(text) == "The"
        text.move_sentence(+30)
        await pilot.pause()
        assert text.scroll_y > 0 and reversed_text(text).strip() == "The"


async def test_a_click_puts_the_cursor_on_the_token() -> None:
    paper = Paper()
    node = paper.add(b"The sea was grey")
    async with shown(paper, Place(node, 16)) as (text, pilot, app):
        await pilot.click(TokenText, offset=(1 + 9, 0))
        assert text.cursor == Place(node, 7) and reversed_text(text) == " was"
        assert ("clicked", Place(node, 7)) in app.heard
        await pilot.click(TokenText, offset=(30, 0))
        assert text.cursor == Place(node, 16)


async def test_growing_text_is_followed_at_its_end() -> None:
    paper = Paper()
    node = paper.add(b"The", growing=True)
    other = paper.add(b"Other", growing=True)
    async with shown(paper, paper.tree[node].end) as (text, _, _):
        paper.extend(node, b" sea")
        paper.extend(other, b" words")
        text.grew({node, other})
        assert rows(text)[0] == "The sea" and text.cursor == Place(node, 7)
        text.move_token(-1)
        paper.extend(node, b" was")
        text.grew({node})
        assert rows(text)[0] == "The sea was" and text.cursor == Place(node, 3)


async def test_a_place_inside_a_growing_node_stays() -> None:
    paper = Paper()
    node = paper.add(b"The sea", growing=True)
    async with shown(paper, Place(node, 3)) as (text, _, _):
        paper.extend(node, b" was")
        text.grew({node})
        assert rows(text)[0] == "The"


async def test_half_a_character_is_held_back_until_it_is_whole_or_sealed() -> None:
    paper = Paper()
    node = paper.add(b"a", growing=True)
    async with shown(paper, paper.tree[node].end) as (text, _, _):
        paper.extend(node, "漢".encode()[:2])
        text.grew({node})
        assert rows(text)[0] == "a"
        paper.extend(node, "漢".encode()[2:] + b"\xe6")
        text.grew({node})
        assert rows(text)[0] == "a漢"
        paper.extend(node, b"", Ending.CANCEL)
        text.grew({node})
        assert rows(text)[0] == "a漢\ufffd"


async def test_growing_text_scrolls_only_for_who_was_at_its_end() -> None:
    paper = Paper()
    node = paper.add(LONG, growing=True)
    async with shown(paper, paper.tree[node].end) as (text, pilot, _):
        at_end = text.scroll_y
        paper.extend(node, LONG)
        text.grew({node})
        await pilot.pause()
        assert text.scroll_y > at_end
        text.scroll_to(y=3, animate=False)
        await pilot.pause()
        paper.extend(node, LONG)
        text.grew({node})
        await pilot.pause()
        assert text.scroll_y == 3


async def test_going_to_a_sibling_keeps_the_branch_point_on_its_row() -> None:
    paper = Paper()
    trunk = paper.add(LONG)
    long, short = paper.add(b"END" + b"\nlong" * 6, trunk), paper.add(b"END\nshort", trunk)
    async with shown(paper, paper.tree[long].end) as (text, pilot, _):

        def parting() -> int:
            return rows(text).index(LAST)

        row = parting()
        for node in (short, long, short):
            text.show(paper.tree[node].end, keep_row=True)
            await pilot.pause()
            assert parting() == row
            assert reversed_text(text) == " "


async def test_a_longer_sibling_is_read_to_its_end() -> None:
    paper = Paper()
    trunk = paper.add(LONG)
    short, long = paper.add(b"END\nshort", trunk), paper.add(b"END" + b"\nlong" * 8, trunk)
    async with shown(paper, paper.tree[short].end) as (text, pilot, _):
        text.show(paper.tree[long].end, keep_row=True)
        await pilot.pause()
        assert reversed_text(text) == " " and LAST in rows(text)


async def test_another_width_keeps_the_cursor_in_sight() -> None:
    paper = Paper()
    node = paper.add(LONG)
    async with shown(paper, paper.tree[node].end, (100, 20)) as (text, pilot, _):
        await pilot.resize_terminal(40, 10)
        await pilot.pause()
        assert reversed_text(text) == " "
        assert all(len(row) <= 38 for row in rows(text))


async def test_writer_and_model_differ_by_more_than_colour() -> None:
    paper = Paper()
    written = paper.add(b"mine", author=Author.WRITER)
    drawn = paper.add(b" yours", written)
    async with shown(paper, paper.tree[drawn].end) as (text, _, _):
        one, other = style_of(text, "mine").style, style_of(text, "yours").style
        assert one is not None and other is not None
        assert one.without_color != other.without_color


async def test_the_current_node_is_brighter_than_those_before() -> None:
    paper = Paper()
    first = paper.add(b"before")
    second = paper.add(b" now", first)
    async with shown(paper, paper.tree[second].end) as (text, _, _):
        before, now = style_of(text, "before").style, style_of(text, "now").style
        assert before is not None and now is not None and before.color != now.color
        text.show(paper.tree[first].end)
        assert style_of(text, "before").style == now


@pytest.mark.parametrize("layer", SCALES)
async def test_a_layer_marks_the_most_remarkable_tokens_also_without_colour(layer: str) -> None:
    paper = Paper()
    dull, odd = paper.add(b"dull"), 0
    odd = paper.add(b" odd", dull)
    paper.spans[dull], paper.spans[odd] = span_of(b"dull", 0.1), span_of(b" odd", 15)
    async with shown(paper, paper.tree[odd].end) as (text, _, _):
        text.colour_layer = layer
        one, other = style_of(text, "dull").style, style_of(text, "odd").style
        assert one is not None and other is not None
        assert other.underline and other.bold and not one.underline
        assert one.bgcolor != other.bgcolor


async def test_a_token_takes_its_colour_when_it_has_been_read() -> None:
    paper = Paper()
    node = paper.add(b"odd", author=Author.WRITER)
    async with shown(paper, paper.tree[node].end) as (text, _, _):
        text.colour_layer = "surprise"
        unread = style_of(text, "odd").style
        paper.spans[node] = span_of(b"odd", 15)
        text.scored(node)
        assert style_of(text, "odd").style != unread


async def test_every_layer_draws_the_same_text() -> None:
    paper = Paper()
    node = paper.add(b"The sea was grey.\n\nAnd cold.")
    paper.spans[node] = span_of(paper.tree[node].text, 4)
    async with shown(paper, paper.tree[node].end) as (text, _, _):
        plain = rows(text)
        for layer in LAYERS:
            text.colour_layer = layer
            assert rows(text) == plain


async def test_the_cursor_is_drawn_over_lines_already_drawn() -> None:
    paper = Paper()
    node = paper.add(b"one\ntwo\nthree")
    async with shown(paper, paper.tree[node].end) as (text, _, _):
        rows(text)
        text.move_start()
        assert reversed_text(text) == "one"


@pytest.mark.parametrize("layer", SCALES)
def test_steps_follow_their_limits(layer: str) -> None:
    scale = SCALES[layer]
    values = {"probability": [-0.01, -10.0], "surprise": [-0.01, -10.0], "entropy": [0.01, 9.0]}
    column = np.array(values[layer], np.float32)
    zero, whole = np.zeros(2, np.float32), np.zeros(2, np.int32)
    top = np.zeros((2, 1))
    span = Span(
        whole,
        whole,
        column if layer != "entropy" else zero,
        column if layer == "entropy" else zero,
        zero,
        whole,
        top.astype(np.int32),
        top.astype(np.float32),
    )
    assert steps(span, layer) == [0, STEPS - 1]
    assert len({scale.label(step) for step in range(STEPS)}) == STEPS


def test_a_layer_about_authors_has_no_steps() -> None:
    assert steps(span_of(b"a b"), "author") == ()


@settings(max_examples=60)
@given(st.data())
def test_courses_follow_any_path_and_share_what_is_common(data: st.DataObject) -> None:
    paper = Paper()
    for _ in range(data.draw(st.integers(1, 12))):
        parent = data.draw(st.integers(0, paper.tree.next_id - 1))
        at = data.draw(st.integers(0, paper.tree[parent].length))
        paper.add(data.draw(st.binary(max_size=5)), parent, at)
    course, before = Course(), b""
    for _ in range(6):
        node = data.draw(st.integers(0, paper.tree.next_id - 1))
        place = Place(node, data.draw(st.integers(0, paper.tree[node].length)))
        common = course.lead(place, paper.tree)
        after = paper.tree.path_bytes(place)
        assert before[:common] == after[:common]
        assert course.length == len(after) and course.end == place
        assert [s for _, s in course.between(0, course.length)] == [
            stretch for stretch in paper.tree.stretches(place) if stretch.at
        ]
        for byte in range(len(after) + 1):
            found = course.place(byte)
            assert course.byte(found) == byte
            assert paper.tree.path_bytes(found) == after[:byte]
        before = after


@settings(max_examples=60)
@given(st.lists(st.text("ab .\n", min_size=1, max_size=12), min_size=1, max_size=6))
def test_stepping_by_token_visits_every_edge_both_ways(texts: list[str]) -> None:
    paper, node = Paper(), ROOT
    for text in texts:
        node = paper.add(text.encode(), node)
    course = Course()
    course.lead(paper.tree[node].end, paper.tree)
    tokens = Tokens(paper, course)
    edges, start = [0], 0
    for text in texts:
        edges += [start + edge for edge in word_edges(text.encode())]
        start += len(text)
    assert _walk(tokens.after, 0, len(edges)) == edges
    assert _walk(tokens.before, start, len(edges)) == edges[::-1]


def _walk(step: Callable[[int], int], at: int, count: int) -> list[int]:
    found = [at]
    while len(found) < count:
        found.append(at := step(at))
    return found


async def test_what_is_out_of_the_models_sight_is_marked_without_colour() -> None:
    """A line beside what it doesn't see, a mark where its sight begins; also inside a line."""
    paper = Paper()
    node = paper.add(b"One line.\nTwo of them.\nThree lines, and so on.\n")
    begins = len(b"One line.\nTwo of them.\n")
    async with shown(paper, paper.tree[node].end) as (text, pilot, _):
        assert not any(mark in row for row in rows(text) for mark in "┊▸")
        for seen_from, marks in ((begins, "┊┊▸"), (begins + 6, "┊┊▸"), (3, "▸"), (0, "")):
            text.sight = lambda place, byte=seen_from: byte  # type: ignore[misc]
            text.look_again()
            await pilot.pause()
            found = [row[0] if row[:1] in ("┊", "▸") else "" for row in rows(text)]
            assert "".join(found) == marks


async def test_what_is_out_of_sight_is_dimmer_to_the_byte() -> None:
    paper = Paper()
    node = paper.add(b"Not seen any more. Seen as ever.")
    async with shown(paper, paper.tree[node].end) as (text, pilot, _):
        text.sight = lambda place: len(b"Not seen any more.")
        text.look_again()
        text.cursor = Place(node, 0)
        await pilot.pause()
        styles = {p.text.strip(): p.style for p in pieces(text) if p.text.strip()}
        before = next(style for words, style in styles.items() if words.endswith("more."))
        after = next(style for words, style in styles.items() if words.startswith("Seen"))
        assert before is not None and after is not None
        assert before.color != after.color
