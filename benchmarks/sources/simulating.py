"""Texts drawn from the model itself under frames that are then its hypotheses: a plumbing test.

The hypotheses are true here, so that what is believed has to be exactly calibrated, untempered. It
says that nothing is mixed up on the way, and nothing about the world.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.sources.attributing import RAW
from benchmarks.sources.judging import Beliefs, entropies, jackknifed, mean
from loom.asking.framing import score_frames
from loom.asking.process import Answer, Asking
from loom.core.recipe import Recipe
from loom.core.seeds import branch_seed
from loom.instruments.sources import filtering
from loom.instruments.sources.api import HAZARD, NULL, Scores, SourceSet
from loom.labelled import Kept

SIX = 6  # sources of a set (SCIENCE E13)
LENGTHS = (16, 32, 64, 128)
LONGEST = LENGTHS[-1]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A text drawn under a frame of `truth` (NULL: none), read under all frames of `among`."""

    among: SourceSet
    truth: str
    ids: tuple[int, ...]
    scores: Scores

    @property
    def column(self) -> int:
        return [NULL, *(source.name for source in self.among.sources)].index(self.truth)


class Simulator:
    """Draws and reads; keeps it in `folder`."""

    def __init__(
        self, asking: Asking, folder: Path, fingerprint: str, seed: int, tokens: int = LONGEST
    ) -> None:
        self._asking, self._folder, self._fingerprint = asking, folder, fingerprint
        self.seed, self._tokens = seed, tokens

    async def texts(self, among: SourceSet, count: int) -> list[Drawn]:
        """About `count`, of each hypothesis as many as its prior asks for."""
        found = []
        for truth, share in shares_of(among):
            place = repr((among.frames, truth)).encode()
            seeds = [branch_seed(self.seed, place, 0, n) for n in range(round(share * count))]
            found += await self._drawn(among, truth, seeds)
        return found

    async def spliced(self, text: Drawn, at: int, after: str, tokens: int) -> Drawn:
        """The first `at` tokens of `text`, then `tokens` drawn under the frame of `after`."""
        what = f"splice {at} {after} {tokens} {self.seed} {text.ids[:at]}".encode()
        found = self._kept(text.among).read(what)
        if found is None:
            frame = frame_of(text.among, after).encode()
            prefix = (frame, text.ids[:at])
            answers = await self._asking.generate(prefix, _recipe(tokens), [self.seed])
            found = await self._read(text.among, what, text.ids[:at] + _ids(answers[0]))
        return Drawn(text.among, after, *found)

    async def _drawn(self, among: SourceSet, truth: str, seeds: Sequence[int]) -> list[Drawn]:
        names = {f"drawn {truth} {seed} {self._tokens}".encode(): seed for seed in seeds}
        found = {name: self._kept(among).read(name) for name in names}
        missing = [name for name, each in found.items() if each is None]
        if missing:
            frame = frame_of(among, truth)
            prefix = (frame.encode(),) if frame else ()
            wanted = [names[name] for name in missing]
            answers = await self._asking.generate(prefix, _recipe(self._tokens), wanted)
            for name, answer in zip(missing, answers, strict=True):
                found[name] = await self._read(among, name, _ids(answer))
        return [Drawn(among, truth, *each) for each in found.values() if each is not None]

    async def _read(
        self, among: SourceSet, name: bytes, ids: tuple[int, ...]
    ) -> tuple[tuple[int, ...], Scores]:
        scores = await score_frames(self._asking, among, ids, wide=True)
        return ids, self._kept(among).keep(name, ids, scores)

    def _kept(self, among: SourceSet) -> Kept:
        return Kept(self._folder, self._fingerprint, among)


def sixes(wanted: SourceSet, count: int, seed: int) -> list[SourceSet]:
    """So many sets of SIX sources of the set, by lot."""
    chance = random.Random(seed)
    return [
        replace(wanted, sources=tuple(chance.sample(wanted.sources, SIX)), pairs=())
        for _ in range(count)
    ]


def shares_of(among: SourceSet) -> Iterator[tuple[str, float]]:
    """Each hypothesis and its prior."""
    total = sum(source.prior for source in among.sources)
    yield NULL, among.null_prior
    for source in among.sources:
        yield source.name, (1 - among.null_prior) * source.prior / total


def frame_of(among: SourceSet, name: str) -> str:
    return next((source.frames[0] for source in among.sources if source.name == name), "")


async def simulated(
    simulator: Simulator,
    among: Sequence[SourceSet],
    each: int,
    say: Callable[[str], None],
) -> tuple[dict[str, Any], list[Drawn]]:
    drawn = []
    for number, its in enumerate(among):
        say(f"drawing set {number + 1} of {len(among)}")
        drawn += await simulator.texts(its, each)
    facts: dict[str, Any] = {"texts": len(drawn), "sets": len(among), "sources": SIX}
    for key, hazard in (("exact", 0.0), ("filter", HAZARD)):
        facts[key] = {str(length): judged(drawn, length, hazard) for length in LENGTHS}
    return facts, drawn


def judged(drawn: Sequence[Drawn], length: int, hazard: float) -> dict[str, Any]:
    """Of the texts that are so long; all are independent."""
    some = [text for text in drawn if len(text.ids) >= length]
    shares = [
        filtering.shares_after(text.among, text.scores, RAW, [length], hazard)[0] for text in some
    ]
    truth = np.array([text.column for text in some])
    beliefs = Beliefs(np.stack(shares), truth, tuple(map(str, range(len(some)))))
    loss, entropy = beliefs.log_loss(), entropies(beliefs.shares)
    ratio = float(loss.mean() / entropy.mean())
    error = jackknifed(lambda rows: float(loss[rows].mean() / entropy[rows].mean()), beliefs.works)
    right = beliefs.shares.argmax(1) == truth
    return {
        "texts": len(some),
        **{key: fact for key, fact in beliefs.facts().items() if key in _TOLD},
        "accuracy": mean(right, beliefs.works),
        "ratio": {"mean": ratio, "error": error},
    }


_TOLD = ("log_loss", "entropy", "ece")


def _ids(answer: Answer) -> tuple[int, ...]:
    return () if answer.span is None else tuple(answer.span.ids.tolist())


def _recipe(tokens: int) -> Recipe:
    return Recipe(tokens=tokens, heal=False, top=1)
