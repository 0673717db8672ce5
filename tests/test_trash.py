"""The trash: sessions go there, come back under names that are free, and are deleted when asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from loom import shelf, trash
from loom.session import Session
from loom.store.errors import SessionLocked, StoreError
from loom.store.glance import glance


async def made(path: Path, text: str) -> Path:
    async with Session.create(path, seed=1) as session:
        session.write(text)
    return path


async def test_the_trash_keeps_what_was_there_under_names_that_are_free(tmp_path: Path) -> None:
    moved = []
    for text in ("one", "two"):
        path = await made(tmp_path / "a.loom", text)
        moved.append(trash.trashed(path))
    assert shelf.listed(tmp_path) == []
    assert [path.name for path in moved] == ["a.loom", "a-2.loom"]
    assert {glance(path).opening for path in moved} == {b"one", b"two"}
    assert list(tmp_path.iterdir()) == [tmp_path / trash.TRASH], "no lock and no log is left"


async def test_a_damaged_session_can_be_put_into_the_trash(tmp_path: Path) -> None:
    path = tmp_path / "broken.loom"
    path.write_bytes(b"nothing of use")
    assert trash.trashed(path).read_bytes() == b"nothing of use"


def test_only_sessions_are_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(StoreError, match="not a Loom session"):
        trash.trashed(tmp_path / "thesis.txt")
    with pytest.raises(StoreError, match="There is no session"):
        trash.trashed(tmp_path / "gone.loom")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


async def test_a_session_that_is_open_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.loom"
    async with Session.create(path, seed=1):
        with pytest.raises(SessionLocked):
            trash.trashed(path)
        assert path.exists()


async def test_what_is_restored_takes_no_name_that_is_in_use(tmp_path: Path) -> None:
    gone = trash.trashed(await made(tmp_path / "a.loom", "first"))
    await made(tmp_path / "a.loom", "second")
    assert [shelved.words for shelved in trash.thrown(tmp_path)] == ["first"]
    back = trash.restored(gone)
    assert (back, glance(back).opening) == (tmp_path / "a-2.loom", b"first")
    assert trash.thrown(tmp_path) == []
    assert glance(tmp_path / "a.loom").opening == b"second"


async def test_only_the_trash_gives_back(tmp_path: Path) -> None:
    path = await made(tmp_path / "a.loom", "here")
    with pytest.raises(StoreError, match="not in a trash folder"):
        trash.restored(path)
    with pytest.raises(StoreError, match="There is no session"):
        trash.restored(tmp_path / trash.TRASH / "none.loom")
    assert path.exists()


async def test_emptying_deletes_sessions_and_nothing_else(tmp_path: Path) -> None:
    assert trash.emptied(tmp_path) == 0
    for name in ("a", "b"):
        trash.trashed(await made(tmp_path / f"{name}.loom", name))
    kept = await made(tmp_path / "kept.loom", "kept")
    notes = tmp_path / trash.TRASH / "notes.txt"
    notes.write_text("not a session")
    assert trash.emptied(tmp_path) == 2
    assert sorted(tmp_path.rglob("*.*")) == sorted([kept, notes])


async def test_what_someone_has_open_is_not_deleted(tmp_path: Path) -> None:
    gone = trash.trashed(await made(tmp_path / "a.loom", "a"))
    async with Session.open(gone):
        with pytest.raises(SessionLocked):
            trash.emptied(tmp_path)
    assert gone.exists()
