"""What it takes to read along: until readings are there, and how long the screen is held up while
old nodes are read. Wants a machine that does nothing else; what is held is processor time."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Any

from benchmarks.ratios import Contest, Pair
from benchmarks.whole import folder, opened
from loom.changes import Change, Read, Sealed
from loom.config import Config
from loom.core.node import ROOT, Author, Ending, Node
from loom.core.recipe import PRESETS, Recipe
from loom.session import Session
from loom.store.batch import Batch, ModelRow
from loom.store.store import Store
from loom.testing import human_path

THERE = 0.03  # seconds after a node is sealed
HELD = 0.004  # seconds of processor time without a look at the keyboard
NODES = 3000
TOKENS = 48
WATCHED = 1.0  # seconds


def contests(model: Path, name: str) -> Iterator[Contest]:
    for count, how in ((1, "a node is sealed"), (4, "four nodes are sealed at once")):
        yield Contest(
            f"readings of all plugins after {how} : {THERE * 1000:g} ms", name, 1.0,
            partial(there, model, count), share=True,
        )  # fmt: skip
    yield Contest(
        f"event loop held while {NODES} nodes are read (p99.9, processor) : {HELD * 1000:g} ms",
        name, 1.0, held, share=True,
    )  # fmt: skip


def there(model: Path, count: int, ending: ExitStack) -> Iterator[Pair]:
    """Seconds from the sealing of each node until all plugins have read it, by node."""
    loop = ending.enter_context(asyncio.Runner())
    session = loop.run(_with_plugins(model, folder(ending)))
    ending.callback(lambda: loop.run(session.close()))
    while True:
        for seconds in loop.run(_waited(session, count)):
            yield seconds, THERE


async def _with_plugins(model: Path, folder: Path) -> Session:
    session = await opened(model, folder)
    await session.attach_instruments(Config())
    await session.instruments_settled()
    return session


async def _waited(session: Session, count: int) -> list[float]:
    sealed: dict[int, float] = {}
    waited: dict[int, float] = {}

    def hear(change: Change) -> None:
        now = time.perf_counter()
        match change:
            case Sealed(node):
                sealed[node] = now
            case Read(nodes):
                for node in nodes & sealed.keys():
                    waited.setdefault(node, now - sealed[node])

    stop = session.subscribe(hear)
    await session.generate(count=count, recipe=Recipe(PRESETS["balanced"], tokens=TOKENS))
    await session.instruments_settled()
    stop()
    return list(waited.values())


def held(ending: ExitStack) -> Iterator[Pair]:
    """Processor seconds that one turn of the event loop takes at most, a thousandth of them left
    out, while plugins read what they have never seen."""
    loop = ending.enter_context(asyncio.Runner())
    path = folder(ending) / "large.loom"
    _build(path)
    session = Session.open(path)
    ending.callback(lambda: loop.run(session.close()))
    loop.run(session.attach_instruments(Config()))
    while True:
        yield loop.run(_longest()), HELD


def _build(path: Path) -> None:
    """Continuations that hang on each other here and there, and no reading of them."""
    part = human_path(TOKENS)[0]
    text = b"".join(part.context.pieces)
    nodes = [_node(number, text) for number in range(ROOT + 1, NODES + 1)]
    store = Store.create(path)
    store.post(Batch(models=(ModelRow(1, "none", "none", "none"),)))
    for start in range(0, NODES, 500):
        store.post(Batch(nodes=tuple((node, part.span) for node in nodes[start : start + 500])))
    store.close()


def _node(number: int, text: bytes) -> Node:
    parent = number - 1 - number % 7 if number > 7 else number - 1
    return Node(
        number,
        parent,
        len(text) if parent else 0,
        Author.MODEL,
        text,
        model=1,
        token_count=TOKENS,
        ended=Ending.LENGTH,
        created=float(number),
        hash=os.urandom(16),
    )


async def _longest() -> float:
    with _turns() as turns:
        await asyncio.sleep(WATCHED)
    return quantiles(turns, n=1000, method="inclusive")[-1]


@contextmanager
def _turns() -> Iterator[list[float]]:
    """What the callbacks of the event loop take from now on."""
    turns: list[float] = []
    original: Any = asyncio.Handle._run

    def run(handle: Any) -> None:
        before = time.thread_time()
        original(handle)
        turns.append(time.thread_time() - before)

    asyncio.Handle._run = run  # type: ignore[method-assign,assignment]
    try:
        yield turns
    finally:
        asyncio.Handle._run = original  # type: ignore[method-assign]
