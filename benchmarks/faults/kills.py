"""`kill -9` of who writes, who draws and who computes, at moments that nobody chose."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.faults.outcome import Outcome
from benchmarks.faults.story import Story, write_story
from benchmarks.faults.witness import Lie, Witness
from loom.core.node import Ending, Place
from loom.core.recipe import Recipe, Sampling
from loom.engine.api import EngineError
from loom.session import Session
from loom.store.examine import examine
from loom.store.store import Store

PATIENCE = 120.0  # seconds
END = 0  # the token that ends a document, of echo and of house
MOST = 250  # nodes that a writer writes before it waits to be killed

GROW = """
import asyncio, pathlib, sys
from loom.core.recipe import Recipe
from loom.session import Session

async def main():
    session = Session.open(pathlib.Path(sys.argv[1]))
    await session.attach(sys.argv[2], {"delay": 0.004} if sys.argv[2] == "echo" else {})
    await session.engine_ready()
    print("ready", flush=True)
    while True:
        session.go(session.tree[max(n for n in session.tree if not session.is_hidden(n))].end)
        number = session.write(" On and on.")
        session.save_draft(f"draft {number}", session.place)
        session._store.flush()
        print(number, flush=True)
        await session.generate(count=3, recipe=Recipe(tokens=40))

asyncio.run(main())
"""


def writers(folder: Path, source: random.Random, count: int) -> Outcome:
    """A process that writes as fast as it can; what it was told is saved has to be there."""
    outcome = Outcome("kill -9 of the writer")
    path, seed = folder / "writer.loom", source.randrange(1000)
    reference = Witness.of(write_story(folder / "reference.loom", MOST, seed)).loaded
    for index in range(count):
        path.unlink(missing_ok=True)
        told = _killed_writer(path, seed, source.random() * 0.4)
        outcome.attempt(f"kill {index}", partial(_prefix, path, tuple(reference.nodes), told))
    return outcome


def _killed_writer(path: Path, seed: int, after: float) -> int:
    """How many nodes it said were saved when it was killed, `after` seconds from its first."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            story = Story(store := Store.create(path), seed)
            for number in range(1, MOST + 1):
                story.grow(1)
                if number % 5 == 0:
                    store.flush()
                    os.write(writer, f"{number}\n".encode())
            time.sleep(PATIENCE)
        finally:
            os._exit(1)
    os.close(writer)
    said = os.read(reader, 1 << 16)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(reader, 1 << 16):
        said += more
    os.close(reader)
    return int(said.split()[-1])


def _prefix(path: Path, nodes: tuple[object, ...], told: int) -> tuple[str, float]:
    now = Witness.of(path, read_only=False)
    count = len(now.loaded.nodes)
    if count < told:
        raise Lie(f"{told} nodes were said to be saved, {count} are there")
    if now.loaded.nodes != nodes[:count] or len(now.loaded.events) != count:
        raise Lie(f"the {count} nodes are not the first {count}")
    return "whole", 1.0


def sessions(folder: Path, source: random.Random, count: int, model: str) -> Outcome:
    """The process that has the session, while three branches stream in at a time."""
    outcome = Outcome(f"kill -9 of a growing session on {model}")
    path = folder / f"{model}.loom"
    for index in range(count):
        if not path.exists():
            _begun(path)
        number = _killed_session(path, model, source.random() * 1.5)
        outcome.attempt(f"kill {index}", partial(_all_there, path, number))
        if index % 10 == 9:
            path.unlink()
    return outcome


def _begun(path: Path) -> None:
    session = Session.create(path)
    session.write("The lighthouse keeper had not spoken to anyone since the storm.")
    asyncio.run(session.close())


def _killed_session(path: Path, model: str, after: float) -> int:
    """The last node that the process said it had saved."""
    command = [sys.executable, "-c", GROW, str(path), model]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line != "ready\n":
                break
        time.sleep(after)
        process.kill()
        return int([line, *process.stdout.read().split()][-1])


def _all_there(path: Path, number: int) -> tuple[str, float]:
    session = Session.open(path)
    try:
        if number not in session.tree:
            raise Lie(f"node {number} was said to be saved and is gone")
        if any(session.tree[node].growing for node in session.tree):
            raise Lie("a node still grows though nobody grows it")
        draft = session.draft
        if draft is None or int(draft.text.split()[1]) < number:
            raise Lie(f"the draft is {draft}, older than node {number}")
    finally:
        asyncio.run(session.close())
    findings = examine(path)
    if not findings.whole:
        raise Lie("; ".join(findings.damage))
    return "whole", 1.0


async def engines(folder: Path, source: random.Random, count: int, model: str) -> Outcome:
    """The engine's process under a session that lives on: what came is kept, and it goes on."""
    outcome = Outcome(f"kill -9 of the engine, {model}")
    path = folder / "engine.loom"
    async with Session.create(path) as session:
        place = session.tree[session.write("The lighthouse keeper had not spoken.")].end
        options = {"delay": 0.01} if model == "echo" else {}
        await session.attach(model, options)
        for index in range(count):
            await _up_again(session, place)
            try:
                share = await _killed_engine(session, place, source.random() * 0.5)
            except Lie as lie:
                outcome.counts["WRONG"] += 1
                outcome.lies.append(f"{outcome.fault}, kill {index}: {lie}")
            else:
                outcome.add("whole", share)
    findings = examine(path)
    if not findings.whole:
        outcome.lies.append("; ".join(findings.damage))
    return outcome


async def _killed_engine(session: Session, place: Place, after: float) -> float:
    endless = Recipe(tokens=5000, sampling=Sampling(logit_bias=((END, -100.0),)))
    nodes = session.grow(place, count=3, recipe=endless)
    await _until(lambda: session.tree[nodes[0]].length > 0)
    await asyncio.sleep(after)
    texts = {node: session.tree[node].text for node in nodes}
    assert session.engine is not None and session.engine.pid is not None
    os.kill(session.engine.pid, signal.SIGKILL)
    try:
        await session.finished(nodes)
    except EngineError:
        pass
    else:
        raise Lie("nobody was told that the engine has died")
    for node in nodes:
        if not session.tree[node].text.startswith(texts[node]):
            raise Lie(f"text of node {node} that was on the screen is gone")
        if session.tree[node].ended is not Ending.CRASH:
            raise Lie(f"node {node} has ended with {session.tree[node].ended}")
    return 1.0


async def _up_again(session: Session, place: Place) -> None:
    """It comes back by itself once, and otherwise when one grows again."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await session.generate(place, count=1, recipe=Recipe(tokens=1))
                return
            except EngineError:
                await asyncio.sleep(0.05)


async def _until(seen: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not seen():
            await asyncio.sleep(0.01)
