"""What can be saved of a damaged session is saved, the rest is named, the file stays as it is."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.faults.old import as_first_version
from benchmarks.faults.story import write_story
from benchmarks.faults.witness import Witness, opened_or_saved
from loom.core.node import Ending
from loom.record import Record
from loom.store.batch import REPAIRED, Batch
from loom.store.examine import examine
from loom.store.glance import glance
from loom.store.log import read_log
from loom.store.pages import Pages
from loom.store.salvage import salvage
from loom.store.store import SessionDamaged, Store, StoreError
from loom.store.sums import COLUMNS, KEYS

PAGE = 4096
ROOT_FOLDER = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_story(tmp_path_factory.mktemp("whole") / "story.loom", nodes=60)


def altered(path: Path, old: bytes, new: bytes) -> None:
    raw = path.read_bytes()
    assert raw.count(old) >= 1
    path.write_bytes(raw.replace(old, new, 1))


def copied(whole: Path, folder: Path) -> Path:
    return Path(shutil.copy(whole, folder / "story.loom"))


def test_every_row_sqlite_knows_is_found_in_the_bytes(whole: Path) -> None:
    found = {(row.table, row.row) for row in Pages(whole.read_bytes()) if row.sound}
    with closing(sqlite3.connect(whole)) as connection:
        for table, columns in COLUMNS.items():
            rows = connection.execute(f"SELECT {', '.join(columns)}, sum FROM {table}")
            there = {(table, row) for row in rows}
            assert there
            assert there == {row for row in found if row[0] == table}
        spans = {i for (i,) in connection.execute("SELECT node FROM tokens")}
    assert spans == {r.row[0] for r in Pages(whole.read_bytes()) if r.table == "tokens"}


def test_a_whole_session_is_saved_as_it_is(whole: Path, tmp_path: Path) -> None:
    assert examine(whole).whole
    findings = salvage(whole, tmp_path / "new.loom")
    assert findings.whole
    before, now = Witness.of(whole), Witness.of(tmp_path / "new.loom")
    assert now.loaded.nodes == before.loaded.nodes
    assert now.loaded.marks == before.loaded.marks
    assert now.loaded.events[:-1] == before.loaded.events
    assert now.loaded.events[-1].kind == REPAIRED
    assert (now.spans, now.pieces) == (before.spans, before.pieces)


def test_one_changed_byte_of_a_text_costs_nothing_but_that_byte(
    whole: Path, tmp_path: Path
) -> None:
    path = copied(whole, tmp_path)
    first = Witness.of(path).loaded.nodes[0]
    altered(path, first.text, b"!" + first.text[1:])
    raw = path.read_bytes()
    with pytest.raises(SessionDamaged, match="1 of its 60 nodes is not what was written"):
        Store.open(path)
    findings = salvage(path, tmp_path / "new.loom")
    assert path.read_bytes() == raw
    assert findings.of("nodes").whole == 59
    assert findings.of("damaged, kept").ids == (1,)
    saved = Witness.of(tmp_path / "new.loom").loaded
    assert saved.nodes[0].text == b"!" + first.text[1:]
    assert saved.nodes[1:] == Witness.of(whole).loaded.nodes[1:]
    assert examine(tmp_path / "new.loom").whole


def test_what_hangs_on_a_lost_node_is_lost_and_named(whole: Path, tmp_path: Path) -> None:
    path = copied(whole, tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM node WHERE id = 40")
        connection.commit()
    with pytest.raises(SessionDamaged):
        Store.open(path)
    tree = {node.id: node.parent for node in Witness.of(whole).loaded.nodes}
    gone = {40}
    for number in sorted(tree):
        if tree[number] in gone:
            gone.add(number)
    findings = salvage(path, tmp_path / "new.loom")
    assert set(findings.of("nodes").ids) == gone
    assert any("lost: 40" in sentence for sentence in findings.damage)
    assert glance(tmp_path / "new.loom").nodes == len(tree) - len(gone)


def test_the_number_of_a_lost_node_is_not_given_again(whole: Path, tmp_path: Path) -> None:
    path, saved = copied(whole, tmp_path), tmp_path / "new.loom"
    last = max(node.id for node in Witness.of(whole).loaded.nodes)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM node WHERE id = ?", (last,))
    assert last in salvage(path, saved).of("nodes").ids
    with closing(Store.open(saved, read_only=True)) as store:
        tree = Record(store).tree
    assert tree.next_id == last + 1
    assert glance(saved).nodes == len(tree) - 1


def test_an_edited_node_is_known_by_its_hash(whole: Path, tmp_path: Path) -> None:
    """Whoever knows the sums can put them right; the hash speaks of all that comes before."""
    path = copied(whole, tmp_path)
    store = Store.open(path)
    loaded = store.load()
    parents = {node.parent for node in loaded.nodes}
    leaf = next(n for n in reversed(loaded.nodes) if n.id not in parents and not n.token_count)
    store.post(Batch(nodes=((replace(leaf, text=b"other"), None),)))
    store.close()
    found = examine(path)
    assert f"node {leaf.id} is not what its hash says." in found.damage
    assert found.of("nodes").ids == (leaf.id,)


@pytest.mark.parametrize("number", [2**40, 2**63 - 1])
def test_a_number_out_of_all_reason_takes_no_memory(
    whole: Path, tmp_path: Path, number: int
) -> None:
    """As it may be in a file of the first version, which had no checksums."""
    path = tmp_path / "first.loom"
    as_first_version(whole, path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE event SET id = ? WHERE id = 7", (number,))
    findings = salvage(path, tmp_path / "saved.loom")
    assert findings.of("events").ids == (7,)
    assert len(Witness.of(tmp_path / "saved.loom").loaded.nodes) == 60


def test_lost_columns_are_said_whatever_hangs_on_their_node(whole: Path, tmp_path: Path) -> None:
    path = copied(whole, tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        sql = "SELECT node FROM tokens WHERE node IN (SELECT parent FROM node) ORDER BY node"
        (number,) = connection.execute(sql).fetchone()
        connection.execute("DELETE FROM tokens WHERE node = ?", (number,))
    findings = examine(path)
    assert findings.of("token columns").ids == (number,)
    assert any(f"token columns of node {number} " in sentence for sentence in findings.damage)


def test_nothing_to_save_is_said(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no session at all\n" * 1000)
    with pytest.raises(StoreError, match="holds nothing of a session"):
        examine(path)
    with pytest.raises(StoreError, match="holds nothing of a session"):
        salvage(path, tmp_path / "new.loom")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["notes.txt"]


def test_what_is_there_is_not_overwritten(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "new.loom").write_text("mine")
    with pytest.raises(StoreError, match="there already"):
        salvage(whole, tmp_path / "new.loom")
    assert (tmp_path / "new.loom").read_text() == "mine"


LEFT = """
import os, pathlib, sys
from benchmarks.faults.story import Story
from loom.store.store import Store
store = Store.create(pathlib.Path(sys.argv[1]))
Story(store, 3).grow(30)
store.flush()
os.kill(os.getpid(), 9)
"""


def test_a_session_whose_file_is_still_in_its_log_is_saved_from_there(tmp_path: Path) -> None:
    path = tmp_path / "story.loom"
    subprocess.run([sys.executable, "-c", LEFT, path], cwd=ROOT_FOLDER, check=False)
    log_file = path.with_name("story.loom-wal")
    log = read_log(log_file.read_bytes())
    assert log is not None and log.frames and log.sound == len(log.frames) and not log.lost
    middle = log.frames[len(log.frames) // 2].start + 50
    raw = bytearray(log_file.read_bytes())
    raw[middle] ^= 1
    log_file.write_bytes(raw)
    hurt = read_log(bytes(raw))
    assert hurt is not None and hurt.sound < len(hurt.frames) and hurt.lost > 3
    assert any("log is damaged" in sentence for sentence in examine(path).damage)
    with pytest.raises(SessionDamaged, match="log"):
        Store.open(path)
    assert log_file.stat().st_size == len(raw)
    findings = salvage(path, tmp_path / "new.loom")
    assert findings.of("nodes").whole + findings.of("damaged, kept").lost >= 29
    kept = Witness.of(tmp_path / "new.loom").loaded.nodes
    assert all(node.ended is not None and node.ended is not Ending.CRASH for node in kept)


def test_bytes_flipped_and_files_cut_anywhere(whole: Path, tmp_path: Path) -> None:
    """Each opens whole or is saved; nothing is lost or changed without a word."""
    before, raw = Witness.of(whole), whole.read_bytes()
    source, outcomes = random.Random(7), Counter[str]()
    for index in range(32):
        data = bytearray(raw)
        if index % 4 == 0:
            del data[source.randrange(len(data)) :]
        else:
            offset = source.randrange(len(data))
            if index % 2:
                offset = offset // PAGE * PAGE + source.randrange(100)
            data[offset] ^= source.randrange(1, 256)
        path = tmp_path / f"{index}.loom"
        path.write_bytes(data)
        outcomes[opened_or_saved(path, before)[0]] += 1
    assert {"whole", "saved"} <= outcomes.keys()


def test_keys_are_columns() -> None:
    assert all(set(KEYS[table]) <= set(columns) for table, columns in COLUMNS.items())
