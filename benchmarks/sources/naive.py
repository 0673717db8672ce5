"""The baseline: naive Bayes over character 5-grams of each source's training text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from benchmarks.sources.judging import Ints, ranks
from loom.discovery import Found, module_of
from loom.labelled import Read
from loom.passages import Work

if TYPE_CHECKING:
    from baselines import NaiveBayes

FILE = Path(__file__).parents[2] / "backends" / "house" / "baselines.py"


def trained(works: Mapping[str, Sequence[Work]]) -> NaiveBayes:
    """On whole works by source."""
    texts = {
        source: b"".join(work.path.read_bytes() for work in its) for source, its in works.items()
    }
    baselines = module_of(Found("baselines", str(FILE)))
    return cast("NaiveBayes", baselines.NaiveBayes(texts))


def placed(bayes: NaiveBayes, reads: Sequence[Read]) -> Ints:
    """The rank of each passage's own source."""
    scores = np.stack([bayes.scores(read.text) for read in reads])
    return ranks(scores, np.array([bayes.sources.index(read.source) for read in reads]))
