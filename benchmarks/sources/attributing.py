"""Which source a passage is by: believed after so many tokens, by a tempering fitted elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.instruments.judging import folds
from benchmarks.sources.judging import Beliefs, Floats, mean, ranks
from loom.asking.coherence import frame_bits
from loom.instruments.sources import filtering, pooling, tempering
from loom.instruments.sources.api import HAZARD, Pooling, Scores, SourceSet, Tempering
from loom.labelled import LENGTH, Read

LENGTHS = (16, 32, 64, 128, LENGTH)
RAW = Tempering(1.0, 0.0)
PARTITIONS = 5  # of the works into folds


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
                shares_at(self.wanted, read.scores, its, LENGTHS, hazard)
                for read, its in zip(self.reads, tempered, strict=True)
            ]
        )
        return {
            length: Beliefs(courses[:, place], self.truth, self.works)
            for place, length in enumerate(LENGTHS)
        }

    def together(self, asked: Floats, tempered: Sequence[Tempering], seed: int) -> dict[str, Any]:
        """`asked` float64[N, S] bits of each source as the answer after the whole passage: believed
        with what was read, both counting as much as was fitted on other works, as was `tempered`,
        one for each passage."""
        its = dict(zip(self.works, tempered, strict=True))
        rows = [tuple(row) for row in zip(asked, self.truth.tolist(), self.works, strict=True)]
        shares = np.empty((len(rows), len(self.wanted.sources) + 1))
        fitted: list[Pooling] = []
        for fold in filter(None, folds(self.works, seed)):
            alone = self.beliefs([its[min(fold)]] * len(rows))[LENGTH].shares
            examples = [pooling.Example(read, *row) for read, row in zip(alone, rows, strict=True)]
            fitted.append(pooling.fit([one for one in examples if one.work not in fold]))
            for place, one in enumerate(examples):
                if one.work in fold:
                    shares[place] = pooling.pooled(one.shares, one.bits, fitted[-1])
        both = Beliefs(shares, self.truth, self.works)
        return {
            "shown": both.facts(),
            "given": both.given.facts(),
            "read": sorted({round(weights.read, 3) for weights in fitted}),
            "asked": sorted({round(weights.asked, 3) for weights in fitted}),
        }

    def evidence(self) -> Floats:
        """float64[N, S] bits of each source after the whole passage."""
        rows = [frame_bits(self.wanted, read.scores) for read in self.reads]
        return np.array([[row[source.name] for source in self.wanted.sources] for row in rows])

    def facts(self, seed: int, asked: Floats) -> dict[str, Any]:
        """`asked`: see `together`. What is fitted on other works depends on how the works fall into
        folds: the mean over PARTITIONS of them."""
        every = [self._fitted(seed + number, asked) for number in range(PARTITIONS)]
        eces = [
            [each[way]["shown"]["ece"]["mean"] for each in every] for way in ("read", "together")
        ]
        evidence = self.evidence()
        right = evidence[np.arange(len(self.truth)), self.truth - 1]
        return {
            "passages": len(self.reads),
            "works": len(set(self.works)),
            "sources": len({read.source for read in self.reads}),
            "by_evidence": self.hits(ranks(evidence, self.truth - 1)),
            "by_asking": self.hits(ranks(asked, self.truth - 1)),
            "gain": mean(right, self.works),
            "raw": _by_length(self.beliefs([RAW] * len(self.reads))),
            **averaged(every),
            "eces": dict(zip(("read", "together"), eces, strict=True)),
            "prior": _prior(self.wanted),
        }

    def _fitted(self, seed: int, asked: Floats) -> dict[str, Any]:
        """By one partition of the works into folds."""
        fitted, lasting = self.crossed(seed), self.crossed(seed, 0.0)
        tempered = _by_length(self.beliefs(fitted))
        return {
            "tempering": _spread(fitted),
            "tempered": tempered,
            "read": tempered[str(LENGTH)],
            "lasting": _by_length(self.beliefs(lasting, 0.0)),
            "together": self.together(asked, fitted, seed),
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


def shares_at(
    wanted: SourceSet,
    scores: Scores,
    its: Tempering,
    lengths: Sequence[int],
    hazard: float = HAZARD,
) -> Floats:
    """float64[len(lengths), S + 1] what is believed after so many tokens, the null first."""
    _, course = filtering.advance(wanted, filtering.begin(wanted), scores, its, hazard)
    shares = course.shares[np.array(lengths) - 1].astype(np.float64)
    return np.asarray(shares / shares.sum(1, keepdims=True), np.float64)


def _by_length(found: Mapping[int, Beliefs]) -> dict[str, Any]:
    return {
        str(length): {"shown": beliefs.facts(), "given": beliefs.given.facts()}
        for length, beliefs in found.items()
    }


def _spread(fitted: Sequence[Tempering]) -> dict[str, list[float]]:
    """Of the folds."""
    return {
        "eta": sorted({round(each.eta, 5) for each in fitted}),
        "gamma": sorted({round(each.gamma, 3) for each in fitted}),
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
