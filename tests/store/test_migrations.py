"""A session of every earlier version, with something in every table, opens as what it was."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loom.core.marks import Kind, Mark
from loom.core.node import Author, Ending, Node
from loom.core.nodes import Unmade
from loom.core.span import Span
from loom.store import rows, schema
from loom.store import store as store_module
from loom.store.batch import Batch, EventRow, Loaded, ModelRow
from loom.store.columns import encode
from loom.store.rows import _checksum, statements, write
from loom.store.store import SessionDamaged, SessionNewer, Store

HASH = bytes(range(16))
WRITTEN = Node(
    1, 0, 0, Author.WRITER, "Über ☕\n".encode(), ended=Ending.WRITTEN, created=1.7e9, hash=HASH
)
GROWN = Node(
    2, 1, 3, Author.MODEL, b"\xff\x00 so", 1, 1, 2**52, Ending.EOS, 1.7e9 + 0.1, 4, HASH[::-1]
)
GROWING = Node(3, 2, 5, Author.MODEL, b"", 1, 1, 7, None, 1.7e9 + 0.2)
EXPECTED = Loaded(
    nodes=Unmade.of((WRITTEN, GROWN, GROWING)),
    marks=((Mark(1, 0, Kind.VISITED), "1"), (Mark(2, 3, Kind.HIDDEN), "hidden")),
    recipes=((1, {"tokens": 4, "stop": ["ö"]}),),
    models=(ModelRow(1, "print", "a model", "house", {"device": "cpu"}),),
    events=(EventRow(1, 1.7e9, "write", {"added": [1]}), EventRow(2, 1.7e9, "undo", {})),
    meta={"seed": "7", "title": "naïve"},
)


def node_values(node: Node) -> tuple[object, ...]:
    ended = None if node.ended is None else str(node.ended)
    return (
        *(node.id, node.parent, node.at, str(node.author), node.text, node.recipe, node.model),
        *(node.seed, ended, node.created, node.token_count, node.hash),
    )


def as_version_1(connection: sqlite3.Connection, span: Span) -> None:
    def put(table: str, *values: object) -> None:
        marks = ",".join("?" * len(values))
        connection.execute(f"INSERT INTO {table} VALUES ({marks})", values)

    for node in EXPECTED.nodes:
        put("node", *node_values(node))
    count, top, blobs = encode(span)
    put("tokens", 2, count, top, _checksum(blobs), *blobs)
    put("mark", 1, 0, "visited", "1")
    put("mark", 2, 3, "hidden", "hidden")
    put("recipe", 1, '{"tokens":4,"stop":["ö"]}')
    put("model", 1, "print", "a model", "house", '{"device":"cpu"}')
    put("piece", 1, 40, b"\xc3")
    put("event", 1, 1.7e9, "write", '{"added":[1]}')
    put("event", 2, 1.7e9, "undo", "{}")
    put("meta", "seed", "7")
    put("meta", "title", "naïve")


def as_version_2(connection: sqlite3.Connection, span: Span) -> None:
    """With a checksum for every row."""
    marks = tuple((mark, value) for mark, value in EXPECTED.marks)
    batch = Batch(
        nodes=tuple((node, span if node is GROWN else None) for node in EXPECTED.nodes),
        marks=marks,
        recipes=EXPECTED.recipes,
        models=EXPECTED.models,
        pieces=((1, 40, b"\xc3"),),
        meta=EXPECTED.meta,
    )
    for event in EXPECTED.events:
        write(connection, statements(Batch(event=event)))
    write(connection, statements(batch))
    assert connection.execute("SELECT ids FROM tokens").fetchone()[0] == encode(span)[2][0]


FILLED = {1: as_version_1, 2: as_version_2}
"""Version → what writes the same session into a file of that version."""


@pytest.fixture(params=range(1, schema.VERSION))
def old(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[int, Path]:
    path, version = tmp_path / "story.loom", request.param
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        schema.migrate(connection, schema.MIGRATIONS[:version])
        FILLED[version](connection, make_span())
    return version, path


def make_span() -> Span:
    floats = np.linspace(-9, 0, 4, dtype=np.float32)
    ids = np.arange(4, dtype=np.int32)
    ends = np.array([1, 2, 4, 5], np.int32)
    return Span(ids, ends, floats, floats, floats, ids, ids[:, None], floats[:, None])


def check(store: Store) -> None:
    assert store.load() == EXPECTED
    span = store.span(2)
    assert span is not None
    assert span.ends.tolist() == [1, 2, 4, 5]
    assert store.pieces(1, [40]) == {40: b"\xc3"}


def test_it_is_brought_up_to_date_and_a_copy_of_the_old_one_is_kept(
    old: tuple[int, Path],
) -> None:
    version, path = old
    before = path.read_bytes()
    for _ in range(2):
        store = Store.open(path)
        check(store)
        store.close()
    with closing(sqlite3.connect(path)) as connection:
        assert schema.version_of(connection) == schema.VERSION
    backup = path.with_name(f"{path.name}.v{version}")
    with closing(sqlite3.connect(backup)) as connection:
        assert schema.version_of(connection) == version
    assert len(backup.read_bytes()) == len(before)


def test_it_can_be_read_without_being_changed(old: tuple[int, Path]) -> None:
    _, path = old
    before = path.read_bytes()
    store = Store.open(path, read_only=True)
    check(store)
    store.close()
    assert path.read_bytes() == before


@pytest.mark.parametrize("old", [1], indirect=True)
def test_a_damaged_one_is_not_brought_up_to_date(old: tuple[int, Path]) -> None:
    """A version that was 3 and has become 1 on the disk doesn't get its columns twice."""
    version, path = old
    Store.open(path).close()
    path.with_name(f"{path.name}.v{version}").unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    with pytest.raises(SessionDamaged):
        Store.open(path)
    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_an_older_loom_says_that_it_is_older_and_not_that_squeezed_columns_are_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new.loom"
    store = Store.create(path)
    node = replace(GROWN, at=0, parent=0, token_count=48)
    span = long_span(48)
    store.post(Batch(nodes=((node, span),)))
    store.close()
    before = path.read_bytes()
    for module in (schema, store_module):
        monkeypatch.setattr(module, "VERSION", 2)
    monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:2])
    monkeypatch.setattr(rows, "unsqueezed", lambda count, top, blobs: tuple(blobs))
    old = Store.open(path)
    assert old.read_only
    assert old.read_only_because == "It was written by a later version of Loom."
    with pytest.raises(SessionNewer, match="was written by a later Loom and can't be read"):
        old.span(2)
    old.close()
    assert path.read_bytes() == before


def long_span(count: int) -> Span:
    """One that is worth squeezing."""
    floats, ids = np.zeros(count, np.float32), np.zeros(count, np.int32)
    wide = np.zeros((count, 20), np.float32)
    ends = np.minimum(np.arange(1, count + 1), len(GROWN.text)).astype(np.int32)
    return Span(ids, ends, floats, floats, floats, ids, wide.astype(np.int32), wide)
