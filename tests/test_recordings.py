"""The recorded sessions: whole, small, opened as copies; and the script that records them."""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

from loom import recordings
from loom.core.node import ROOT, Author, Ending
from loom.replay.checks import Check, Verdict
from loom.replay.material import by_model, drawn
from loom.replay.models import bench
from loom.replay.regrowing import regrow
from loom.replay.verifying import verify
from loom.session import Session
from loom.shelf import Shelved
from loom.store.errors import SessionMissing
from loom.ui.widgets.card import Reading
from sessions import plays, record

RECORDED = recordings.recordings()
MOST = 1_000_000  # bytes
AGAIN = 40  # tokens of each that are drawn again


def test_there_is_a_demo_and_every_recording_is_one_of_the_scripts() -> None:
    assert RECORDED[0].path.stem == recordings.DEMO
    names = {recording.name for recording in plays.RECORDINGS}
    assert {shelved.path.stem for shelved in RECORDED} == names
    readme = (record.FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"## {name}\n" in readme for name in names)


@pytest.mark.parametrize("shelved", RECORDED, ids=lambda shelved: shelved.path.stem)
async def test_a_recording_is_whole_and_at_rest(shelved: Shelved) -> None:
    assert (shelved.problem, shelved.size < MOST) == ("", True)
    assert list(shelved.path.parent.glob(f"*{shelved.path.name}*")) == [shelved.path]
    async with Session.open(shelved.path, read_only=True) as session:
        assert session.history.last is not None
        assert len(session.continuations()) > 1, "one finds cards to read"
        for node in session.tree.preorder():
            there = session.tree[node]
            if node == ROOT:
                continue
            span = session.span(node)
            assert span is not None, "the model has read every word"
            assert int(span.ends[-1]) == there.length
            if there.author is Author.MODEL:
                assert there.ended in (Ending.LENGTH, Ending.EOS)
                pieces = [session.piece(node, int(token)) for token in span.ids]
                assert b"".join(pieces) == there.text, "unedited"


@pytest.mark.parametrize("shelved", RECORDED, ids=lambda shelved: shelved.path.stem)
async def test_a_recording_names_its_model_as_any_machine_knows_it(shelved: Shelved) -> None:
    async with Session.open(shelved.path, read_only=True) as session:
        rows = [session.model_of(node) for node in session.tree.preorder()]
        (spec,) = {row.spec for row in rows if row is not None}
    (recording,) = (one for one in plays.RECORDINGS if one.name == shelved.path.stem)
    assert spec == recording.model


@pytest.mark.timeout(600)
@pytest.mark.parametrize("model", sorted({one.model for one in plays.RECORDINGS}))
async def test_every_recording_is_what_its_model_says_and_draws(model: str) -> None:
    """Every token is read again; of each session a few nodes are drawn again, all where
    LOOM_REGROW=all is set."""
    written = [one.name for one in plays.RECORDINGS if one.model == model]
    sessions = [Session.open(recordings.recording(name).path, read_only=True) for name in written]
    checks: dict[Verdict, list[Check]] = defaultdict(list)
    row = sessions[0].model_of(1)
    assert row is not None and row.spec == model
    async with bench(row, None, {}, lambda what, fraction: None) as found:
        for session in sessions:
            for _, read in by_model(session, list(session.tree.preorder())):
                async for check in verify(session, row, read, found):
                    checks[check.verdict].append(check)
                async for check in regrow(session, row, some(session, read), found):
                    checks[check.verdict].append(check)
            await session.close()
    assert set(checks) <= {Verdict.SAME, Verdict.NEAR_TIE}, checks
    assert len(checks[Verdict.SAME]) > 5 * len(sessions)


def some(session: Session, nodes: Iterable[int]) -> list[int]:
    """Nodes that are drawn again: by lot, until they make AGAIN tokens."""
    every, taken, tokens = drawn(session, nodes), list[int](), 0
    if os.environ.get("LOOM_REGROW") == "all":
        return every
    for node in random.Random(1).sample(every, len(every)):
        if tokens < AGAIN:
            taken.append(node)
            tokens += session.tree[node].token_count or 0
    return sorted(taken)


@pytest.mark.parametrize("name", ["onion", "collapse"])
async def test_what_is_believed_of_sources_came_along(name: str) -> None:
    path = recordings.recording(name).path
    async with Session.open(path, read_only=True) as session:
        ends = [session.display.place_of_end(segment) for segment in session.continuations()]
        for end in ends:
            session.weigh(end)
        await session.weighed()
        for end in ends:
            posterior = session.posterior_at(end)
            assert posterior is not None and posterior.tokens > 100
            assert all(standing.rescored for standing in posterior.standings)


async def test_one_opens_a_copy(tmp_path: Path) -> None:
    source = recordings.recording().path
    before = source.read_bytes()
    copies = [recordings.taken_out(source, tmp_path / "sessions") for _ in range(2)]
    assert [path.name for path in copies] == ["first-story.loom", "first-story-2.loom"]
    async with Session.open(copies[0]) as session:
        assert session.title == "A first story"
        session.write(" And so on.")
        reading = Reading.of(session, session.continuations(session.tree[1].end)[0])
        assert reading.bits, "what the model believed came along"
    assert source.read_bytes() == before


def test_a_recording_that_is_not_there_is_said_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(SessionMissing) as raised:
        recordings.recording("second-story")
    assert "first-story" in raised.value.hint
    with pytest.raises(SessionMissing, match="no recorded session"):
        recordings.recording(folders=[tmp_path])


async def test_the_script_makes_the_same_session_each_time(tmp_path: Path) -> None:
    (recording,) = (one for one in plays.RECORDINGS if one.name == recordings.DEMO)
    told = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        path = await record.record(recording, tmp_path / name, "echo")
        async with Session.open(path, read_only=True) as session:
            nodes = [session.tree[node] for node in session.tree.preorder()]
            told.append([(n.parent, n.at, n.text, n.seed, n.created) for n in nodes])
        assert [path.name for path in path.parent.iterdir()] == ["first-story.loom"]
    assert told[0] == told[1]
