"""Going back to a moment: everything looks as it did, nothing is gone, and it can be undone."""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from loom.core.marks import Kind, Mark
from loom.core.node import Place
from loom.core.recipe import PRESETS
from loom.past import KINDS, Past
from loom.session import Session


@pytest_asyncio.fixture
async def session(tmp_path: Path) -> AsyncIterator[Session]:
    ticks = itertools.count(1.7e9)
    async with Session.create(tmp_path / "story.loom", seed=1, now=lambda: next(ticks)) as made:
        yield made


def look(session: Session) -> tuple[Any, ...]:
    """All that going back should bring back."""
    shown = {node for node in session.tree if not session.is_hidden(node)}
    marks = {mark: value for mark, value in session.marks if mark.kind in KINDS and value}
    marks = {m: v for m, v in marks.items() if m.node in shown and m.kind is not Kind.HIDDEN}
    settings = (session.recipe, session.branches, session.title)
    return shown, marks, settings, session.place


def something(session: Session, source: random.Random) -> None:
    """One change, of any kind there is without a model."""
    shown = [node for node in session.tree if not session.is_hidden(node)]
    node = source.choice(shown)
    place = Place(node, source.randint(0, session.tree[node].length))
    kind = source.randrange(9)
    if kind < 3:
        session.write(f"words {source.random()}", session._visible_place(place))
    elif kind == 3 and node:
        session.hide(session.display.segment_of(session.tree[node].end))
    elif kind == 4:
        mark = source.choice([Kind.BOOKMARK, Kind.FOLDED, Kind.TAG, Kind.NOTE])
        session.mark(Mark(node, place.at, mark), source.choice([None, "1", "2"]))
    elif kind == 5:
        session.set_sampling(branches=source.randint(1, 9))
    elif kind == 6:
        name = source.choice(sorted(PRESETS))
        session.set_sampling(recipe=replace(session.recipe, sampling=PRESETS[name], preset=name))
    elif kind == 7:
        session.set_title(f"title {source.random()}")
    else:
        source.choice([session.undo, session.redo])()


@pytest.mark.parametrize("seed", range(8))
async def test_every_moment_can_be_gone_back_to_and_that_undone(
    session: Session, seed: int
) -> None:
    source = random.Random(seed)
    session.write("a beginning")
    looks = {session.events()[-1].id: look(session)}
    for _ in range(40):
        something(session, source)
        looks[session.events()[-1].id] = look(session)
        if source.random() < 0.1:
            session.return_to(source.choice(sorted(looks)))
            looks[session.events()[-1].id] = look(session)
    for number in source.sample(sorted(looks), min(12, len(looks))):
        before = look(session)
        count = len(session.tree)
        session.return_to(number)
        assert look(session) == looks[number]
        assert len(session.tree) == count
        if session.history.last is not None and session.events()[-1].kind == "return":
            assert session.undo() == "return"
            assert look(session)[:3] == before[:3]
            assert session.redo() == "return"
            assert look(session) == looks[number]


@pytest.mark.parametrize("seed", range(4))
async def test_undoing_everything_leads_back_step_by_step(session: Session, seed: int) -> None:
    source = random.Random(seed)
    session.write("a beginning")
    looks = [look(session)[:3]]
    for _ in range(25):
        before, last = len(session.history._done), session.history.last
        something(session, source)
        if len(session.history._done) > before:
            looks.append(look(session)[:3])
        elif len(session.history._done) < before:
            looks.pop()
        elif session.history.last is not last:  # joined with the one before
            looks[-1] = look(session)[:3]
    while len(looks) > 1:
        assert look(session)[:3] == looks.pop()
        assert session.undo()
    assert look(session)[:3] == looks[0]


async def test_settings_are_undone_and_redone_also_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "story.loom"
    async with Session.create(path, seed=1) as session:
        session.set_sampling(branches=3)  # how it began
        session.write("words")
        session.set_title("One")
        session.set_title("Two")
        for tokens in (4, 48, 480):  # as while one types
            session.set_sampling(recipe=replace(session.recipe, tokens=tokens))
        session.set_sampling(branches=7)
    async with Session.open(path) as session:
        assert (session.title, session.branches, session.recipe.tokens) == ("Two", 7, 480)
        assert session.undo() == "set"
        assert (session.branches, session.recipe.tokens) == (3, 480)
        assert session.undo() == "set"
        assert session.recipe.tokens == 48
        assert session.undo() == "set"
        assert session.title == "story"
    async with Session.open(path) as session:
        assert (session.title, session.branches, session.recipe.tokens) == ("story", 3, 48)
        assert session.redo() == "set"
        assert session.title == "Two"
        assert [session.undo() for _ in range(3)] == ["set", "write", None]
        assert session.branches == 3


async def test_a_checkpoint_is_a_name_for_a_moment_and_costs_no_step_of_undo(
    session: Session,
) -> None:
    node = session.write("first")
    number = session.checkpoint("  before the storm ")
    assert [e.data["name"] for e in session.events() if e.kind == "checkpoint"] == [
        "before the storm"
    ]
    other = session.write(" second")
    session.return_to(number)
    assert session.is_hidden(other)
    assert session.place == session.tree[node].end
    assert session.undo() == "return"
    assert not session.is_hidden(other)
    assert session.place == session.tree[other].end
    assert [session.undo() for _ in range(3)] == ["write", "write", None]


@pytest.mark.parametrize("name", ["", "   \n"])
async def test_a_checkpoint_needs_a_name(session: Session, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        session.checkpoint(name)
    assert session.events() == ()


async def test_a_moment_that_never_was_is_refused(session: Session) -> None:
    session.write("first")
    for number in (0, 2, -1):
        with pytest.raises(ValueError, match="no moment"):
            session.return_to(number)
    with pytest.raises(ValueError, match="no moment"):
        Past((), 1)
