from __future__ import annotations

import resource
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loom.core.node import Node
from loom.store import store as stores
from loom.store import writer as module
from loom.store.file import copy
from loom.store.store import Batch, Store, StoreError

BIG = Batch(meta={"big": "x" * 200_000})


class Heard:
    """An on_error that keeps what it hears; `wait` returns when there is something."""

    def __init__(self) -> None:
        self.errors: list[StoreError] = []
        self._event = threading.Event()

    def __call__(self, error: StoreError) -> None:
        self.errors.append(error)
        self._event.set()

    def wait(self) -> None:
        assert self._event.wait(60)


@contextmanager
def no_room() -> Iterator[None]:
    """No file of this process may grow beyond 100 kB: writing fails as on a broken or full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def full(store: Store) -> Iterator[None]:
    """The file may not get any more pages: SQLite's own error for a full disk."""
    assert store._writing is not None
    store.flush()
    connection = store._writing[1]
    connection.execute("PRAGMA max_page_count = 1")
    try:
        yield
    finally:
        connection.execute("PRAGMA max_page_count = 1000000")


def test_a_disk_that_fails_is_reported_once_and_what_was_posted_is_kept(store: Store) -> None:
    heard = store.on_error = Heard()
    with no_room():
        store.post(BIG)
        store.post(Batch(meta={"after": "1"}))
        for _ in range(3):
            with pytest.raises(StoreError, match=r"story\.loom could not be written"):
                store.flush()
        heard.wait()
        assert len(heard.errors) == 1
        assert heard.errors[0].hint
        assert store.error is not None
    store.flush()
    assert store.error is None
    assert set(store.load().meta) == {"big", "after"}


def test_a_full_disk_is_named(store: Store) -> None:
    with full(store):
        store.post(BIG)
        with pytest.raises(StoreError, match="the disk is full") as refused:
            store.flush()
        assert "room" in refused.value.hint
    assert store.load().meta["big"]


def test_it_tries_again_by_itself(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.02)
    heard = store.on_error = Heard()
    with no_room():
        store.post(BIG)
        heard.wait()
    writer = store._writer
    assert writer is not None
    with writer._changed:
        assert writer._changed.wait_for(lambda: not writer._queue, 60)
    assert store.load().meta["big"]


def test_a_second_trouble_after_recovery_is_reported_again(store: Store) -> None:
    heard = store.on_error = Heard()
    for _ in range(2):
        with full(store):
            store.post(BIG)
            with pytest.raises(StoreError):
                store.flush()
        store.flush()
        assert store._writing is not None
        store.post(Batch(meta={"big": None}))
        store.flush()
        store._writing[1].execute("VACUUM")
    assert len(heard.errors) == 2


def test_closing_while_nothing_can_be_written_says_what_is_lost(store: Store) -> None:
    store.post(Batch(meta={"kept": "1"}))
    store.flush()
    with no_room():
        store.post(BIG)
        store.post(Batch(meta={"x": "1"}))
        with pytest.raises(StoreError, match="The last 2 changes are not saved: story.loom"):
            store.close()
    again = Store.open(store.path)  # unlocked all the same
    assert again.load().meta == {"kept": "1"}
    again.close()


def test_a_disk_that_fills_up_while_closing_leaves_a_session_that_opens(store: Store) -> None:
    """Part of the log is in the file then, and the file makes no sense without the rest."""
    store.post(BIG)
    store.flush()
    with no_room():
        store.close()
    assert Path(f"{store.path}-wal").stat().st_size > 0
    for read_only in (True, False):
        again = Store.open(store.path, read_only=read_only)
        assert again.load().meta == BIG.meta
        again.close()


def test_closing_tries_once_more(store: Store) -> None:
    with no_room():
        store.post(BIG)
        with pytest.raises(StoreError):
            store.flush()
    store.close()
    again = Store.open(store.path)
    assert again.load().meta["big"]
    again.close()


def test_a_batch_that_can_never_be_written_stops_the_writing_and_is_said(
    store: Store, node: Callable[..., Node]
) -> None:
    """Nothing overtakes it: the file stays a prefix of what was posted."""
    heard = store.on_error = Heard()
    wrong: Any = "not a number"
    store.post(Batch(meta={"before": "1"}))
    store.post(Batch(nodes=((replace(node(1), at=wrong), None),), meta={"with": "1"}))
    heard.wait()
    for use in (lambda: store.post(Batch(meta={"after": "1"})), store.flush, store.load):
        with pytest.raises(StoreError):
            use()
    with pytest.raises(StoreError, match="The last change is not saved"):
        store.close()
    again = Store.open(store.path)
    assert again.load().meta == {"before": "1"}
    again.close()


