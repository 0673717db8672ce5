"""What is hidden is taken out for good; all that can be seen stays, and the old file too."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from loom.compaction import compacted, unseen
from loom.core.marks import Kind
from loom.core.node import Place
from loom.session import Session
from loom.store.examine import examine
from loom.store.glance import glance
from loom.store.store import SessionLocked, StoreError


async def story(path: Path, seed: int) -> tuple[set[int], dict[int, bytes]]:
    """The visible nodes, and every node's text."""
    source = random.Random(seed)
    async with Session.create(path, seed=1) as session:
        for index in range(30):
            shown = [node for node in session.tree if not session.is_hidden(node)]
            node = source.choice(shown)
            place = Place(node, source.randint(0, session.tree[node].length))
            session.write(f"{index} words ", session._visible_place(place))
            if index % 4 == 3:
                session.hide(session.display.segment_of(session.place))
        texts = {node: session.tree[node].text for node in session.tree}
        return {node for node in session.tree if not session.is_hidden(node)}, texts


@pytest.mark.parametrize("seed", range(5))
async def test_only_what_nobody_sees_goes(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "story.loom"
    shown, texts = await story(path, seed)
    before = path.read_bytes()
    async with Session.open(path, read_only=True) as session:
        paths = {node: session.path_text(session.tree[node].end) for node in shown}
        assert unseen(session.tree, session.marks).isdisjoint(shown)
    done = compacted(path)
    assert done.removed and done.after <= done.before
    assert done.backup is not None and done.backup.read_bytes() == before
    assert examine(path).whole
    assert glance(path).nodes == len(texts) - 1 - len(done.removed)
    async with Session.open(path) as session:
        assert set(session.tree) == texts.keys() - set(done.removed)
        assert {node for node in session.tree if not session.is_hidden(node)} == shown
        assert paths == {node: session.path_text(session.tree[node].end) for node in shown}
        assert all(mark.node in session.tree for mark, _ in session.marks)
        assert session.undo() is None
        assert session.history.barrier
        with pytest.raises(ValueError, match="removed for good"):
            session.return_to(1)
        node = session.write("on")
        assert node not in done.removed
        assert session.undo() == "write"
    assert compacted(path).removed == (node,)


async def test_the_numbers_of_what_was_removed_are_never_given_again(tmp_path: Path) -> None:
    path, numbers = tmp_path / "story.loom", set[int]()
    for turn in range(3):
        async with Session.open(path) if turn else Session.create(path, seed=1) as session:
            kept, last = (session.write(f"{turn} {word}") for word in ("kept", "hidden"))
            session.hide(session.display.segment_of(session.tree[last].end))
        assert numbers.isdisjoint({kept, last})
        numbers |= {kept, last}
        assert compacted(path).removed == (last,)
        assert glance(path).nodes == turn + 1
        assert examine(path).whole


async def test_of_a_session_compacted_before_that_was_kept_the_nodes_are_counted(
    tmp_path: Path,
) -> None:
    path = tmp_path / "story.loom"
    async with Session.create(path, seed=1) as session:
        for word in ("one", "two", "three"):
            last = session.write(word)
        session.hide(session.display.segment_of(session.tree[last].end))
    assert compacted(path).removed == (last,)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM meta WHERE key = 'next'")
    assert glance(path).nodes == 2


async def test_nothing_hidden_nothing_done(tmp_path: Path) -> None:
    path = tmp_path / "story.loom"
    async with Session.create(path, seed=1) as session:
        session.write("words")
    before = path.read_bytes()
    assert compacted(path).backup is None
    assert path.read_bytes() == before


async def test_not_while_somebody_has_it_open(tmp_path: Path) -> None:
    path = tmp_path / "story.loom"
    async with Session.create(path, seed=1) as session:
        session.hide(session.display.segment_of(session.tree[session.write("words")].end))
        session._store.flush()
        with pytest.raises(SessionLocked):
            compacted(path)
        assert session.marks.hidden == {1: 0}
        assert Kind.HIDDEN in {mark.kind for mark, _ in session.marks}


async def test_where_the_backup_can_not_be_kept_all_stays(tmp_path: Path, _home: Path) -> None:
    path = tmp_path / "story.loom"
    async with Session.create(path, seed=1) as session:
        session.hide(session.display.segment_of(session.tree[session.write("words")].end))
    (_home / "backups").write_text("in the way")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="can't be compacted"):
        compacted(path)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["story.loom"]


async def test_a_session_that_is_opened_again_has_a_backup(tmp_path: Path, _home: Path) -> None:
    path = tmp_path / "story.loom"
    for text in ("one", "two"):
        session = Session.open(path) if path.exists() else Session.create(path, seed=1)
        async with session:
            session.write(text)
    (backup,) = (_home / "backups").iterdir()
    # Copied beside the writing: it has what was there when it was opened, and perhaps more.
    assert glance(backup).opening in (b"one", b"onetwo")
