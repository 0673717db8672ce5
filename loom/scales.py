"""A session's nodes weighed by one set and one model: on the way to a node, node after node.

What was weighed and still holds is left as it is. Knows beliefs; not why a node is wanted now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import partial

import numpy as np
from numpy.typing import NDArray

from loom.core.node import Place
from loom.core.span import TOP
from loom.evidence import Evidence, Recent, Shelf, in_time, rounded
from loom.framing import Frames, blocks
from loom.instruments.sources.api import Belief, Course, Posterior, Scores, SourceSet, Tempering
from loom.instruments.sources.filtering import advance, begin, posterior
from loom.instruments.sources.tempering import DEFAULT
from loom.instruments.sources.tracking import Follower, bits_following
from loom.instruments.sources.windows import Block, joined
from loom.questions import Gate, Scorer
from loom.record import Record
from loom.spellings import Spelling, Spellings

LIKELIEST = 7  # sources of the node before, besides the null, where not every frame is rescored
KNOWN = 1 << 25  # bytes of beliefs and what they are of
SHOWN = 1024  # posteriors
COURSES = 1 << 26  # bytes
SAVED_AT_ONCE = 1 << 19  # tokens times frames of a node that isn't done
SLICE = 32  # nodes between two looks at what else is to be done


class Depth(IntEnum):
    """How much of a node and those before it is to be weighed: nothing that isn't yet; the null and
    the likeliest sources at least; every frame."""

    KEPT = 0
    SOME = 1
    EVERY = 2


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is believed before a node and after it. `scored` bool[F]: under which frames all of the
    passage was."""

    spelling: Spelling
    evidence: Evidence
    before: Belief
    after: Belief
    scored: NDArray[np.bool_]

    @property
    def depth(self) -> Depth:
        return Depth.EVERY if self.scored.all() else Depth.SOME

    @property
    def size(self) -> int:
        return 4 * self.before.weights.nbytes

    def is_like(self, other: Known) -> bool:
        """Whether nothing has changed."""
        same = self.evidence is other.evidence and bool((self.scored == other.scored).all())
        return same and bool((self.before.weights == other.before.weights).all())


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """One up to a place: its tokens, the byte of the path at which it begins and where each token
    ends, and what each frame gave them."""

    ids: tuple[int, ...]
    start: int
    ends: tuple[int, ...]
    scores: Scores


@dataclass(frozen=True, slots=True)
class Base:
    """What a node goes on from."""

    belief: Belief
    scored: NDArray[np.bool_]


class TooMuch(Exception):
    """More is to be weighed than was allowed."""


class Scales:
    """`tempering` None: nothing is known of the model with that set."""

    def __init__(
        self,
        record: Record,
        wanted: SourceSet,
        spellings: Spellings,
        shelf: Shelf,
        tempering: Tempering | None,
    ) -> None:
        self.wanted, self.spellings, self.shelf = wanted, spellings, shelf
        self.calibrated = tempering is not None
        self.gate = Gate()
        self.done = self.total = 0  # tokens times frames, on the way to the node under way
        self.on_progress: Callable[[], None] = lambda: None
        self.settled: set[int] = set()  # nodes that have become known, for whoever takes them away
        self._tempering = tempering or DEFAULT
        self._record = record
        self._texts = wanted.frames
        self._known: Recent[int, Known] = Recent(KNOWN)
        self._shown: Recent[Place, tuple[Known, Posterior]] = Recent(SHOWN)
        self._courses: Recent[int, tuple[Known, Course]] = Recent(COURSES)

    # ── what is known ──────────────────────────────────────────────────────────────────────

    def posterior(self, place: Place) -> Posterior | None:
        """The last that was known; see `is_current`."""
        known = self._known.get(place.node)
        shown = self._shown.get(place)
        if known is None or (shown is not None and shown[0] is known):
            return None if shown is None else shown[1]
        if place.at < self._record.tree[place.node].length:
            return None if shown is None else shown[1]
        found = self._posterior(known.after, known.scored, known.evidence.following)
        self._shown.put(place, (known, found))
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
        return shown is not None and shown[0] is known

    def has_course(self, node: int) -> bool:
        known, found = self._known.get(node), self._courses.get(node)
        return known is not None and found is not None and found[0] is known

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
        for count, node in enumerate(way, start=1):
            if not await self._settle(node, depth, engine):
                return False
            if count % SLICE == 0:
                await asyncio.sleep(0)
        known = self._known.get(place.node)
        if known is not None and place.at < self._record.tree[place.node].length:
            await self._look_inside(known, place)
        return known is not None

    async def trace(self, node: int) -> None:
        """Have the course of a node that is known."""
        known = self._known.get(node)
        if known is not None:
            await self._follow(known.spelling, Base(known.before, known.scored), known.evidence)

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
        cost = 0
        for count, node in enumerate(way, start=1):
            spelling = await self.spellings.of(node)
            if spelling is None:
                break
            evidence = await self.shelf.of(spelling)
            missing = len(spelling) - spelling.skipped
            if evidence is not None and (evidence.whole or depth < Depth.EVERY):
                missing -= len(evidence.scores)
            some = depth < Depth.EVERY and spelling.position > spelling.passage
            cost += missing * (LIKELIEST + 1 if some else len(self._texts))
            if count % SLICE == 0:
                await asyncio.sleep(0)
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
            evidence = await _Weighing(self, engine, spelling, base, every).done(evidence)
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
        self._shown.put(place, (known, self._posterior(belief, known.scored, expected)))

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
        self.settled.add(spelling.node)
        size = course.shares.nbytes + 12 * len(evidence.scores)
        self._courses.put(spelling.node, (known, course), size)

    def _drop_after(self, node: int) -> None:
        """What goes on from it is to be followed anew; a child's number is above its parent's."""
        for other in self._known:
            if other > node:
                self._known.drop(other)

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
        """So many tokens times frames are scored."""
        self.done = min(self.total, done)
        self.on_progress()


