"""An engine driven by hand, with a clock beside it."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from loom.core.recipe import PRESETS, Recipe, Sampling
from loom.engine.api import Engine, Failed, Generate, Grown, Score
from loom.extensions import load_backend

Ids = tuple[int, ...]
MANY = 10_000  # tokens: as long as anybody asks


class Driven:
    """`network` and `rows` look inside, for what the protocol doesn't tell: bytes."""

    def __init__(self, model: Path, ending: ExitStack, **options: Any) -> None:
        self.backend: Any = load_backend(str(model))
        self.engine: Engine = self.backend.load(str(model), options, lambda done, total: None)
        ending.callback(self.engine.close)
        self.can = self.engine.can()
        self._jobs = count()
        self._chance = np.random.default_rng(0)

    @property
    def network(self) -> Any:
        inside: Any = self.engine
        return inside.network if hasattr(inside, "network") else inside._network

    def text(self, tokens: int) -> Ids:
        """Ids that nobody has read before."""
        return tuple(self._chance.integers(300, self.can.vocabulary - 5, tokens).tolist())

    def submit(
        self, prefix: Ids, branches: int, tokens: int = MANY, sampler: str | Sampling = ""
    ) -> str:
        job = f"job-{next(self._jobs)}"
        sampling = PRESETS[sampler or "balanced"] if isinstance(sampler, str) else sampler
        recipe = Recipe(sampling, tokens=tokens)
        first = 1000 * next(self._jobs)
        seeds = tuple(range(first, first + branches))
        self.engine.submit(Generate(job, (prefix,), recipe, seeds))
        return job

    def first_token(self, prefix: Ids, branches: int = 1) -> tuple[float, list[Ids]]:
        """(seconds until every branch has a token, those tokens); the job is then over."""
        begun = time.perf_counter()
        self.submit(prefix, branches, 1)
        grown: list[Ids] = []
        for event in self._until_idle():
            if isinstance(event, Grown):
                grown.append(tuple(event.span.ids.tolist()))
        return time.perf_counter() - begun, grown

    def branches(self, prefix: Ids, branches: int, tokens: int) -> tuple[int, float]:
        """(tokens, seconds) of a job, whole."""
        begun = time.perf_counter()
        self.submit(prefix, branches, tokens)
        grown = sum(len(e.span) for e in self._until_idle() if isinstance(e, Grown))
        return grown, time.perf_counter() - begun

    def continuations(
        self, prefix: Ids, branches: int, tokens: int, sampler: str | Sampling = ""
    ) -> list[Ids]:
        job = self.submit(prefix, branches, tokens, sampler)
        grown: dict[int, list[int]] = {}
        for event in self._until_idle():
            if isinstance(event, Grown) and event.job == job:
                grown.setdefault(event.branch, []).extend(event.span.ids.tolist())
        return [tuple(ids) for ids in grown.values()]

    def steps(self, prefix: Ids, branches: int, sampler: str = "") -> Generator[float, None, None]:
        """Seconds of each step in which every branch grows, after the first such step."""
        job = self.submit(prefix, branches, sampler=sampler)
        try:
            while not any(isinstance(event, Grown) for event in self.engine.step()):
                pass
            while True:
                begun = time.perf_counter()
                events = self.engine.step()
                seconds = time.perf_counter() - begun
                if sum(isinstance(event, Grown) for event in events) < branches:
                    return
                yield seconds
        finally:
            self.engine.cancel(job)
            self._until_idle()

    def rows(self) -> Any:
        """Those of the job that runs."""
        inside: Any = self.engine
        (work,) = inside._turns._line
        return work._groups[0].sequences._rows

    def read_after(self, frames: Sequence[Ids], passage: Ids) -> float:
        """Seconds until the passage has been scored after each frame, submitted at once."""
        return self.read_jobs([(frame, passage) for frame in frames])

    def drawn(self, prefix: Ids, tokens: int) -> tuple[Ids, float]:
        """(one continuation of so many tokens, which no end cuts short, its seconds)."""
        never = tuple((token, float("-inf")) for token in sorted(self.network.language.ends))
        sampling = replace(PRESETS["balanced"], logit_bias=never)
        begun = time.perf_counter()
        (ids,) = self.continuations(prefix, 1, tokens, sampling)
        return ids, time.perf_counter() - begun

    def read_jobs(self, texts: Sequence[tuple[Ids, Ids]]) -> float:
        """Seconds until each text has been scored after its prefix, submitted at once."""
        begun = time.perf_counter()
        for prefix, text in texts:
            self.engine.submit(Score(f"job-{next(self._jobs)}", (prefix,), text))
        self._until_idle()
        return time.perf_counter() - begun

    def forget(self) -> None:
        """Lets go of all that was read."""
        network = self.network
        (network.prefixes if hasattr(network, "prefixes") else network.memory).clear()

    def _until_idle(self) -> Sequence[Any]:
        """Everything until there is nothing to do. Raises RuntimeError when a job fails."""
        found: list[Any] = []
        while events := self.engine.step():
            found += events
        for event in found:
            if isinstance(event, Failed):
                raise RuntimeError(event.error)
        return found
