"""The Federalist Papers: Hamilton's byline against Madison's, on papers the model never saw.

What tempers the evidence was fitted on held-out cuts of all sources, none of them of these papers.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from loom.asking.process import Asking
from loom.instruments.sources import filtering
from loom.instruments.sources.api import Scores, SourceSet, Tempering
from loom.instruments.sources.tempering import eta_at
from loom.labelled import Kept

HAMILTON, MADISON = "Alexander Hamilton", "James Madison"
SALUTE = re.compile(r"\A.*?To the People of the State of New York[:.]?\s+", re.S)
SIGNED = re.compile(r"\s+Publius\.?\s*\Z", re.I)


@dataclass(frozen=True, slots=True)
class Paper:
    number: int
    label: str  # hamilton, madison or disputed
    text: bytes


def papers(folder: Path) -> Iterator[Paper]:
    """Those by either of the two that no training text has, without headings and signature."""
    with (folder / "labels.tsv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    for row in rows:
        if row["in_train"] == "no" and row["label"] in ("disputed", "hamilton", "madison"):
            whole = (folder / row["file"]).read_text(encoding="utf-8")
            body = SIGNED.sub("", SALUTE.sub("", whole))
            yield Paper(int(row["number"]), row["label"], body.encode())


def the_two(wanted: SourceSet) -> SourceSet:
    """Raises ValueError where the set has not both of them."""
    some = tuple(source for source in wanted.sources if source.name in (HAMILTON, MADISON))
    if len(some) < 2:
        raise ValueError(f"The set {wanted.name} has not both {HAMILTON} and {MADISON}.")
    return replace(wanted, sources=some, pairs=())


async def disputed(
    asking: Asking,
    kept: Callable[[SourceSet], Kept],
    among: SourceSet,
    folder: Path,
    its: Tempering,
    say: Callable[[str], None],
) -> dict[str, Any]:
    rows = []
    for paper in papers(folder):
        say(f"paper {paper.number}")
        ids, _ = await asking.encode(paper.text, start=True)
        scores = await kept(among).scored(asking, ids)
        rows.append({"paper": paper.number, "label": paper.label, **weighed(among, scores, its)})
    unsure = [row for row in rows if row["label"] == "disputed"]
    return {
        "eta": its.eta,
        "gamma": its.gamma,
        "fitted_on": {"tokens": its.tokens, "works": its.works},
        "rows": rows,
        "disputed": len(unsure),
        "to_madison": sum(row["tempered"] > 0 for row in unsure),
        "known": {label: _right(rows, label) for label in ("hamilton", "madison")},
    }


def _right(rows: Sequence[Mapping[str, Any]], label: str) -> dict[str, int]:
    """Of the papers by one of the two those that are given to him."""
    some = [row for row in rows if row["label"] == label]
    right = sum((row["tempered"] > 0) == (label == "madison") for row in some)
    return {"papers": len(some), "right": right}


def weighed(among: SourceSet, scores: Scores, its: Tempering) -> dict[str, Any]:
    """Bits for Madison against Hamilton, as they are and tempered; the filter's belief at the end,
    the null among its hypotheses."""
    column = {source.name: among.frames.index(source.frames[0]) - 1 for source in among.sources}
    each = scores.ratio[:, column[MADISON]].astype(float) - scores.ratio[:, column[HAMILTON]]
    tempered = float((eta_at(its, np.arange(len(each))) * each).sum() / math.log(2))
    null, *shares = filtering.shares_after(among, scores, its, [len(scores)])[0].tolist()
    named = dict(zip((source.name for source in among.sources), shares, strict=True))
    return {
        "tokens": len(scores),
        "bits": round(float(each.sum()) / math.log(2), 2),
        "tempered": round(tempered, 3),
        "madison": round(named[MADISON], 4),
        "hamilton": round(named[HAMILTON], 4),
        "null": round(null, 4),
    }
