"""An app on the echo engine, and ways to drive it: `make_app`, `type_text`, `settle`; and beliefs
about sources that are made up: `believed`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.pilot import Pilot

from loom.changes import Weighed
from loom.config import Config
from loom.core.node import ROOT, Place
from loom.instruments.sources import filtering
from loom.instruments.sources.api import (
    Belief,
    Course,
    Posterior,
    Scores,
    Source,
    SourceSet,
    Tempering,
)
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


NAMES = (
    "Jane Austen",
    "H. G. Wells",
    "The Daily Telegraph",
    "O. Henry",
    "A Python manual",
    "Homer",
)
SET = SourceSet(
    "shelf",
    "What stands on it.",
    tuple(Source(name, (f"{name}\n\n",), short=name.split()[-1]) for name in NAMES),
)
SHARP = Tempering(1.0, 0.0)


class Believed:
    """What stands in for a session's beliefs: scores made up by node, weighed by the real filter.

    The text of a node speaks for the source of its number; in the first half of node 1 for the
    first one, in the second half for the second.
    """

    def __init__(self, known: SourceSet | None = SET, *, calibrated: bool = True) -> None:
        self.known, self.calibrated = known, calibrated
        self.weighing: tuple[int, int] | None = None
        self.weighed: list[Place | None] = []
        self.kept: set[int] | None = None  # nodes of which something is known; None: all

    def scores(self, node: int, tokens: int) -> Scores:
        assert self.known is not None
        frames = len(self.known.frames)
        ratio = np.random.default_rng(node).normal(-0.5, 0.3, (tokens, frames - 1))
        spans = [(node, 0, tokens)] if node > 1 else [(1, 0, tokens // 2), (2, tokens // 2, tokens)]
        for source, start, stop in spans:
            ratio[start:stop, (source - 1) % (frames - 1)] = 1.2
        information = np.abs(np.sin(np.arange(tokens))) / 2
        return Scores(
            np.full(tokens, -2, np.float32),
            ratio.astype(np.float32),
            information.astype(np.float32),
        )

    def after(self, session: Session, place: Place) -> tuple[Belief, Course | None]:
        assert self.known is not None
        belief, course = filtering.begin(self.known), None
        for node, stop in session.tree.stretches(place):
            span = session.span(node)
            tokens = 0 if span is None else span.count_until(stop)
            if node != ROOT and tokens:
                scores = self.scores(node, tokens)
                belief, course = filtering.advance(self.known, belief, scores, SHARP)
        return belief, course

    def posterior_at(self, session: Session, place: Place) -> Posterior | None:
        if not self._is_known(place.node) or self.known is None:
            return None
        belief, _ = self.after(session, place)
        rescored = np.array([n != 3 for n in range(len(self.known.frames))])
        return filtering.posterior(
            self.known, belief, calibrated=self.calibrated, rescored=rescored, following=0.25
        )

    def course(self, session: Session, node: int) -> Course | None:
        if not self._is_known(node) or session.span(node) is None or self.known is None:
            return None
        return self.after(session, session.tree[node].end)[1]

    def _is_known(self, node: int) -> bool:
        return self.kept is None or node in self.kept


@pytest.fixture
def believed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Believed]:
    made = Believed()

    def set_sources(session: Session, wanted: SourceSet | None) -> None:
        made.known = wanted
        session._emit(Weighed(frozenset()))

    def stop(session: Session) -> bool:
        had, made.weighing = made.weighing, None
        return had is not None

    fakes: dict[str, Any] = {
        "sources": property(lambda session: made.known),
        "set_sources": set_sources,
        "posterior": lambda s, node: made.posterior_at(s, s.tree[node].end),
        "posterior_at": lambda s, place: made.posterior_at(s, place),
        "course": lambda s, node: made.course(s, node),
        "weigh": lambda s, place=None: made.weighed.append(place),
        "stop_weighing": stop,
        "weighing": property(lambda session: made.weighing),
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(Session, name, fake)
    yield made
