"""A session in which sources can be weighed, with engines of the tests' own process."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from loom import generation
from loom.core.node import Place
from loom.core.recipe import Recipe
from loom.session import Session
from loom.testing.near import NearClient

OPENING = "The lighthouse keeper had not spoken to anyone since the old boat came in the night."
SHORT = Recipe(tokens=12)


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A written opening, three continuations, a branch inside the first of them."""

    async def grow(path: Path) -> None:
        async with Session.create(path, seed=5) as session:
            await session.attach("echo")
            await session.engine_ready()
            await session.finished([session.write(OPENING)])
            nodes = await session.generate(count=3, recipe=SHORT)
            inside = Place(nodes[0], session.edges(nodes[0])[4])
            await session.generate(inside, count=1, recipe=SHORT)

    path = tmp_path_factory.mktemp("recorded") / "a.loom"
    asyncio.run(grow(path))
    return path


@pytest.fixture(autouse=True)
def _near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines of this process, as most tests aren't about processes."""
    monkeypatch.setattr(generation, "EngineClient", NearClient)


@pytest.fixture
def path(recorded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(recorded, tmp_path / "a.loom"))
