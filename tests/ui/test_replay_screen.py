"""A recorded session played on the screen: time goes both ways, nothing is changed, one goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from loom.config import Config
from loom.core.node import Author
from loom.core.recipe import Recipe, Sampling
from loom.discovery import listed
from loom.paths import Paths
from loom.replay.playback import Playback
from loom.replay.schedule import Pace
from loom.session import Session
from loom.ui.player import SPEEDS, Player
from loom.ui.replaying import ReplayApp
from loom.ui.screens.replay import ReplayScreen
from loom.ui.widgets.timeline import CHOSEN, UNDID, WROTE, Timeline

OPENING = "The lighthouse keeper had not spoken"
RECIPE = Recipe(sampling=Sampling(temperature=0.9), tokens=12)
WaitFor = Callable[[Pilot[None], Callable[[], Any]], Awaitable[None]]


@pytest.fixture
async def story(tmp_path: Path) -> Path:
    path = tmp_path / "story.loom"
    async with Session.create(path, seed=7) as session:
        await session.attach("echo")
        session.write(OPENING)
        first = await session.generate(count=3, recipe=RECIPE)
        session.go(session.tree[first[1]].end)
        session.write(" Then it stopped.")
        session.hide(session.display.segment_of(session.tree[first[2]].end))
        session.undo()
    return path


@asynccontextmanager
async def played(path: Path, pace: Pace, **size: Any) -> Any:
    app = ReplayApp(Player(Playback.open(path), pace), Config(), "echo")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        yield app, pilot


def texts(app: ReplayApp) -> list[str]:
    return [app.session.text(node) for node in app.session.tree if app.session.tree[node].length]


async def test_it_plays_by_itself_to_the_end(story: Path, wait_for: WaitFor) -> None:
    async with played(story, Pace.CONSTANT) as (app, pilot):
        assert app.player.playing
        await pilot.press(*["plus"] * len(SPEEDS))
        assert app.player.speed == SPEEDS[-1]
        await wait_for(pilot, lambda: app.player.at_end)
        assert not app.player.playing
        async with Session.open(story, read_only=True) as session:
            assert texts(app) == [session.text(n) for n in session.tree if session.tree[n].length]
            assert app.session.place == session.place
        assert app.main.text_pane.cursor == app.session.place


async def test_space_waits_and_goes_on(story: Path, wait_for: WaitFor) -> None:
    async with played(story, Pace.CONSTANT) as (app, pilot):
        await pilot.press("space")
        here = app.player.playback.seconds
        await pilot.pause(0.1)
        assert not app.player.playing and app.player.playback.seconds == here
        await pilot.press("space")
        await wait_for(pilot, lambda: app.player.playback.seconds > here)


async def test_one_steps_forward_and_back(story: Path, wait_for: WaitFor) -> None:
    async with played(story, Pace.STEPPED) as (app, pilot):
        assert not app.player.playing
        await pilot.press("right")
        assert texts(app) == [OPENING]
        await pilot.press("right", "right", "right")
        assert texts(app)[-1] == " Then it stopped."
        await pilot.press("left", "left", "left")
        assert texts(app) == [OPENING] and isinstance(app.main, ReplayScreen)
        assert app.main.session is app.session is app.player.playback
        await pilot.press("end")
        assert len(texts(app)) == 5
        await pilot.press("home")
        assert texts(app) == []
        await pilot.press("right")
        await wait_for(pilot, lambda: app.main.tree_pane.virtual_size.height == 2)


async def test_the_time_line_shows_what_was_done_and_takes_one_there(
    story: Path, wait_for: WaitFor
) -> None:
    async with played(story, Pace.STEPPED) as (app, pilot):
        line = str(app.main.query_one(Timeline).render()).split("\n")[0]
        assert {WROTE, CHOSEN, UNDID} <= set(line)
        assert line.count(WROTE) == 2
        await pilot.click(Timeline, offset=(118, 0))
        await wait_for(pilot, lambda: len(texts(app)) == 5)
        await pilot.click(Timeline, offset=(line.index(WROTE) + 1, 0))
        await wait_for(pilot, lambda: texts(app) == [OPENING])


async def test_nothing_but_looking_is_possible(story: Path) -> None:
    before = story.read_bytes()
    async with played(story, Pace.STEPPED) as (app, pilot):
        await pilot.press("end")
        seen = (texts(app), app.session.place)
        await pilot.press("g", "i", "e", "u", "backspace", "b", "1", "down", "r", "a", "m")
        await pilot.click(app.main.tree_pane, offset=(4, 2))
        assert (texts(app), app.session.place) == seen and not app.main.editor.is_open
        assert app.screen is app.main
        layer = app.main.text_pane.colour_layer
        await pilot.press("c")
        assert app.main.text_pane.colour_layer != layer
    assert story.read_bytes() == before


async def test_enter_goes_on_from_here_in_a_copy(story: Path, wait_for: WaitFor) -> None:
    before = story.read_bytes()
    async with played(story, Pace.STEPPED) as (app, pilot):
        await pilot.press("right", "right", "right")
        place = app.session.place
        await pilot.press("enter")
        await wait_for(pilot, lambda: not isinstance(app.session, Playback) and app.main.is_mounted)
        session = app.session
        assert session.path.parent == Paths.default().sessions and not session.read_only
        assert session.place == place
        writers = [n for n in session.tree if session.tree[n].author is Author.WRITER and n]
        assert [session.is_hidden(n) for n in writers] == [False, True]  # what came later
        await session.engine_ready()
        await pilot.press("g")
        await wait_for(pilot, lambda: len(session.continuations()) == 4 and not session.growing())
    assert story.read_bytes() == before


async def test_at_the_very_start_there_is_nothing_to_go_on_from(story: Path) -> None:
    async with played(story, Pace.STEPPED) as (app, pilot):
        await pilot.press("enter")
        await pilot.pause()
        assert "play on a little" in "".join(note.message for note in app._notifications)
        assert isinstance(app.session, Playback)


MARKER = """
from loom.instruments.api import Flag, Reading

NAME = "marker"

def start(settings):
    return None

def step(state, span, context):
    flag = Flag("flag", "reference", 1, context.position, 6.7, "It is so.", 0.01, 512, "a test")
    return state, Reading(flags=(flag,) if context.choice else ())
"""


async def test_flags_that_were_kept_come_when_their_node_is_complete(
    story: Path, tmp_path: Path, wait_for: WaitFor
) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "marker.py").write_text(MARKER)
    found = [one for one in listed("plugin", [folder]) if one.source == "command line"]
    async with Session.open(story) as session:
        await session.attach_instruments(Config(), found)
        await session.instruments_settled()
        kept = {node: session.raised_in(node) for node in session.flagged}
        flags = session.flags()
    assert len(kept) == 3 and flags
    async with played(story, Pace.STEPPED) as (app, pilot):
        await pilot.press("home", "right")  # what the writer has written
        await pilot.pause()
        await pilot.press("right")
        await pilot.pause()
        assert app.session.growing() and not app.session.flagged
        await pilot.press("end")
        await wait_for(pilot, lambda: set(app.session.flagged) == set(kept))
        for node, raised in kept.items():
            assert app.session.raised_in(node) == raised
        assert app.session.flags() == flags
        await wait_for(pilot, lambda: app.main.status.flags == f"⚑ {len(flags)}")
        await pilot.press("home")
        await wait_for(pilot, lambda: not app.session.flagged)
