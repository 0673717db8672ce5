"""The end of a text read without loading: the same bytes, or nothing where it isn't simple."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from loom.core.node import ROOT, Place
from loom.session import Session
from loom.store.ending import end_of_text


def bushy(path: Path, seed: int) -> Session:
    """Branches at, inside and before the end of others."""
    session, chance = Session.create(path, seed=7), random.Random(seed)
    for number in range(40):
        node = chance.choice(list(session.tree))
        at = chance.choice((session.tree[node].length, session.tree[node].length // 2, 0))
        session.write(f"{number} é" * chance.randint(1, 9), Place(node, at))
    return session


def test_it_is_the_end_of_the_path(tmp_path: Path) -> None:
    path = tmp_path / "story.loom"
    session = bushy(path, 1)
    places = [session.tree[node].end for node in session.tree if node != ROOT]
    asyncio.run(session.close())
    for place in places[::7]:
        session = Session.open(path)
        session.go(place)
        text = session.tree.path_bytes(place)
        asyncio.run(session.close())
        for most in (5, 40, 10_000):
            end = end_of_text(path, most)
            assert end is not None
            assert b"".join(data for _, data in end.stretches) == text[-most:]
            assert end.whole == (len(text) < most)
            assert {author for author, _ in end.stretches} <= {"writer"}
            assert end.title == "story"


def test_nothing_where_loading_has_more_to_say(tmp_path: Path) -> None:
    path = tmp_path / "story.loom"
    session = Session.create(path)
    session.write("Once.")
    assert end_of_text(path) is None, "it is in use"
    asyncio.run(session.close())
    assert end_of_text(path) is not None
    assert end_of_text(tmp_path / "none.loom") is None
    assert end_of_text(tmp_path) is None
    (tmp_path / "draft.txt").write_text("Once.")
    assert end_of_text(tmp_path / "draft.txt") is None
    path.write_bytes(path.read_bytes()[: -len(path.read_bytes()) // 2])
    assert end_of_text(path) is None
