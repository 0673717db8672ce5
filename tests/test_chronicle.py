"""The history in words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from loom.chronicle import checkpoint_named, moments
from loom.core.marks import Kind, Mark
from loom.core.node import Place
from loom.instruments.sources.api import Source, SourceSet
from loom.session import Session
from loom.store.batch import COMPACTED, Batch, EventRow
from loom.store.errors import SessionDamaged


@pytest_asyncio.fixture
async def session(tmp_path: Path) -> AsyncIterator[Session]:
    async with Session.create(tmp_path / "story.loom", seed=1, now=lambda: 1.7e9) as made:
        yield made


def told(session: Session) -> list[str]:
    return [moment.text for moment in moments(session)]


@pytest.mark.parametrize(
    ("kind", "data"),
    [("write", {"added": []}), ("checkpoint", {}), ("grow", {"added": 3}), ("mark", {})],
)
async def test_events_that_make_no_sense_are_damage(
    session: Session, kind: str, data: dict[str, Any]
) -> None:
    session._store.post(Batch(event=EventRow(1, 1.7e9, kind, data)))
    with pytest.raises(SessionDamaged, match="history makes no sense"):
        moments(session)


async def test_a_time_that_no_clock_shows_is_some_time(session: Session) -> None:
    session._store.post(Batch(event=EventRow(1, 1e12, "checkpoint", {"name": "then"})))
    (moment,) = moments(session)
    assert moment.when < datetime(1900, 1, 1)


async def test_every_change_has_its_words(session: Session) -> None:
    await session.attach("echo")
    await session.engine_ready()
    node = session.write("The lamp\nwent out. " + "Again and again " * 9)
    (grown,) = await session.generate(count=1, recipe=replace(session.recipe, tokens=3))
    session.go(Place(node, 4))
    session.mark(Mark(node, 0, Kind.BOOKMARK), "1")
    session.mark(Mark(node, 0, Kind.FOLDED), "1")
    session.set_sampling(branches=5)
    session.set_sampling(branches=6)
    session.set_title("Lamps")
    number = session.checkpoint("Lit")
    session.hide(session.display.segment_of(session.tree[grown].end))
    session.undo()
    session.redo()
    session.return_to(number)
    assert told(session) == [
        "wrote “The lamp⏎went out. Again and again Agai…”",
        "grew 1 continuation after “…ain Again and again ”",
        "set a bookmark at “The lamp⏎went out. Again and again Agai…”",
        "folded “The lamp⏎went out. Again and again Agai…”",
        "title “Lamps”",
        "Lit",
        f"hid {told(session)[6].removeprefix('hid ')}",
        f"undid {told(session)[6]}",
        f"redid {told(session)[6]}",
        "went back to Lit",
    ]
    named = checkpoint_named(moments(session), "Lit")
    assert named is not None and named.number == number
    assert checkpoint_named(moments(session), "Unlit") is None


async def test_escapes_in_the_text_are_shown_not_obeyed(session: Session) -> None:
    session.write("\x1b[2J\x07 \u202e x")
    session.checkpoint("\x1b[31m")
    assert all(char.isprintable() for text in told(session)[:1] for char in text)


async def test_what_lies_before_compacting_can_not_be_gone_back_to(session: Session) -> None:
    session.write("first")
    session._post(Batch(event=session._event(COMPACTED, {"removed": []})))
    session.write(" second")
    assert [moment.reachable for moment in moments(session)] == [False, True, True]


async def test_sources_are_told_by_the_name_of_their_set(session: Session) -> None:
    session.write("The lamp.")
    wanted = SourceSet("lights", "", (Source("Lamp", ("Lamp: ",)),))
    session.set_sources(wanted)
    assert told(session)[1:] == ["the sources of lights"]
    session.write(" It went out.")
    session.set_sources(None)
    assert told(session)[-1] == "no sources"
    session._store.post(
        Batch(event=EventRow(99, 1.7e9, "set", {"settings": [["sources", None, "[1]"]]}))
    )
    with pytest.raises(SessionDamaged, match="history makes no sense"):
        moments(session)
