"""Whether what a model says when asked agrees with how it reads: PMI by frame − PMI by probe, bits.

If it were of one mind, log p(passage | name) − log p(passage) would equal log p(name | passage) −
log p(name), by Bayes (SCIENCE A3). Knows an engine that can be asked; no sessions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from loom.asking.probing import TAIL, probes_of, tail_of
from loom.asking.questions import Gate, Questions, Scorer, at_once
from loom.instruments.sources import filtering
from loom.instruments.sources.api import Pooling, Scores, SourceSet, Tempering
from loom.instruments.sources.neutral import NEUTRAL
from loom.instruments.sources.windows import Ids, Job, Step

Floats = NDArray[np.float64]

LN2 = float(np.log(2.0))
UNTEMPERED = Tempering(1.0, 0.0)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Bits for a name: what the passage is likelier under its frame than under none, and what it is
    likelier as the answer after the passage than after any text; `spread` of the latter, the
    standard deviation over the phrasings."""

    name: str
    by_frame: float
    by_probe: float
    spread: float

    @property
    def delta(self) -> float:
        """How far the model is from being of one mind."""
        return self.by_frame - self.by_probe


class Suffixes:
    """How likely names are as answers. What they are after any text is known by `pooling` for the
    sources of the set; of others, and without it, it is found out after a few neutral texts, once:
    as good as long as model and set stay the same."""

    def __init__(
        self,
        scorer: Scorer,
        wanted: SourceSet,
        gate: Gate | None = None,
        pooling: Pooling | None = None,
    ) -> None:
        self._scorer, self._gate = scorer, gate
        self._probes = probes_of(wanted)
        known = {} if pooling is None else pooling.anyway
        self._anyway: dict[str, Floats] = {name: np.array(row) for name, row in known.items()}

    async def bits(self, ids: Sequence[int], names: Iterable[str]) -> dict[str, Floats]:
        """PMI of each name with the passage, float64[phrasings]. Raises EngineError."""
        wanted = tuple(dict.fromkeys(names))
        await self._learn([name for name in wanted if name not in self._anyway])
        (found,) = await self._logprobs([tuple(ids)], wanted)
        rows = zip(wanted, found, strict=True)
        return {name: pmi(row, self._anyway[name]) for name, row in rows}

    async def logprobs(self, ids: Sequence[int], names: Sequence[str]) -> Floats:
        """float64[names, phrasings], nats: of each name after the passage. Raises EngineError."""
        found: Floats = (await self._logprobs([tuple(ids)], names))[0]
        return found

    async def _learn(self, names: Sequence[str]) -> None:
        if names:
            texts = [(await self._scorer.encode(text.encode(), start=True))[0] for text in NEUTRAL]
            found = await self._logprobs(texts, names)
            self._anyway |= dict(zip(names, found.mean(axis=0), strict=True))

    async def _logprobs(self, texts: Sequence[Ids], names: Sequence[str]) -> Floats:
        """float64[texts, names, phrasings], nats: of the name and what closes the answer, without
        which "The New York" would have all that "The New York Times" has."""
        jobs: list[Job] = []
        for text in texts:
            before = [await self._before(number, text) for number in range(len(self._probes))]
            for name in names:
                for probe, prefix in zip(self._probes, before, strict=True):
                    said = f"{probe.space}{name}{probe.ends}".encode()
                    answer, _ = await self._scorer.encode(said, start=False)
                    jobs.append(Job(len(jobs), prefix, answer))
        model = await self._scorer.ready()
        asked = Questions(self._scorer, [Step(0, 0, tuple(jobs))], at_once(model), 1, self._gate)
        try:
            answers = await asked.answers(0)
        finally:
            await asked.take_back()
        spans = [answers[number].span for number in range(len(jobs))]
        found = [0.0 if span is None else float(span.logprob.sum()) for span in spans]
        return np.array(found).reshape(len(texts), len(names), len(self._probes))

    async def _before(self, number: int, text: Ids) -> Ids:
        probe = self._probes[number]
        tail = await tail_of(self._scorer, probe, text)
        stem, _ = await self._scorer.encode(probe.stem.encode(), start=not tail)
        return tail + stem


def pmi(logprobs: Floats, anyway: Floats) -> Floats:
    """How much likelier an answer is than after any text, in bits; both in nats, of like shape at
    the end."""
    return np.asarray((logprobs - anyway) / LN2, np.float64)


def frame_bits(wanted: SourceSet, scores: Scores) -> dict[str, float]:
    """PMI of each source that was scored with the end of the passage, as much of it as a question
    is asked after."""
    last = replace(
        scores,
        logprob=scores.logprob[-TAIL:],
        ratio=scores.ratio[-TAIL:],
        information=scores.information[-TAIL:],
    )
    seen = np.append(True, ~np.isnan(last.ratio).any(axis=0))
    belief, _ = filtering.advance(wanted, filtering.begin(wanted), last, UNTEMPERED, hazard=0.0)
    found = filtering.posterior(wanted, belief, calibrated=False, rescored=seen)
    return {one.name: one.bits for one in found.standings if one.rescored}


async def agreements(
    suffixes: Suffixes, by_frame: Mapping[str, float], ids: Sequence[int]
) -> list[Agreement]:
    """One for each name in `by_frame` (bits, see `frame_bits`). Raises EngineError."""
    by_probe = await suffixes.bits(ids, by_frame)
    return [
        Agreement(name, bits, float(by_probe[name].mean()), float(by_probe[name].std()))
        for name, bits in by_frame.items()
    ]


async def worth(suffixes: Suffixes, wanted: SourceSet, ids: Sequence[int]) -> dict[str, float]:
    """PMI by probe of every source of a set with the passage, in bits, the mean over the phrasings.
    Raises EngineError."""
    found = await suffixes.bits(ids, (source.name for source in wanted.sources))
    return {name: float(bits.mean()) for name, bits in found.items()}


def by_name(wanted: SourceSet, anyway: Floats) -> dict[str, tuple[float, ...]]:
    """`anyway` float64[S, phrasings] as a `Pooling` has it."""
    rows = zip(wanted.sources, anyway.tolist(), strict=True)
    return {source.name: tuple(row) for source, row in rows}


def anyway_of(logprobs: Floats, truth: Sequence[int]) -> Floats:
    """float64[S, phrasings]: what each source's name is after any text, of `logprobs` [N, S,
    phrasings] after passages by the sources `truth`: the mean over those by others. Of a name that
    all are by, over all."""
    by_others = np.ones(logprobs.shape[:2], bool)
    by_others[np.arange(len(truth)), np.asarray(truth, int)] = False
    by_others[:, ~by_others.any(axis=0)] = True
    count = by_others.sum(axis=0)
    return np.asarray((logprobs * by_others[..., None]).sum(axis=0) / count[:, None], np.float64)
