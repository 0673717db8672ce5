"""An engine goes from one session to another, and what belongs to the first stays there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from loom.changes import Change, EngineChanged
from loom.core.node import Ending
from loom.engine.api import EngineError
from loom.session import Session

OPENING = "The lighthouse keeper had not spoken"


async def test_the_same_process_grows_in_the_next_session(tmp_path: Path) -> None:
    first, second = (Session.create(tmp_path / f"{n}.loom", seed=1) for n in (1, 2))
    first.write(OPENING)
    second.write(OPENING)
    await first.attach("echo")
    grown = await first.generate(count=2)
    assert first.engine is not None
    pid = first.engine.pid
    changes: list[Change] = []
    second.subscribe(changes.append)
    assert first.hand_engine_to(second)
    assert first.engine is None
    await first.close()
    assert second.engine is not None
    assert second.engine.pid == pid
    assert isinstance(changes[0], EngineChanged)
    assert changes[0].state == "ready"
    nodes = await second.generate(count=2)
    assert [second.tree[n].text for n in nodes] == [first.tree[n].text for n in grown]
    assert [len(second.span(n) or ()) for n in nodes] == [48, 48]
    await second.close()


async def test_what_grows_is_sealed_and_does_not_come_out_in_the_next(tmp_path: Path) -> None:
    first, second = (Session.create(tmp_path / f"{n}.loom", seed=1) for n in (1, 2))
    first.write(OPENING)
    await first.attach("echo", {"delay": 0.02})
    await first.engine_ready()
    left = first.grow(count=2)
    assert first.hand_engine_to(second)
    assert {first.tree[n].ended for n in left} == {Ending.CANCEL}
    second.write("Another story")
    (node,) = await second.generate(count=1)
    assert second.tree[node].ended is Ending.LENGTH
    assert first.growing() == second.growing() == ()
    await first.close()
    await second.close()


async def test_who_waits_for_an_answer_is_told(tmp_path: Path) -> None:
    first, second = (Session.create(tmp_path / f"{n}.loom", seed=1) for n in (1, 2))
    await first.attach("echo", {"delay": 0.02})
    await first.engine_ready()
    asked = asyncio.create_task(first.next_tokens())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert first.hand_engine_to(second)
    with pytest.raises(EngineError, match="Another session"):
        await asked
    await first.close()
    await second.close()


async def test_an_engine_that_still_loads_goes_along(tmp_path: Path) -> None:
    first, second = (Session.create(tmp_path / f"{n}.loom", seed=1) for n in (1, 2))
    await first.attach("echo")
    assert first.hand_engine_to(second)
    assert len(await second.generate(count=3)) == 3
    await first.close()
    await second.close()


async def test_without_a_living_engine_there_is_nothing_to_hand_over(tmp_path: Path) -> None:
    first, second = (Session.create(tmp_path / f"{n}.loom", seed=1) for n in (1, 2))
    assert not first.hand_engine_to(second)
    await first.attach("/nowhere/model")
    with pytest.raises(EngineError):
        await first.engine_ready()
    assert not first.hand_engine_to(second)
    assert second.engine is None
    await first.close()
    await second.close()
