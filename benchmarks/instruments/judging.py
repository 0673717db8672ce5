"""Detectors at work on texts: which windows raise an alarm, and how soon a change is noticed.

Errors are clustered by work: windows of one work are not independent.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.instruments.material import LEAD, Case
from loom.core.span import Span
from loom.discovery import listed, module_of
from loom.instruments.api import Flag, Instrument, Passage, Settings
from loom.instruments.folding import Stretch, advance, begin
from loom.instruments.loading import declared
from loom.passages import context_of

ALPHAS = (0.05, 0.01)
FOLDS = 5
REPETITION = ("loop", "schema", "repetition")
USUAL = 4.5  # nats


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of windows, works weighing alike, with its standard error over works."""

    share: float
    error: float
    works: int
    windows: int

    def facts(self) -> dict[str, float]:
        return {
            "share": round(self.share, 4),
            "error": round(self.error, 4),
            "works": self.works,
            "windows": self.windows,
        }


def rate(alarms: Sequence[float], works: Sequence[str]) -> Rate:
    by_work: dict[str, list[float]] = defaultdict(list)
    for alarm, work in zip(alarms, works, strict=True):
        by_work[work].append(alarm)
    means = [float(np.mean(some)) for some in by_work.values()]
    count = len(means)
    error = float(np.std(means, ddof=1)) / math.sqrt(count) if count > 1 else 0.0
    return Rate(float(np.mean(means)), error, count, len(alarms))


@dataclass(frozen=True, slots=True)
class Noticed:
    """Cases of one kind: tokens (or words) to the first flag, None where there was none in what
    was there to see; those flagged before the change are only counted."""

    kind: str
    delays: tuple[int | None, ...]
    early: int
    works: tuple[str, ...]
    by: Mapping[str, int] = field(default_factory=dict)

    def within(self, most: int) -> Rate:
        return rate([d is not None and d <= most for d in self.delays], self.works)

    def median(self) -> float | None:
        """None where most were not noticed."""
        known = sorted(math.inf if delay is None else delay for delay in self.delays)
        middle = (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2 if known else math.inf
        return None if middle == math.inf else middle


class Judge:
    """`traps` as it comes with Loom."""

    def __init__(self) -> None:
        found = next(each for each in listed("plugin") if each.name == "traps" and each.usable)
        self.module: Any = module_of(found)
        self._instrument: Instrument
        self._instrument, its = declared(self.module)
        self._options = its.options

    def calibrate(self, passages: Sequence[Passage]) -> Mapping[str, Any]:
        kept: Mapping[str, Any] = self.module.calibrate(passages, self._options)
        return kept

    def read(
        self, passage: Passage, kept: Mapping[str, Any], **options: Any
    ) -> tuple[Mapping[str, Any], tuple[Flag, ...]]:
        settings = Settings({**self._options, **options}, "", kept)
        state = begin(self._instrument, settings)
        _, reading = advance(self._instrument, state, Stretch(passage.span, passage.context))
        return reading.values, reading.flags

    def alarms(
        self, passage: Passage, kept: Mapping[str, Any], genre: str = "all"
    ) -> list[dict[float, list[str]]]:
        """For each window of the horizon and each α the statistics that pass their limits in it,
        whether or not they were flagged before."""
        values, _ = self.read(passage, kept, genre=genre)
        fitted = kept[genre]
        horizon = fitted["horizon"]
        found = []
        for first in range(0, len(passage.span) - horizon + horizon // 32 + 1, horizon):
            window = slice(min(first, len(passage.span) - horizon), None)
            tops = {name: float(row[window][:horizon].max()) for name, row in values.items()}
            found.append({alpha: _passing(tops, fitted, alpha) for alpha in ALPHAS})
        return found

    def repeated(
        self, text: bytes, ids: Sequence[int], ends: Sequence[int], kept: Mapping[str, Any]
    ) -> list[str]:
        """Which statistics of words alone are flagged in a whole text; no model has read it."""
        count = len(ids)
        usual = np.full(count, USUAL, np.float32)
        span = Span(
            ids=np.array(ids, np.int32),
            ends=np.array(ends, np.int32),
            logprob=-usual,
            entropy=usual,
            varentropy=usual,
            rank=np.zeros(count, np.int32),
            top_ids=np.zeros((count, 1), np.int32),
            top_logprobs=np.zeros((count, 1), np.float32),
        )
        ignored = [name for name in self.module.STATISTICS if name not in REPETITION]
        passage = Passage(span, context_of(span, text), "")
        _, flags = self.read(passage, kept, ignore=ignored)
        return sorted({self._name(flag) for flag in flags})

    def _name(self, flag: Flag) -> str:
        statistics: Mapping[str, Any] = self.module.STATISTICS
        return next(name for name, each in statistics.items() if each.perhaps == flag.perhaps)

    def notice(self, cases: Sequence[Case], kept: Mapping[str, Any], **options: Any) -> Noticed:
        """Delays in words for templates, else in tokens."""
        delays: list[int | None] = []
        works, by, early = [], defaultdict[str, int](int), 0
        for case in cases:
            _, flags = self.read(case.passage, kept, **options)
            if any(flag.at < LEAD for flag in flags):
                early += 1
                continue
            works.append(case.passage.work)
            if not flags:
                delays.append(None)
                continue
            tokens = flags[0].at - LEAD + 1
            delays.append(case.words(tokens) if case.kind.startswith("template") else tokens)
            by[self._name(flags[0])] += 1
        return Noticed(cases[0].kind, tuple(delays), early, tuple(works), dict(by))


def _passing(tops: Mapping[str, float], fitted: Mapping[str, Any], alpha: float) -> list[str]:
    if alpha not in fitted["alphas"]:
        return []
    rung = fitted["alphas"].index(alpha)
    return [name for name, row in fitted["limits"].items() if tops[name] > row[rung]]


def folds(works: Sequence[str], seed: int) -> list[set[str]]:
    """Whole works, by lot, in FOLDS parts."""
    names = sorted(set(works))
    np.random.default_rng(seed).shuffle(names)
    return [set(names[part::FOLDS]) for part in range(FOLDS)]
