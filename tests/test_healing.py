"""Growing where a writer stopped inside a token: what hangs where, and that it stays so."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest_asyncio

from loom.core.node import ROOT, Author, Ending, Place
from loom.core.recipe import Recipe
from loom.history import HIDDEN_BY_UNDO
from loom.replay.models import bench
from loom.replay.regrowing import regrow
from loom.replay.verifying import verify
from loom.session import Session

HALF, WHOLE = "The old man kept the lam", "The old man kept the lamp"
SHORT = Recipe(tokens=6)
OPTIONS = {"heals": True}


@pytest_asyncio.fixture
async def session(tmp_path: Path) -> AsyncIterator[Session]:
    made = Session.create(tmp_path / "story.loom", seed=11)
    await made.attach("echo", OPTIONS)
    await made.engine_ready()
    yield made
    await made.close()


async def grown(session: Session, text: str = HALF, count: int = 4) -> tuple[int, tuple[int, ...]]:
    written = session.write(text, Place(ROOT, 0))
    return written, await session.generate(count=count, recipe=SHORT)


async def test_half_a_word_is_finished_from_before_it(session: Session) -> None:
    written, nodes = await grown(session)
    for number in nodes:
        node, span = session.tree[number], session.span(number)
        assert node.hangs_at == Place(written, HALF.index(" lam"))
        assert session.text(number).startswith(" lamp")
        assert span is not None and span.sampled_logprob is not None
        assert session.piece(number, int(span.ids[0])) == b" lamp"
        assert node.token_count == len(span) == 6
        recipe = session.recipe_of(number)
        assert recipe is not None
        assert replace(recipe, begins=b"") == SHORT and recipe.begins == b" lam"
        assert span.sampled_logprob[0] > span.logprob[0]  # what it could be, and the model's own


async def test_a_space_at_the_end_is_given_back_to_the_next_word(session: Session) -> None:
    written, nodes = await grown(session, "The old man kept the ")
    texts = [session.path_text(session.tree[node].end) for node in nodes]
    assert all(session.tree[node].at == len("The old man kept the") for node in nodes)
    assert not any("  " in text for text in texts)


async def test_the_writer_stays_and_finds_them_as_continuations(session: Session) -> None:
    written, nodes = await grown(session)
    end = Place(written, len(HALF))
    assert session.place == end
    assert session.path_text() == HALF
    assert [segment.node for segment in session.continuations()] == list(nodes)
    assert {session.asked_at(node) for node in nodes} == {end}
    before = Place(written, HALF.index(" lam"))
    assert [s.node for s in session.continuations(before)] == [written, *nodes]
    session.go(session.tree[nodes[2]].end)
    session.go(end)
    last = session.last_child()
    assert last is not None and last.node == nodes[2]


async def test_what_comes_out_the_same_hangs_where_it_was_asked_for(session: Session) -> None:
    """And is, to the last token, what grows with healing switched off."""
    written = session.write(WHOLE)
    plain = replace(SHORT, heal=False)
    healed = await session.generate(Place(written, len(WHOLE)), recipe=SHORT, seed=5)
    unhealed = await session.generate(Place(written, len(WHOLE)), recipe=plain, seed=5)
    for one, other in zip(healed, unhealed, strict=True):
        assert session.tree[one].at == session.tree[other].at == len(WHOLE)
        assert session.text(one) == session.text(other)
        assert session.recipe_of(one) == SHORT


async def test_what_was_typed_in_one_go_with_growing_is_healed_before_it_is_read(
    session: Session,
) -> None:
    written = session.write("Then he lit a lam")
    (node,) = session.grow(count=1, recipe=SHORT)
    assert session.tree[written].token_count is None
    await session.finished([node])
    assert session.text(node).startswith(" lamp")


async def test_the_model_s_own_text_and_chosen_tokens_are_never_taken_back(
    session: Session,
) -> None:
    _, nodes = await grown(session, count=1)
    on = await session.generate(session.tree[nodes[0]].end, count=2, recipe=SHORT)
    assert {session.tree[node].hangs_at for node in on} == {session.tree[nodes[0]].end}
    following = await session.next_tokens(session.tree[nodes[0]].end)
    letter = next(i for i, p in zip(following.ids, following.pieces, strict=True) if p.strip())
    taken = session.take_next(following, letter, session.tree[nodes[0]].end)
    assert session.tree[taken].author is Author.WRITER
    after = await session.generate(session.tree[taken].end, count=2, recipe=SHORT)
    assert {session.tree[node].hangs_at for node in after} == {session.tree[taken].end}


async def test_it_can_be_switched_off(session: Session) -> None:
    session.set_sampling(recipe=replace(SHORT, heal=False))
    written = session.write(HALF, Place(ROOT, 0))
    nodes = await session.generate(count=2)
    assert {session.tree[node].at for node in nodes} == {len(HALF)}
    assert written == session.tree[nodes[0]].parent


async def test_an_engine_that_cannot_heal_goes_on_as_it_can(tmp_path: Path) -> None:
    async with Session.create(tmp_path / "other.loom", seed=1) as session:
        await session.attach("echo")
        session.write(HALF)
        nodes = await session.generate(count=2, recipe=SHORT)
        assert {session.tree[node].at for node in nodes} == {len(HALF)}


async def test_inside_a_written_text_only_what_is_before_the_place_counts(
    session: Session,
) -> None:
    written = session.write("The lamp went out", Place(ROOT, 0))
    nodes = await session.generate(Place(written, len("The lam")), count=3, recipe=SHORT)
    assert {session.tree[node].at for node in nodes} == {len("The")}
    assert {session.asked_at(node) for node in nodes} == {Place(written, len("The lam"))}
    found = session.continuations(Place(written, len("The lam")))
    assert [segment.node for segment in found] == list(nodes)


async def test_undo_and_redo_take_all_of_it(session: Session) -> None:
    written, nodes = await grown(session)
    session.undo()
    assert session.continuations() == ()
    assert session.path_text() == HALF
    assert len(session.display.segments(written)) == 1
    session.redo()
    assert [segment.node for segment in session.continuations()] == list(nodes)
    assert HIDDEN_BY_UNDO not in [value for _, value in session.marks]


async def test_what_is_written_in_a_branch_that_has_not_begun_stays_with_it_in_sight(
    tmp_path: Path,
) -> None:
    async with Session.create(tmp_path / "early.loom", seed=3) as session:
        await session.attach("echo", OPTIONS)
        written = session.write(HALF)
        (node,) = session.grow(count=1, recipe=SHORT)
        assert session.tree[node].at == len(HALF)
        own = session.write("p, at last.", Place(node, 0))
        await session.finished([node])
        assert session.text(node).startswith(" lamp")
        assert session.tree[own].hangs_at == Place(written, len(HALF))
        assert session.path_text(session.tree[own].end) == HALF + "p, at last."


async def test_a_cancelled_one_leaves_nothing(session: Session) -> None:
    session.write(HALF, Place(ROOT, 0))
    nodes = session.grow(count=2, recipe=SHORT)
    session.cancel()
    await session.finished(nodes)
    assert session.continuations() == ()
    assert {session.tree[node].ended for node in nodes} == {Ending.CANCEL}


async def test_a_session_reopened_verifies_and_regrows(tmp_path: Path) -> None:
    path = tmp_path / "again.loom"
    async with Session.create(path, seed=2) as session:
        await session.attach("echo", OPTIONS)
        _, nodes = await grown(session)
        hashes = [session.tree[node].hash for node in nodes]
        await session.generate(session.tree[nodes[0]].end, count=2, recipe=SHORT)
        await grown(session, WHOLE)
        every = [number for number in session.tree if number != ROOT]
    async with Session.open(path, read_only=True) as again:
        assert [again.tree[node].hash for node in nodes] == hashes
        assert [segment.node for segment in again.continuations(again.asked_at(nodes[0]))] == list(
            nodes
        )
        row = again.model_of(nodes[0])
        assert row is not None
        async with bench(row, None, OPTIONS, lambda what, share: None) as found:
            checks = [check async for check in regrow(again, row, every, found)]
            read = [node for node in every if again.tree[node].token_count]
            checks += [check async for check in verify(again, row, read, found)]
    assert len(checks) >= 10
    assert {check.verdict.value for check in checks} == {"same"}


async def test_the_recipe_of_one_that_begins_so_survives_json(session: Session) -> None:
    _, nodes = await grown(session, count=1)
    recipe = session.recipe_of(nodes[0])
    assert recipe is not None
    assert recipe.to_json()["begins"] == b" lam".hex()
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
    assert Recipe.from_json({"tokens": 6}) == SHORT  # as it was kept before there was healing
