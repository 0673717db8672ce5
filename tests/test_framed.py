"""Continuations under a frame: it stands before the path, in place of a byline and of what has no
room, and is on record: what was drawn under it is read and drawn again under it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom import generation
from loom.cli import main
from loom.context import context_of
from loom.core.node import ROOT, Ending, Node, Place
from loom.core.recipe import Recipe
from loom.core.span import Span
from loom.core.tree import Tree
from loom.engine.api import Generate, Job
from loom.instruments.sources.api import Source, SourceSet
from loom.record import Record
from loom.replay.checks import Verdict
from loom.replay.models import bench
from loom.replay.regrowing import regrow
from loom.replay.verifying import verify
from loom.session import Session
from loom.sight import Sight
from loom.sources.framed import Room, byline_until, framed
from loom.testing.near import NearClient

FRAME = "Ada Byron\n\n"
BYLINE = "Mary Shelley\n\n"
TEXT = "The lighthouse keeper had not spoken to anyone since"
POETS = SourceSet("poets", "", (Source("Ada", (FRAME,), short="A."), Source("Mary", (BYLINE,))))
UNDER = Recipe(tokens=6, frame=FRAME)


@pytest.fixture(autouse=True)
def _near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "EngineClient", NearClient)


@pytest.fixture
async def session(tmp_path: Path) -> AsyncIterator[Session]:
    async with Session.create(tmp_path / "story.loom", seed=7) as session:
        await session.attach("echo")
        await session.engine_ready()
        yield session


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Generate]:
    """What the engine is asked to draw."""
    found: list[Generate] = []
    submit = NearClient.submit

    def watched(self: NearClient, job: Job) -> None:
        if isinstance(job, Generate):
            found.append(job)
        submit(self, job)

    monkeypatch.setattr(NearClient, "submit", watched)
    return found


async def spelled(session: Session, job: Generate) -> bytes:
    engine = session.engine
    assert engine is not None
    words = engine.vocabulary
    return b"".join(
        piece if isinstance(piece, bytes) else b"".join(words[i] for i in piece)
        for piece in job.prefix
    )


async def verdicts(session: Session, nodes: tuple[int, ...]) -> list[Verdict]:
    row = session.model_of(nodes[0])
    assert row is not None
    async with bench(row, "echo", {}, lambda what, share: None) as one:
        checks = [c async for c in verify(session, row, nodes, one)]
        checks += [c async for c in regrow(session, row, nodes, one)]
    return [check.verdict for check in checks]


async def test_a_frame_is_read_before_the_path(session: Session, jobs: list[Generate]) -> None:
    session.write(TEXT)
    nodes = await session.generate(count=2, recipe=UNDER)
    assert await spelled(session, jobs[0]) == (FRAME + TEXT).encode()
    assert session.recipe_of(nodes[0]) == UNDER
    await session.generate(session.tree[nodes[0]].end, count=1, recipe=Recipe(tokens=6))
    assert await spelled(session, jobs[1]) == TEXT.encode() + session.tree[nodes[0]].text


async def test_what_was_drawn_under_a_frame_is_so_again(session: Session) -> None:
    session.set_sources(POETS)
    await session.finished([session.write(BYLINE + TEXT)])
    told = replace(UNDER, frame="Anyone since the keeper, since the lamp, since the sea.\n\n")
    under = await session.generate(count=2, recipe=told)
    below = await session.generate(session.tree[under[0]].end, count=1, recipe=told)
    assert set(await verdicts(session, (*under, *below))) == {Verdict.SAME}
    kept = session._recipes
    session._recipes = {n: replace(r, frame="", instead=0) for n, r in kept.items()}
    assert await verdicts(session, under[:1]) == [Verdict.DIFFERS, Verdict.DIVERGES]


async def test_it_stands_in_place_of_a_byline(session: Session, jobs: list[Generate]) -> None:
    session.set_sources(POETS)
    session.write(BYLINE + TEXT)
    node = (await session.generate(count=1, recipe=UNDER))[0]
    assert await spelled(session, jobs[0]) == (FRAME + TEXT).encode()
    recipe = session.recipe_of(node)
    assert recipe is not None and recipe.instead == len(BYLINE)
    session.set_sources(None)
    await session.generate(count=1, recipe=UNDER)
    assert await spelled(session, jobs[1]) == (FRAME + BYLINE + TEXT).encode()


async def test_text_that_it_stands_for_is_not_cut_anew(
    tmp_path: Path, jobs: list[Generate]
) -> None:
    async with Session.create(tmp_path / "healed.loom", seed=7) as session:
        session.set_sources(
            SourceSet("one", "", (Source("Ada", ("The lighth",)), POETS.sources[1]))
        )
        await session.attach("echo", {"heals": True})
        await session.engine_ready()
        session.write("The lighth")
        node = (await session.generate(count=1, recipe=UNDER))[0]
        assert await spelled(session, jobs[0]) == FRAME.encode()
        assert session.tree[node].at == len("The lighth")
        session.write("ouse kee", Place(1, 10))
        node = (await session.generate(count=1, recipe=UNDER))[0]
        assert jobs[1].recipe.begins and session.asked_at(node).at == len("ouse kee")


async def test_what_a_model_was_given_has_the_frame(session: Session) -> None:
    session.set_sources(POETS)
    await session.finished([session.write(BYLINE + TEXT)])
    node = (await session.generate(count=1, recipe=UNDER))[0]
    context = await context_of(session, node)
    assert [part.node for part in context.parts] == [ROOT, 1]
    assert b"".join(part.text for part in context.parts) == (FRAME + TEXT).encode()
    engine = session.engine
    assert engine is not None
    ids, _ = await engine.encode(FRAME.encode(), True)
    assert context.parts[0].ids == ids


async def test_a_byline_of_the_session_is_a_setting_of_it(session: Session) -> None:
    session.write(TEXT)
    plain = session.recipe
    session.set_sampling(recipe=replace(plain, frame=FRAME))
    node = (await session.generate(count=1))[0]
    recipe = session.recipe_of(node)
    assert recipe is not None and recipe.frame == FRAME
    assert Sight(session).begins(session.tree[node].end) == 0
    session.undo()
    session.undo()
    assert session.recipe == plain


def test_generate_takes_a_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "story.loom")
    assert main(["new", path, "--text", TEXT]) == 0
    assert main(["generate", path, "--model", "echo", "-n", "1", "--frame", FRAME]) == 0
    with_set = Session.open(Path(path))
    with_set.set_sources(POETS)
    with_set._store.close()
    under = ["generate", path, "--model", "echo", "-n", "1", "--under"]
    assert main([*under, "mary"]) == 0
    assert main([*under, "Percy"]) == 1
    assert "no source 'Percy'" in capsys.readouterr().err
    record = Session.open(Path(path), read_only=True)
    frames = [r.frame for n in record.tree if (r := record.recipe_of(n)) is not None]
    assert sorted(frames) == sorted([FRAME, BYLINE])
    record._store.close()


# ── where it stands ─────────────────────────────────────────────────────────────────────────


def desk(*texts: bytes) -> Any:
    """A path of nodes, each after the other, that no model has read."""
    tree = Tree()
    for number, text in enumerate(texts, start=1):
        parent = tree[number - 1]
        tree.add(Node(number, parent.id, parent.length, "writer", text, ended=Ending.WRITTEN))  # type: ignore[arg-type]
    return SimpleNamespace(tree=tree, model_of=lambda node: None, span=lambda node: None)


def end(record: Any) -> Place:
    return record.tree[max(record.tree)].end  # type: ignore[no-any-return]


@given(st.lists(st.binary(min_size=1, max_size=6), min_size=1, max_size=6))
def test_the_longest_byline_counts_however_the_path_is_cut(parts: list[bytes]) -> None:
    record = desk(b"Ada", *parts)
    whole = b"Ada" + b"".join(parts)
    bylines = ["Ada", "Ada\n", "Bo", ""]
    found = byline_until(record, end(record), bylines)
    assert found == (4 if whole.startswith(b"Ada\n") else 3)
    assert byline_until(record, Place(1, 2), bylines) == 0


def test_the_beginning_of_a_long_path_makes_room_for_the_frame() -> None:
    record, recipe = desk(*[b"abc" * 40] * 30), Recipe(tokens=16, frame=FRAME)
    short = framed(record, Place(3, 60), recipe, (), Room("mine", 256))
    assert short.instead == 0
    long = framed(record, end(record), recipe, (), Room("mine", 256))
    left = (30 * 120 - long.instead) // 3
    assert 256 // 2 < left <= 256 - 16 - len(FRAME) // 3
    again = framed(record, Place(30, 100), recipe, (), Room("mine", 256))
    assert again.instead == long.instead  # in steps, so that what was read stays of use
    assert framed(record, end(record), Recipe(), (), Room("mine", 256)) == Recipe()
    assert framed(record, end(record), recipe, (), None).instead == 0


def test_a_frame_that_fills_the_context_leaves_the_path_alone() -> None:
    record = desk(b"abc" * 400)
    recipe = Recipe(tokens=16, frame="x" * 900)
    assert framed(record, end(record), recipe, (), Room("mine", 256)).instead == 0


class _Spelled:
    """A record of one node in tokens of the bytes given."""

    _pieces_of, prefix = Record._pieces_of, Record.prefix

    def __init__(self, pieces: list[bytes]) -> None:
        self.tree = Tree()
        text = b"".join(pieces)
        self.tree.add(Node(1, 0, 0, "writer", text, ended=Ending.WRITTEN))  # type: ignore[arg-type]
        ends = np.cumsum([len(piece) for piece in pieces]).astype(np.int32)
        none = np.zeros(len(pieces), np.float32)
        ids = np.arange(len(pieces), dtype=np.int32)
        top = np.zeros((len(pieces), 1))
        self._span = Span(
            ids, ends, none, none, none, ids, top.astype(np.int32), top.astype(np.float32)
        )
        self.pieces = pieces

    def span(self, node: int) -> Any:
        return self._span if node else None

    def model_of(self, node: int) -> Any:
        return SimpleNamespace(fingerprint="mine") if node else None


@given(st.lists(st.binary(min_size=1, max_size=4), min_size=1, max_size=8), st.data())
def test_what_it_stands_for_is_left_out_to_the_byte(pieces: list[bytes], data: Any) -> None:
    record: Any = _Spelled(pieces)
    text = b"".join(pieces)
    stop = data.draw(st.integers(0, len(text)))
    skipped = data.draw(st.integers(0, stop))
    recipe = Recipe(frame=FRAME, instead=skipped)
    given = record.prefix(Place(1, stop), "mine", recipe)
    assert given[0] == FRAME.encode()
    found = b"".join(
        part if isinstance(part, bytes) else b"".join(pieces[i] for i in part) for part in given[1:]
    )
    assert found == text[skipped:stop]
    assert record.prefix(Place(1, stop), "mine") == record.prefix(Place(1, stop), "mine", Recipe())
