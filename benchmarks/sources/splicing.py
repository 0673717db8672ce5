"""Texts in which another source goes on: how soon the belief follows."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.instruments.judging import Noticed, folds
from benchmarks.sources.attributing import RAW, Asked, Attribution
from benchmarks.sources.judging import Floats, mean
from benchmarks.sources.simulating import Drawn, Simulator
from loom.arrays import ArrayFiles
from loom.asking.coherence import pmi
from loom.asking.process import Asking
from loom.instruments.sources import filtering, pooling
from loom.instruments.sources.api import HAZARD, NULL, Scores, SourceSet, Tempering
from loom.labelled import Kept, Read, answer_files, ask_all

DRAWN, WITHIN = 48, 64  # tokens before the splice of a drawn text, and after (SCIENCE E15)
HUMAN = 128  # tokens before that of two human texts
QUICK = 1 / 64


@dataclass(frozen=True, slots=True)
class Case:
    """`after` should lead from token `at` on."""

    among: SourceSet
    scores: Scores
    at: int
    after: str
    work: str
    its: Tempering = RAW


async def drawn_cases(
    simulator: Simulator, drawn: Sequence[Drawn], count: int, say: Callable[[str], None]
) -> tuple[list[Case], list[Case]]:
    """(with a splice, without: the same source goes on, and another one is watched)."""
    chance = random.Random(simulator.seed)
    fit = [text for text in drawn if text.truth != NULL and len(text.ids) >= DRAWN + WITHIN]
    spliced, whole = [], []
    for number, text in enumerate(chance.sample(fit, min(count, len(fit)))):
        say(f"splice {number + 1} of {count}")
        others = [source.name for source in text.among.sources if source.name != text.truth]
        after = chance.choice(others)
        whole.append(Case(text.among, text.scores, DRAWN, after, str(number)))
        found = await simulator.spliced(text, DRAWN, after, WITHIN)
        spliced.append(Case(text.among, found.scores, DRAWN, after, str(number)))
    return spliced, whole


@dataclass(frozen=True, slots=True)
class Files:
    """Where readings and answers are kept, by set."""

    folder: Path
    fingerprint: str

    def kept(self, among: SourceSet) -> Kept:
        return Kept(self.folder, self.fingerprint, among)

    def answers(self, among: SourceSet) -> ArrayFiles:
        return answer_files(self.folder, self.fingerprint, among)


async def human_cases(
    asking: Asking, files: Files, unseen: Attribution, seed: int
) -> tuple[list[Case], list[Case]]:
    """The same of passages of works never seen, each with its next in a work of the same fold, so
    that its tempering was fitted on neither."""
    spliced, whole = [], []
    fitted = dict(zip(unseen.works, unseen.crossed(seed), strict=True))
    for first, second in _pairs(unseen.reads, seed):
        among = _two(unseen.wanted, first.source, second.source)
        ids = first.ids[:HUMAN] + second.ids[:WITHIN]
        its = fitted[first.work]
        scores = await files.kept(among).scored(asking, ids)
        spliced.append(Case(among, scores, HUMAN, second.source, first.work, its))
        alone = columns_of(unseen.wanted, among, first.scores)
        whole.append(Case(among, alone, HUMAN, second.source, first.work, its))
    return spliced, whole


async def asked_of(
    asking: Asking, unseen: Attribution, asked: Asked, anyway: Floats, files: Files, seed: int
) -> dict[str, Any]:
    """Whether what goes on leads after 64 tokens, by reading and with the answers to a question
    there, and whether it does so where the text goes on as it was: of those where it didn't lead by
    either before. What tempers and pools was fitted on neither work."""
    tempered = unseen.crossed(seed)
    _, pools = unseen.together(asked, tempered, seed)
    its = dict(zip(unseen.works, tempered, strict=True))
    names = [source.name for source in unseen.wanted.sources]
    leads: list[list[bool]] = []
    works = []
    for first, second in _pairs(unseen.reads, seed):
        among = _two(unseen.wanted, first.source, second.source)
        told = anyway[[names.index(source.name) for source in among.sources]]
        column = 1 + [source.name for source in among.sources].index(second.source)
        alone = columns_of(unseen.wanted, among, first.scores)
        ids = first.ids[:HUMAN] + second.ids[:WITHIN]
        spliced = await files.kept(among).scored(asking, ids)
        row = []
        for text, scores, tokens in (
            (first.ids, alone, HUMAN),
            (ids, spliced, HUMAN + WITHIN),
            (first.ids, alone, HUMAN + WITHIN),
        ):
            read = filtering.shares_after(among, scores, its[first.work], [tokens])[0]
            said = await ask_all(asking, among, files.answers(among), [text[:tokens]])
            bits = pmi(said[0], told).mean(axis=1)
            both = pooling.pooled(read, bits, pools[first.work], tokens)
            row += [bool(read.argmax() == column), bool(both.argmax() == column)]
        leads.append(row)
        works.append(first.work)
    table, of = np.array(leads), np.array(works)
    fair = ~table[:, :2].any(axis=1)
    ways = ("read", "together", "read_without", "together_without")
    found = {way: mean(table[fair, 2 + n], of[fair].tolist()) for n, way in enumerate(ways)}
    return {"cases": int(fair.sum()), **found}


def facts_of(
    spliced: Sequence[Case], whole: Sequence[Case], ways: Sequence[tuple[bool, float]]
) -> list[dict[str, Any]]:
    """A row for each (tempered, hazard)."""
    rows = []
    for tempered, hazard in ways:
        found, alone = (notice(cases, tempered, hazard) for cases in (spliced, whole))
        rows.append(
            {
                "tempered": tempered,
                "hazard": hazard,
                "cases": len(found.delays),
                "early": found.early,
                "median": found.median(),
                "within": found.within(WITHIN).facts(),
                "without": alone.within(WITHIN).facts(),
            }
        )
    return rows


def notice(cases: Sequence[Case], tempered: bool, hazard: float) -> Noticed:
    """Tokens until what goes on leads; those where it led before are only counted."""
    delays: list[int | None] = []
    works, early = [], 0
    for case in cases:
        its = case.its if tempered else RAW
        _, course = filtering.advance(
            case.among, filtering.begin(case.among), case.scores, its, hazard
        )
        leads = course.shares.argmax(1) == course.names.index(case.after)
        if leads[case.at - 1]:
            early += 1
            continue
        later = np.flatnonzero(leads[case.at : case.at + WITHIN])
        delays.append(int(later[0]) + 1 if len(later) else None)
        works.append(case.work)
    return Noticed("splice", tuple(delays), early, tuple(works))


def columns_of(whole: SourceSet, part: SourceSet, scores: Scores) -> Scores:
    """What was read under the frames of `whole`, under those of `part` alone."""
    places = [whole.frames.index(frame) - 1 for frame in part.frames[1:]]
    return replace(scores, ratio=scores.ratio[:, places])


def _two(wanted: SourceSet, first: str, second: str) -> SourceSet:
    some = tuple(source for source in wanted.sources if source.name in (first, second))
    return replace(wanted, sources=some, pairs=())


def _pairs(reads: Sequence[Read], seed: int) -> Iterator[tuple[Read, Read]]:
    for fold in folds([read.work for read in reads], seed):
        some = [read for read in reads if read.work in fold]
        for place, first in enumerate(some):
            others = [read for read in some if read.source != first.source]
            if others:
                yield first, others[place % len(others)]


HUMAN_WAYS = ((False, HAZARD), (False, QUICK), (True, HAZARD), (True, QUICK))
DRAWN_WAYS = ((False, QUICK), (False, HAZARD))
