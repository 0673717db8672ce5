"""The session file: how long a commit takes, how long opening takes.

`python -m benchmarks.store` measures a large session, beside the same data in plain JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.measure import Benchmark, Work
from benchmarks.trees import bushy
from loom.core.node import ROOT, Author, Ending, Node
from loom.core.search import Search
from loom.core.span import Span
from loom.record import Record
from loom.store.batch import Batch, EventRow, ModelRow
from loom.store.file import settle
from loom.store.opening import for_writing
from loom.store.rows import statements, write
from loom.store.store import Store

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

LARGE, TOKENS, TOP, WORDS = 100_000, 32, 20, 4000
SAMPLE = 300  # nodes that are written one by one
ROUNDS = 5


def material(count: int) -> Iterator[tuple[Node, Span, EventRow]]:
    """`count` nodes of 32 tokens, most of them on one of the last few before."""
    source, numbers = random.Random(1), np.random.default_rng(1)
    spans = [_span(numbers) for _ in range(64)]
    lengths = {ROOT: 0}
    for number in range(1, count + 1):
        text, span = spans[number % len(spans)]
        parent = max(0, number - source.randint(1, 6))
        lengths[number] = len(text)
        node = Node(
            *(number, parent, lengths[parent], Author.MODEL, text, 1, 1, number, Ending.LENGTH),
            created=1.7e9 + number,
            token_count=TOKENS,
            hash=number.to_bytes(16, "big"),
        )
        data = {"added": [number], "place": node.hash.hex(), "ordinal": 0, "marks": []}
        yield node, span, EventRow(number, node.created, "grow", data)


def _span(numbers: np.random.Generator) -> tuple[bytes, Span]:
    ids = numbers.integers(0, WORDS, TOKENS).astype(np.int32)
    pieces = [b" word%d" % number for number in ids]

    def floats(*shape: int) -> np.ndarray:
        return numbers.normal(size=shape).astype(np.float32)

    top = numbers.integers(0, WORDS, (TOKENS, TOP)).astype(np.int32)
    ends = np.cumsum([len(piece) for piece in pieces]).astype(np.int32)
    logprob, entropy, varentropy = floats(TOKENS), floats(TOKENS), floats(TOKENS)
    likeliest = floats(TOKENS, TOP)
    span = Span(ids, ends, logprob, entropy, varentropy, ids % 50, top, likeliest)
    return b"".join(pieces), span


def as_json(node: Node, span: Span) -> dict[str, Any]:
    columns = {name: column.tolist() for name, column in span.columns() if column is not None}
    return {
        "id": node.id,
        "parent": node.parent,
        "at": node.at,
        "author": node.author,
        "text": node.text.decode(),
        "seed": node.seed,
        "ended": node.ended,
        "created": node.created,
        "tokens": columns,
    }


def built(path: Path, count: int) -> Path:
    """A session of `count` nodes, many in a transaction."""
    Store.create(path).close()
    connection = for_writing(path)
    models, recipes = (ModelRow(1, "f", "m", "m"),), ((1, {"tokens": TOKENS}),)
    write(connection, statements(Batch(models=models, recipes=recipes)))
    rows = material(count)
    while some := list(islice(rows, 500)):
        batches = (Batch(nodes=((node, span),), event=event) for node, span, event in some)
        write(connection, [row for batch in batches for row in statements(batch)])
    settle(connection)
    return path


def seconds(work: Callable[[], object], rounds: int = ROUNDS) -> tuple[float, float]:
    """The median of the wall clock and of the processor's time."""
    walls, processors = [], []
    for _ in range(rounds):
        wall, processor = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return statistics.median(walls), statistics.median(processors)


def opened(path: Path) -> None:
    store = Store.open(path)
    Record(store)
    store.close()


def searched(record: Record, query: str) -> None:
    search = Search(record.display, query)
    while not search.done:
        search.advance(1 << 20)


def one_by_one(folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """A transaction a node, and a line of JSON a node, each on the disk before the next."""
    store = Store.create(folder / "one.loom")
    rows = cycle(list(material(SAMPLE)))

    def transaction() -> None:
        node, span, event = next(rows)
        store.post(Batch(nodes=((node, span),), event=replace(event, id=node.id)))
        store.flush()

    yield "write a node, a transaction", transaction
    with (folder / "one.jsonl").open("w") as file:

        def line() -> None:
            node, span, _ = next(rows)
            file.write(json.dumps(as_json(node, span)) + "\n")
            file.flush()
            os.fsync(file.fileno())

        yield "write a node, a line of JSON", line
    store.close()


def in_json(folder: Path, count: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """All of it written and read as JSON, a line a node: a list of all would need the memory."""
    path = folder / "all.jsonl"

    def write() -> None:
        with path.open("w") as file:
            for node, span, _ in material(count):
                file.write(json.dumps(as_json(node, span)) + "\n")

    def read() -> None:
        with path.open() as file:
            for line in file:
                json.loads(line)

    yield f"write {count:,} nodes as JSON", write
    yield f"open {count:,} nodes as JSON", read


def main() -> int:
    parser = argparse.ArgumentParser(description="A large session beside the same data in JSON.")
    parser.add_argument("--nodes", type=int, default=LARGE)
    parser.add_argument("--without-json", action="store_true")
    args = parser.parse_args()
    with TemporaryDirectory(prefix="loom-bench-") as name:
        folder = Path(name)
        for what, work in one_by_one(folder):
            _say(what, *seconds(work, SAMPLE))
        few, path = built(folder / "few.loom", 100), built(folder / "many.loom", args.nodes)
        _say("open 100 nodes", *seconds(partial(opened, few)))
        print(f"{'':<40} {path.stat().st_size / 1e6:10.1f} MB")
        _say(f"open {args.nodes:,} nodes", *seconds(partial(opened, path)))
        store = Store.open(path, read_only=True)
        record = Record(store)
        for query in ("word12", "word12 word", "nowhere"):
            search = partial(searched, record, query)
            _say(f"search “{query}”, the first time", *seconds(search, 1))
            _say(f"search “{query}”, again", *seconds(search))
        store.close()
        if not args.without_json:
            for what, work in in_json(folder, args.nodes):
                _say(what, *seconds(work, 1))
    return 0


def _say(what: str, wall: float, processor: float) -> None:
    print(f"{what:<40} {wall * 1000:10.1f} ms, of the processor {processor * 1000:10.1f} ms")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
