"""The flags of a session where the screen needs them: of a segment, on a path, next and previous.

Remembers where each stands; raises and draws none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from loom.core.display import Segment
from loom.core.node import ROOT, Place
from loom.core.text import visible
from loom.core.tree import Tree
from loom.instruments.api import Flag, Null
from loom.raised import Raised
from loom.session import Session
from loom.ui import glyphs
from loom.ui.widgets.course import Course

TESTED: dict[Null, str] = {
    "sampler": "drawn from the sampler",
    "reference": "looks like reference text",
    "none": "nothing",
}
_CLAUSE = re.compile(r"[,:;.]| or ")
_ARTICLE = re.compile(r"^(an?|the) ", re.IGNORECASE)

Key = tuple[tuple[float, int], ...]


class Flags:
    """`forget` what has been read anew."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._raised: dict[int, list[Raised]] = {}
        self._course = Course()

    def forget(self, nodes: Iterable[int]) -> None:
        for node in nodes:
            self._raised.pop(node, None)

    def forget_all(self) -> None:
        self._raised.clear()

    def of_node(self, node: int) -> Sequence[Raised]:
        if node not in self._session.flagged:
            return ()
        found = self._raised.get(node)
        if found is None:
            found = self._raised[node] = self._session.raised_in(node)
        return found

    def of_segment(self, segment: Segment) -> Sequence[Raised]:
        """Those that its tokens have raised; it may have grown since it was asked for."""
        raised = self.of_node(segment.node)
        if not raised:
            return ()
        segments = self._session.display.segments(segment.node)
        stop = next((s.stop for s in segments if s.start == segment.start), segment.stop)
        return [one for one in raised if segment.start < one.place.at <= stop]

    def mark(self, segment: Segment) -> str:
        """The glyph of the gravest one; "" where there is none."""
        return mark_of(self.of_segment(segment))

    def on_path(self, place: Place) -> list[Raised]:
        """Those raised on the way to `place`, in order."""
        self._course.lead(place, self._session.tree)
        nodes = self._course.nodes & self._session.flagged
        found = [one for node in nodes for one in self.of_node(node) if self._reaches(one)]
        return sorted(found, key=lambda one: (one.last, one.plugin))

    def _reaches(self, raised: Raised) -> bool:
        return raised.place.at <= self._course.stop_in(raised.place.node)

    def spot(self, raised: Raised) -> Place:
        """Where the token begins that raised it."""
        span = self._session.span(raised.place.node)
        inside = span is not None and raised.token > 0
        return Place(raised.place.node, int(span.ends[raised.token - 1]) if inside and span else 0)

    # ── going from one to the next ─────────────────────────────────────────────────────────

    def byte(self, place: Place) -> int | None:
        """Of the path that was asked about last; None for a place that isn't on it."""
        return self._course.byte(place)

    def place(self, byte: int) -> Place:
        """Likewise; at the beginning of a token, in its node."""
        return self._course.next_place(byte) or self._course.end

    def ahead(self, end: Place, cursor: Place, step: int) -> Raised | None:
        """The next one after `cursor` on the path to `end`; `step` -1: before it."""
        raised = self.on_path(end)
        at = self.byte(cursor) or 0
        spots = [(self.byte(self.spot(one)) or 0, one) for one in raised]
        found = [one for byte, one in spots if (byte - at) * step > 0]
        return found[0 if step > 0 else -1] if found else None

    def elsewhere(
        self, end: Place, cursor: Place, step: int, is_open: Callable[[Place], bool]
    ) -> Raised | None:
        """The next one in the tree, or before it one that isn't on the path; after the last one the
        first. Those at places that are not open are none."""
        path = self.on_path(end)
        tree, at = self._session.tree, self.byte(cursor) or 0
        every = sorted(self._in_sight(is_open), key=lambda found: found[0])
        if step > 0:
            here = reading_key(tree, self._course.next_place(at) or cursor)
            past = [one for key, one in every if key > here]
        else:
            here = reading_key(tree, end)
            past = [one for key, one in every if key < here and one not in path]
        order = past or [one for _, one in every]
        return order[0 if step > 0 else -1] if order else None

    def _in_sight(self, is_open: Callable[[Place], bool]) -> Iterator[tuple[Key, Raised]]:
        session = self._session
        for node in session.flagged:
            for raised in self.of_node(node):
                segment = session.display.segment_of(raised.place)
                if segment.node == node and is_open(Place(node, segment.stop)):
                    yield reading_key(session.tree, self.spot(raised)), raised


def reading_key(tree: Tree, place: Place) -> Key:
    """Sorts places as the tree lists them: the rest of a node before what branches off in it, and
    of that what hangs further back first."""
    steps: list[tuple[float, int]] = [(-math.inf, place.at)]
    number = place.node
    while number != ROOT:
        node = tree[number]
        parent, at = node.hangs_at
        while not at and parent != ROOT:  # beside the parent
            parent, at = tree[parent].hangs_at
        steps.append((-at, number))
        number = parent
    return tuple(reversed(steps))


def gravest(raised: Iterable[Raised]) -> Raised | None:
    return max(raised, key=lambda one: (one.flag.level == "flag", one.flag.bits), default=None)


def mark_of(raised: Iterable[Raised]) -> str:
    worst = gravest(raised)
    return "" if worst is None else glyphs.FLAGS[worst.flag.level]


def briefly(raised: Raised) -> str:
    """What it may be, in the words with which its explanation begins; else who raised it."""
    first = _CLAUSE.split(visible(raised.flag.perhaps).strip(), maxsplit=1)[0]
    return _ARTICLE.sub("", first) or visible(raised.plugin)


def counted(raised: Sequence[Raised]) -> str:
    """How many of each level: `⚑ 2 ⚐ 1`."""
    levels = [one.flag.level for one in raised]
    counts = ((glyphs.FLAGS[level], levels.count(level)) for level in ("flag", "info"))
    return " ".join(f"{glyph} {count}" for glyph, count in counts if count)


def chance(flag: Flag) -> str:
    """α and the horizon it is for; "" where nothing is known of it."""
    if flag.alpha is None:
        return ""
    return f"{flag.alpha:g}" + (f" in {flag.horizon} tokens" if flag.horizon else "")
