"""Many short frames before one passage: what a model takes to read it after each of them, when they
are submitted at once and when each waits for the one before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path

from benchmarks.driven import Driven, Ids
from benchmarks.ratios import Contest, Pair

FRAME = 16  # tokens of the longest
SIZES = ((8, 32), (8, 128), (8, 256), (24, 128), (80, 128))  # frames, tokens of the passage
FEW = 2  # samples of what takes long


def contests(engine: str, model: Path, name: str) -> Iterator[Contest]:
    for count, length in SIZES:
        yield Contest(
            f"{engine}, {count} frames, passage of {length} tokens, at once : one by one", name,
            None, partial(at_once, model, count, length),
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


def _frames(engine: Driven, count: int) -> list[Ids]:
    """Of different length."""
    return [engine.text(FRAME - number % 9) for number in range(count)]
