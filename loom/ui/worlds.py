"""What is believed of the sources where the screen needs it: at a place, in a segment, of a token.

Remembers what it was told until it is to forget; believes and draws nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loom.core.display import Segment
from loom.core.node import Place
from loom.instruments.sources.api import NULL, Course, Posterior, SourceSet, Standing
from loom.session import Session
from loom.ui.widgets.layers import STEPS, UNKNOWN, WORLD_SCALES, stepped

TOKENS_KEPT = 1 << 16  # of traces; with 80 sources a token takes a third of a kilobyte
PLACES_KEPT = 4096
SLOTS = STEPS - 2  # sources with a look of their own
NONE = "none of these"
UNASKED = "~"  # before who leads where the model is to be asked, too, and wasn't yet

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Trace:
    """A course, of the same length as the tokens of its node, which end at its bytes `ends`:
    `leading` int64[T] is the column of the likeliest in `names`, −1 where nothing is known; of the
    rest float32[T], NaN there. `shares` float32[T, S]; `known` is the first token of which
    something is known."""

    names: tuple[str, ...]
    ends: Ints
    leading: Ints
    shares: Floats
    moved: Floats
    information: Floats
    known: int

    @classmethod
    def of(cls, course: Course, ends: NDArray[np.int32]) -> Trace:
        """What a passage leaves out before it begins, a byline, is at the start of its node."""
        have, tokens = len(course.moved), len(ends)
        drop, gap = max(0, have - tokens), max(0, tokens - have)
        shares, blank = course.shares[drop:], np.full(gap, np.nan, np.float32)
        none = np.full((gap, len(course.names)), np.nan, np.float32)
        leading = shares.argmax(1) if len(shares) else np.zeros(0, np.int64)
        return cls(
            course.names,
            ends.astype(np.int64),
            leading=np.concatenate([np.full(gap, -1), leading]).astype(np.int64),
            shares=np.concatenate([none, shares]),
            moved=np.concatenate([blank, course.moved[drop:]]),
            information=np.concatenate([blank, course.information[drop:]]),
            known=gap,
        )

    def __len__(self) -> int:
        return len(self.leading)


class Worlds:
    """`forget` what has been weighed anew. `slots` are the names of sources that have a look of
    their own where text is coloured by them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._places: dict[Place, Posterior | None] = {}
        self._traces: dict[int, Trace | None] = {}
        self._held = 0  # tokens of traces
        self._set: tuple[SourceSet | None] | None = None
        self.slots: tuple[str, ...] = ()

    @property
    def sources(self) -> SourceSet | None:
        """The set in force."""
        if self._set is None:
            if not self._session.has_sources:  # the first frame doesn't wait for what weighs
                return None
            self._set = (self._session.sources,)
        return self._set[0]

    def forget(self, nodes: Iterable[int]) -> None:
        gone = set(nodes)
        self._places = {place: p for place, p in self._places.items() if place.node not in gone}
        for node in gone:
            self._traces.pop(node, None)

    def ask_again(self) -> None:
        """For what wasn't known: that it is asked for is why it is found out."""
        self._places = {place: p for place, p in self._places.items() if p is not None}
        self._traces = {node: trace for node, trace in self._traces.items() if trace is not None}

    def forget_all(self) -> None:
        """There may be another set in force."""
        self._set = None
        self._places.clear()
        self._traces.clear()

    # ── at a place ─────────────────────────────────────────────────────────────────────────

    def at(self, place: Place) -> Posterior | None:
        """None where nothing was weighed."""
        if place not in self._places:
            if len(self._places) >= PLACES_KEPT:
                self._places.clear()
            self._places[place] = self._fetched(place)
        return self._places[place]

    def _fetched(self, place: Place) -> Posterior | None:
        session = self._session
        if self.sources is None or place.node not in session.tree:
            return None
        node = session.tree[place.node]
        if node.growing:
            return None
        return session.posterior(node.id) if place == node.end else session.posterior_at(place)

    def short(self, segment: Segment) -> str:
        """The leading source of a segment's end, briefly; "" where none leads or none is known. It
        may have grown since it was asked for."""
        if self.sources is None:
            return ""
        segments = self._session.display.segments(segment.node)
        stop = next((s.stop for s in segments if s.start == segment.start), segment.stop)
        posterior = self.at(Place(segment.node, stop)) if stop else None
        return "" if posterior is None else leader(posterior)

    # ── of tokens ──────────────────────────────────────────────────────────────────────────

    def trace(self, node: int) -> Trace | None:
        """None where nothing was weighed."""
        if node not in self._traces:
            found = self._traced(node)
            self._held += 1 if found is None else len(found)
            if self._held > TOKENS_KEPT:
                self._traces.clear()
                self._held = 0
            self._traces[node] = found
        return self._traces[node]

    def _traced(self, node: int) -> Trace | None:
        session = self._session
        if self.sources is None or session.tree[node].growing:
            return None
        course, span = session.course(node), session.span(node)
        return None if course is None or span is None else Trace.of(course, span.ends)

    def steps(self, layer: str, node: int) -> Sequence[int]:
        """Of the tokens of a node in one of the layers about sources."""
        trace = self.trace(node)
        if trace is None:
            return ()
        if layer == "source":
            looks = self._looks(trace.names)
            found: list[int] = looks[trace.leading].tolist()
            return found
        values = trace.moved if layer == "evidence" else trace.information
        return stepped(values, WORLD_SCALES[layer])

    def _looks(self, names: Sequence[str]) -> Ints:
        """The step of each name; at the end, of what isn't known."""
        own = {name: step for step, name in enumerate(self.slots, start=1)} | {NULL: 0}
        return np.array([*(own.get(name, STEPS - 1) for name in names), UNKNOWN])

    def movement(self, node: int, token: int) -> Movement | None:
        """What one token did; None where that isn't known."""
        trace = self.trace(node)
        if trace is None or not trace.known <= token < len(trace):
            return None
        after = trace.shares[token]
        before = trace.shares[token - 1] if token > trace.known else self._before(node, trace)
        return Movement(
            trace.names, before, after, float(trace.moved[token]), float(trace.information[token])
        )

    def _before(self, node: int, trace: Trace) -> Floats:
        """What was believed where the trace begins."""
        span = self._session.span(node)
        at = int(span.ends[trace.known - 1]) if span is not None and trace.known else 0
        there = self._session.tree[node].hangs_at if at == 0 else Place(node, at)
        posterior = self.at(there)
        if posterior is None:
            return np.full(len(trace.names), np.nan, np.float32)
        posterior = posterior.by_reading  # as the trace is
        shares = {one.name: one.probability for one in posterior.standings} | {NULL: posterior.null}
        return np.array([shares.get(name, np.nan) for name in trace.names], np.float32)


