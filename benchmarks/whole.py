"""The engine as the program uses it: in its own process, through session and store."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.driven import Driven
from benchmarks.ratios import Pair
from loom.core.recipe import PRESETS, Recipe
from loom.engine.api import Event, Generate, Grown, Progress
from loom.engine.client import EngineClient, Signal
from loom.session import Session

BRANCHES, NEW = 8, 32
TEXT = b"The lighthouse keeper had not spoken to anyone since the supply boat left. " * 12
MARGIN = 0.05  # seconds
RECIPE = Recipe(PRESETS["balanced"], tokens=NEW)


def folder(ending: ExitStack) -> Path:
    """That is removed in the end."""
    return Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="loom-bench-")))


def through_the_program(model: Path, ending: ExitStack) -> Iterator[Pair]:
    """Seconds a token of eight branches at a place that was read before."""
    loop = ending.enter_context(asyncio.Runner())
    session = loop.run(opened(model, folder(ending)))
    ending.callback(lambda: loop.run(session.close()))
    direct = Driven(model, ending)
    ids, _ = direct.engine.encode(TEXT, start=True)
    direct.branches(ids, BRANCHES, 2)
    loop.run(_grown(session))
    while True:
        tokens, seconds = direct.branches(ids, BRANCHES, NEW)
        yield loop.run(_grown(session)), seconds / tokens


async def opened(model: Path, folder: Path) -> Session:
    """A new session with a text that the model has read."""
    session = Session.create(folder / "bench.loom", seed=1)
    session.write(TEXT)
    await session.attach(str(model))
    await session.engine_ready()
    while session.read(session.place):
        await asyncio.sleep(0.05)
    return session


async def _grown(session: Session) -> float:
    begun = time.perf_counter()
    nodes = await session.generate(session.place, count=BRANCHES, recipe=RECIPE)
    seconds = time.perf_counter() - begun
    return seconds / sum(session.tree[node].token_count or 0 for node in nodes)


def cancelling(model: Path, ending: ExitStack) -> Iterator[Pair]:
    """Seconds from the cancelling of what grows until the engine's process listens again and is
    silent, against one forward pass and a margin; by turns while a text is read and in a draw."""
    loop = ending.enter_context(asyncio.Runner())
    watch = _Watch(model, folder(ending) / "engine.log")
    loop.run(watch.start())
    ending.callback(lambda: loop.run(watch.client.close()))
    passes = loop.run(watch.passes())
    for number in range(1, 10_000):
        yield loop.run(watch.silence(number)), passes[number % 2] + MARGIN


class _Watch:
    """A client that notes when tokens come."""

    def __init__(self, model: Path, log: Path) -> None:
        self.client = EngineClient(str(model), {}, self._hear, log)
        self._came = asyncio.Event()
        self._grown: list[float] = []
        self._read: list[float] = []

    async def start(self) -> None:
        await self.client.start()
        await self.client.ready()

    def _hear(self, event: Event | Signal) -> None:
        if isinstance(event, Grown):
            self._grown.append(time.perf_counter())
            self._came.set()
        if isinstance(event, Progress):
            self._read.append(time.perf_counter())

    async def passes(self) -> tuple[float, float]:
        """Seconds between the tokens of one branch, and between two steps of reading."""
        self._submit("pass", 1, TEXT * 3)
        while len(self._grown) < 10:
            await asyncio.sleep(0.01)
        self.client.cancel("pass")
        return _between(self._grown[:10]), _between(self._read)

    async def silence(self, number: int) -> float:
        name = f"job-{number}"
        self._came.clear()
        self._submit(name, BRANCHES, b"%d. " % number + TEXT)
        if number % 2:
            await asyncio.sleep(0.05)  # somewhere in the reading of the text
        else:
            await self._came.wait()
        begun = time.perf_counter()
        self.client.cancel(name)
        await self.client.encode(b"a", start=False)  # answered when no forward pass is under way
        return time.perf_counter() - begun

    def _submit(self, name: str, branches: int, text: bytes) -> None:
        recipe = Recipe(PRESETS["balanced"], tokens=10_000)
        self.client.submit(Generate(name, (text,), recipe, tuple(range(branches))))


def _between(times: Sequence[float]) -> float:
    return median(b - a for a, b in zip(times, times[1:], strict=False))
