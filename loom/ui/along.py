"""What is believed of the sources along a path: who leads, what moved it, where the worlds part.

Reads what `Worlds` remembers; computes no belief and draws nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from loom.core.node import Place
from loom.instruments.sources.api import NULL
from loom.session import Session
from loom.ui.series import AT_ONCE, binned
from loom.ui.widgets.course import Course as Way
from loom.ui.widgets.margin import Spot
from loom.ui.worlds import SLOTS, Floats, Ints, Trace, Worlds

MOVED_ONE_IN = 32  # tokens, of which at most one is set off
MOVED_LEAST = 0.02  # bits by which it has moved the posterior
APART = 8  # tokens between two places where worlds part
PEAKS = 24
LEAST = 0.01  # bits; what is expected of less is nothing


@dataclass(frozen=True, slots=True)
class Stretch:
    """The first `count` tokens of a node, from token `start` of the path on."""

    start: int
    count: int
    trace: Trace


@dataclass(frozen=True)
class Along:
    """The tokens of a path, as `Series` has them: they begin at the bytes `begins`, the last ends
    at `length`. Of nodes that weren't weighed there is no stretch; it is `whole` without such."""

    begins: Ints
    length: int
    stretches: tuple[Stretch, ...]
    whole: bool = True

    def __len__(self) -> int:
        return len(self.begins)

    @property
    def names(self) -> tuple[str, ...]:
        return self.stretches[-1].trace.names if self.stretches else ()

    @cached_property
    def moved(self) -> Floats:
        return self._column("moved")

    @cached_property
    def information(self) -> Floats:
        return self._column("information")

    def _column(self, name: str) -> Floats:
        column = np.full(len(self), np.nan, np.float32)
        for stretch in self.stretches:
            values: Floats = getattr(stretch.trace, name)
            column[stretch.start : stretch.start + stretch.count] = values[: stretch.count]
        return column

    # ── who leads ──────────────────────────────────────────────────────────────────────────

    @cached_property
    def slots(self) -> tuple[str, ...]:
        """The sources that lead after most tokens of the path, or have the largest share of it."""
        names = self.names
        total = np.zeros(len(names))
        for stretch in self._told(names):
            leading = stretch.trace.leading[stretch.trace.known : stretch.count]
            total += np.bincount(leading, minlength=len(names))
            total += np.nansum(stretch.trace.shares[: stretch.count], axis=0) / (len(self) + 1)
        order = np.argsort(-total, kind="stable")
        return tuple(names[i] for i in order if names[i] != NULL and total[i] > 0)[:SLOTS]

    def shares(self, chosen: Sequence[str], edges: Sequence[int]) -> Floats:
        """float32[columns, len(chosen) + 2]: the mean shares of `chosen`, of all other sources and
        of the null between each two of `edges`; NaN where nothing is known."""
        found = np.full((len(self), len(chosen) + 2), np.nan, np.float32)
        for stretch in self._told(self.names):
            names = list(stretch.trace.names)
            part = stretch.trace.shares[: stretch.count]
            own = part[:, [names.index(name) for name in chosen]]
            null = part[:, [names.index(NULL)]]
            rest = np.maximum(0, 1 - own.sum(1, keepdims=True) - null)
            where = slice(stretch.start, stretch.start + stretch.count)
            found[where] = np.concatenate([own, rest, null], 1)
        return np.stack([binned(column, edges) for column in found.T], 1)

    def at(self, token: int) -> tuple[tuple[str, ...], Floats] | None:
        """(names, shares) after one token; None where nothing is known."""
        for stretch in self.stretches:
            inside = token - stretch.start
            if stretch.trace.known <= inside < stretch.count:
                return stretch.trace.names, stretch.trace.shares[inside]
        return None

    def _told(self, names: tuple[str, ...]) -> Iterator[Stretch]:
        """Those about the same sources: a set may have changed meanwhile."""
        return (stretch for stretch in self.stretches if stretch.trace.names == names)

    # ── tokens that stand out ──────────────────────────────────────────────────────────────

    @cached_property
    def spots(self) -> tuple[Spot, ...]:
        """The bytes of the tokens that moved the posterior most, in order."""
        known = np.flatnonzero(self.moved >= MOVED_LEAST)
        most = known[np.argsort(-self.moved[known], kind="stable")][: self._most]
        return tuple(self.bytes_of(token) for token in sorted(most.tolist()))

    @property
    def _most(self) -> int:
        return -(-int(np.count_nonzero(~np.isnan(self.moved))) // MOVED_ONE_IN)

    def bytes_of(self, token: int) -> Spot:
        last = int(self.begins[token + 1]) if token + 1 < len(self) else self.length
        return int(self.begins[token]), last

    @cached_property
    def peaks(self) -> tuple[int, ...]:
        """Tokens of which most is expected about the source, the most first, none near another."""
        expected = np.nan_to_num(self.information, nan=0.0)
        found: list[int] = []
        for token in np.argsort(-expected, kind="stable").tolist():
            if expected[token] < LEAST or len(found) >= PEAKS:
                break
            if all(abs(token - other) >= APART for other in found):
                found.append(token)
        return tuple(found)


async def along_on(session: Session, worlds: Worlds, place: Place) -> Along:
    """Along the path to `place`."""
    way = Way()
    way.lead(place, session.tree)
    begins: list[Ints] = []
    stretches: list[Stretch] = []
    tokens = 0
    for number, (start, (node, stop)) in enumerate(way.between(0, way.length)):
        trace = worlds.trace(node)
        ends = _ends(session, node) if trace is None else trace.ends
        count = int(np.searchsorted(ends, stop, side="right"))
        if count:
            begins.append(start + np.concatenate([[0], ends[: count - 1]]).astype(np.int64))
            if trace is not None:
                stretches.append(Stretch(tokens, count, trace))
            tokens += count
        if number % AT_ONCE == AT_ONCE - 1:
            await asyncio.sleep(0)
    every = np.concatenate([np.zeros(0, np.int64), *begins])
    return Along(every, way.length, tuple(stretches), whole=len(stretches) == len(begins))


def _ends(session: Session, node: int) -> Ints:
    """The bytes of a node at which its tokens end; none where no model has read it."""
    span = session.span(node)
    return np.zeros(0, np.int64) if span is None else span.ends.astype(np.int64)


def layers(shares: Iterable[float], height: int) -> list[int]:
    """Which of the parts stands in each of `height` cells, from the top: as many cells each as come
    closest to its share, the first part uppermost."""
    edges = np.rint(np.cumsum([max(0.0, share) for share in shares]) * height)
    cells = np.searchsorted(edges, np.arange(height), side="right")
    found: list[int] = np.minimum(cells, len(edges) - 1).tolist()
    return found


def order(shares: Sequence[float]) -> list[int]:
    """The parts by rank, for where nothing more is to be said of their shares."""
    ranked: list[int] = np.argsort(-np.asarray(shares), kind="stable").tolist()
    return ranked