@dataclass(frozen=True, slots=True)
class Engine:
    """Who is asked, and the frames as its model reads them."""

    scorer: Scorer
    frames: Frames

    def tokens_of(self, text: str) -> int | None:
        """How many a frame has; None for a text that is none."""
        texts = self.frames.texts
        return len(self.frames.windows.frames[texts.index(text)]) if text in texts else None


class _Weighing:
    """The tokens of one node under `every` frame or the likeliest. What came is kept, should it be
    broken off."""

    def __init__(
        self, scales: Scales, engine: Engine, spelling: Spelling, base: Base, every: bool
    ) -> None:
        self._scales, self._engine, self._spelling, self._base = scales, engine, spelling, base
        self._every = every
        texts = scales.wanted.frames
        self._only = None if every else scales.likeliest(base)
        asked = [every or not text or text in (self._only or ()) for text in texts]
        self._scored = np.array(asked, bool)
        self._parts: list[Scores] = []
        self._following: float | None = None

    async def done(self, before: Evidence | None) -> Evidence:
        """Goes on from what there is under the same frames."""
        base = self._base
        if before is not None and np.array_equal(before.scored, self._scored):
            self._parts.append(before.scores)
            base = replace(base, belief=await self._scales.advanced(base.belief, before.scores))
        try:
            await self._read(self._scales.follower(base))
        finally:
            evidence = self._evidence()
            self._scales.shelf.remember(self._spelling, evidence)
        await self._scales.shelf.keep(self._spelling, evidence)
        return evidence

    async def _read(self, follower: Follower) -> None:
        spelling, engine, start = self._spelling, self._engine, self._scales.done
        passage = self._scales.spellings.passage_until(spelling)
        first = len(passage) - (len(spelling) - spelling.skipped) + sum(map(len, self._parts))
        unsaved = 0
        come = blocks(
            engine.scorer,
            engine.frames,
            passage,
            first,
            only=self._only,
            following=self._every,
            wide=True,
            top=TOP if self._every else 1,
            opens=not spelling.passage,
            gate=self._scales.gate,
            progress=lambda done, total: self._scales.went_on(start + done),
        )
        async with aclosing(come) as every:
            async for block in every:
                block = replace(block, scores=rounded(block.scores))
                self._parts.append(await self._informed(follower, block))
                unsaved += block.scores.ratio.size
                if unsaved > SAVED_AT_ONCE and block.stop < len(passage):
                    unsaved = 0
                    await self._scales.shelf.keep(self._spelling, self._evidence())

    async def _informed(self, follower: Follower, block: Block) -> Scores:
        if not self._every:
            return block.scores
        scores = await asyncio.to_thread(follower.read, block)
        self._following = bits_following(block, follower.belief.weights)
        return scores

    def _evidence(self) -> Evidence:
        scores = joined(self._parts, len(self._scored))
        return Evidence(scores, self._scored, self._following)


def _suffices(evidence: Evidence | None, size: int, *, every: bool) -> bool:
    if evidence is None or len(evidence.scores) < size:
        return False
    return evidence.whole or not every


def _first(scores: Scores, count: int) -> Scores:
    count = max(0, count)
    return Scores(scores.logprob[:count], scores.ratio[:count], scores.information[:count])
