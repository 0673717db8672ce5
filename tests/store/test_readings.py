"""Readings in the file: rows that can be computed again, and so never stand in anything's way."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from loom.core.node import ROOT, Author, Ending, Node
from loom.store.batch import Batch, ReadingRow
from loom.store.compacting import compact
from loom.store.salvage import salvage
from loom.store.store import Store


def node(number: int, text: bytes = b"text") -> Node:
    return Node(number, ROOT, 0, Author.WRITER, text, ended=Ending.WRITTEN)


def row(
    number: int, instrument: str = "traps", settings: str = "a", data: bytes = b"d"
) -> ReadingRow:
    return ReadingRow(number, instrument, settings, b"state", data)


def made(path: Path, *readings: ReadingRow) -> Path:
    with closing(Store.create(path)) as store:
        store.post(Batch(nodes=((node(1), None), (node(2), None))))
        store.post(Batch(readings=readings))
    return path


def test_readings_come_back_while_they_wait_and_after_reopening(tmp_path: Path) -> None:
    path = made(tmp_path / "a.loom")
    with closing(Store.open(path)) as store:
        store.post(Batch(readings=(row(1), row(1, "ledger"), row(2))))
        assert set(store.readings(1)) == {row(1), row(1, "ledger")}
        store.flush()
        assert set(store.readings(1)) == {row(1), row(1, "ledger")}
    with closing(Store.open(path, read_only=True)) as store:
        assert store.readings(2) == (row(2),)
        assert store.readings(3) == ()


def test_a_reading_takes_the_place_of_the_one_before_whatever_its_settings(tmp_path: Path) -> None:
    path = made(tmp_path / "a.loom", row(1), row(1, "ledger"))
    with closing(Store.open(path)) as store:
        store.post(Batch(readings=(row(1, settings="b", data=b"new"),)))
        store.flush()
        assert set(store.readings(1)) == {
            row(1, settings="b", data=b"new"),
            row(1, "ledger"),
        }


def test_readings_of_removed_nodes_go_with_them(tmp_path: Path) -> None:
    path = made(tmp_path / "a.loom", row(1), row(2))
    compact(path, [2], tmp_path / "backup.loom", 0.0)
    with closing(Store.open(path)) as store:
        assert (store.readings(1), store.readings(2)) == ((row(1),), ())


def test_what_is_saved_of_a_damaged_file_has_its_nodes_and_no_readings(tmp_path: Path) -> None:
    path = made(tmp_path / "a.loom", *(row(1, f"i{n}", data=bytes(5000)) for n in range(20)))
    findings = salvage(path, tmp_path / "saved.loom")
    assert findings.of("nodes").whole == 2
    with closing(Store.open(tmp_path / "saved.loom")) as store:
        assert len(store.load().nodes) == 2
        assert store.readings(1) == ()


def test_a_session_with_a_damaged_table_of_readings_opens_and_can_be_written(
    tmp_path: Path,
) -> None:
    path = made(tmp_path / "a.loom", *(row(1, f"i{n:02}", data=b"d" * 3000) for n in range(50)))
    with closing(sqlite3.connect(path)) as connection:
        roots = connection.execute("SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'reading'")
        pages = [root for (root,) in roots]
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    data = bytearray(path.read_bytes())
    for page in pages:
        data[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(data)
    with closing(Store.open(path)) as store:
        assert len(store.load().nodes) == 2
        assert store.readings(1) == ()
        store.post(Batch(readings=(row(1, "new"),)))
        store.post(Batch(nodes=((node(3), None),)))
        store.flush()
        assert store.error is None
    with closing(Store.open(path)) as store:
        assert len(store.load().nodes) == 3


def test_only_a_batch_of_nothing_but_readings_may_be_dropped() -> None:
    assert Batch(readings=(row(1),), meta={"instrument a": "{}"}).derived
    assert not Batch().derived
    assert not Batch(nodes=((node(1), None),), readings=(row(1),)).derived
