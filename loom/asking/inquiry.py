"""A model asked who wrote a passage; its answers weighed as sources; whether both ways agree.

Knows an engine that can be asked and a passage that was weighed; knows no session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from loom.asking.coherence import Agreement, Suffixes, agreements, frame_bits
from loom.asking.estimate import Estimate
from loom.asking.framing import score_frames
from loom.asking.probing import attributions, candidates
from loom.asking.questions import Drawer, Scorer
from loom.instruments.sources import filtering, tempering
from loom.instruments.sources.api import Attribution, Posterior, Scores, SourceSet

LEADING = 3  # of the set's own sources that are held against what is said of them


class Asked(Scorer, Drawer, Protocol):
    """Who reads given text and draws answers: an `Asking`, or a session's own engine."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """`verified` is the posterior of the answers as sources, None where no answer was a name;
    `agreements` are about these, about what leads by the set, and about whoever was asked for."""

    attribution: Attribution
    verified: Posterior | None
    agreements: tuple[Agreement, ...]


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
    suffixes = Suffixes(asking, wanted, pooling=read.pooling)
    agreed = await agreements(suffixes, mine | by_answer, ids)
    return Inquiry(found, verified, tuple(agreed))


def _posterior(answers: SourceSet, weighed: Scores) -> Posterior:
    """Nothing was ever fitted for sources that have just been made."""
    belief, _ = filtering.advance(answers, filtering.begin(answers), weighed, tempering.DEFAULT)
    return filtering.posterior(answers, belief, calibrated=False)
