"""Instruments that read the log: everything drawn, once, in an order that no choice changes."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from loom.changes import Change, Notice
from loom.compaction import compacted
from loom.config import Config, PluginConfig
from loom.core.node import ROOT, Author, Place
from loom.core.recipe import Recipe, Sampling
from loom.discovery import Found, listed, module_of
from loom.drift import drawn_by, drift_of, model_of_path, path_to
from loom.instruments.api import Context, Drawn, Flag, Reading, Settings
from loom.instruments.dealing import InNode
from loom.instruments.folding import Stretch, fold
from loom.instruments.keeping import unpack
from loom.paths import Paths
from loom.reading.arrivals import Arrivals
from loom.reading.stretches import Stretches
from loom.session import Session
from loom.store.examine import examine

SHORT = Recipe(tokens=9)

LOGGED = """
import numpy as np
from loom.instruments.api import Flag, Reading

NAME, VERSION, SCOPE = "logged", "1", "log"
OPTIONS = {"every": 7}

def start(settings):
    return {"every": settings.options["every"], "seen": 0, "last": 0.0}

def step(state, span, context):
    seen, last, values, flags = state["seen"], state["last"], [], []
    rows = zip(span.logprob.tolist(), context.drawn.steps, context.drawn.branches)
    for index, (logprob, step, branch) in enumerate(rows):
        seen, last = seen + 1, 0.9 * last - logprob + 0.1 * step + 0.01 * branch
        values.append(last)
        if seen % state["every"] == 0:
            began = max(0, context.position + index - 5)
            flags.append(Flag("info", "none", index, began, 0.0, f"{seen} tokens by now."))
    summary = {"tokens": len(span), "job": f"job {context.drawn.job}"}
    after = {**state, "seen": seen, "last": last}
    return after, Reading({"last": np.array(values)}, summary, tuple(flags))
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[int, ...]]:
    """A session in which nobody has read anything yet, and what was drawn in it."""

    async def grow(path: Path) -> tuple[int, ...]:
        async with opened(path) as session:
            return await grown(session)

    path = tmp_path_factory.mktemp("recorded") / "a.loom"
    return path, asyncio.run(grow(path))


@pytest.fixture
def nodes(recorded: tuple[Path, tuple[int, ...]], tmp_path: Path) -> tuple[int, ...]:
    """Of a copy at `tmp_path / "a.loom"`."""
    shutil.copy(recorded[0], tmp_path / "a.loom")
    return recorded[1]


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "logged.py").write_text(LOGGED)
    return folder


def found_in(folder: Path) -> list[Found]:
    return [one for one in listed("plugin", [folder]) if one.source == "command line"]


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Session]:
    session = Session.open(path) if path.exists() else Session.create(path, seed=5)
    async with session:
        yield session


async def with_engine(session: Session) -> None:
    await session.attach("echo")
    await session.engine_ready()


async def read(session: Session, plugins: Path, config: Config | None = None) -> None:
    await session.attach_instruments(config or Config(), found_in(plugins))
    await session.instruments_settled()


async def grown(session: Session) -> tuple[int, ...]:
    """Three jobs of four, two and one branches, one inside a node, and words of the writer's."""
    await with_engine(session)
    session.write("The lighthouse keeper")
    first = await session.generate(count=4, recipe=SHORT)
    span = session.span(first[1])
    assert span is not None
    inside = Place(first[1], int(span.ends[4]))
    second = await session.generate(inside, count=2, recipe=Recipe(tokens=5))
    session.take_alternative(first[1], 2, int(span.top_ids[2, 1]))
    session.write(" And then", session.tree[second[0]].end)
    third = await session.generate(count=1, recipe=Recipe(tokens=12))
    return (*first, *second, *third)


def rows_of(session: Session) -> Iterator[tuple[int, int, int, int]]:
    """(job, step, branch, node) of every token that was drawn, in order; by hand."""
    jobs = [event.data["added"] for event in session.events() if event.kind == "grow"]
    for number, nodes in enumerate(jobs):
        counts = [session.tree[node].token_count or 0 for node in nodes]
        for step in range(max(counts)):
            for branch, node in enumerate(nodes):
                if step < counts[branch]:
                    yield number, step, branch, node


