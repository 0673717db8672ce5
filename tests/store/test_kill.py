"""A real process, really killed while it posts."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from loom.store.store import Store


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


POST = """
import pathlib, sys
import numpy as np
from loom.core.marks import Kind, Mark
from loom.core.node import Author, Ending, Node
from loom.core.span import Span
from loom.store.store import Batch, EventRow, Store
path = pathlib.Path(sys.argv[1])
store = Store.open(path)
def span(i):
    n = i % 40 + 1
    f = np.full(n, i, np.float32)
    return Span(np.full(n, i, np.int32), np.arange(1, n + 1, dtype=np.int32), f, f, f,
                np.zeros(n, np.int32), np.full((n, 20), i, np.int32), f[:, None].repeat(20, 1))
first = len(store.load().nodes) + 1
for i in range(first, first + 100_000):
    node = Node(i, i - 1, 0, Author.MODEL, b"x" * (i % 40 + 1), ended=Ending.LENGTH)
    store.post(Batch(
        nodes=((node, span(i)),), marks=((Mark(i, 0, Kind.VISITED), str(i)),),
        recipes=((i, {"tokens": i}),), pieces=((1, i, b"p"),), meta={"last": str(i)},
        event=EventRow(i, float(i), "grow", {"nodes": [i]}),
    ))
    if i % 7 == 0:
        store.flush()
        print(i, flush=True)
"""


@pytest.mark.parametrize("seed", range(5))
def test_a_killed_process_leaves_a_prefix_of_what_it_posted(tmp_path: Path, seed: int) -> None:
    """Twice on the same file; what was flushed is there, and every batch is whole or absent."""
    random_source = random.Random(seed)
    path = tmp_path / "story.loom"
    Store.create(path).close()
    for _ in range(2):
        flushed = killed(path, random_source.randrange(1, 12))
        check_prefix(path, flushed)
    assert names(tmp_path) == ["story.loom"]


def killed(path: Path, lines: int) -> int:
    """The number of the last batch known to be flushed when the process was killed."""
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", POST, path], cwd=root, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(lines):
            line = process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        return int([line, *process.stdout.read().split()][-1])


def check_prefix(path: Path, flushed: int) -> None:
    store = Store.open(path)
    loaded = store.load()
    count = len(loaded.nodes)
    every = list(range(1, count + 1))
    assert count >= flushed
    assert [node.id for node in loaded.nodes] == every
    assert [mark.node for mark, _ in loaded.marks] == every
    assert [number for number, _ in loaded.recipes] == every
    assert [event.id for event in loaded.events] == every
    assert loaded.meta == {"last": str(count)}
    assert len(store.pieces(1, every)) == count
    for node in loaded.nodes:
        span = store.span(node.id)
        assert span is not None
        assert len(span) == node.length
        assert span.top_ids.tolist() == [[node.id] * 20] * node.length
    store.close()
