"""The session file: how long a commit takes, how long opening takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import Benchmark, Work
from benchmarks.trees import bushy
from loom.core.node import ROOT
from loom.store.batch import Batch
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
