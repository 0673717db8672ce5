"""The model asked who wrote what it read, beside what reading under every frame says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any

import numpy as np

from benchmarks.sources.attributing import Attribution
from benchmarks.sources.judging import jackknifed, mean, ranks
from loom.asking.coherence import Suffixes, agreements, frame_bits
from loom.asking.probing import attributions
from loom.asking.process import Asking
from loom.instruments.sources.api import SourceSet
from loom.labelled import Read


async def probed(
    suffixes: Suffixes,
    asking: Asking,
    unseen: Attribution,
    each: int,
    count: int,
    seed: int,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """`each` passages of every work, `count` answers after each."""
    reads = _few(unseen.reads, each)
    names = [source.name for source in unseen.wanted.sources]
    drawn, apart, by_probe, by_frame = [], [], [], []
    for number, read in enumerate(reads):
        say(f"asking after passage {number + 1} of {len(reads)}")
        drawn.append(await _answered(asking, unseen.wanted, read, count, seed + number))
        found = await agreements(suffixes, frame_bits(unseen.wanted, read.scores), read.ids)
        by_name = {one.name: one for one in found}
        apart.append(by_name[read.source].delta)
        by_probe.append([by_name[name].by_probe for name in names])
        by_frame.append([by_name[name].by_frame for name in names])
    works = [read.work for read in reads]
    truth = np.array([names.index(read.source) for read in reads])
    tops = {"by_probe": np.array(by_probe), "by_frame": np.array(by_frame)}
    return {
        "passages": len(reads),
        "works": len(set(works)),
        "asked": count,
        "drawn": _shares(drawn, works),
        **{key: _hits(ranks(rows, truth), works) for key, rows in tops.items()},
        "delta": _median(np.array(apart), works),
        "apart": _median(np.abs(apart), works),
        "apart_of_all": float(np.median(np.abs(tops["by_frame"] - tops["by_probe"]))),
    }


async def _answered(
    asking: Asking, wanted: SourceSet, read: Read, count: int, seed: int
) -> tuple[bool, float, float]:
    """(whether the largest cluster of answers is the right source, the share of answers that name
    it, that name any source of the set)."""
    come = attributions(asking, wanted, read.ids, count=count, seed=seed)
    async with aclosing(come) as every:
        found = [each async for each in every][-1]
    right = sum(one.count for one in found.clusters if one.source == read.source)
    known = sum(one.count for one in found.clusters if one.source is not None)
    first = found.clusters[0].source if found.clusters else None
    return first == read.source, right / count, known / count


def _few(reads: Sequence[Read], each: int) -> list[Read]:
    some: dict[str, list[Read]] = {}
    for read in reads:
        some.setdefault(read.work, []).append(read)
    return [read for its in some.values() for read in its[:each]]


def _shares(drawn: Sequence[tuple[bool, float, float]], works: Sequence[str]) -> dict[str, Any]:
    first, right, known = zip(*drawn, strict=True)
    return {"top1": mean(first, works), "right": mean(right, works), "known": mean(known, works)}


def _hits(found: np.ndarray[Any, Any], works: Sequence[str]) -> dict[str, Any]:
    return {"top1": mean(found < 1, works), "top3": mean(found < 3, works)}


def _median(values: np.ndarray[Any, Any], works: Sequence[str]) -> dict[str, float]:
    error = jackknifed(lambda rows: float(np.median(values[rows])), works)
    return {"mean": float(np.median(values)), "error": error}
