"""Which source a passage is by: believed after so many tokens, by a tempering fitted elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.instruments.judging import folds
from benchmarks.sources.judging import Beliefs, Floats, mean, ranks
from loom.asking.coherence import frame_bits
from loom.instruments.sources import filtering, pooling, tempering
from loom.instruments.sources.api import HAZARD, Pooling, SourceSet, Tempering
from loom.labelled import ASKED_AFTER, LENGTH, Read

LENGTHS = (16, 32, 64, 128, LENGTH)
RAW = Tempering(1.0, 0.0)
PARTITIONS = 5  # of the works into folds

Asked = Mapping[int, Floats]
"""By number of tokens float64[N, S]: bits of each source as the answer after so many."""


class Attribution:
    """Passages of a split, read under every frame of `wanted`."""

    def __init__(self, wanted: SourceSet, reads: Sequence[Read]) -> None:
        self.wanted, self.reads = wanted, reads
        self.works = tuple(read.work for read in reads)
        names = [source.name for source in wanted.sources]
        self.truth = np.array([names.index(read.source) + 1 for read in reads])

    def crossed(self, seed: int, hazard: float = HAZARD) -> list[Tempering]:
        """For each passage the tempering fitted on other works than those of its fold."""
        found: dict[str, Tempering] = {}
        for fold in filter(None, folds(self.works, seed)):
            others = [read for read in self.reads if read.work not in fold]
            fitted = fit(self.wanted, others, hazard)
            found |= dict.fromkeys(fold, fitted)
        return [found[work] for work in self.works]

    def beliefs(self, tempered: Sequence[Tempering], hazard: float = HAZARD) -> dict[int, Beliefs]:
        """By number of tokens."""
        courses = np.stack(
            [
                filtering.shares_after(self.wanted, read.scores, its, LENGTHS, hazard)
                for read, its in zip(self.reads, tempered, strict=True)
            ]
        )
        return {
            length: Beliefs(courses[:, place], self.truth, self.works)
            for place, length in enumerate(LENGTHS)
        }

    def together(
        self, asked: Asked, tempered: Sequence[Tempering], seed: int
    ) -> tuple[dict[int, Beliefs], dict[str, Pooling]]:
        """What is believed with what was read, by number of tokens, both counting as much as was
        fitted on other works, as was `tempered`, one for each passage; and how much that was, by
        work."""
        its = dict(zip(self.works, tempered, strict=True))
        shares = np.empty((len(LENGTHS), len(self.reads), len(self.wanted.sources) + 1))
        fitted: dict[str, Pooling] = {}
        for fold in filter(None, folds(self.works, seed)):
            alone = self.beliefs([its[min(fold)]] * len(self.reads))
            every = {length: self._examples(length, alone[length], asked) for length in LENGTHS}
            others = [one for length in ASKED_AFTER for one in every[length]]
            weights = pooling.fit([one for one in others if one.work not in fold])
            fitted |= dict.fromkeys(fold, weights)
            for row, (length, examples) in zip(shares, every.items(), strict=True):
                for place, one in enumerate(examples):
                    if one.work in fold:
                        row[place] = pooling.pooled(one.shares, one.bits, weights, length)
        both = {
            length: Beliefs(row, self.truth, self.works)
            for length, row in zip(LENGTHS, shares, strict=True)
        }
        return both, fitted

    def _examples(self, length: int, alone: Beliefs, asked: Asked) -> list[pooling.Example]:
        rows = zip(alone.shares, asked[length], self.truth.tolist(), self.works, strict=True)
        return [pooling.Example(*row, length) for row in rows]

    def evidence(self) -> Floats:
        """float64[N, S] bits of each source after the whole passage."""
        rows = [frame_bits(self.wanted, read.scores) for read in self.reads]
        return np.array([[row[source.name] for source in self.wanted.sources] for row in rows])

    def facts(self, seed: int, asked: Asked) -> dict[str, Any]:
        """What is fitted on other works depends on how the works fall into folds: the mean over
        PARTITIONS of them."""
        every = [self._fitted(seed + number, asked) for number in range(PARTITIONS)]
        ways = ("tempered", "together")
        eces = [[each[way][str(LENGTH)]["shown"]["ece"]["mean"] for each in every] for way in ways]
        evidence = self.evidence()
        right = evidence[np.arange(len(self.truth)), self.truth - 1]
        return {
            "passages": len(self.reads),
            "works": len(set(self.works)),
            "sources": len({read.source for read in self.reads}),
            "by_evidence": self.hits(ranks(evidence, self.truth - 1)),
            "by_asking": self.hits(ranks(asked[LENGTH], self.truth - 1)),
            "gain": mean(right, self.works),
            "raw": _by_length(self.beliefs([RAW] * len(self.reads))),
            **averaged(every),
            "eces": dict(zip(ways, eces, strict=True)),
            "prior": _prior(self.wanted),
        }

    def _fitted(self, seed: int, asked: Asked) -> dict[str, Any]:
        """By one partition of the works into folds."""
        fitted, lasting = self.crossed(seed), self.crossed(seed, 0.0)
        both, weights = self.together(asked, fitted, seed)
        return {
            "tempering": _spread(fitted, {"eta": 5, "gamma": 3}),
            "tempered": _by_length(self.beliefs(fitted)),
            "lasting": _by_length(self.beliefs(lasting, 0.0)),
            "together": _by_length(both),
            "pooling": _spread(list(weights.values()), {"read": 3, "asked": 3, "rise": 3}),
        }

    def hits(self, found: Sequence[int] | np.ndarray[Any, Any]) -> dict[str, Any]:
        """Of ranks of the right source."""
        order = np.asarray(found)
        return {"top1": mean(order < 1, self.works), "top3": mean(order < 3, self.works)}


def averaged(every: Sequence[Any]) -> Any:
    """The mean of figures that are told alike; all of those that are in lists."""
    first = every[0]
    if isinstance(first, Mapping):
        return {key: averaged([each[key] for each in every]) for key in first}
    if isinstance(first, list):
        return sorted({value for each in every for value in each})
    return float(np.mean(every))


def fit(wanted: SourceSet, reads: Sequence[Read], hazard: float = HAZARD) -> Tempering:
    examples = [tempering.Example(read.scores, read.source, read.work) for read in reads]
    return tempering.fit(wanted, examples, hazard)


def _by_length(found: Mapping[int, Beliefs]) -> dict[str, Any]:
    return {
        str(length): {"shown": beliefs.facts(), "given": beliefs.given.facts()}
        for length, beliefs in found.items()
    }


def _spread(fitted: Sequence[object], digits: Mapping[str, int]) -> dict[str, list[float]]:
    """Of the folds, rounded to so many digits by name."""
    return {
        name: sorted({round(float(getattr(each, name)), count) for each in fitted})
        for name, count in digits.items()
    }


def _prior(wanted: SourceSet) -> dict[str, float]:
    """Bits of entropy before anything is read, with the null among the hypotheses and without."""
    weights = np.array([source.prior for source in wanted.sources], float)
    weights /= weights.sum()
    given = float(-(weights * np.log2(weights)).sum())
    null = wanted.null_prior
    split = -null * np.log2(null) - (1 - null) * np.log2(1 - null)
    return {
        "shown": float(split + (1 - null) * given),
        "given": given,
        "loss": float(given - np.log2(1 - null)),
    }
