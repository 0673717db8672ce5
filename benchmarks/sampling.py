"""What is done with every row of logits: the sampler, the draw, the columns of a span."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import Benchmark, Work
from loom.core.recipe import PRESETS, Sampling
from loom.core.sampling import draw, sampled_logprobs
from loom.core.statistics import span_of

BRANCHES = 8
VOCABULARY = 50_000


def benchmarks() -> Iterator[Benchmark]:
    for name, sampling in PRESETS.items():
        yield Benchmark(
            f"sampler: {name}, {BRANCHES} branches of {VOCABULARY:,}",
            "tokens",
            partial(draw_tokens, sampling),
        )
    yield Benchmark(f"span: all columns, {VOCABULARY:,} tokens", "tokens", make_columns)


def rows() -> NDArray[np.float32]:
    """Normalised logprobs, float32[BRANCHES, VOCABULARY], as peaked as a language model's."""
    logits = np.random.default_rng(0).gumbel(scale=2.5, size=(BRANCHES, VOCABULARY))
    return np.asarray(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True), np.float32)


def draw_tokens(sampling: Sampling, _: ExitStack) -> Work:
    logprobs = rows()
    recent: list[list[int]] = [list(range(256))] * BRANCHES

    def work() -> int:
        for row in sampled_logprobs(logprobs, sampling, recent):
            draw(row, 0.37)
        return BRANCHES

    return work


def make_columns(_: ExitStack) -> Work:
    logprobs = rows()
    chosen = np.arange(BRANCHES, dtype=np.int32)
    sampled = sampled_logprobs(logprobs, PRESETS["balanced"], [[]] * BRANCHES)

    def work() -> int:
        return len(span_of(logprobs, chosen, chosen + 1, 20, sampled, drawn=True))

    return work
