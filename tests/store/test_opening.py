from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from loom.core.node import Node
from loom.store.schema import APPLICATION_ID, VERSION
from loom.store.store import (
    Batch,
    SessionDamaged,
    SessionForeign,
    SessionLocked,
    SessionMissing,
    SessionNewer,
    Store,
    StoreError,
)
from loom.store.sums import COLUMNS, KEYS, sum_of


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


ROOT_FOLDER = Path(__file__).parents[2]


@pytest.fixture
def closed(store: Store, node: Callable[..., Node]) -> Path:
    """A session at rest with two nodes."""
    store.post(Batch(nodes=((node(1, b"one"), None), (node(2, b"two", parent=1, at=3), None))))
    store.close()
    return store.path


def change(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def one_sentence(error: StoreError) -> bool:
    text = str(error)
    return text.endswith(".") and "\n" not in text and "Traceback" not in text


def test_create_refuses_what_is_there(tmp_path: Path, closed: Path) -> None:
    before = closed.read_bytes()
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("story.loom", "folder", "dangling"):
        with pytest.raises(StoreError, match="there already") as refused:
            Store.create(tmp_path / name)
        assert one_sentence(refused.value) and refused.value.hint
    assert closed.read_bytes() == before


def test_create_in_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "no" / "a.loom", tmp_path / ("x" * 300), tmp_path / "nul\0"):
        with pytest.raises(StoreError) as refused:
            Store.create(path)
        assert one_sentence(refused.value)
    assert names(tmp_path) == []


def test_create_does_not_adopt_the_log_of_a_session_that_is_gone(
    tmp_path: Path, closed: Path
) -> None:
    (tmp_path / "new.loom-wal").write_bytes(b"frames")
    with pytest.raises(StoreError, match="left over"):
        Store.create(tmp_path / "new.loom")
    assert (tmp_path / "new.loom-wal").read_bytes() == b"frames"


def test_a_new_session_says_what_it_is(closed: Path) -> None:
    with sqlite3.connect(closed) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        tables = connection.execute(
            "SELECT name, strict FROM pragma_table_list WHERE schema='main'"
        )
        found = {name: strict for name, strict in tables if not name.startswith("sqlite_")}
    names = {"meta", "model", "recipe", "node", "tokens", "piece", "mark", "reading", "event"}
    assert found == dict.fromkeys(names, 1)


@pytest.mark.parametrize(
    "name", ["a b.loom", "100%.loom", "what?x=1#y.loom", "naïve ☕.loom", "a'b\".x"]
)
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    Store.create(tmp_path / name).close()
    store = Store.open(tmp_path / name)
    store.post(Batch(meta={"a": "b"}))
    assert store.load().meta == {"a": "b"}
    store.close()
    assert names(tmp_path) == [name]


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(SessionMissing, match=r"gone\.loom") as refused:
        Store.open(tmp_path / "gone.loom")
    assert one_sentence(refused.value)
    assert names(tmp_path) == []


def sqlite_of_another(path: Path) -> None:
    change(path, "CREATE TABLE node (id)", "PRAGMA user_version = 1")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.mkdir(), "folder"),
        (lambda path: path.touch(), "empty"),
        (lambda path: path.write_text("Once upon a time"), "not a Loom session"),
        (lambda path: path.write_bytes(os.urandom(5000)), "not a Loom session"),
        (lambda path: path.write_bytes(b"SQLite format 3\0" + b"\xff" * 200), "not a Loom session"),
        (sqlite_of_another, "not a Loom session"),
        (lambda path: os.mkfifo(path), "not a file"),
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
def test_something_else_is_there(
    tmp_path: Path, make: Callable[[Path], None], says: str, read_only: bool
) -> None:
    path = tmp_path / "other.loom"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(SessionForeign, match=says) as refused:
        Store.open(path, read_only=read_only)
    assert one_sentence(refused.value) and refused.value.hint
    assert names(tmp_path) == ["other.loom"]
    assert before is None or path.read_bytes() == before