def test_a_batch_is_whole_or_not_there(store: Store, node: Callable[..., Node]) -> None:
    nodes = tuple((node(i, b"x" * 3000), None) for i in range(1, 100))
    with no_room():
        store.post(Batch(meta={"event": "1"}, nodes=nodes))
        with pytest.raises(StoreError):
            store.flush()
        with sqlite3.connect(f"{store.path.as_uri()}?mode=ro", uri=True) as other:
            assert other.execute("SELECT count(*) FROM node").fetchone() == (0,)
            assert other.execute("SELECT count(*) FROM meta").fetchone() == (0,)
        other.close()
    store.flush()
    assert len(store.load().nodes) == 99


def test_a_listener_that_fails_does_not_end_the_writing(store: Store) -> None:
    def fail(error: StoreError) -> None:
        raise RuntimeError("Event loop is closed")

    store.on_error = fail
    with no_room():
        store.post(BIG)
        with pytest.raises(StoreError):
            store.flush()
    store.flush()
    assert store.load().meta["big"]


def test_errors_are_heard_in_the_writer_s_thread(store: Store) -> None:
    names: list[str] = []
    store.on_error = lambda error: names.append(threading.current_thread().name)
    with no_room():
        store.post(BIG)
        with pytest.raises(StoreError):
            store.flush()
    store.flush()
    assert names == ["session writer"]


def test_a_session_moved_away_while_open_is_said_and_can_be_copied(
    store: Store, tmp_path: Path
) -> None:
    heard = store.on_error = Heard()
    store.post(Batch(meta={"a": "1"}))
    store.flush()
    store.path.rename(tmp_path / "moved.loom")
    store.post(Batch(meta={"b": "2"}))
    with pytest.raises(StoreError, match="moved or removed"):
        store.flush()
    assert len(heard.errors) == 1
    store.copy_to(tmp_path / "rescued.loom")
    rescued = Store.open(tmp_path / "rescued.loom")
    assert rescued.load().meta == {"a": "1", "b": "2"}
    rescued.close()


def test_a_copy_holds_what_could_not_be_written_too(store: Store, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.loom"
    store.post(Batch(meta={"a": "1", "b": "1"}))
    with full(store):
        store.post(BIG)
        store.post(Batch(meta={"a": "2", "b": None}))
        with pytest.raises(StoreError):
            store.flush()
        store.copy_to(elsewhere)
        copied = Store.open(elsewhere)
        assert copied.load().meta == {"a": "2", **BIG.meta}
        copied.close()
    store.flush()


def test_a_copy_taken_while_the_disk_recovers_is_not_set_back(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waited when the copy began, and something newer, get written before it is complete."""
    real = copy

    def slow(connection: sqlite3.Connection, path: Path, finish: Any) -> None:
        monkeypatch.setattr(stores, "copy", real)
        unblock()
        store.post(Batch(meta={"a": "new"}))
        store.flush()
        real(connection, path, finish)

    blocked = full(store)
    blocked.__enter__()

    def unblock() -> None:
        blocked.__exit__(None, None, None)

    store.post(Batch(meta={**BIG.meta, "a": "old"}))
    with pytest.raises(StoreError):
        store.flush()
    monkeypatch.setattr(stores, "copy", slow)
    store.copy_to(tmp_path / "copy.loom")
    copied = Store.open(tmp_path / "copy.loom")
    assert copied.load().meta["a"] == "new"
    copied.close()


def test_a_folder_removed_while_open_is_said_and_what_was_written_can_be_copied(
    tmp_path: Path,
) -> None:
    (tmp_path / "folder").mkdir()
    store = Store.create(tmp_path / "folder" / "story.loom")
    heard = store.on_error = Heard()
    store.post(Batch(meta={"a": "1"}))
    store.flush()
    shutil.rmtree(tmp_path / "folder")
    store.post(Batch(meta={"b": "2"}))
    heard.wait()
    store.copy_to(tmp_path / "rescued.loom")
    store.close()
    rescued = Store.open(tmp_path / "rescued.loom")
    assert rescued.load().meta == {"a": "1", "b": "2"}
    rescued.close()
