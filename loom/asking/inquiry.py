"""A model asked who wrote a passage; its answers weighed as sources; whether both ways agree.

Knows an engine that can be asked and a passage that was weighed; knows no session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from loom.asking.coherence import Agreement, Suffixes, agreed, frame_bits
from loom.asking.estimate import Estimate
from loom.asking.framing import score_frames
from loom.asking.probing import attributions, candidates
from loom.asking.questions import Drawer, Scorer
from loom.instruments.sources import filtering, pooling, tempering
from loom.instruments.sources.api import Attribution, Posterior, Scores, SourceSet

LEADING = 3  # of the set's own sources that are held against what is said of them


class Asked(Scorer, Drawer, Protocol):
    """Who reads given text and draws answers: an `Asking`, or a session's own engine."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """`verified` is the posterior of the answers as sources, None where no answer was a name;
    `agreements` are about these, about what leads by the set, and about whoever was asked for.
    `together` is what is believed of the set by reading and asking, None where it was never found
    out how both count."""

    attribution: Attribution
    verified: Posterior | None
    agreements: tuple[Agreement, ...]
    together: Posterior | None = None


async def inquiry(
    asking: Asked,
    read: Estimate,
    count: int,
    *,
    about: Iterable[str] = (),
    seed: int = 0,
    go_on: Callable[[Attribution], bool] = lambda found: True,
) -> Inquiry:
    """Of a passage that was read; `about` names sources of its set. `go_on` is told what there is
    every few answers; False: no more are drawn. Raises EngineError."""
    wanted, ids = read.wanted, read.ids
    found = Attribution(0)
    async with aclosing(attributions(asking, wanted, ids, count=count, seed=seed)) as come:
        async for found in come:
            if not go_on(found):
                break
    answers = candidates(found, wanted)
    verified, by_answer = None, {}
    if answers.sources:
        weighed = await score_frames(asking, answers, ids)
        verified, by_answer = _posterior(answers, weighed), frame_bits(answers, weighed)
    by_frame = frame_bits(wanted, read.scores)
    leading = sorted(by_frame, key=lambda name: -by_frame[name])[:LEADING]
    mine = {name: by_frame[name] for name in (*about, *leading) if name in by_frame}
    every = by_frame if read.pooling is not None else {}
    suffixes = Suffixes(asking, wanted, pooling=read.pooling)
    by_probe = await suffixes.bits(ids, (*mine, *by_answer, *every))
    agreements = agreed(mine | by_answer, by_probe)
    return Inquiry(found, verified, tuple(agreements), _together(read, by_probe))


def _together(read: Estimate, by_probe: Mapping[str, NDArray[np.float64]]) -> Posterior | None:
    if read.pooling is None:
        return None
    asked = {name: float(bits.mean()) for name, bits in by_probe.items()}
    return pooling.posterior(read.posterior, asked, read.pooling)


def _posterior(answers: SourceSet, weighed: Scores) -> Posterior:
    """Nothing was ever fitted for sources that have just been made."""
    belief, _ = filtering.advance(answers, filtering.begin(answers), weighed, tempering.DEFAULT)
    return filtering.posterior(answers, belief, calibrated=False)