@dataclass(frozen=True, slots=True)
class Movement:
    """`before` and `after` float32[S]: shares of `names`, the null first; `moved` and `expected`
    in bits, what was expected NaN where that isn't known."""

    names: tuple[str, ...]
    before: Floats
    after: Floats
    moved: float
    expected: float

    def leaders(self, count: int) -> list[int]:
        """Who leads after the token, and who led before it, as columns."""
        most = np.argsort(-self.after, kind="stable")[:count].tolist()
        led = int(self.before.argmax()) if not np.isnan(self.before).any() else most[0]
        return most if led in most else [*most[:-1], led]


def brief(standing: Standing | None) -> str:
    return "" if standing is None else standing.short or standing.name


def leader(posterior: Posterior) -> str:
    """Who leads, briefly, and whether that is by reading alone for now; "" where none does."""
    first = posterior.leading
    return "" if first is None else (UNASKED if posterior.unasked else "") + brief(first)


def ranks(shares: Floats) -> list[int]:
    """From 1 on, of each."""
    order = np.argsort(-shares, kind="stable")
    found = np.empty(len(shares), np.int64)
    found[order] = np.arange(1, len(shares) + 1)
    listed: list[int] = found.tolist()
    return listed


def null_rank(posterior: Posterior) -> int:
    """Of "none of these" among the sources."""
    return 1 + sum(one.probability > posterior.null for one in posterior.standings)
