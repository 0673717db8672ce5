"""What a model was given before a node: its own tokens as they were, text cut again, and how far
back it saw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loom.context import CUT, NO_ENGINE, Context, Part, context_of
from loom.core.node import Place
from loom.engine.network import seen_from
from loom.session import Session
from loom.ui.screens.context import seen_bytes, seen_text, token_lines

OPENING = "The lighthouse keeper had not spoken to anyone since"


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session.create(tmp_path / "story.loom", seed=7)


async def grown(session: Session, tokens: int = 4, **engine: Any) -> int:
    await session.attach("echo", engine)
    await session.engine_ready()
    recipe = replace(session.recipe, tokens=tokens)
    return (await session.generate(count=1, recipe=recipe))[0]


async def test_the_ids_are_those_that_the_model_was_given(session: Session) -> None:
    async with session:
        session.write(OPENING)
        first = await grown(session)
        session.go(session.tree[first].end)
        second = await grown(session)
        context = await context_of(session, second)
        engine = session.engine
        assert engine is not None
        written, _ = await engine.encode(OPENING.encode(), True)
        span = session.span(first)
        assert span is not None
        assert [part.node for part in context.parts] == [1, first]
        assert context.parts[0].ids == tuple(written)
        assert context.parts[1].ids == tuple(span.ids.tolist())
        assert b"".join(part.text for part in context.parts) == session.tree.path_bytes(
            session.tree[first].end
        )
        assert (context.tokens, context.seen_from, context.doubt) == (len(written) + 4, 0, "")


async def test_ids_stay_the_same_when_the_text_is_read_later(session: Session) -> None:
    async with session:
        session.write(OPENING)
        node = await grown(session)
        before = await context_of(session, node)
        for number in session.read(session.tree[1].end):
            await session.finished([number])
        assert session.tree[1].token_count
        assert (await context_of(session, node)).parts == before.parts


async def test_a_branch_inside_a_token_that_was_read_later_is_doubted(session: Session) -> None:
    async with session:
        session.write("an unpronounceable word of another thing")
        session.go(Place(1, 1))
        node = await grown(session)
        for number in session.read(session.tree[1].end):
            await session.finished([number])
        span = session.span(1)
        assert span is not None
        context = await context_of(session, node)
        assert context.doubt == (CUT if span.count_until(1) == 0 else "")


async def test_without_the_model_text_has_no_ids(tmp_path: Path, session: Session) -> None:
    async with session:
        session.write(OPENING)
        node = await grown(session)
    async with Session.open(tmp_path / "story.loom", read_only=True) as again:
        if again.tree[1].token_count is None:
            context = await context_of(again, node)
            assert (context.tokens, context.doubt) == (None, NO_ENGINE)
            assert context.parts[0].ids is None
        await again.attach("echo")
        await again.engine_ready()
        assert (await context_of(again, node)).tokens


async def test_a_node_that_no_model_has_touched_has_none(session: Session) -> None:
    async with session:
        session.write(OPENING)
        with pytest.raises(ValueError, match="No model has read this yet"):
            await context_of(session, 1)


async def test_a_long_text_is_seen_from_where_sight_begins(session: Session) -> None:
    async with session:
        session.write("ab " * 1500)
        node = await grown(session)
        context = await context_of(session, node)
        assert context.tokens is not None and context.window == 2048
        assert context.seen_from == context.tokens - 2048
        shown = seen_bytes(context)
        assert session.tree[1].text.endswith(shown)
        assert len(list(token_lines(context))) == 2048 + 1, "a line for the node"
        assert seen_text(context).startswith("⟨sight begins here⟩")


def test_special_tokens_are_seen() -> None:
    parts = (Part(None, (b"",), (5,)), Part(1, (b"a", b"\x1b"), (7, 8)), Part(2, (b"text",), None))
    context = Context(3, "m", "f", parts, 100, 0)
    assert seen_text(context) == "⟨5: put before every text⟩a␛text"
    lines = list(token_lines(context))
    assert lines[0].split()[0] == "5"
    assert [line.split() for line in lines[1:]] == [
        ["—", "node", "1"],
        ["0", "7", "a"],
        ["1", "8", "␛"],
        ["—", "node", "2"],
        ["?", "text"],
    ]
    assert context.tokens is None


def test_sight_moves_on_by_quarters_of_the_window() -> None:
    assert [seen_from(100, 1, count) for count in (0, 99, 100, 124, 125, 149)] == [
        0, 0, 25, 25, 50, 50,
    ]  # fmt: skip
