"""Many short frames before one passage: what a model takes to read it after each of them.

Submitted at once or one by one; beside the drawing of what is read; with the frames read before or
not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path

from benchmarks.driven import Driven, Ids
from benchmarks.ratios import Contest, Pair
from loom.instruments.sources.windows import Windows

FRAME = 16  # tokens of the longest
SIZES = ((8, 32), (8, 128), (8, 256), (24, 128), (80, 128))  # frames, tokens of the passage
FEW = 2  # samples of what takes long
NODE = 64  # tokens
NODES = 4  # of a path, drawn and read in turns: as many begin a block as don't
PATH = 192  # tokens before them
MANY, LONG = 80, 300  # frames beside the null, tokens of a path


def contests(engine: str, model: Path, name: str) -> Iterator[Contest]:
    for count, length in SIZES:
        yield Contest(
            f"{engine}, {count} frames, passage of {length} tokens, at once : one by one", name,
            None, partial(at_once, model, count, length),
        )  # fmt: skip
    yield Contest(
        f"{engine}, 8 frames over a node of {NODE} tokens, its parents read : drawing it", name,
        1.0, partial(beside_drawing, model), share=True,
    )  # fmt: skip
    yield Contest(
        f"{engine}, {MANY} frames and none over {NODE} tokens after {LONG}, parents read : not",
        name, None, partial(parents_read, model), share=True,
    )  # fmt: skip


def at_once(model: Path, count: int, length: int, ending: ExitStack) -> Iterator[Pair]:
    """Seconds; each time with other frames and another passage, and nothing remembered."""
    engine = Driven(model, ending)
    engine.read_after(_frames(engine, 2), engine.text(length))
    pairs = _pairs(engine, count, length)
    return pairs if count < SIZES[-1][0] else islice(pairs, FEW)


def _pairs(engine: Driven, count: int, length: int) -> Iterator[Pair]:
    turn = 0
    while True:
        turn += 1
        taken = {}
        for together in (True, False) if turn % 2 else (False, True):
            engine.forget()
            passage, frames = engine.text(length), _frames(engine, count)
            parts = [frames] if together else [[frame] for frame in frames]
            taken[together] = sum(engine.read_after(part, passage) for part in parts)
        yield taken[True], taken[False]


def beside_drawing(model: Path, ending: ExitStack) -> Iterator[Pair]:
    """Seconds a node, along a path that grows node by node: seven frames and none, as continuations
    that are shown are read, and the drawing of one continuation."""
    engine = Driven(model, ending)
    engine.drawn(engine.text(PATH), NODE)
    while True:
        windows = Windows(((), *_frames(engine, 7)))
        path = engine.text(PATH)
        _read(engine, windows, path, 0)
        engine.first_token(path)
        reading = drawing = 0.0
        for _ in range(NODES):
            node, seconds = engine.drawn(path, NODE)
            path += node
            drawing += seconds
            reading += _read(engine, windows, path, len(path) - NODE)
        yield reading / NODES, drawing / NODES


def parents_read(model: Path, ending: ExitStack) -> Iterator[Pair]:
    """Seconds of a node, when what comes before it has been read under every frame, and when it
    hasn't."""
    engine = Driven(model, ending)
    for _ in range(FEW):
        windows = Windows(((), *_frames(engine, MANY)))
        path = engine.text(LONG + NODE)
        engine.forget()
        anew = _read(engine, windows, path, LONG)
        path = path[:LONG] + engine.text(NODE)
        yield _read(engine, windows, path, LONG), anew


def _read(engine: Driven, windows: Windows, path: Ids, start: int) -> float:
    """Seconds for the tokens of a path from `start` on, under each frame."""
    steps = windows.steps(path, start, len(path))
    return engine.read_jobs([(job.prefix, job.text) for step in steps for job in step.jobs])


def _frames(engine: Driven, count: int) -> Sequence[Ids]:
    """Of different length."""
    return [engine.text(FRAME - number % 9) for number in range(count)]
