"""Whatever happened to the bytes of a file, it opens or says one sentence."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from loom.core.marks import Kind, Mark
from loom.core.node import Node
from loom.core.span import Span
from loom.store.store import Batch, EventRow, ModelRow, Store, StoreError


@pytest.fixture
def whole(store: Store, node: Callable[..., Node], span: Callable[..., Span]) -> bytes:
    """A session with something in every table, as bytes."""
    for i in range(1, 12):
        store.post(
            Batch(
                nodes=((node(i, b"word" * i, parent=i - 1, at=0), span(i, seed=i)),),
                marks=((Mark(i, 0, Kind.VISITED), "1"),),
                recipes=((i, {"tokens": i}),),
                models=(ModelRow(i, "f", "label", "spec", {"device": "cpu"}),),
                pieces=((1, i, b"piece"),),
                meta={f"key {i}": "value"},
                event=EventRow(i, float(i), "write", {"nodes": [i]}),
            )
        )
    store.close()
    return store.path.read_bytes()


def read_everything(path: Path, read_only: bool, span: Callable[..., Span]) -> int:
    """How many spans there are, each as it was written; raises StoreError and nothing else."""
    store = Store.open(path, read_only=read_only)
    try:
        nodes = store.load().nodes
        store.pieces(1, range(20))
        found = {node.id: store.span(node.id) for node in nodes}
    finally:
        store.close()
    spans = {number: one for number, one in found.items() if one is not None}
    for number, one in spans.items():
        for (_, column), (_, written) in zip(
            one.columns(), span(number, seed=number).columns(), strict=True
        ):
            assert column is not None and written is not None
            assert column.tobytes() == written.tobytes()
    return len(spans)


@pytest.mark.parametrize("seed", range(6))
def test_a_byte_flipped_anywhere(
    whole: bytes, tmp_path: Path, span: Callable[..., Span], seed: int
) -> None:
    source = random.Random(seed)
    outcomes = set()
    for index in range(40):
        path = tmp_path / f"{index}.loom"
        data = bytearray(whole)
        # Half of them in the first page and in the pages' heads, where it hurts.
        offset = source.randrange(len(data))
        if index % 2:
            offset = offset // 4096 * 4096 + source.randrange(108)
        data[offset] ^= source.randrange(1, 256)
        path.write_bytes(data)
        try:
            outcomes.add(read_everything(path, read_only=index % 3 == 0, span=span) > 0)
        except StoreError as error:
            assert "\n" not in str(error) and str(error).endswith(".")
            outcomes.add(False)
    assert outcomes == {True, False}


@pytest.mark.parametrize("seed", range(3))
def test_a_file_cut_anywhere(
    whole: bytes, tmp_path: Path, span: Callable[..., Span], seed: int
) -> None:
    source = random.Random(seed)
    for index in range(20):
        path = tmp_path / f"{index}.loom"
        path.write_bytes(whole[: source.randrange(len(whole))])
        with pytest.raises(StoreError):
            read_everything(path, read_only=index % 2 == 0, span=span)


def test_pages_of_noise(whole: bytes, tmp_path: Path, span: Callable[..., Span]) -> None:
    source = random.Random(1)
    for index in range(1, len(whole) // 4096):
        path = tmp_path / f"{index}.loom"
        start = index * 4096
        path.write_bytes(whole[:start] + source.randbytes(4096) + whole[start + 4096 :])
        try:
            read_everything(path, read_only=False, span=span)
        except StoreError as error:
            assert str(error).endswith(".")


MANY = """
import os, pathlib, sys
from loom.core.node import Author, Ending, Node
from loom.store.store import Batch, Store
store = Store.open(pathlib.Path(sys.argv[1]))
for i in range(1, 41):
    node = Node(i, i - 1, 0, Author.WRITER, bytes(500), ended=Ending.WRITTEN)
    store.post(Batch(nodes=((node, None),), meta={"last": str(i)}))
store.flush()
os.kill(os.getpid(), 9)
"""


def test_a_log_cut_anywhere_leaves_a_prefix(tmp_path: Path) -> None:
    path = tmp_path / "story.loom"
    Store.create(path).close()
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", MANY, path], cwd=root, check=False)
    log = Path(f"{path}-wal").read_bytes()
    source = random.Random(5)
    counts = set()
    for index in range(30):
        copy = tmp_path / f"{index}.loom"
        shutil.copyfile(path, copy)
        Path(f"{copy}-wal").write_bytes(log[: source.randrange(len(log))])
        store = Store.open(copy)
        loaded = store.load()
        store.close()
        count = len(loaded.nodes)
        assert [node.id for node in loaded.nodes] == list(range(1, count + 1))
        assert loaded.meta == ({"last": str(count)} if count else {})
        counts.add(count)
    assert len(counts) > 10
