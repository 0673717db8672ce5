"""Copies of earlier days: one a day, five in all, none of what has not changed."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.faults.story import Story, write_story
from benchmarks.faults.witness import Witness
from loom.store.backup import KEPT, Backups, Keeper
from loom.store.store import Store, StoreError

NOON = datetime(2026, 3, 1, 12)


@pytest.fixture
def session(tmp_path: Path) -> Path:
    return write_story(tmp_path / "story.loom", nodes=4)


@pytest.fixture
def backups(tmp_path: Path, session: Path) -> Backups:
    return Backups(tmp_path / "backups", session)


def change(session: Path) -> None:
    store = Store.open(session)
    store.post(Story.note(store))
    store.close()


def test_one_a_day_and_only_of_what_has_changed(backups: Backups, session: Path) -> None:
    assert backups.there() == [] and backups.due(NOON)
    copy = backups.make(NOON)
    assert copy is not None and backups.there() == [copy]
    assert Witness.of(copy) == Witness.of(session)
    change(session)
    assert not backups.due(NOON + timedelta(hours=11))
    assert backups.due(NOON + timedelta(days=1))
    backups.make(NOON + timedelta(days=1))
    assert not backups.due(NOON + timedelta(days=2))
    assert not backups.due(NOON - timedelta(days=2))


def test_the_newest_stay_and_what_was_kept_for_another_reason(
    backups: Backups, session: Path
) -> None:
    backups.make(NOON - timedelta(days=100))
    shutil.copy(session, backups.named("compacted-2026-01-01-120000"))
    for day in range(KEPT + 2):
        backups.make(NOON + timedelta(days=day))
    days = [path.name.split(".")[-2] for path in backups.there()]
    assert days == ["compacted-2026-01-01-120000", *(f"2026-03-0{n}" for n in (7, 6, 5, 4, 3))]


def test_sessions_of_one_name_in_two_folders_are_told_apart(
    tmp_path: Path, backups: Backups, session: Path
) -> None:
    other = Backups(tmp_path / "backups", tmp_path / "other" / session.name)
    backups.make(NOON)
    assert other.there() == []


def test_a_copy_that_is_given_up_leaves_nothing(backups: Backups, tmp_path: Path) -> None:
    assert backups.make(NOON, stop=lambda: True) is None
    assert list((tmp_path / "backups").iterdir()) == []


def test_it_is_made_beside_the_work(backups: Backups, session: Path) -> None:
    store = Store.open(session)
    troubles: list[StoreError] = []
    keeper = Keeper(backups, NOON, troubles.append)
    store.post(Story.note(store))
    store.flush()
    keeper.close()
    store.close()
    assert troubles == [] and len(backups.there()) == 1
    assert len(Witness.of(backups.there()[0]).loaded.nodes) == 4


def test_a_folder_that_can_not_be_made_is_said(session: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    troubles: list[StoreError] = []
    Keeper(Backups(tmp_path / "file" / "backups", session), NOON, troubles.append).close()
    (trouble,) = troubles
    assert "backup of story.loom" in str(trouble) and trouble.hint
