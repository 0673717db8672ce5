"""`make faults`: does to sessions what may happen to them, and counts what becomes of each.

Exit code 1 where anything was lost or changed without a word.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.faults import damage, disk, fuzz, kills, libraries, screens
from benchmarks.faults.outcome import Outcome
from benchmarks.faults.story import write_story

KILLED = """
import os, pathlib, sys
from benchmarks.faults.story import Story
from loom.store.store import Store
store = Store.create(pathlib.Path(sys.argv[1]))
story = Story(store, 5)
story.grow(int(sys.argv[2]))
store.flush()
os.kill(os.getpid(), 9)
"""

Part = Callable[[Path, random.Random, float], Iterator[Outcome]]


def damaged(folder: Path, source: random.Random, scale: float) -> Iterator[Outcome]:
    work = folder / "work"
    work.mkdir()
    story = write_story(folder / "story.loom", max(20, int(120 * scale)), 1)
    yield damage.flips(story, work, source, _many(500, scale))
    yield damage.cuts(story, work, source, _many(120, scale))
    killed = folder / "killed.loom"
    nodes = str(max(20, int(80 * scale)))
    subprocess.run([sys.executable, "-c", KILLED, str(killed), nodes], check=False)
    yield from damage.logs(killed, work, source, _many(80, scale))


def killed(folder: Path, source: random.Random, scale: float) -> Iterator[Outcome]:
    yield kills.writers(folder, source, _many(120, scale))
    yield kills.sessions(folder, source, _many(30, scale), "echo")
    yield asyncio.run(kills.engines(folder, source, _many(30, scale), "echo"))
    if scale >= 1:  # takes a terminal and half a minute
        yield screens.typists(folder, source, 20)


def killed_on_house(folder: Path, source: random.Random, scale: float) -> Iterator[Outcome]:
    yield kills.sessions(folder, source, _many(5, scale), "house")
    yield asyncio.run(kills.engines(folder, source, _many(7, scale), "house"))


def hindered(folder: Path, source: random.Random, scale: float) -> Iterator[Outcome]:
    yield disk.full(folder, source, _many(40, scale))
    yield disk.folders(folder, source, _many(20, scale))
    yield disk.clocks(folder, source, _many(20, scale))
    yield disk.two_looms(folder, source, _many(20, scale))
    yield disk.in_a_row(folder, source, _many(100, scale))


def fuzzed(folder: Path, source: random.Random, scale: float) -> Iterator[Outcome]:
    yield from fuzz.fuzz(folder, source, _many(50_000, scale))
    if scale >= 0.1:  # takes the libraries that load models
        yield from libraries.loaded(folder, source, _many(1000, scale))


PARTS: dict[str, Part] = {
    "damage": damaged,
    "kills": killed,
    "house": killed_on_house,
    "disk": hindered,
    "fuzz": fuzzed,
}


def _many(count: int, scale: float) -> int:
    return max(2, round(count * scale))


def run(part: str, seed: int, scale: float) -> Iterator[Outcome]:
    """The outcomes of one part, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="loom-faults-") as name:
        os.environ["LOOM_HOME"] = str(Path(name, "home"))
        folder = Path(name, "sessions")
        folder.mkdir()
        folder.parent.chmod(0o755)
        yield from PARTS[part](folder, random.Random(seed), scale)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="only these")
    parser.add_argument("--seed", type=int, default=1, help="of what happens when (default: 1)")
    parser.add_argument("--scale", type=float, default=1.0, help="0.1: a tenth of it")
    args = parser.parse_args()
    lies: list[str] = []
    for part in args.parts or PARTS:
        begun = time.monotonic()
        for outcome in run(part, args.seed, args.scale):
            print(outcome.line(), flush=True)
            lies += outcome.lies
        print(f"  ({part}: {time.monotonic() - begun:.0f} s)", flush=True)
    for lie in lies:
        print(f"WRONG: {lie}", flush=True)
    print("Nothing was lost or changed without a word." if not lies else f"{len(lies)} wrong.")
    return 1 if lies else 0


if __name__ == "__main__":
    sys.exit(main())
