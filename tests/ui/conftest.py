"""An app on the echo engine, and ways to drive it: `make_app`, `type_text`, `settle`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from loom.config import Config
from loom.session import Session
from loom.ui.app import LoomApp

MakeApp = Callable[..., LoomApp]
WAIT = 30  # seconds after which a test that waits has failed


@pytest.fixture(autouse=True)
def _no_plugins(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would cost a process; a test that is about them asks for `plugins_run`."""
    if "plugins_run" not in request.fixturenames:
        monkeypatch.setattr(LoomApp, "start_plugins", lambda app: None)


@pytest.fixture
def plugins_run() -> None:
    """They run, as they do for a user."""


@pytest.fixture
def make_app(tmp_path: Path) -> MakeApp:
    """An app on `story.loom`, made with `text` in it or opened again."""

    def make(text: str = "", *, model: str = "echo", **engine: Any) -> LoomApp:
        path = tmp_path / "story.loom"
        session = Session.open(path) if path.exists() else Session.create(path, seed=7)
        if text:
            session.write(text)
        return LoomApp(session, Config(engine=engine), model)

    return make


@pytest.fixture
def type_text() -> Callable[[Pilot[None], str], Awaitable[None]]:
    names = {" ": "space", ".": "full_stop", ",": "comma", "\n": "enter"}

    async def write(pilot: Pilot[None], text: str) -> None:
        await pilot.press(*(names.get(character, character) for character in text))

    return write


@pytest.fixture
def wait_for() -> Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]:
    async def wait(pilot: Pilot[None], condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(WAIT):
            while not condition():
                await pilot.pause(0.02)
        await pilot.pause()

    return wait


@pytest.fixture
def settle(
    wait_for: Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]],
) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Until nothing grows and everything is shown."""

    async def wait(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, LoomApp)
        await wait_for(pilot, lambda: not app.session.growing())
        await pilot.pause()

    return wait