def expected(session: Session, plugins: Path, every: int = 7) -> dict[int, Reading]:
    """What comes out in this process, token by token."""
    stretches: list[Stretch] = []
    owners: list[tuple[int, int]] = []
    for position, (job, step, branch, node) in enumerate(rows_of(session)):
        span = session.span(node)
        assert span is not None
        token, text = span[step], session.tree[node].text
        offset = sum(len(part.context.pieces[0]) for part in stretches)
        pieces, drawn = (text[token.start : token.end],), Drawn(job, (step,), (branch,))
        context = Context(position, offset, Author.MODEL, pieces, 1.0, drawn=drawn)
        stretches.append(Stretch(span.cut(step, step + 1), context))
        owners.append((node, step))
    module: ModuleType = module_of(found_in(plugins)[0])
    readings = [one for _, one in fold(module, Settings({"every": every}), stretches)]
    return {node: _dealt(node, owners, readings) for node, _ in owners}


def _dealt(node: int, owners: list[tuple[int, int]], readings: list[Reading]) -> Reading:
    own = [row for row, (owner, _) in enumerate(owners) if owner == node]
    flags = [
        InNode(f.level, f.null, owners[row][1], sum(r < f.began for r in own), f.bits, f.reason)
        for row in own
        for f in readings[row].flags
    ]
    values = np.concatenate([readings[row].values["last"] for row in own])
    return Reading({"last": values}, {}, tuple(flags))


def same(one: Reading, other: Reading) -> bool:
    return one.flags == other.flags and (
        one.values["last"].tobytes() == other.values["last"].tobytes()
    )


def check(session: Session, plugins: Path, every: int = 7) -> None:
    wanted = expected(session, plugins, every)
    assert wanted
    for node, reading in wanted.items():
        assert same(session.readings(node)["logged"], reading), node
    tokens = sum(len(reading.values["last"]) for reading in wanted.values())
    assert session.readings(ROOT)["logged"].summary["tokens"] == tokens


async def test_all_that_was_drawn_is_read_in_the_order_job_step_branch(
    plugins: Path, tmp_path: Path
) -> None:
    async with opened(tmp_path / "a.loom") as session:
        await read(session, plugins)
        nodes = await grown(session)
        await session.instruments_settled()
        check(session, plugins)
        assert set(expected(session, plugins)) == set(nodes)
        written = [n for n in session.tree if session.tree[n].author is Author.WRITER and n]
        assert [session.readings(node) for node in written] == [{}] * 3
        summaries = [session.readings(node)["logged"].summary["job"] for node in nodes]
        assert summaries == ["job 0"] * 4 + ["job 1"] * 2 + ["job 2"]
        assert [running.state for running in session.instruments()] == ["on"]


