"""How the lines of a page are drawn: names of looks for what stands on them, and strips kept.

Knows the tree, tokens and component classes; knows nothing of views and cursors' moves.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from rich.segment import Segment as Piece
from textual.strip import Strip

from loom.core.node import Author
from loom.core.tree import Tree
from loom.ui.widgets.course import Course
from loom.ui.widgets.layers import LEADING, PREFIXES, SCALES, STEPS
from loom.ui.widgets.looks import Looks
from loom.ui.widgets.margin import (
    MOVED,
    RAISED,
    Passage,
    Spot,
    flag_beside,
    raised_spots,
    with_spots,
)
from loom.ui.widgets.page import Line, Page
from loom.ui.widgets.runs import CURSOR, Look, runs, token_looks
from loom.ui.widgets.tokens import Tokens

STRIPS_KEPT = 1024
UNSEEN, BEGINS = "┊", "▸"  # in the margin: beside what is out of the model's sight, and at its end

CLASSES: set[str] = {
    "text--current",
    "text--earlier",
    "text--unseen",
    "text--flag",
    RAISED,
    MOVED,
    CURSOR,
    *(f"text--{author}" for author in Author),
    *(f"text--author-{author}" for author in Author),
    *(f"text--{scale.prefix}{step}" for scale in SCALES.values() for step in range(STEPS)),
    *(f"text--{LEADING}{step}" for step in range(STEPS)),
}
CSS = """
TokenText {
    overflow-x: hidden;
    overflow-y: auto;
    scrollbar-gutter: stable;
    scrollbar-size-vertical: 1;
    color: $foreground;

    & > .text--earlier { text-opacity: 66%; }
    & > .text--unseen { text-opacity: 50%; }
    & > .text--writer { text-style: bold; color: $text-primary; }
    & > .text--import { text-style: italic; color: $text-secondary; }
    & > .text--flag { color: $text-warning; text-style: bold; }
    & > .text--raised { text-style: bold underline; }
    & > .text--cursor { text-style: underline; }
    &:focus > .text--cursor { text-style: reverse; }

    & > .text--p0 { background: $success 34%; }
    & > .text--p1 { background: $success 18%; }
    & > .text--p3 { background: $warning 16%; }
    & > .text--p4 { background: $warning 36%; text-style: underline; }
    & > .text--p5 { background: $error 44%; text-style: bold underline; }

    & > .text--s2 { background: $warning 12%; }
    & > .text--s3 { background: $warning 32%; }
    & > .text--s4 { background: $error 36%; text-style: underline; }
    & > .text--s5 { background: $error 58%; text-style: bold underline; }

    & > .text--e0 { text-opacity: 70%; }
    & > .text--e2 { background: $primary 16%; }
    & > .text--e3 { background: $primary 26%; }
    & > .text--e4 { background: $primary 36%; text-style: underline; }
    & > .text--e5 { background: $primary 46%; text-style: bold underline; }

    & > .text--w1 { background: $primary 34%; }
    & > .text--w2 { background: $success 30%; text-style: italic; }
    & > .text--w3 { background: $warning 30%; text-style: bold; }
    & > .text--w4 { background: $error 30%; text-style: bold italic; }
    & > .text--w5 { background: $foreground 9%; }
    & > .text--moved { text-style: bold underline; }

    & > .text--author-writer { background: $primary 30%; text-style: bold; }
    & > .text--author-import { background: $secondary 30%; text-style: italic; }

    &:nocolor {
        & > .text--p0, & > .text--p1 { background: transparent; }
        & > .text--p2, & > .text--s2, & > .text--e2 { background: $foreground 7%; }
        & > .text--p3, & > .text--s3, & > .text--e3 { background: $foreground 15%; }
        & > .text--p4, & > .text--s4, & > .text--e4 { background: $foreground 25%; }
        & > .text--p5, & > .text--s5, & > .text--e5 { background: $foreground 40%; }
        & > .text--w1 { background: $foreground 32%; }
        & > .text--w2 { background: $foreground 12%; }
        & > .text--w3 { background: $foreground 22%; }
        & > .text--w4 { background: $foreground 40%; }
        & > .text--w5 { background: $foreground 5%; }
    }
}
"""


class Ink:
    """Lines without a cursor are kept until `dry` or `dry_from`."""

    def __init__(self, page: Page, course: Course, tokens: Tokens, looks: Looks) -> None:
        self._page, self._course, self._tokens, self._looks = page, course, tokens, looks
        self._layer = "plain"
        self._seen_from = 0
        self._passages: Sequence[Passage] = ()
        self._moved: Sequence[Spot] = ()
        self._strips: dict[int, Strip] = {}

    def use_layer(self, layer: str) -> None:
        self._layer = layer
        self.dry()

    @property
    def seen_from(self) -> int:
        """The byte of the page at which the model's sight begins."""
        return self._seen_from

    @seen_from.setter
    def seen_from(self, byte: int) -> None:
        if byte != self._seen_from:
            self._seen_from = byte
            self.dry()

    @property
    def passages(self) -> Sequence[Passage]:
        """What flags on the page are about."""
        return self._passages

    @passages.setter
    def passages(self, passages: Sequence[Passage]) -> None:
        if passages != self._passages:
            self._passages = passages
            self.dry()

    @property
    def moved(self) -> Sequence[Spot]:
        """The tokens that moved the posterior most, in order."""
        return self._moved

    @moved.setter
    def moved(self, spots: Sequence[Spot]) -> None:
        if spots != self._moved:
            self._moved = spots
            self.dry()

    def dry(self) -> None:
        """Draw everything anew."""
        self._strips.clear()

    def dry_from(self, first: int) -> None:
        """Draw the lines from `first` on anew."""
        for y in [y for y in self._strips if y >= first]:
            del self._strips[y]

    def line(
        self, y: int, tree: Tree, cursor: tuple[int, int] | None, left: int, width: int
    ) -> Strip:
        """Line `y` of the page, `left` columns in, `width` columns wide."""
        strip = self._strips.get(y) if cursor is None else None
        if strip is None:
            strip = self._drawn(self._page.line(y), tree, cursor, left, width)
            if cursor is None:
                self._keep(y, strip)
        return strip

    def _keep(self, y: int, strip: Strip) -> None:
        if len(self._strips) >= STRIPS_KEPT:
            self._strips.clear()
        self._strips[y] = strip

    def _drawn(
        self, line: Line, tree: Tree, cursor: tuple[int, int] | None, left: int, width: int
    ) -> Strip:
        used, pieces = left, list(self._beside(line, left))
        looks = list(self._set_off(line, tree))
        for run in runs(line, looks, cursor, self._page.width):
            pieces.append(Piece(run.text, self._looks(*run.names)))
            used += run.width
        return Strip(pieces, used).adjust_cell_length(width, self._looks())

    def _set_off(self, line: Line, tree: Tree) -> Iterator[Look]:
        """How what is on a line looks, single tokens of it set off."""
        raised = raised_spots(self._passages, line.start, line.stop)
        looks = with_spots(self._stretches(line, tree), line.start, raised, RAISED)
        first = bisect_left(self._moved, line.start, key=lambda spot: spot[1])
        last = bisect_left(self._moved, line.stop, key=lambda spot: spot[0])
        return with_spots(looks, line.start, self._moved[first:last], MOVED)

    def _beside(self, line: Line, left: int) -> Iterator[Piece]:
        """The columns before a line: flags stand a column farther away where there is room."""
        margin, look = self._margin(line, left), self._looks("text--unseen")
        flag = flag_beside(line, self._passages) if left else ""
        column = max(0, left - 2) if flag else left
        yield Piece(margin[:column], look)
        if flag:
            yield Piece(flag, self._looks("text--flag"))
            yield Piece(margin[column + 1 :], look)

    def _margin(self, line: Line, left: int) -> str:
        """With a mark where not all of the text is in sight."""
        seen = self._seen_from
        mark = UNSEEN if line.stop <= seen else BEGINS if seen and line.start <= seen else ""
        return mark.rjust(left) if left else ""

    def _stretches(self, line: Line, tree: Tree) -> Iterator[Look]:
        """How what is on a line looks, out of sight or not."""
        at = line.start
        for look in self._written(line, tree):
            if at < self._seen_from:
                yield Look(min(look.stop, self._seen_from), (*look.names, "text--unseen"))
            if look.stop > self._seen_from:
                yield look
            at = look.stop

    def _written(self, line: Line, tree: Tree) -> Iterator[Look]:
        """How the nodes on a line look, token by token where the layer is about tokens."""
        prefix = PREFIXES.get(self._layer)
        for start, stretch in self._course.between(line.start, line.stop):
            names, stop = self._names(stretch.node, tree), start + stretch.at
            if prefix is None:
                yield Look(stop, names)
                continue
            first, last = max(start, line.start), min(stop, line.stop)
            tokens = self._tokens.of(stretch.node)
            yield from token_looks(tokens, start, first, last, names, f"text--{prefix}")

    def _names(self, node: int, tree: Tree) -> tuple[str, str]:
        author = tree[node].author
        kind = "author-" if self._layer == "author" else ""
        now = "current" if node == self._course.end.node else "earlier"
        return f"text--{now}", f"text--{kind}{author}"
