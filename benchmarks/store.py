"""The session file: how long a commit takes, how long opening takes.

`python -m benchmarks.store` measures a large session, beside the same data in plain JSON.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks import large
from benchmarks.measure import Benchmark, Work
from benchmarks.trees import bushy
from loom.core.node import ROOT
from loom.core.search import Among, Search
from loom.record import Record
from loom.store.batch import Batch
from loom.store.loading import collector_paused
from loom.store.store import Store
from loom.store.textindex import TextIndex

NODES = 5000


def benchmarks() -> Iterator[Benchmark]:
    yield Benchmark("store: commit one node", "commits", commit)
    yield Benchmark(f"store: open a session of {NODES:,} nodes", "nodes", reopen)


def new_file(ending: ExitStack) -> Path:
    return Path(ending.enter_context(TemporaryDirectory(prefix="loom-bench-"))) / "bench.loom"


def commit(ending: ExitStack) -> Work:
    store = Store.create(new_file(ending))
    ending.callback(store.close)
    tree = bushy(1000)
    ids = cycle(id_ for id_ in tree if id_ != ROOT)

    def work() -> int:
        store.post(Batch(nodes=((tree[next(ids)], None),)))
        store.flush()
        return 1

    return work


def reopen(ending: ExitStack) -> Work:
    file = new_file(ending)
    tree = bushy(NODES)
    store = Store.create(file)
    store.post(Batch(nodes=tuple((tree[id_], None) for id_ in tree if id_ != ROOT)))
    store.flush()
    store.close()

    def work() -> int:
        again = Store.open(file)
        count = len(again.load().nodes)
        again.close()
        return count

    return work


# ── a large session, and the same in JSON ──────────────────────────────────────────────────

SAMPLE = 300  # nodes that are written one by one
PART = 20  # one in so many nodes is written and read as JSON, and the time multiplied
ROUNDS, OPENINGS = 5, 9
MORE, SEARCH = 0.5, 0.3  # seconds: goals of opening, over 100 nodes, and of a search
QUERIES = ("nowhere", "word1234 word5", "word12")  # rare, rarer than its parts, everywhere


class Row(NamedTuple):
    """Seconds by the wall clock, of the processor, and to be held to by the clock."""

    what: str
    wall: float
    processor: float | None = None
    goal: float | None = None

    def line(self) -> str:
        numbers = (f"{n * 1000:10.1f}" if n is not None else "" for n in self[1:])
        return f"{self.what:<52} {' '.join(numbers)}".rstrip()


def timed(what: str, work: Callable[[], object], rounds: int = ROUNDS) -> Row:
    """The medians; throwing away what was made is no part of it."""
    found = list[tuple[float, float]]()
    for _ in range(rounds):
        gc.collect()
        found.append(_once(work))
    return Row(what, *map(statistics.median, zip(*found, strict=True)))


def _once(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the wall clock, and of the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    made = work()
    found = time.perf_counter() - wall, time.process_time() - processor
    del made
    return found


def opened(path: Path) -> Record:
    store = Store.open(path)
    record = Record(store)
    store.close()
    return record


def one_by_one(folder: Path) -> Iterator[Row]:
    """A transaction a node, and a line of JSON a node, each on the disk before the next."""
    store = Store.create(folder / "one.loom")
    rows = cycle(list(large.material(SAMPLE)))

    def transaction() -> None:
        node, span, event = next(rows)
        store.post(Batch(nodes=((node, span),), event=replace(event, id=node.id)))
        store.flush()

    yield timed("write one node: a transaction", transaction, SAMPLE)
    with (folder / "one.jsonl").open("w") as file:

        def line() -> None:
            node, span, _ = next(rows)
            file.write(json.dumps(large.as_json(node, span)) + "\n")
            file.flush()
            os.fsync(file.fileno())

        yield timed("write one node: a line of JSON", line, SAMPLE)
    store.close()


def opening(few: Path, many: Path, count: int) -> Iterator[Row]:
    """Each time in a process of its own that has opened nothing before, as a screen is one."""
    small = _medians("open 100 nodes", few)
    yield small
    yield _medians(f"open {count:,} nodes", many)._replace(goal=small.wall + MORE)


def _medians(what: str, path: Path) -> Row:
    found = [_opened_elsewhere(path) for _ in range(OPENINGS)]
    return Row(what, *map(statistics.median, zip(*found, strict=True)))


def _opened_elsewhere(path: Path) -> list[float]:
    command = [sys.executable, "-m", "benchmarks.store", "--open", str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(seconds) for seconds in run.stdout.split()]


def open_once(path: Path) -> tuple[float, float]:
    """Seconds by the wall clock, and of the processor; nobody looks for garbage meanwhile, as in
    the screen until its first frame."""
    with collector_paused():
        return _once(partial(opened, path))


def searching(path: Path) -> Iterator[Row]:
    """By reading every text, and by the index that the first search begins to build."""
    store = Store.open(path, read_only=True)
    record = Record(store)
    index = TextIndex(record.tree)

    def search(query: str, among: Among | None) -> None:
        Search(record.display, query, among=among).advance(sys.maxsize)

    def build() -> None:
        index.among(b"word")
        index.wait()

    for query in QUERIES:
        read = partial(search, query, None)
        yield timed(f"search “{query}”, reading all", read)._replace(goal=SEARCH)
    yield timed("build the full-text index, beside the work", build, 1)
    for query in QUERIES:
        look_up = partial(search, query, index.among)
        yield timed(f"search “{query}”, by the index", look_up)._replace(goal=SEARCH)
    index.close()
    store.close()


def in_json(folder: Path, count: int) -> Iterator[Row]:
    """A line a node: a list of all would need the memory."""
    path, part = folder / "all.jsonl", count // PART

    def write_all() -> None:
        with path.open("w") as file:
            for node, span, _ in large.material(part):
                file.write(json.dumps(large.as_json(node, span)) + "\n")

    def read_all() -> None:
        with path.open() as file:
            for line in file:
                json.loads(line)

    for what, work in (("write", write_all), ("open", read_all)):
        row = timed(f"{what} {count:,} nodes as JSON ({part:,} × {PART})", work, 1)
        yield Row(row.what, row.wall * PART, (row.processor or 0) * PART)
    yield Row("  its size in MB", path.stat().st_size * PART / 1e9)


def report(folder: Path, count: int, *, with_json: bool) -> Iterator[Row]:
    yield from one_by_one(folder)
    few, many = large.built(folder / "few.loom", 100), folder / "many.loom"
    yield timed(f"write {count:,} nodes, 500 in a transaction", lambda: large.built(many, count), 1)
    yield Row("  its size in MB", many.stat().st_size / 1e9)
    yield from opening(few, many, count)
    yield from searching(many)
    if with_json:
        yield from in_json(folder, count)


def main() -> int:
    parser = argparse.ArgumentParser(description="A large session beside the same data in JSON.")
    parser.add_argument("--nodes", type=int, default=large.NODES)
    parser.add_argument("--without-json", action="store_true")
    parser.add_argument("--open", type=Path, metavar="FILE", help="once, and print the seconds")
    args = parser.parse_args()
    if args.open:
        print(*open_once(args.open))
        return 0
    print(f"{'':<52} {'wall, ms':>10} {'processor':>10} {'goal':>10}")
    with TemporaryDirectory(prefix="loom-bench-") as name:
        for row in report(Path(name), args.nodes, with_json=not args.without_json):
            print(row.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