async def test_drift_of_a_path_has_what_was_dealt_out_to_its_nodes(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    """The path leaves the second branch of the first job in the middle, and ends in the middle."""
    (folder := Paths.default().plugins).mkdir(parents=True)
    shutil.copy(plugins / "logged.py", folder)
    async with opened(tmp_path / "a.loom") as session:
        span = session.span(nodes[4])
        assert span is not None
        place = Place(nodes[4], int(span.ends[2]))
        arrivals = Arrivals(session.tree, session.marks)
        stretches = Stretches(session, arrivals.choice_of)
        model = model_of_path(session, stretches, place)
        assert model is not None
        path, text = list(path_to(session, stretches, place, model)), session.tree.path_bytes(place)
        drawn = drawn_by(session, stretches, place, model)
        wanted = Config(plugins={"logged": PluginConfig(options={"every": 3})})
        drift = await drift_of(path, text, model, wanted, tmp_path / "log", drawn=drawn)
        dealt = expected(session, plugins, every=3)
        first = sum(len(stretch) for stretch in path) - 3 - 5
        parts = [np.full(first, np.nan, np.float32)]
        parts += [dealt[nodes[1]].values["last"][:5], dealt[nodes[4]].values["last"][:3]]
        found = drift.readings["logged"]
        assert found.values["last"].tobytes() == np.concatenate(parts).tobytes()
        assert found.summary["tokens"] == sum(len(one.values["last"]) for one in dealt.values())
        await read(session, plugins, wanted)
        mine = [(one.start, one.stop) for one in drift.flags if one.plugin == "logged"]
        assert mine == [(one.start, one.stop) for one in session.flags(place)]
        assert len(mine) > 1


async def test_it_is_the_same_when_it_is_read_afterwards_or_goes_on_later(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    path = tmp_path / "a.loom"
    async with opened(path) as session:
        await read(session, plugins)
        check(session, plugins)
        before = {row.node: row for n in session.tree for row in session.reading_rows(n)}
    async with opened(path) as session:
        await read(session, plugins)
        after = {row.node: row for n in session.tree for row in session.reading_rows(n)}
        assert after == before  # nothing was read again
        await with_engine(session)
        await session.generate(count=3, recipe=SHORT)
        await session.instruments_settled()
        check(session, plugins)


async def test_hidden_branches_stay_in_and_killing_the_process_changes_nothing(
    plugins: Path, tmp_path: Path
) -> None:
    async with opened(tmp_path / "a.loom") as session:
        await read(session, plugins)
        nodes = await grown(session)
        session.hide(session.display.segment_of(session.tree[nodes[2]].end))
        session.undo()
        session.undo()
        client = session._readings.client
        assert client is not None and client.pid is not None
        os.kill(client.pid, signal.SIGKILL)
        session.go(session.tree[nodes[0]].end)
        more = await session.generate(count=2, recipe=SHORT)
        await session.instruments_settled()
        check(session, plugins)
        assert set(expected(session, plugins)) == {*nodes, *more}


async def test_a_job_waits_for_those_before_it_whichever_is_complete_first(
    plugins: Path, tmp_path: Path
) -> None:
    async with opened(tmp_path / "a.loom") as session:
        await read(session, plugins)
        await with_engine(session)
        long = session.grow(count=2, recipe=Recipe(tokens=3000))
        while not all(session.tree[node].token_count for node in long):
            await asyncio.sleep(0.01)
        session.go(session.tree[long[1]].end)  # into one that grows
        short = await session.generate(Place(long[0], 0), count=1, recipe=Recipe(tokens=3))
        assert session.readings(short[0]) == {}
        session.cancel([long[0]])
        assert session.growing() == (long[1],)
        session.cancel()
        await session.instruments_settled()
        check(session, plugins)
        assert session.readings(short[0])["logged"].summary["job"] == "job 1"


async def test_what_was_compacted_away_has_been_counted(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    path = tmp_path / "a.loom"
    async with opened(path) as session:
        await read(session, plugins)
        session.hide(session.display.segment_of(session.tree[nodes[3]].end))
        session.hide(session.display.segment_of(session.tree[nodes[4]].end))
        state = _state(session)
        whole = sum(session.tree[node].token_count or 0 for node in nodes)
    assert examine(path).whole
    gone = compacted(path).removed
    assert {nodes[3], nodes[4]} <= set(gone)
    async with opened(path) as session:
        await read(session, plugins)
        assert _state(session) == state
        await with_engine(session)
        (node,) = await session.generate(count=1, recipe=Recipe(tokens=2))
        await session.instruments_settled()
        summary = session.readings(node)["logged"].summary
        assert summary == {"tokens": 2, "job": "job 3"}
        assert session.readings(ROOT)["logged"].summary["tokens"] == whole + 2
        assert json.loads(_state(session))["seen"] == whole + 2
        # other settings: what is left is all there is
        config = Config(plugins={"logged": PluginConfig(options={"every": 3})})
        await read(session, plugins, config)
        left = sum(
            n.token_count or 0
            for n in map(session.tree.__getitem__, session.tree)
            if n.seed is not None
        )
        assert session.readings(ROOT)["logged"].summary["tokens"] == left < whole


def _state(session: Session) -> str:
    (row,) = session.reading_rows(ROOT)
    account = list(json.loads(unpack(row.state, row.data).state).values())[-1]
    return str(account["state"])


async def test_other_settings_are_read_anew_and_those_before_are_not_lost(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    async with opened(tmp_path / "a.loom") as session:
        await read(session, plugins)
        config = Config(plugins={"logged": PluginConfig(options={"every": 4})})
        await read(session, plugins, config)
        check(session, plugins, 4)
        await read(session, plugins)
        assert session.readings(ROOT)["logged"].summary["tokens"] == len(list(rows_of(session)))


async def test_flags_stand_in_the_node_that_raised_them_with_or_without_plugins(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    path = tmp_path / "a.loom"
    async with opened(path) as session:
        await read(session, plugins)
        last, place = nodes[-1], session.tree[nodes[-1]].end
        wanted = expected(session, plugins)[last].flags
        assert wanted and session.flagged >= {last}
        raised = [one for one in session.flags(place) if one.place.node == last]
        assert [one.token for one in raised] == [flag.at for flag in wanted]
        text = session.tree[last].text
        before = len(session.tree.path_bytes(session.tree[last].hangs_at))
        span = session.span(last)
        assert span is not None
        for one, flag in zip(raised, wanted, strict=True):
            assert one.first - before == ([0, *span.ends.tolist()])[flag.began]
            assert one.last - before == span.ends[flag.at] <= len(text)
        every = session.flags(place)
        assert session.raised_in(last) == raised
    async with Session.open(path, read_only=True) as session:
        assert session.flags(place) == every
        await read(session, plugins)
        assert session.flags(place) == every


async def test_one_that_fails_is_off_with_one_notice_and_one_that_is_added_catches_up(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    failing = LOGGED.replace("logged", "failing").replace("seen + 1,", "seen / 0,")
    (plugins / "failing.py").write_text(failing)
    path = tmp_path / "a.loom"
    async with opened(path) as session:
        heard: list[Change] = []
        session.subscribe(lambda c: heard.append(c) if isinstance(c, Notice) else None)
        await read(session, plugins)
        (notice,) = heard
        assert isinstance(notice, Notice) and "The plugin failing is off" in notice.text
        (plugins / "failing.py").unlink()
        check(session, plugins)
    (plugins / "other.py").write_text(LOGGED.replace('"logged"', '"other"'))
    async with opened(path) as session:
        await read(session, plugins)
        for node in nodes:
            readings = session.readings(node)
            assert same(readings["other"], readings["logged"])
        assert session.readings(ROOT)["other"] == session.readings(ROOT)["logged"]


async def test_a_long_log_is_read_in_pieces_and_kept_as_one(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loom.reading.walking.PIECE", 4)
    monkeypatch.setattr("loom.reading.tally.PIECE", 20)
    monkeypatch.setattr("loom.reading.rounds.FEW", 1)
    async with opened(tmp_path / "a.loom") as session:
        await read(session, plugins)
        check(session, plugins)


async def test_each_model_has_a_log_of_its_own(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    async with opened(tmp_path / "a.loom") as session:
        session._models[7] = replace(session._models[1], id=7, fingerprint="another")
        for node in nodes[4:6]:  # the second job
            session.tree.replace(replace(session.tree[node], model=7))
        await read(session, plugins)
        summaries = [session.readings(node)["logged"].summary["job"] for node in nodes]
        assert summaries == ["job 0"] * 6 + ["job 1"]
        counts = [session.tree[node].token_count or 0 for node in nodes]
        last = session.readings(ROOT)["logged"].summary
        assert last["tokens"] == sum(counts[:4]) + counts[6]
        keys = {session.reading_rows(node)[0].settings for node in nodes}
        assert len(keys) == 2


async def test_the_temperature_is_that_of_the_recipe(plugins: Path, tmp_path: Path) -> None:
    (plugins / "logged.py").write_text(
        "from loom.instruments.api import Reading\n"
        "NAME = 'warm'\n"
        "SCOPE = 'log'\n"
        "def start(settings): return 0\n"
        "def step(state, span, context):\n"
        "    return state, Reading(summary={'t': f'{context.temperature} {context.choice}'})\n"
    )
    async with opened(tmp_path / "a.loom") as session:
        await read(session, plugins)
        await with_engine(session)
        recipe = Recipe(tokens=3, sampling=Sampling(temperature=0.5))
        (node,) = await session.generate(count=1, recipe=recipe)
        await session.instruments_settled()
        assert session.readings(node)["warm"].summary == {"t": "0.5 None"}


def test_flags_of_a_path_are_none_of_a_node() -> None:
    assert InNode("info", "none", 0, 0, 0.0, "x") != Flag("info", "none", 0, 0, 0.0, "x")


async def test_after_any_wandering_the_log_is_what_was_drawn(plugins: Path, tmp_path: Path) -> None:
    chance = random.Random(4)
    for _ in range(2):  # the second time in what was closed
        async with opened(tmp_path / "a.loom") as session:
            await with_engine(session)
            await session.attach_instruments(Config(), found_in(plugins))
            for _ in range(12):
                wander(session, chance)
                await asyncio.sleep(chance.choice([0, 0.01, 0.05]))
            await session.finished(session.growing())
            await session.instruments_settled()
            check(session, plugins)


def wander(session: Session, chance: random.Random) -> None:
    node = session.tree[chance.choice([n for n in session.tree if not session.is_hidden(n)])]
    match chance.choice(["go", "write", "grow", "grow", "hide", "undo", "redo", "cancel"]):
        case "go":
            session.go(Place(node.id, chance.randint(0, node.length)))
        case "write":
            session.write(" and so", node.end)
        case "grow":
            session.grow(count=chance.randint(1, 3), recipe=Recipe(tokens=chance.randint(1, 40)))
        case "hide" if node.id > 3:
            session.hide(session.display.segment_of(node.end))
        case "undo":
            session.undo()
        case "redo":
            session.redo()
        case "cancel":
            session.cancel(session.growing()[:1])
