"""The session on the echo engine: writing, growing, going, undoing, surviving."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from loom.changes import Change, EngineChanged, Notice, Sealed
from loom.core.display import Segment
from loom.core.marks import Kind, Mark
from loom.core.node import ROOT, Author, Ending, Place
from loom.core.recipe import Recipe, Sampling
from loom.engine.api import EngineError, Job, Progress
from loom.session import Session
from loom.store.batch import Batch
from loom.store.store import StoreError

OPENING = "The lighthouse keeper had not spoken to anyone since"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOM_HOME", str(tmp_path / "home"))


@pytest_asyncio.fixture
async def session(tmp_path: Path) -> AsyncIterator[Session]:
    made = Session.create(tmp_path / "story.loom", seed=11)
    await made.attach("echo")
    yield made
    await made.close()


async def wait_for(condition: Callable[[], Any], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def short(tokens: int = 8, **sampling: Any) -> Recipe:
    return Recipe(tokens=tokens, sampling=Sampling(**sampling))


def texts(session: Session, nodes: tuple[int, ...]) -> list[str]:
    return [session.text(node) for node in nodes]


@pytest.mark.asyncio
async def test_writing_makes_a_node_and_moves_to_its_end(session: Session) -> None:
    node = session.write(OPENING)
    assert session.text(node) == OPENING
    assert session.tree[node].author is Author.WRITER
    assert session.tree[node].ended is Ending.WRITTEN
    assert session.place == Place(node, len(OPENING))
    assert session.path_text() == OPENING
    with pytest.raises(ValueError, match="no text"):
        session.write("")


@pytest.mark.asyncio
async def test_growing_seals_nodes_with_every_column(session: Session) -> None:
    session.write(OPENING)
    nodes = await session.generate(count=3, recipe=short(12, temperature=0.8))
    assert len(nodes) == 3
    assert len(set(texts(session, nodes))) > 1
    for number in nodes:
        node, span = session.tree[number], session.span(number)
        assert span is not None
        assert (node.author, node.ended) == (Author.MODEL, Ending.LENGTH)
        assert node.token_count == len(span) == 12
        assert int(span.ends[-1]) == node.length
        assert span.sampled_logprob is not None
        assert node.hash and node.seed is not None
        pieces = [session.piece(number, int(i)) for i in span.ids]
        assert b"".join(pieces) == node.text


@pytest.mark.asyncio
async def test_the_same_seed_gives_the_same_tokens_whatever_the_siblings(session: Session) -> None:
    place = Place(session.write(OPENING), len(OPENING))
    four = await session.generate(place, count=4, recipe=short(), seed=7)
    two = await session.generate(place, count=2, recipe=short(), seed=7)
    other = await session.generate(place, count=2, recipe=short(), seed=8)
    assert texts(session, two) == texts(session, four)[:2]
    assert texts(session, other) != texts(session, two)


@pytest.mark.asyncio
async def test_without_a_seed_every_generation_is_new_also_after_reopening(tmp_path: Path) -> None:
    seen = []
    path = tmp_path / "new.loom"
    Session.create(path, seed=3)._store.close()
    for _ in range(3):
        session = Session.open(path)
        await session.attach("echo")
        if not len(session.tree.children(ROOT)):
            session.write(OPENING)
        place = Place(1, len(OPENING))
        seen += texts(session, await session.generate(place, count=1, recipe=short(16)))
        await session.close()
    assert len(set(seen)) == 3


@pytest.mark.asyncio
async def test_a_reopened_session_is_the_same(session: Session) -> None:
    session.write(OPENING)
    nodes = await session.generate(count=2, recipe=short())
    session.go(Place(nodes[1], session.tree[nodes[1]].length))
    session.mark(Mark(nodes[0], 0, Kind.BOOKMARK), "1")
    session.set_sampling(branches=6, recipe=short(99))
    await wait_for(lambda: session.span(1) is not None)
    before = [session.tree[i] for i in session.tree.preorder()]
    spans = [session.span(i) for i in session.tree.preorder()]
    await session.close()

    again = Session.open(session.path)
    assert [again.tree[i] for i in again.tree.preorder()] == before
    assert (again.place, again.branches, again.recipe) == (session.place, 6, short(99))
    assert again.marks.get(Mark(nodes[0], 0, Kind.BOOKMARK)) == "1"
    for number, span in zip(again.tree.preorder(), spans, strict=True):
        read = again.span(number)
        assert (read is None) == (span is None)
        if read is not None and span is not None:
            for (name, one), (_, two) in zip(read.columns(), span.columns(), strict=True):
                assert (one is None) == (two is None), name
                if one is not None and two is not None and name != "top_sampled":
                    assert one.tolist() == two.tolist(), name
    await again.close()


@pytest.mark.asyncio
async def test_written_text_is_read_by_itself(session: Session) -> None:
    first = session.write(OPENING)
    second = session.write(" the last ship, and  then some — 雪.")
    await wait_for(lambda: session.span(first) is not None and session.span(second) is not None)
    for node in (first, second):
        span = session.span(node)
        assert span is not None
        assert int(span.ends[-1]) == session.tree[node].length
        assert session.edges(node)[-1] == session.tree[node].length
        assert span.sampled_logprob is None


@pytest.mark.asyncio
async def test_walking_into_a_streaming_continuation_and_growing_there(tmp_path: Path) -> None:
    session = Session.create(tmp_path / "slow.loom", seed=11)
    await session.attach("echo", {"delay": 0.03})
    session.write(OPENING)
    nodes = session.grow(count=2, recipe=short(80))
    await wait_for(lambda: session.tree[nodes[1]].length > 8)
    inside = Place(nodes[1], session.tree[nodes[1]].length)
    assert nodes[1] in session.growing()
    early = session.hash_at(inside)
    session.go(inside)
    children = await session.generate(count=2, recipe=short(4))
    assert all(session.tree[child].at == inside.at for child in children)
    await session.finished(nodes)
    assert session.tree[nodes[1]].ended is Ending.LENGTH
    assert session.hash_at(inside) == early
    assert session.tree[nodes[1]].token_count == 80
    await session.close()


@pytest.mark.asyncio
async def test_cancel_keeps_what_came_and_lets_the_others_go_on(tmp_path: Path) -> None:
    session = Session.create(tmp_path / "slow.loom", seed=11)
    await session.attach("echo", {"delay": 0.03})
    session.write(OPENING)
    nodes = session.grow(count=3, recipe=short(60), seed=5)
    await wait_for(lambda: session.tree[nodes[0]].length > 4)
    session.cancel([nodes[0]])
    assert session.tree[nodes[0]].ended is Ending.CANCEL
    await session.finished(nodes)
    whole = await session.generate(Place(1, len(OPENING)), count=3, recipe=short(60), seed=5)
    assert session.text(whole[0]).startswith(session.text(nodes[0]))
    assert texts(session, whole[1:]) == texts(session, nodes[1:])
    await session.close()


@pytest.mark.asyncio
async def test_undo_and_redo_reach_over_every_operation_and_a_restart(session: Session) -> None:
    session.write(OPENING)
    nodes = await session.generate(count=2, recipe=short())
    session.mark(Mark(nodes[0], 0, Kind.BOOKMARK), "1")
    session.hide(Segment(nodes[0], 0, session.tree[nodes[0]].length))
    assert [session.is_hidden(node) for node in nodes] == [True, False]
    await session.close()

    again = Session.open(session.path)
    assert again.undo() == "hide"
    assert not again.is_hidden(nodes[0])
    assert again.undo() == "mark"
    assert again.marks.get(Mark(nodes[0], 0, Kind.BOOKMARK)) is None
    assert again.undo() == "grow"
    assert all(again.is_hidden(node) for node in nodes)
    assert again.continuations(Place(1, len(OPENING))) == ()
    assert again.undo() == "write"
    assert again.place == Place(ROOT, 0)
    assert again.undo() is None
    await again.close()

    third = Session.open(session.path)
    assert [third.redo() for _ in range(5)] == ["write", "grow", "mark", "hide", None]
    assert third.is_hidden(nodes[0]) and not third.is_hidden(nodes[1])
    assert third.marks.get(Mark(nodes[0], 0, Kind.BOOKMARK)) == "1"
    await third.close()


@pytest.mark.asyncio
async def test_several_marks_are_one_operation(session: Session) -> None:
    node = session.write(OPENING)
    marks: dict[Mark, str | None] = {
        Mark(node, 0, Kind.FOLDED): "1",
        Mark(node, 4, Kind.BOOKMARK): "1",
        Mark(node, 8, Kind.TAG): None,
    }
    session.mark_all(marks)
    assert session.marks.get(Mark(node, 4, Kind.BOOKMARK)) == "1"
    assert session.undo() == "mark"
    assert [session.marks.get(mark) for mark in marks] == [None, None, None]
    assert session.undo() == "write"


@pytest.mark.asyncio
async def test_a_new_operation_forgets_what_was_undone(session: Session) -> None:
    session.write(OPENING)
    session.undo()
    session.write("Once")
    assert session.redo() is None
    assert session.path_text() == "Once"


@pytest.mark.asyncio
async def test_hiding_moves_to_a_sibling_else_to_the_parent(session: Session) -> None:
    first = session.write(OPENING)
    nodes = await session.generate(count=2, recipe=short(6))
    session.go(session.tree[nodes[0]].end)
    assert session.hide(Segment(nodes[0], 0, session.tree[nodes[0]].length)) == 1
    assert session.place == session.tree[nodes[1]].end
    session.hide(Segment(nodes[1], 0, session.tree[nodes[1]].length))
    assert session.place == session.tree[first].end
    session.undo()
    assert session.place == session.tree[nodes[1]].end
    session.redo()
    assert session.place == session.tree[first].end
    with pytest.raises(ValueError, match="can't be hidden"):
        session.hide(session.display.root)


@pytest.mark.asyncio
async def test_an_alternative_becomes_a_branch_and_the_old_one_stays(session: Session) -> None:
    session.write(OPENING)
    (node,) = await session.generate(count=1, recipe=short(8))
    span = session.span(node)
    assert span is not None
    index = 5
    other = next(i for i in span.top_ids[index].tolist() if i != int(span.ids[index]))
    taken = session.take_alternative(node, index, other)
    start = span[index].start
    assert session.tree[taken].at == start
    assert session.tree[taken].text == session.piece(node, other)
    assert (
        session.path_text()
        == OPENING + (session.tree[node].text[:start] + session.tree[taken].text).decode()
    )
    assert not session.is_hidden(node)
    kept = session.span(taken)
    assert kept is not None and kept.ids.tolist() == [other]
    assert session.take_alternative(node, index, other) == taken
    with pytest.raises(ValueError, match="not among"):
        session.take_alternative(node, index, 10**6)


@pytest.mark.asyncio
async def test_who_waits_no_more_for_the_next_token_isnt_told_of_reading(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    await session.engine_ready()
    await session.finished([session.write(OPENING)])
    heard: list[EngineChanged] = []
    session.subscribe(lambda c: heard.append(c) if isinstance(c, EngineChanged) else None)
    client, jobs = session.engine, list[str]()
    assert client is not None
    submit = client.submit

    def noted(job: Job) -> None:
        jobs.append(job.id)
        submit(job)

    monkeypatch.setattr(client, "submit", noted)
    for give_up in (True, False):
        asked = asyncio.create_task(session.next_tokens())
        async with asyncio.timeout(10):
            while not jobs:
                await asyncio.sleep(0)
        session._generation._hear(Progress(jobs.pop(), 1, 4))
        assert heard[-1].fraction == 0.25
        if give_up:
            asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        assert (heard[-1].detail, heard[-1].fraction) == ("reading", 1.0)


@pytest.mark.asyncio
async def test_the_next_token_can_be_seen_and_taken(session: Session) -> None:
    session.write(OPENING)
    following = await session.next_tokens(top=10)
    assert len(following.ids) == len(following.logprobs) == len(following.pieces) == 10
    assert list(following.logprobs) == sorted(following.logprobs, reverse=True)
    taken = session.take_next(following, following.ids[3])
    assert session.tree[taken].text == following.pieces[3]
    assert session.place == session.tree[taken].end
    more = await session.generate(count=1, recipe=short(3))
    assert session.tree[more[0]].parent == taken


@pytest.mark.asyncio
async def test_a_dying_engine_leaves_partial_branches_and_comes_back(tmp_path: Path) -> None:
    session = Session.create(tmp_path / "dies.loom", seed=11)
    heard: list[Change] = []
    session.subscribe(heard.append)
    await session.attach("echo", {"delay": 0.01})
    session.write(OPENING)
    nodes = session.grow(count=2, recipe=short(5000))
    await wait_for(lambda: session.tree[nodes[0]].length > 4)
    assert session.engine is not None and session.engine.pid is not None
    import os
    import signal

    os.kill(session.engine.pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="stopped unexpectedly"):
        await session.finished(nodes)
    assert all(session.tree[node].ended is Ending.CRASH for node in nodes)
    assert session.tree[nodes[0]].length > 4
    assert [c.level for c in heard if isinstance(c, Notice)] == ["error"]
    again = await session.generate(Place(1, len(OPENING)), count=1, recipe=short(4))
    assert session.tree[again[0]].ended is Ending.LENGTH
    states = [c.state for c in heard if isinstance(c, EngineChanged)]
    assert "dead" in states and states[-1] == "ready"
    await session.close()


@pytest.mark.asyncio
async def test_what_grew_when_loom_was_killed_is_sealed_at_the_next_opening(tmp_path: Path) -> None:
    session = Session.create(tmp_path / "killed.loom", seed=11)
    await session.attach("echo", {"delay": 0.02})
    session.write(OPENING)
    nodes = session.grow(count=2, recipe=short(500))
    await wait_for(lambda: session.tree[nodes[0]].length > 20)
    session._store.flush()
    copy = tmp_path / "copy.loom"
    for suffix in ("", "-wal"):
        (tmp_path / f"copy.loom{suffix}").write_bytes(
            (tmp_path / f"killed.loom{suffix}").read_bytes()
        )
    await session.close()
    again = Session.open(copy)
    assert again.tree[nodes[0]].ended is Ending.CRASH
    assert again.tree[nodes[0]].length > 0
    assert again.tree[nodes[0]].hash
    await again.close()


@pytest.mark.asyncio
async def test_a_draft_outlives_the_program(session: Session) -> None:
    place = Place(session.write("Once"), 4)
    session.save_draft(" upon a", place)
    session._store.flush()
    await session.close()
    again = Session.open(session.path)
    assert again.draft is not None
    assert (again.draft.text, again.draft.place) == (" upon a", place)
    again.save_draft(None, place)
    await again.close()
    assert Session.open(session.path, read_only=True).draft is None


@pytest.mark.asyncio
async def test_a_read_only_session_refuses_changes_with_a_sentence(session: Session) -> None:
    session.write(OPENING)
    session._store.flush()
    reader = Session.open(session.path, read_only=True)
    assert reader.path_text(Place(1, len(OPENING))) == OPENING
    with pytest.raises(StoreError, match="reading only"):
        reader.write("no")
    reader.go(Place(1, 3))
    assert reader.place == Place(1, 3)
    await reader.close()


@pytest.mark.asyncio
async def test_going_remembers_the_last_child_and_the_way_back(session: Session) -> None:
    first = session.write(OPENING)
    nodes = await session.generate(count=3, recipe=short(5))
    session.go(session.tree[nodes[2]].end)
    session.go(session.tree[first].end)
    last = session.last_child()
    assert last is not None and last.node == nodes[2]
    assert session.is_visited(nodes[2]) and not session.is_visited(nodes[0])
    assert session.go_back() and session.place == session.tree[nodes[2]].end
    assert session.go_forward() and session.place == session.tree[first].end


@pytest.mark.asyncio
async def test_greedy_grows_one_and_end_of_job_is_told(session: Session) -> None:
    heard: list[Change] = []
    session.subscribe(heard.append)
    session.write(OPENING)
    nodes = await session.generate(count=4, recipe=short(5, temperature=0.0))
    assert len(nodes) == 1
    assert Sealed(nodes[0], Ending.LENGTH) in heard


@pytest.mark.asyncio
async def test_without_an_engine_growing_says_what_to_do(tmp_path: Path) -> None:
    session = Session.create(tmp_path / "bare.loom", seed=11)
    session.write(OPENING)
    with pytest.raises(EngineError, match="No model") as caught:
        session.grow()
    assert caught.value.hint
    await session.close()


@pytest.mark.asyncio
async def test_the_prefix_is_the_models_own_ids_and_bytes_for_the_rest(session: Session) -> None:
    capabilities = await session.engine_ready()
    first = session.write(OPENING)
    await wait_for(lambda: session.span(first) is not None)
    (node,) = await session.generate(count=1, recipe=short(6))
    span = session.span(node)
    assert span is not None
    own = session.prefix(session.tree[node].end, capabilities.fingerprint)
    assert own[-1] == tuple(span.ids.tolist())
    inside = session.prefix(Place(node, int(span.ends[2])), capabilities.fingerprint)
    assert inside[-1] == tuple(span.ids[:3].tolist())
    other = session.prefix(session.tree[node].end, "another model")
    assert other == (OPENING.encode(), session.tree[node].text)


@pytest.mark.asyncio
async def test_a_batch_after_close_is_refused(tmp_path: Path) -> None:
    session = Session.create(tmp_path / "closed.loom", seed=11)
    await session.close()
    with pytest.raises(StoreError):
        session._store.post(Batch(meta={"a": "b"}))


@pytest.mark.asyncio
async def test_what_is_stopped_before_it_has_text_is_left_and_stays_away(tmp_path: Path) -> None:
    session = Session.create(tmp_path / "story.loom", seed=11)
    await session.attach("echo", {"delay": 30.0})
    await session.engine_ready()
    written = session.write(OPENING)
    node = session.grow(count=1)[0]
    session.go(session.tree[node].end)
    session.cancel()
    assert session.is_hidden(node)
    assert session.place == Place(written, len(OPENING))
    assert session.undo() == "grow"
    session.redo()
    assert session.is_hidden(node)
    await session.close()


@pytest.mark.asyncio
async def test_what_was_hidden_before_it_had_any_text_never_comes_back(session: Session) -> None:
    session.write(OPENING)
    before = session.events()[-1].id
    await session.engine_ready()
    first, second = session.grow(count=2, recipe=short())
    grown = session.events()[-1].id
    session.hide(Segment(first, 0, 0))
    await session.finished([second])
    assert session.tree[first].text == b""
    assert session.undo() == "hide"
    assert session.is_hidden(first) and not session.is_hidden(second)
    session.redo()
    for moment in (before, grown):
        session.return_to(moment)
        assert session.is_hidden(first)
    session.undo()
    assert session.is_hidden(first)
