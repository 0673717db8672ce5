"""What a training run reads, and how fast it learns: at one rate, and then at a falling one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from corpus import EVEN, LINED, Corpus, Mix
from lineup import Lineup, Lineups

WINDOW, SHORT_WINDOW, LONG_WINDOW = 384, 128, 1024
TOKENS_PER_STEP = 6144
WARM_UP, LAST_RATE, LAST_SHARE = 50, 0.02, 0.2
LINEUPS_FROM = 0.2  # of the rate; while it is higher they teach works by heart

Batch = torch.Tensor | Lineup
Drawing = Callable[[np.random.Generator], Batch]


def windows(corpus: Corpus, length: int, mix: Mix) -> Drawing:
    """Draws int64[B, length], documents of the mix."""

    def draw(rng: np.random.Generator) -> Batch:
        rows = [corpus.draw_window(rng, length, mix) for _ in range(TOKENS_PER_STEP // length)]
        return torch.tensor(rows)

    return draw


class Counts(Protocol):
    """How far a run has come."""

    step: int
    tokens: int


class Phase(Protocol):
    """Says what step `run.step` reads, its rate as a share of the highest, and when to stop."""

    def ended(self, run: Counts) -> bool: ...
    def rate(self, run: Counts) -> float: ...
    def draw(self, run: Counts, rng: np.random.Generator) -> Batch: ...


class Constant:
    """The phase that can be stopped and gone on with: one rate, one kind of window."""

    def __init__(self, corpus: Corpus, until: int, *, short: bool):
        self.until = until
        self.drawn = (
            windows(corpus, SHORT_WINDOW, LINED) if short else windows(corpus, WINDOW, EVEN)
        )

    def ended(self, run: Counts) -> bool:
        return run.tokens >= self.until

    def rate(self, run: Counts) -> float:
        return min(1.0, (run.step + 1) / WARM_UP)

    def draw(self, run: Counts, rng: np.random.Generator) -> Batch:
        return self.drawn(rng)


class Falling:
    """The last steps after `run` as it is: the rate falls from `highest` to 2 % of it.

    Lineups come in by turns. There are `steps`, or as many as make a fifth of all.
    """

    def __init__(
        self, corpus: Corpus, run: Counts, *, highest: float = 1.0, steps: int | None = None
    ):
        self.first, self.highest = run.step, highest
        self.steps = steps or math.ceil(
            run.tokens / TOKENS_PER_STEP * LAST_SHARE / (1 - LAST_SHARE)
        )
        long, short = windows(corpus, LONG_WINDOW, EVEN), windows(corpus, SHORT_WINDOW, LINED)
        lineups = Lineups(corpus)
        self.early: list[Drawing] = [long, short]
        self.late: list[Drawing] = [long, lineups.draw, short, lineups.draw]

    def ended(self, run: Counts) -> bool:
        return run.step >= self.first + self.steps

    def rate(self, run: Counts) -> float:
        left = 1 - (run.step - self.first) / self.steps
        return self.highest * max(LAST_RATE, LAST_RATE + (1 - LAST_RATE) * left)

    def draw(self, run: Counts, rng: np.random.Generator) -> Batch:
        turns = self.early if self.rate(run) > LINEUPS_FROM else self.late
        return turns[run.step % len(turns)](rng)
