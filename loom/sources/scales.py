"""A session's nodes weighed by one set and one model: on the way to a node, node after node.

What was weighed and still holds is left as it is. Knows beliefs; not why a node is wanted now.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

import numpy as np
from numpy.typing import NDArray

from loom.asking.questions import Gate, Scorer
from loom.core.node import Place
from loom.instruments.sources.api import Belief, Course, Posterior, Scores, SourceSet, Tempering
from loom.instruments.sources.filtering import advance, begin, posterior
from loom.instruments.sources.tempering import DEFAULT
from loom.instruments.sources.tracking import Follower
from loom.instruments.sources.windows import joined
from loom.record import Record
from loom.slices import Slices
from loom.sources.evidence import Evidence, Recent, Shelf, in_time
from loom.sources.known import Base, Depth, Known, Passage
from loom.sources.naming import Naming
from loom.sources.spellings import Spelling, Spellings
from loom.sources.weighing import Engine, Weighing
from loom.store.batch import ReadingRow

LIKELIEST = 7  # sources of the node before, besides the null, where not every frame is rescored
KNOWN = 1 << 25  # bytes of beliefs and what they are of
SHOWN = 1024  # posteriors
COURSES = 1 << 26  # bytes


class TooMuch(Exception):
    """More is to be weighed than was allowed."""


class Scales:
    """`tempering` None: nothing is known of the model with that set; `naming` None: the model isn't
    asked, as it isn't known how its answers would count."""

    def __init__(
        self,
        record: Record,
        wanted: SourceSet,
        spellings: Spellings,
        shelf: Shelf,
        tempering: Tempering | None,
        naming: Naming | None = None,
    ) -> None:
        self.wanted, self.spellings, self.shelf, self.naming = wanted, spellings, shelf, naming
        self.calibrated = tempering is not None
        self.gate = Gate()
        self.done = self.total = 0  # tokens times frames, or names, on the way to the target
        self.on_progress: Callable[[], None] = lambda: None
        self.settled: set[int] = set()  # nodes that have become known, for whoever takes them away
        self._dropped = False
        self._tempering = tempering or DEFAULT
        self._record = record
        self._texts = wanted.frames
        self._known: Recent[int, Known] = Recent(KNOWN)
        self._shown: Recent[Place, tuple[object, Posterior]] = Recent(SHOWN)
        self._courses: Recent[int, tuple[object, Course]] = Recent(COURSES)

    # ── what is known ──────────────────────────────────────────────────────────────────────

    def posterior(self, place: Place) -> Posterior | None:
        """The last that was known; see `is_current`, `is_asked`."""
        read = self._read(place)
        if read is None or self.naming is None:
            return read
        known = self._known.get(place.node)
        return self.naming.together(place, read, None if known is None else known.spelling)

    def _read(self, place: Place) -> Posterior | None:
        known = self._known.get(place.node)
        shown = self._shown.get(place)
        if known is None or (shown is not None and shown[0] is known.mark):
            return None if shown is None else shown[1]
        if place.at < self._record.tree[place.node].length:
            return None if shown is None else shown[1]
        found = self._posterior(known.after, known.scored, known.evidence.following)
        self._shown.put(place, (known.mark, found))
        return found

    def course(self, node: int) -> Course | None:
        found = self._courses.get(node)
        return None if found is None else found[1]

    def scores(self, node: int) -> Scores | None:
        known = self._known.get(node)
        return None if known is None else known.evidence.scores

    def passage(self, place: Place) -> Passage | None:
        known = self._known.get(place.node)
        if known is None:
            return None
        ids: list[int] = []
        ends: list[int] = []
        parts: list[Scores] = []
        for spelling, count in self.spellings.links(
            known.spelling, known.spelling.count_until(place.at)
        ):
            its = self._known.get(spelling.node)
            if its is None or its.spelling is not spelling:
                return None
            ids += spelling.ids[:count].tolist()
            ends += (spelling.ends[:count] + spelling.offset).tolist()
            parts.append(_first(its.evidence.scores, count - spelling.skipped))
        first = min(known.spelling.passage, len(ids))
        start = ends[first - 1] if first else 0
        scores = joined(parts, len(self._texts))
        return Passage(tuple(ids[first:]), start, tuple(ends[first:]), scores)

    def is_current(self, place: Place, depth: Depth = Depth.KEPT) -> bool:
        known = self._known.get(place.node)
        if known is None or known.depth < depth:
            return False
        if place.at == self._record.tree[place.node].length:
            return True
        shown = self._shown.get(place)
        return shown is not None and shown[0] is known.mark

    def is_asked(self, place: Place) -> bool:
        """Whether the model has said what it says there, or is not to be asked at all: nothing is
        asked where nothing was read, or where there is no text."""
        known = self._known.get(place.node)
        if self.naming is None or known is None:
            return True
        spelling = known.spelling
        read = spelling.position + spelling.count_until(place.at)
        return read <= spelling.passage or self.naming.has(place, spelling)

    def has_course(self, node: int) -> bool:
        known, found = self._known.get(node), self._courses.get(node)
        return known is not None and found is not None and found[0] is known.mark

    def forget(self, nodes: Collection[int]) -> None:
        """These and all below are spelled in other ways now; what was shown stays for the while."""
        self.spellings.forget(nodes)
        for node in nodes:
            self._known.drop(node)

    def _posterior(
        self, belief: Belief, scored: NDArray[np.bool_], following: float | None
    ) -> Posterior:
        return posterior(
            self.wanted, belief, calibrated=self.calibrated, rescored=scored, following=following
        )

    # ── the way to a node ──────────────────────────────────────────────────────────────────

    async def reach(
        self, place: Place, depth: Depth, engine: Engine | None = None, limit: float = 0
    ) -> bool:
        """Whether it is known now what is believed there. Without an engine only what was weighed
        before. Raises EngineError; TooMuch where that costs more than `limit` tokens times frames,
        before anything is asked."""
        way = await self._way_to(place.node, depth)
        if engine is not None:
            self.done, self.total = 0, await self._cost(way, depth)
            if self.total > limit:
                raise TooMuch
        slices = Slices()
        for node in way:
            if not await self._settle(node, depth, engine):
                return False
            await slices.next()
        known = self._known.get(place.node)
        if known is not None and place.at < self._record.tree[place.node].length:
            await self._look_inside(known, place)
        self._read(place)  # is shown on where memory has no room for more
        return known is not None

    async def trace(self, node: int) -> None:
        """Have the course of a node that is known."""
        known = self._known.get(node)
        if known is not None:
            await self._follow(known.spelling, Base(known.before, known.scored), known.evidence)

    async def ask(self, place: Place, scorer: Scorer) -> bool:
        """Have the model asked about every source after the passage up to there, where that was
        read. Raises EngineError."""
        known = self._known.get(place.node)
        if known is None or self.naming is None:
            return False
        spelling = known.spelling
        passage = self.spellings.passage_until(spelling, spelling.count_until(place.at))
        await self.naming.ask(place, spelling, passage, scorer, self.gate, self._named)
        self.settled.add(place.node)
        return True

    def _named(self, done: int, total: int) -> None:
        self.total = total
        self.went_on(done)

    async def _way_to(self, node: int, depth: Depth) -> list[int]:
        """From the first that isn't known on."""
        way: list[int] = []
        there: int | None = node
        while there is not None:
            known = self._known.get(there)
            if known is not None and known.depth >= depth:
                break
            way.append(there)
            there = self._record.tree[there].parent
        return way[::-1]

    async def _cost(self, way: list[int], depth: Depth) -> int:
        """Tokens times frames that aren't scored."""
        cost, slices = 0, Slices()
        for node in way:
            spelling = await self.spellings.of(node)
            if spelling is None:
                break
            evidence = await self.shelf.of(spelling)
            missing = len(spelling) - spelling.skipped
            if evidence is not None and (evidence.whole or depth < Depth.EVERY):
                missing -= len(evidence.scores)
            some = depth < Depth.EVERY and spelling.position > spelling.passage
            cost += missing * (LIKELIEST + 1 if some else len(self._texts))
            await slices.next()
        return cost

    async def _settle(self, node: int, depth: Depth, engine: Engine | None) -> bool:
        spelling = await self.spellings.of(node)
        base = None if spelling is None else await self._base(spelling)
        if spelling is None or base is None:
            return False
        every = depth is Depth.EVERY or not base.belief.tokens
        evidence = await self.shelf.of(spelling)
        size = len(spelling) - spelling.skipped
        if not size:
            evidence = self._nothing()
        elif not _suffices(evidence, size, every=every):
            if engine is None:
                return False
            evidence = await Weighing(self, engine, spelling, base, every).done(evidence)
        assert evidence is not None
        await self._follow(spelling, base, evidence)
        return True

    async def _base(self, spelling: Spelling) -> Base | None:
        parent = self._record.tree[spelling.node].parent
        if parent is None or spelling.passage >= spelling.position:
            return Base(begin(self.wanted), np.ones(len(self._texts), bool))
        known = self._known.get(parent)
        if known is None:
            return None
        count = spelling.position - known.spelling.position
        if count == len(known.spelling):
            return Base(known.after, known.scored)
        belief = await self._belief_inside(known, count)
        return Base(belief, known.scored)

    async def _belief_inside(self, known: Known, count: int) -> Belief:
        """After so many tokens of a node."""
        part = _first(known.evidence.scores, count - known.spelling.skipped)
        return await self.advanced(known.before, part)

    async def advanced(self, belief: Belief, scores: Scores) -> Belief:
        work = partial(advance, self.wanted, belief, scores, self._tempering)
        after, _ = await in_time(scores.ratio.size, work)
        return after

    async def _look_inside(self, known: Known, place: Place) -> None:
        count = known.spelling.count_until(place.at)
        belief = await self._belief_inside(known, count)
        within = count - known.spelling.skipped
        information = known.evidence.scores.information
        following = float(information[within]) if 0 <= within < len(information) else float("nan")
        expected = None if np.isnan(following) else following
        self._shown.put(place, (known.mark, self._posterior(belief, known.scored, expected)))

    async def _follow(self, spelling: Spelling, base: Base, evidence: Evidence) -> None:
        """The belief along a node, from what its tokens were given."""
        work = partial(advance, self.wanted, base.belief, evidence.scores, self._tempering)
        after, course = await in_time(evidence.scores.ratio.size, work)
        scored = base.scored & evidence.scored
        known = Known(spelling, evidence, base.belief, after, scored)
        before = self._known.get(spelling.node)
        if before is not None and before.is_like(known):
            known = before
        elif before is not None:
            self._drop_after(spelling.node)
        self._known.put(spelling.node, known, evidence.size + known.size)
        if self.naming is not None:
            self.naming.has(self._record.tree[spelling.node].end, spelling)  # is looked up
        self.settled.add(spelling.node)
        size = course.shares.nbytes + 12 * len(evidence.scores)
        self._courses.put(spelling.node, (known.mark, course), size)

    def _drop_after(self, node: int) -> None:
        """What goes on from it is to be followed anew; a child's number is above its parent's."""
        for other in self._known:
            if other > node:
                self._known.drop(other)
                self._dropped = True

    def take_dropped(self) -> bool:
        """Whether anything that was known isn't any more, since this was asked last."""
        dropped, self._dropped = self._dropped, False
        return dropped

    def _nothing(self) -> Evidence:
        return Evidence(joined((), len(self._texts)), np.ones(len(self._texts), bool))

    def likeliest(self, base: Base) -> frozenset[str]:
        """Frames of the sources that are believed in most."""
        ranked = self._posterior(base.belief, base.scored, None).standings[:LIKELIEST]
        names = {standing.name for standing in ranked}
        return frozenset(
            text for one in self.wanted.sources if one.name in names for text in one.frames
        )

    def follower(self, base: Base) -> Follower:
        return Follower(self.wanted, base.belief, self._tempering)

    def went_on(self, done: int) -> None:
        """So many tokens times frames are scored, or names asked for."""
        self.done = min(self.total, done)
        self.on_progress()

    # ── what may go into the file ──────────────────────────────────────────────────────────

    @property
    def unsaved(self) -> int:
        return sum(one.unsaved for one in self._keepers)

    def take_unsaved(self) -> tuple[tuple[ReadingRow, ...], dict[str, str]]:
        """Rows, and the settings that are new to the file."""
        rows: list[ReadingRow] = []
        settings: dict[str, str] = {}
        for one in self._keepers:
            some, new = one.take_unsaved()
            rows += some
            settings |= new
        return tuple(rows), settings

    @property
    def _keepers(self) -> tuple[Shelf | Naming, ...]:
        return (self.shelf,) if self.naming is None else (self.shelf, self.naming)


def _suffices(evidence: Evidence | None, size: int, *, every: bool) -> bool:
    if evidence is None or len(evidence.scores) < size:
        return False
    return evidence.whole or not every


def _first(scores: Scores, count: int) -> Scores:
    count = max(0, count)
    return Scores(scores.logprob[:count], scores.ratio[:count], scores.information[:count])
