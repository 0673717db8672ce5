"""Engines driven directly, without a process around them: tokens a second, drawn and read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from itertools import count

from benchmarks.measure import Benchmark, Work
from loom.core.recipe import PRESETS, Recipe
from loom.engine.api import Engine, Failed, Generate, Grown, Job, Score
from loom.extensions import load_backend, models, resolve_model

BRANCHES = 4
TOKENS = 48
PREFIX = b"The lighthouse keeper had not spoken to anyone since the supply boat left. " * 8


def benchmarks() -> Iterator[Benchmark]:
    for name in ("echo", *models()):
        yield Benchmark(
            f"engine: {name}, {BRANCHES} x {TOKENS} tokens", "tokens", partial(draw, name)
        )
        yield Benchmark(f"engine: {name}, read {len(PREFIX)} bytes", "tokens", partial(read, name))


def load(name: str) -> Engine:
    model = resolve_model(name)
    return load_backend(model).load(model, {}, lambda done, total: None)


def tokens_of(engine: Engine, job: Job) -> int:
    """Run `job` to its end. Raises RuntimeError when it fails."""
    engine.submit(job)
    tokens = 0
    while events := engine.step():
        for event in events:
            if isinstance(event, Failed):
                raise RuntimeError(event.error)
            if isinstance(event, Grown):
                tokens += len(event.span)
    return tokens


def draw(name: str, ending: ExitStack) -> Work:
    engine = load(name)
    ending.callback(engine.close)
    recipe = Recipe(PRESETS["balanced"], tokens=TOKENS)
    jobs = count()

    def work() -> int:
        job = next(jobs)
        seeds = tuple(range(job * BRANCHES, (job + 1) * BRANCHES))
        return tokens_of(engine, Generate(f"g{job}", (PREFIX,), recipe, seeds))

    return work


def read(name: str, ending: ExitStack) -> Work:
    engine = load(name)
    ending.callback(engine.close)
    jobs = count()

    def work() -> int:
        job = next(jobs)
        return tokens_of(engine, Score(f"s{job}", (), b"%d. " % job + PREFIX))

    return work