def test_a_foreign_database_with_a_log_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("CREATE TABLE t (x)")
    other.commit()
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(SessionForeign):
        Store.open(path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    other.close()


def test_impossible_names_are_sentences(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("x")
    for name in ("x" * 300, "nul\0", "loop", "file/below"):
        with pytest.raises(StoreError) as refused:
            Store.open(tmp_path / name)
        assert one_sentence(refused.value)


def test_a_second_opener_is_told_and_may_read(store: Store, node: Callable[..., Node]) -> None:
    store.post(Batch(nodes=((node(1), None),), meta={"a": "b"}))
    store.flush()
    with pytest.raises(SessionLocked) as refused:
        Store.open(store.path)
    assert refused.value.pid == os.getpid()
    reader = Store.open(store.path, read_only=True)
    assert reader.read_only and reader.read_only_because
    assert reader.load().meta == {"a": "b"}
    store.post(Batch(meta={"a": "c"}))
    store.flush()
    assert reader.load().meta == {"a": "c"}
    with pytest.raises(StoreError, match="can't be changed"):
        reader.post(Batch())
    reader.flush()
    reader.close()
    assert not store.read_only


def test_a_symbolic_link_is_locked_with_its_file(store: Store, tmp_path: Path) -> None:
    (tmp_path / "link.loom").symlink_to(store.path)
    with pytest.raises(SessionLocked):
        Store.open(tmp_path / "link.loom")


def test_a_reader_that_stays_does_not_keep_the_writer_from_closing(store: Store) -> None:
    store.post(Batch(meta={"a": "b"}))
    reader = Store.open(store.path, read_only=True)
    reader.load()
    store.close()
    assert reader.load().meta == {"a": "b"}
    reader.close()
    again = Store.open(store.path)
    assert again.load().meta == {"a": "b"}
    again.close()
    assert names(store.path.parent) == ["story.loom"]


def test_a_newer_session_opens_read_only(closed: Path) -> None:
    change(closed, f"PRAGMA user_version = {VERSION + 1}", "CREATE TABLE more (x)")
    store = Store.open(closed)
    assert store.read_only and "later version" in store.read_only_because
    assert len(store.load().nodes) == 2
    with pytest.raises(StoreError, match="later version"):
        store.post(Batch())
    store.close()


def test_a_newer_session_that_makes_no_sense_says_so(closed: Path) -> None:
    change(closed, f"PRAGMA user_version = {VERSION + 1}", "ALTER TABLE node RENAME TO leaf")
    store = Store.open(closed)
    with pytest.raises(SessionNewer, match="later Loom"):
        store.load()
    store.close()


def test_a_version_known_only_to_the_log_counts(closed: Path, tmp_path: Path) -> None:
    """A later Loom migrated the session and was killed before its log got into the file."""
    script = (
        "import os, sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('PRAGMA journal_mode = WAL')\n"
        f"c.execute('PRAGMA user_version = {VERSION + 7}')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, closed], check=False)
    assert Path(f"{closed}-wal").stat().st_size > 0
    store = Store.open(closed)
    assert store.read_only
    store.close()


def change_and_sum(path: Path, statement: str) -> None:
    """As a program would write it that knows the sums."""
    change(path, statement)
    with sqlite3.connect(path) as connection:
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        for table, columns in COLUMNS.items():
            for rowid, *row in connection.execute(
                f"SELECT {KEYS[table][-1]}, {', '.join(columns)} FROM {table}"
            ).fetchall():
                where = f"{KEYS[table][-1]} = ?"
                update = f"UPDATE {table} SET sum = ? WHERE {where}"
                connection.execute(update, (sum_of(table, row), rowid))
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE node SET author = 'ghost' WHERE id = 1",
        "UPDATE node SET ended = 'never' WHERE id = 1",
        "UPDATE node SET parent = 77 WHERE id = 2",
        "UPDATE node SET parent = 2 WHERE id = 2",
        "UPDATE node SET parent = NULL WHERE id = 2",
        "UPDATE node SET id = 0, parent = 0, at = 0 WHERE id = 1",
        "UPDATE node SET at = 4 WHERE id = 2",
        "UPDATE node SET at = -1 WHERE id = 2",
        "INSERT INTO event VALUES (1, 0.0, 'x', '{', 0)",
        "INSERT INTO event VALUES (1, 0.0, 'x', '1,2', 0)",
        "INSERT INTO recipe VALUES (1, 'nothing', 0)",
        "INSERT INTO mark VALUES (1, 0, 'unheard of', '', 0)",
    ],
)
def test_values_that_make_no_sense_are_damage(closed: Path, statement: str) -> None:
    change_and_sum(closed, statement)
    refuses_damage(closed)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE node SET text = x'6f6e66' WHERE id = 1",
        "UPDATE node SET created = created + 1e-6 WHERE id = 2",
        "UPDATE node SET hash = x'00' WHERE id = 2",
        "UPDATE node SET id = 3 WHERE id = 2",
        "INSERT INTO meta VALUES ('title', 'mine', 0)",
        "INSERT INTO meta VALUES (CAST(x'ff' AS TEXT), '', 0)",
        "DROP TABLE mark",
    ],
)
def test_what_loom_did_not_write_is_damage_and_stays_as_it_is(closed: Path, statement: str) -> None:
    change(closed, statement)
    refuses_damage(closed)


def refuses_damage(closed: Path) -> None:
    before = closed.read_bytes()
    for read_only in (False, True):
        with pytest.raises(StoreError) as refused:
            store = Store.open(closed, read_only=read_only)
            try:
                store.load()
            finally:
                store.close()
        assert isinstance(refused.value, SessionDamaged) or "no such table" in str(refused.value)
        assert one_sentence(refused.value) and "doctor" in refused.value.hint
    assert closed.read_bytes() == before
    assert names(closed.parent) == [closed.name]


