"""Playing a session: at every moment it looks as it did then, forwards and backwards."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest

from loom.changes import Change, Grew, Sealed
from loom.compaction import compacted
from loom.core.marks import Kind, Mark
from loom.core.node import Author, Place
from loom.core.recipe import Recipe, Sampling
from loom.replay.playback import Playback
from loom.replay.schedule import IDLE, STEP, Pace, Schedule
from loom.replay.story import Moment
from loom.replay.story import story as story_of
from loom.session import Session
from loom.store.batch import EventRow
from loom.store.errors import StoreError

OPENING = "The lighthouse keeper had not spoken"
RECIPE = Recipe(sampling=Sampling(temperature=0.9), tokens=16)


@pytest.fixture
async def story(tmp_path: Path) -> Path:
    """Written, grown, walked, a branch inside, one hidden and brought back, a bookmark."""
    path, clock = tmp_path / "story.loom", itertools.count(1000.0, 0.5)
    async with Session.create(path, seed=7, now=lambda: next(clock)) as session:
        await session.attach("echo")
        session.write(OPENING)
        first = await session.generate(count=3, recipe=RECIPE)
        session.go(session.tree[first[1]].end)
        await session.generate(count=2, recipe=RECIPE)
        span = session.span(first[0])
        assert span is not None
        inside = Place(first[0], int(span.ends[4]))
        session.write(" Instead,", inside)
        session.hide(session.display.segment_of(session.tree[first[2]].end))
        session.undo()
        session.mark(Mark(first[1], 0, Kind.BOOKMARK), "1")
        session.go(session.tree[first[0]].end)
    return path


def looks(session: Session) -> object:
    """All that can be seen of it."""
    rows = [(row.segment, row.depth) for row in session.display.rows()]
    texts = {node: session.tree[node].text for node in session.tree}
    kept = {m: v for m, v in session.marks if m.kind in (Kind.HIDDEN, Kind.BOOKMARK)}
    return rows, texts, session.place, kept


async def test_the_end_of_the_play_is_the_session(story: Path) -> None:
    async with Session.open(story, read_only=True) as session, Playback.open(story) as playback:
        assert len(playback.tree) == 1
        assert playback.at(playback.schedule.length) is playback
        assert playback.over and looks(playback) == looks(session)
        for node in session.tree:
            ours, theirs = playback.span(node), session.span(node)
            assert (ours is None) == (theirs is None)
            assert ours is None or ours.ids.tolist() == theirs.ids.tolist()  # type: ignore[union-attr]


@pytest.mark.parametrize("given_again", [False, True], ids=["", "as earlier versions did"])
async def test_what_was_removed_for_good_never_was_even_if_its_number_is_given_again(
    tmp_path: Path, given_again: bool
) -> None:
    path, clock = tmp_path / "story.loom", itertools.count(1000.0, 0.5)
    async with Session.create(path, seed=7, now=lambda: next(clock)) as session:
        first = session.write("Once")
        gone = session.write(" upon")
        session.mark(Mark(gone, 0, Kind.BOOKMARK), "1")
        session.hide(session.display.segment_of(session.tree[gone].end))
    assert compacted(path).removed == (gone,)
    if given_again:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DELETE FROM meta WHERE key = 'next'")
    async with Session.open(path) as session:
        again = session.write(" there was")
        session.write(" a mill", session.tree[first].end)
    assert (again == gone) == given_again
    async with Session.open(path, read_only=True) as session, Playback.open(path) as playback:
        seen = []
        for seconds in playback.schedule.times:
            assert playback.at(seconds) is playback
            seen.append(len(playback.tree))
        assert playback.over and looks(playback) == looks(session)
        assert seen == sorted(seen) and seen[-3:] == [2, 3, 4]
        shown = [moment.added for moment in story_of(session) if moment.added]
        assert shown == [(first,), (again,), (again + 1,)]


async def test_a_history_that_makes_no_sense_is_damage(story: Path) -> None:
    async with Session.open(story, read_only=True) as session:
        events = (*session.events(), EventRow(999, 2000.0, "write", {"marks": [["a", "b"]]}))
        with (
            patch.object(session, "events", lambda: events),
            pytest.raises(StoreError, match="history makes no sense"),
        ):
            story_of(session)


@pytest.mark.parametrize("pace", list(Pace))
async def test_back_looks_as_it_did_on_the_way(story: Path, pace: Pace) -> None:
    async with Playback.open(story) as playback:
        playback.set_pace(pace)
        times = [playback.schedule.length * i / 23 for i in range(24)]
        seen = []
        for seconds in times:
            assert playback.at(seconds) is playback
            seen.append(looks(playback))
        assert len({str(look) for look in seen}) > 6
        there = playback
        for seconds, look in reversed(list(zip(times, seen, strict=True))):
            there = there.at(seconds)
            assert looks(there) == look
        assert looks(playback) == seen[-1]  # what shows the end still can


async def test_text_grows_token_by_token_until_it_is_sealed(story: Path) -> None:
    async with Playback.open(story) as playback:
        playback.set_pace(Pace.CONSTANT)
        heard: list[Change] = []
        playback.subscribe(heard.append)
        lengths: list[list[int]] = []
        while not playback.over:
            playback.at(playback.seconds + 0.05)
            for node in playback.growing():
                span = playback.span(node)
                assert span is not None and len(span) == playback.tree[node].token_count
                ends = [0, *span.ends.tolist()]
                assert playback.tree[node].length == ends[-1]
            lengths.append([playback.tree[n].length for n in playback.tree])
        grown = [n for n in playback.tree if playback.tree[n].author is Author.MODEL]
        assert {c.node for c in heard if isinstance(c, Sealed)} == set(grown)
        assert sum(isinstance(change, Grew) for change in heard) > 5
        assert not playback.growing()


async def test_steps_go_from_moment_to_moment_and_back(story: Path) -> None:
    async with Playback.open(story) as playback:
        playback.set_pace(Pace.STEPPED)
        forward = [playback.seconds]
        while not playback.over:
            playback.at(playback.next_time())
            forward.append(playback.seconds)
        assert forward == sorted(set(forward))
        back = []
        there = playback
        while there.seconds > 0:
            there = there.at(there.previous_time())
            back.append(there.seconds)
        assert set(back) <= set(forward) and back == sorted(back, reverse=True)


async def test_nothing_can_be_changed_and_nothing_is(story: Path) -> None:
    before = story.read_bytes()
    async with Playback.open(story) as playback:
        playback.at(playback.schedule.length)
        with pytest.raises(StoreError, match="reading only"):
            playback.write("No.")
        playback.at(1.0)
    assert story.read_bytes() == before


def test_an_empty_session_cannot_be_played(tmp_path: Path) -> None:
    Session.create(tmp_path / "empty.loom")._store.close()
    with pytest.raises(StoreError, match="Nothing has happened"):
        Playback.open(tmp_path / "empty.loom")


def test_long_pauses_are_shortened_and_even_steps_are_even() -> None:
    moments = [
        Moment(1, 100.0, "write", (1,)),
        Moment(2, 5000.0, "grow", (2,)),
        Moment(3, 5002.0, "seal", (), (2,)),
        Moment(4, 5002.5, "go"),
    ]
    recorded = Schedule(moments, {2: 80}, Pace.RECORDED)
    grown = STEP + IDLE
    assert recorded.times == [STEP, grown, grown + 2.0, grown + 2.5]
    assert recorded.share(2, grown + 1.0) == 0.5 and recorded.count(grown) == 2
    even = Schedule(moments, {2: 80}, Pace.CONSTANT)
    assert even.times == [STEP, 2 * STEP, 2 * STEP + 2.0, 3 * STEP + 2.0]
    assert even.share(2, 2 * STEP) == 0.0 and even.share(2, 2 * STEP + 2.0) == 1.0
