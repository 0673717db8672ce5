"""A path under another model beside what is on record, with echo as both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from loom.comparison import compared
from loom.core.node import ROOT, Place
from loom.core.recipe import Recipe
from loom.engine.api import EngineError
from loom.session import Session

TEXT = "The lighthouse keeper had not spoken"


@pytest.fixture
async def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Session]:
    """The opening, read by echo, and a continuation."""
    monkeypatch.setenv("LOOM_HOME", str(tmp_path / "home"))
    async with Session.create(tmp_path / "s.loom", seed=1) as session:
        session.write(TEXT)
        await session.attach("echo")
        (grown,) = await session.generate(count=1, recipe=Recipe(tokens=6))
        session.go(session.tree[grown].end)
        while session.read(Place(1, len(TEXT))):
            await session.finished([1])
        yield session


@pytest.mark.asyncio
async def test_the_same_model_says_the_same(session: Session) -> None:
    before = len(session.tree)
    found = await compared(session, session.place, "echo", {})
    assert found.text == session.tree.path_bytes(session.place)
    assert found.first == (found.second,)
    assert len(found.stretches) > 6
    for stretch in found.stretches:
        assert stretch.first is not None and stretch.second is not None
        assert stretch.first == pytest.approx(stretch.second, abs=1e-3)
    size, first, second = found.totals()
    assert size == len(found.text)
    assert first == pytest.approx(second, abs=0.05) and first > 1
    assert len(session.tree) == before


@pytest.mark.asyncio
async def test_only_whole_tokens_before_the_place_count(session: Session) -> None:
    span = session.span(1)
    assert span is not None
    long = int(np.flatnonzero(np.diff(span.ends) > 1)[0])
    edge = int(span.ends[long])
    inside = edge + 1
    found = await compared(session, Place(1, inside), "echo", {})
    assert len(found.text) == inside
    known = [s for s in found.stretches if s.first is not None]
    assert known and known[-1].stop <= edge < found.stretches[-1].stop
    total = -found.totals()[1] * np.log(2)
    assert total == pytest.approx(float(span.logprob[: long + 1].sum()), abs=1e-3)


@pytest.mark.asyncio
async def test_no_text_and_no_model_are_said(session: Session) -> None:
    with pytest.raises(EngineError, match="no text"):
        await compared(session, Place(ROOT, 0), "echo", {})
    with pytest.raises(EngineError, match="no model") as raised:
        await compared(session, session.place, "no-such-model", {})
    assert raised.value.hint


@pytest.mark.asyncio
async def test_an_engine_that_fails_ends_the_waiting(session: Session) -> None:
    with pytest.raises(EngineError) as raised:
        await compared(session, session.place, "echo", {"fail_job": 1})
    assert raised.value.hint
