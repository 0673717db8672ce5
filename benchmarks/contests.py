"""What is asked of engines, each against a baseline of its own on the same model and machine."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median

from benchmarks import along, frames
from benchmarks.baselines import Completion, Generation, RawLoop
from benchmarks.driven import Driven
from benchmarks.ratios import Contest, Pair
from benchmarks.subjects import RANDOM, Subject
from benchmarks.whole import cancelling, through_the_program

Steps = Generator[float, None, None]

BRANCHES = 8
PREFIX, LONG = 512, 900  # tokens
NEW = 32
STEPS = 12  # of the one, then of the other
BLOCKS = 3  # of steps in a sample


def contests(subject: Subject) -> Iterator[Contest]:
    name = subject.name
    if subject.gguf is not None:
        yield Contest(
            "llama.cpp, 8 branches, full statistics : raw llama_decode", name, 0.90,
            partial(against_raw, subject, "balanced"), each=BLOCKS,
        )  # fmt: skip
        yield Contest(
            "the same, no filter before the draw", name, None,
            partial(against_raw, subject, "raw"), each=BLOCKS,
        )  # fmt: skip
        yield Contest(
            "llama.cpp, 8 branches : create_completion(logprobs=10) 8 times", name, 5,
            partial(against_completion, subject),
        )  # fmt: skip
    yield Contest(
        "transformers, 8 branches, recorded : model.generate, no record", name, 1.0,
        partial(against_generate, subject),
    )  # fmt: skip
    yield Contest(
        "packed : forked rows, 900 tokens, 8 branches, speed", name, 1.5,
        partial(packed_speed, subject), each=BLOCKS,
    )  # fmt: skip
    yield Contest(
        "packed : forked rows, KV memory", name, 0.25, partial(packed_memory, subject),
        share=True, unit="bytes",
    )  # fmt: skip
    forms = {"llama.cpp": subject.gguf, "transformers": subject.folder}
    for engine, model in forms.items():
        if model is None:
            continue
        if name == RANDOM and engine == "llama.cpp":
            yield Contest(
                "llama.cpp, what 8 branches gain over 1 : what the raw loop gains", name, 0.9,
                partial(gain_against_raw, subject), unit="of 1",
            )  # fmt: skip
        else:
            goal = 2.5 if name != RANDOM else None
            yield Contest(
                f"{engine}, 8 branches : 1, tokens a second", name, goal, partial(gain, model)
            )
        yield Contest(
            f"{engine}, first token at a node visited before : first visit", name, 0.1,
            partial(revisit, model), share=True,
        )  # fmt: skip
        yield Contest(
            f"{engine}, first token in a child : at its parent the first time", name, 0.1,
            partial(walk_in, model), share=True,
        )  # fmt: skip
        yield Contest(
            f"{engine}, cancel to silence : one forward pass + 50 ms", name, 1.0,
            partial(cancelling, model), share=True,
        )  # fmt: skip
        yield Contest(
            f"{engine}, through process, session and store : directly", name, 0.93,
            partial(through_the_program, model),
        )  # fmt: skip
        if name != RANDOM:
            yield from frames.contests(engine, model, name)
        if name != RANDOM and engine == "transformers":
            yield from along.contests(model, name)


def against_raw(subject: Subject, sampler: str, ending: ExitStack) -> Iterator[Pair]:
    """A few steps in turns, both after as many tokens."""
    assert subject.gguf is not None
    ours = Driven(subject.gguf, ending)
    raw = RawLoop(ours.backend, subject.gguf, {}, ending)
    text = ours.text(PREFIX)
    while True:
        yield from _in_turns(ours.steps(text, BRANCHES, sampler), raw.steps(text, BRANCHES))


def against_completion(subject: Subject, ending: ExitStack) -> Iterator[Pair]:
    """Seconds a token: a job of eight branches, and eight completions one after the other."""
    assert subject.gguf is not None
    ours = Driven(subject.gguf, ending)
    threads = ours.network.settings.threads
    theirs = Completion(subject.gguf, threads, PREFIX + 2 * NEW, ending)
    text = ours.text(PREFIX)
    ours.branches(text, BRANCHES, 2)
    theirs.tokens(text, 2, 0)
    seed = 0
    while True:
        tokens, seconds = ours.branches(text, BRANCHES, NEW)
        runs = [theirs.tokens(text, NEW, seed := seed + 1) for _ in range(BRANCHES)]
        yield seconds / tokens, sum(s for _, s in runs) / sum(t for t, _ in runs)


def against_generate(subject: Subject, ending: ExitStack) -> Iterator[Pair]:
    """Seconds of a step, without reading the text before, on the same loaded model."""
    ours = Driven(subject.folder, ending)
    theirs = Generation(ours.network)
    while True:
        text = ours.text(PREFIX)
        mine = _some(ours.steps(text, BRANCHES), NEW)
        if mine:
            yield median(mine), median(theirs.steps(text, BRANCHES, NEW))


def packed_speed(subject: Subject, ending: ExitStack) -> Iterator[Pair]:
    packed, rows = (Driven(subject.folder, ending, attention=way) for way in ("packed", "rows"))
    text = packed.text(LONG)
    while True:
        yield from _in_turns(packed.steps(text, BRANCHES), rows.steps(text, BRANCHES))


def packed_memory(subject: Subject, ending: ExitStack) -> Iterator[Pair]:
    """Bytes of keys and values after some new tokens."""
    engines = [Driven(subject.folder, ending, attention=way) for way in ("packed", "rows")]
    held = []
    for engine in engines:
        steps = engine.steps(engine.text(LONG), BRANCHES)
        for _ in islice(steps, NEW):
            pass
        held.append(float(engine.rows().nbytes))
        steps.close()
    yield held[0], held[1]


def gain(model: Path, ending: ExitStack) -> Iterator[Pair]:
    """Seconds a token of eight branches and of one."""
    engine = Driven(model, ending)
    while True:
        text = engine.text(PREFIX)
        yield _a_token(engine, text, BRANCHES), _a_token(engine, text, 1)


def gain_against_raw(subject: Subject, ending: ExitStack) -> Iterator[Pair]:
    """What eight branches take a token as a part of what one takes."""
    assert subject.gguf is not None
    ours = Driven(subject.gguf, ending)
    raw = RawLoop(ours.backend, subject.gguf, {}, ending)
    while True:
        text = ours.text(PREFIX)
        mine, theirs = (
            _a_token(driver, text, BRANCHES) / _a_token(driver, text, 1) for driver in (ours, raw)
        )
        yield mine, theirs


def revisit(model: Path, ending: ExitStack) -> Iterator[Pair]:
    engine = Driven(model, ending)
    engine.first_token(engine.text(LONG))
    while True:
        text = engine.text(LONG)
        first, _ = engine.first_token(text)
        engine.first_token(engine.text(50))
        again, _ = engine.first_token(text)
        yield again, first


def walk_in(model: Path, ending: ExitStack) -> Iterator[Pair]:
    engine = Driven(model, ending)
    engine.first_token(engine.text(LONG))
    while True:
        text = engine.text(LONG)
        first, _ = engine.first_token(text, BRANCHES)
        children = engine.continuations(text, BRANCHES, 8)
        inside, _ = engine.first_token(text + children[0], BRANCHES)
        yield inside, first


def _in_turns(ours: Steps, theirs: Steps) -> Iterator[Pair]:
    """Some steps of the one, then as many of the other: while it stands, ours is already at work
    on its next step."""
    mine, other = _some(ours, STEPS), _some(theirs, STEPS)
    if len(mine) == len(other) == STEPS:
        yield median(mine), median(other)


def _some(steps: Steps, count: int) -> list[float]:
    with closing(steps):
        return list(islice(steps, count))


def _a_token(driver: Driven | RawLoop, text: tuple[int, ...], branches: int) -> float:
    """Seconds."""
    return median(_some(driver.steps(text, branches), STEPS)) / branches