def test_a_span_that_makes_no_sense_is_damage(closed: Path) -> None:
    columns, checksum = ", ".join(["x'00'"] * 8), zlib.crc32(bytes(8))
    change(closed, f"INSERT INTO tokens VALUES (1, 3, 20, {checksum}, {columns}{', NULL' * 6})")
    store = Store.open(closed)
    assert len(store.load().nodes) == 2
    with pytest.raises(SessionDamaged):
        store.span(1)
    store.close()


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_file_cut_short_is_damage_and_never_a_traceback(closed: Path, share: float) -> None:
    whole = closed.read_bytes()
    closed.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises((SessionDamaged, SessionForeign)) as refused:
        store = Store.open(closed)
        try:
            store.load()
        finally:
            store.close()
    assert one_sentence(refused.value)


def test_an_empty_file_beside_a_full_log_is_damage(closed: Path) -> None:
    closed.write_bytes(b"")
    Path(f"{closed}-wal").write_bytes(b"x" * 100)
    with pytest.raises(SessionDamaged):
        Store.open(closed)


LEFT = """
import os, sys, pathlib
from loom.store.store import Batch, Store
store = Store.open(pathlib.Path(sys.argv[1]))
store.post(Batch(meta={"in the log": "yes"}))
store.flush()
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def killed(closed: Path) -> Path:
    """A session whose last batch is in the log that a killed process left."""
    subprocess.run([sys.executable, "-c", LEFT, closed], cwd=ROOT_FOLDER, check=False)
    assert Path(f"{closed}-wal").stat().st_size > 0
    return closed


def test_a_log_left_over_is_taken_in(killed: Path) -> None:
    store = Store.open(killed)
    assert store.load().meta == {"in the log": "yes"}
    store.close()
    assert names(killed.parent) == ["story.loom"]


def test_a_log_left_over_can_be_read_without_the_lock(killed: Path) -> None:
    store = Store.open(killed, read_only=True)
    assert store.load().meta == {"in the log": "yes"}
    store.close()


AS_NOBODY = """
import os, sys, pathlib
if os.geteuid() == 0:
    import loom.store.store, loom.core.marks, numpy, tempfile, shutil
    os.setgid(65534); os.setuid(65534)
from loom.store.store import Store, StoreError
try:
    store = Store.open(pathlib.Path(sys.argv[1]))
    print(store.read_only, store.read_only_because, store.load().meta, len(store.load().nodes))
except StoreError as error:
    print(type(error).__name__, error)
"""


def as_nobody(path: Path) -> str:
    """What somebody without special rights finds at `path`."""
    shared = path.parent
    for folder in (shared, *shared.parents):
        if folder.owner() != "root" or folder.stat().st_mode & 0o007 != 0:
            continue
        folder.chmod(folder.stat().st_mode | 0o001)
    return subprocess.run(
        [sys.executable, "-c", AS_NOBODY, path],
        cwd=ROOT_FOLDER,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.fixture
def opened_up(tmp_path: Path) -> Path:
    """`tmp_path`, reachable for everybody."""
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(folder.stat().st_mode | 0o055)
    return tmp_path


def test_a_file_one_may_not_write_opens_read_only(opened_up: Path, closed: Path) -> None:
    closed.chmod(0o444)
    opened_up.chmod(0o777)
    assert as_nobody(closed).startswith("True You may not write in the file. {} 2")


def test_a_folder_one_may_not_write_in_opens_read_only(opened_up: Path, closed: Path) -> None:
    closed.chmod(0o666)
    opened_up.chmod(0o555)
    assert as_nobody(closed).startswith("True You may not write in its folder. {} 2")
    opened_up.chmod(0o755)


def test_a_log_left_in_a_folder_one_may_not_write_in_is_read_all_the_same(
    opened_up: Path, killed: Path
) -> None:
    Path(f"{killed}-shm").unlink()
    for path in opened_up.iterdir():
        path.chmod(0o444)
    opened_up.chmod(0o555)
    assert "{'in the log': 'yes'} 2" in as_nobody(killed)
    opened_up.chmod(0o755)


def test_a_file_one_may_not_read_is_a_sentence(opened_up: Path, closed: Path) -> None:
    closed.chmod(0o000)
    assert as_nobody(closed) == "StoreError You may not read story.loom.\n"


def test_a_copy_of_the_file_alone_opens(closed: Path, tmp_path: Path) -> None:
    shutil.copy(closed, tmp_path / "elsewhere.loom")
    store = Store.open(tmp_path / "elsewhere.loom")
    assert len(store.load().nodes) == 2
    store.close()
