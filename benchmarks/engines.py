"""Engines driven directly, without a process around them: tokens a second, drawn and read; and
`python -m benchmarks.engines`: the table of ratios that engines are held to."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.contests import contests
from benchmarks.measure import Benchmark, Work
from benchmarks.ratios import HEAD, Verdict, judge, line
from benchmarks.subjects import RANDOM, Subject, subjects
from loom.core.recipe import PRESETS, Recipe
from loom.engine.api import Engine, Failed, Generate, Grown, Job, Score
from loom.extensions import HOUSE, load_backend, models, resolve_model

NAME = "engines"
MODELS = (HOUSE, RANDOM)
SAMPLES = 5
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


def ratios() -> list[str]:
    """The names of all that engines are held to."""
    nowhere = Path()
    every = [c.name for n in MODELS for c in contests(Subject(n, nowhere, nowhere))]
    return list(dict.fromkeys(every))


def is_wanted(name: str, names: Sequence[str]) -> bool:
    """Whether it contains one of `names`, or there are none; NAME stands for all."""
    return not names or any(part in f"{NAME}: {name}" for part in names)


def table(
    names: Sequence[str], on: Sequence[str] = MODELS, samples: int = SAMPLES
) -> Iterator[Verdict]:
    """The ratios that are wanted, on these models."""
    with ExitStack() as ending:
        for subject in subjects(ending, on):
            for contest in contests(subject):
                if is_wanted(contest.name, names):
                    yield judge(contest, samples)


@contextmanager
def quiet() -> Iterator[None]:
    """C libraries print on the second file descriptor; what Python has to say comes after."""
    saved = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nothing)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engines",
        description="Measure engines against what they could be, each beside its baseline.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only those that contain this")
    parser.add_argument("--on", action="append", choices=MODELS, help="only this model")
    parser.add_argument("--samples", type=int, default=SAMPLES, help=f"of each ({SAMPLES})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the facts there too")
    args = parser.parse_args()
    print(HEAD, flush=True)
    verdicts = []
    with quiet():
        for verdict in table(args.names, args.on or MODELS, args.samples):
            verdicts.append(verdict)
            print(line(verdict), flush=True)
            if args.json is not None:
                _write(args.json, verdicts)
    return 0


def _write(file: Path, verdicts: Sequence[Verdict]) -> None:
    """What there is so far: the table takes many minutes."""
    machine = {"machine": platform.machine(), "cores": os.cpu_count()}
    facts = {**machine, "ratios": [verdict.facts() for verdict in verdicts]}
    file.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
