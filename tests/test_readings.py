"""Instruments on a session: every node is read, once, and the same however one comes to it."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest

from loom.changes import Change, Notice, Read
from loom.config import Config, PluginConfig, parse_config
from loom.core.node import Place
from loom.core.recipe import Recipe
from loom.discovery import Found, listed, module_of
from loom.drift import drift_of, model_of_path, path_to
from loom.generation import Generation
from loom.instruments.api import Context, Reading, Settings
from loom.instruments.calibration import Calibration
from loom.instruments.folding import Stretch, fold
from loom.instruments.lanes import Lanes
from loom.reading.arrivals import Arrivals
from loom.reading.stretches import Stretches
from loom.reading.walking import Walk
from loom.session import Session
from loom.unread import Unread

OPENING = "The lighthouse keeper had not spoken to anyone since"
SHORT = Recipe(tokens=9)

COUNTER = """
import numpy as np
from loom.instruments.api import Flag, Reading

NAME, VERSION = "counter", "1"
OPTIONS = {"every": 4}

def start(settings):
    return {"every": settings.options["every"], "seen": 0, "last": 0.0}

def step(state, span, context):
    seen, last, values, flags = state["seen"], state["last"], [], []
    for index, logprob in enumerate(span.logprob.tolist()):
        seen, last = seen + 1, 0.9 * last - logprob
        values.append(last)
        if seen % state["every"] == 0:
            began = max(0, context.position + index - 2)
            flags.append(Flag("info", "none", index, began, last, f"{seen} tokens by now."))
    after = {**state, "seen": seen, "last": last}
    return after, Reading({"last": np.array(values)}, {"tokens": len(span)}, tuple(flags))
"""

CHOOSER = """
from loom.instruments.api import Reading

NAME = "chooser"

def start(settings):
    return []

def step(state, span, context):
    if context.choice is None:
        return state, Reading()
    after = state + [context.choice.offered]
    return after, Reading(summary={"offered": context.choice.offered, "steps": len(after)})
"""


@dataclass(frozen=True)
class Grown:
    """A session in a file, and its nodes: a written opening that has been read, four continuations,
    two branches inside the second of them, two after the first of those."""

    path: Path
    nodes: tuple[int, ...]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Grown:
    async def grow(path: Path) -> tuple[int, ...]:
        async with Session.create(path, seed=5) as session:
            return await grown(session)

    path = tmp_path_factory.mktemp("recorded") / "a.loom"
    return Grown(path, asyncio.run(grow(path)))


@pytest.fixture
def nodes(recorded: Grown, tmp_path: Path) -> tuple[int, ...]:
    """Of a copy at `tmp_path / "a.loom"`."""
    shutil.copy(recorded.path, tmp_path / "a.loom")
    return recorded.nodes


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "counter.py").write_text(COUNTER)
    (folder / "chooser.py").write_text(CHOOSER)
    return folder


def found_in(folder: Path, *names: str) -> list[Found]:
    every = [one for one in listed("plugin", [folder]) if one.source == "command line"]
    return [one for one in every if not names or one.name in names]


@asynccontextmanager
async def opened(path: Path, *, read_only: bool = False) -> AsyncIterator[Session]:
    there = path.exists()
    session = Session.open(path, read_only=read_only) if there else Session.create(path, seed=5)
    async with session:
        yield session


async def read(session: Session, found: list[Found], config: Config | None = None) -> None:
    await session.attach_instruments(config or Config(), found)
    await session.instruments_settled()


async def grown(session: Session) -> tuple[int, ...]:
    await session.attach("echo")
    await session.engine_ready()
    opening = session.write(OPENING)
    await session.finished(session.read(session.place))
    first = await session.generate(count=4, recipe=SHORT)
    span = session.span(first[1])
    assert span is not None
    inside = Place(first[1], int(span.ends[4]))
    second = await session.generate(inside, count=2, recipe=SHORT)
    third = await session.generate(session.tree[second[0]].end, count=2, recipe=SHORT)
    return (opening, *first, *second, *third)


def path_of(session: Session, node: int) -> list[Stretch]:
    """The whole path to a node's end, put together by hand."""
    found: list[Stretch] = []
    position = offset = 0
    for number, stop in session.tree.stretches(session.tree[node].end):
        span = session.span(number)
        if span is not None and stop:
            part = span.cut(0, span.count_until(stop))
            text, ends = session.tree[number].text, [0, *part.ends.tolist()]
            pieces = tuple(text[a:b] for a, b in zip(ends, ends[1:], strict=False))
            context = Context(position, offset, session.tree[number].author, pieces)
            found.append(Stretch(part, context))
            position += len(part)
        offset += stop
    return found


def counted(session: Session, plugins: Path, node: int, every: int = 4) -> Reading:
    """What the counter makes of the whole path, in this process: the node's part of it. Of a path
    that several models have read it is given the tokens of one."""
    row = session.model_of(node)
    settings = Settings({"every": every}, row.fingerprint if row else "")
    counter: ModuleType = module_of(found_in(plugins, "counter")[0])
    nodes = [
        number
        for number, stop in session.tree.stretches(session.tree[node].end)
        if stop and session.span(number) is not None
    ]
    path = zip(nodes, path_of(session, node), strict=True)
    mine = [part for number, part in path if session.model_of(number) == row]
    return list(fold(counter, settings, mine))[-1][1]


def same(one: Reading, other: Reading) -> bool:
    return (
        one.summary == other.summary
        and one.flags == other.flags
        and {n: c.tobytes() for n, c in one.values.items()}
        == {n: c.tobytes() for n, c in other.values.items()}
    )


async def test_every_node_is_read_as_if_the_path_were_one_text(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    async with opened(tmp_path / "a.loom") as session:
        await read(session, found_in(plugins))
        assert len(nodes) == 9
        for node in nodes:
            assert same(session.readings(node)["counter"], counted(session, plugins, node))


async def test_what_was_read_is_there_after_reopening_and_is_not_read_again(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    path = tmp_path / "a.loom"
    async with opened(path) as session:
        await read(session, found_in(plugins))
        before = {node: session.readings(node) for node in nodes}
    async with opened(path, read_only=True) as session:  # nothing is attached
        for node in nodes:
            assert set(session.readings(node)) == {"counter", "chooser"}
            assert same(session.readings(node)["counter"], before[node]["counter"])
            assert same(session.reading(node, "chooser") or Reading(), before[node]["chooser"])
    (plugins / "counter.py").write_text(COUNTER.replace("logprob in", "_ in"))  # would now raise
    async with opened(path) as session:
        notices = heard(session, Notice)
        await read(session, found_in(plugins))
        for node in nodes:
            assert same(session.readings(node)["counter"], before[node]["counter"])
        assert notices == []


async def test_other_options_or_another_version_are_read_anew(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    path, counter = tmp_path / "a.loom", found_in(plugins, "counter")
    async with opened(path) as session:
        await read(session, counter)
        config = Config(plugins={"counter": PluginConfig(options={"every": 3})})
        await read(session, counter, config)
        for node in nodes:
            assert same(session.readings(node)["counter"], counted(session, plugins, node, 3))
    (plugins / "counter.py").write_text(COUNTER.replace('"1"', '"2"').replace("0.9", "0.8"))
    async with opened(path) as session:
        await read(session, counter)
        for node in nodes:
            assert same(session.readings(node)["counter"], counted(session, plugins, node))


async def test_a_calibration_is_handed_over_and_another_one_is_read_anew(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    (plugins / "scaled.py").write_text(
        "from loom.instruments.api import Reading\n"
        "NAME, VERSION = 'scaled', '1'\n"
        "def start(settings): return (settings.calibration or {}).get('mean', -1)\n"
        "def step(state, span, context): return state, Reading(summary={'mean': state})\n"
    )
    async with opened(tmp_path / "a.loom") as session:
        node = nodes[-1]
        row = session.model_of(node)
        assert row is not None
        for mean in (3, 4, None):
            entry = {"scaled": {"version": "1", "kept": {"mean": mean}}} if mean else {}
            known = {row.fingerprint: Calibration(row.fingerprint, "a model", {}, entry)}
            scaled = found_in(plugins, "scaled")
            await session.attach_instruments(Config(), scaled, calibrations=known.get)
            await session.instruments_settled()
            assert session.readings(node)["scaled"].summary == {"mean": mean or -1}


async def test_nodes_are_read_as_they_are_sealed_also_after_the_process_was_killed(
    plugins: Path, tmp_path: Path
) -> None:
    async with opened(tmp_path / "a.loom") as session:
        await read(session, found_in(plugins))
        news = heard(session, Read)
        nodes = await grown(session)
        await session.instruments_settled()
        client = session._readings.client
        assert client is not None and client.pid is not None
        os.kill(client.pid, signal.SIGKILL)
        more = await session.generate(session.tree[nodes[-1]].end, count=3, recipe=SHORT)
        await session.instruments_settled()
        for node in (*nodes, *more):
            assert same(session.readings(node)["counter"], counted(session, plugins, node))
        told = {node for change in news if isinstance(change, Read) for node in change.nodes}
        assert told >= {*nodes, *more}


async def test_what_is_read_before_the_writers_words_were_is_read_again_after(
    plugins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text that no model has read yet: its children are read with a gap, and then without."""
    path = tmp_path / "a.loom"
    with monkeypatch.context() as engine:
        engine.setattr(Generation, "read", lambda generation, place: ())
        async with opened(path) as session:
            await session.attach("echo")
            await session.engine_ready()
            session.write(OPENING)
            (node,) = await session.generate(count=1, recipe=SHORT)
            unread = session.write(" And then", session.tree[node].end)
            (below,) = await session.generate(count=1, recipe=SHORT)
    async with opened(path) as session:
        assert session.tree[1].token_count is None
        await read(session, found_in(plugins))
        assert session.readings(node)["counter"].flags[0].reason == "4 tokens by now."
        assert session.readings(node)["counter"].flags[0].at == 3
        monkeypatch.setattr(
            Unread, "_is_unread", lambda u, n: n == 1 and not u._record.tree[1].token_count
        )
        await session.attach("echo")
        await session.engine_ready()
        await session.finished(session.read(session.tree[below].end))
        await session.instruments_settled()
        assert session.tree[1].token_count and session.tree[unread].token_count is None
        for number in (1, node, below):
            assert same(session.readings(number)["counter"], counted(session, plugins, number))


async def test_a_choice_counts_what_stood_there_when_it_was_made(
    plugins: Path, tmp_path: Path
) -> None:
    async with opened(tmp_path / "a.loom") as session:
        opening, a, b, c, d, e, f, *third = await grown(session)
        await read(session, found_in(plugins))

        def offered(node: int) -> float | str:
            return session.readings(node)["chooser"].summary["offered"]

        texts = len({session.tree[node].text for node in (a, b, c, d)})
        assert [offered(node) for node in (opening, a, b, e)] == [1, texts, texts, 3]
        session.go(session.tree[opening].end)
        more = await session.generate(count=2, recipe=SHORT)
        await session.instruments_settled()
        every = len({session.tree[node].text for node in (a, b, c, d, *more)})
        assert every > texts
        assert [offered(node) for node in (a, *more)] == [every] * 3
        assert offered(b) == texts  # something hangs on it: it was chosen before
        for node in third:
            assert session.readings(node)["chooser"].summary["steps"] == 4


async def test_only_who_looks_at_choices_reads_a_node_again_when_more_grows_beside_it(
    plugins: Path, tmp_path: Path
) -> None:
    counter = COUNTER.replace("OPTIONS", "CHOICE = False\nOPTIONS")
    (plugins / "counter.py").write_text(counter.replace("len(span)}", "str(context.choice)}"))
    async with opened(tmp_path / "a.loom") as session:
        _, first, *_ = await grown(session)
        await read(session, found_in(plugins))
        assert session.readings(first)["counter"].summary == {"tokens": "None"}
        before = {row.instrument: row.data for row in session.reading_rows(first)}
        session.go(Place(1, len(OPENING)))
        await session.generate(count=1, recipe=SHORT)
        await session.instruments_settled()
        after = {row.instrument: row.data for row in session.reading_rows(first)}
        assert {name for name in after if after[name] != before[name]} == {"chooser"}


async def test_flags_are_found_on_the_path_in_tokens_and_bytes(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    async with opened(tmp_path / "a.loom") as session:
        await read(session, found_in(plugins, "counter"))
        place = session.tree[nodes[-1]].end
        path = path_of(session, nodes[-1])
        pieces = [piece for stretch in path for piece in stretch.context.pieces]
        raised = session.flags(place)
        assert [one.stop for one in raised] == list(range(4, len(pieces) + 1, 4))
        text = session.tree.path_bytes(place)
        for one in raised:
            assert one.start == max(0, one.stop - 3)
            assert text[one.first : one.last] == b"".join(pieces[one.start : one.stop])
            assert session.tree.path_bytes(one.place) == text[: one.last]
        assert session.flags(Place(nodes[0], 0)) == []
        before = [one for one in raised if one.last <= len(OPENING)]
        assert session.flags(session.tree[nodes[0]].end) == before


async def test_flags_are_there_without_plugins_too(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    path = tmp_path / "a.loom"
    async with opened(path) as session:
        place = session.tree[nodes[-1]].end
        await read(session, found_in(plugins))
        raised = session.flags(place)
        assert raised
    async with opened(path, read_only=True) as session:
        assert session.flags(place) == raised


async def test_what_is_in_sight_is_read_before_what_is_newer(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    async with opened(tmp_path / "a.loom") as session:
        session.go(session.tree[nodes[0]].end)
        order: list[int] = []
        session.subscribe(
            lambda change: order.extend(change.nodes if isinstance(change, Read) else ())
        )
        await read(session, found_in(plugins, "counter"))
        assert sorted(order[:5]) == sorted(nodes[:5])


async def test_a_session_for_reading_only_is_read_and_not_written(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    path = tmp_path / "a.loom"
    content = path.read_bytes()
    async with opened(path, read_only=True) as session:
        await read(session, found_in(plugins))
        for node in nodes:
            assert same(session.readings(node)["counter"], counted(session, plugins, node))
    assert path.read_bytes() == content


async def test_nobody_waits_for_a_slow_plugin_but_it_reads_everything_in_the_end(
    plugins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loom.instruments.client.SLOW", 0.02)
    slow = CHOOSER.replace("chooser", "slow").replace("return []", "return 0")
    slow = slow.split("def step")[0] + (
        "import time\n\ndef step(state, span, context):\n    time.sleep(0.05)\n"
        '    return state + len(span), Reading(summary={"tokens": state + len(span)})\n'
    )
    (plugins / "slow.py").write_text(slow)
    async with opened(tmp_path / "a.loom") as session:
        await session.attach("echo")
        await read(session, found_in(plugins))
        first: dict[int, set[str]] = {}

        def note(change: Change) -> None:
            for node in change.nodes if isinstance(change, Read) else ():
                first.setdefault(node, set(session.readings(node)))

        await session.engine_ready()
        opening = session.write(OPENING)
        await session.finished(session.read(session.place))
        await session.instruments_settled()
        session.subscribe(note)
        nodes = await session.generate(count=3, recipe=SHORT)
        await session.instruments_settled()
        assert [first[node] for node in nodes] == [{"chooser", "counter"}] * 3
        for node in (opening, *nodes):
            tokens = sum(map(len, path_of(session, node)))
            assert session.readings(node)["slow"].summary == {"tokens": tokens}
            assert same(session.readings(node)["counter"], counted(session, plugins, node))


async def test_hidden_nodes_are_read_when_they_come_back(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    async with opened(tmp_path / "a.loom") as session:
        session.hide(session.display.segment_of(session.tree[nodes[4]].end))
        await read(session, found_in(plugins))
        assert session.readings(nodes[4]) == {}
        session.undo()
        await session.instruments_settled()
        assert same(session.readings(nodes[4])["counter"], counted(session, plugins, nodes[4]))


async def test_damaged_readings_are_read_again(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    path = tmp_path / "a.loom"
    async with opened(path) as session:
        node = nodes[-1]
        await read(session, found_in(plugins))
        rows = session.reading_rows(node)
        bad = tuple(replace(row, data=row.data[:-1] + b"?") for row in rows)
        session.keep_readings(bad, {})
    async with opened(path) as session:
        assert session.readings(node) == {}
        await read(session, found_in(plugins))
        assert same(session.readings(node)["counter"], counted(session, plugins, node))


async def test_a_mistaken_option_is_said_with_its_place_and_the_others_read_on(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    config = Config(plugins={"counter": PluginConfig(options={"evry": 3})})
    async with opened(tmp_path / "a.loom") as session:
        node = nodes[-1]
        notices = heard(session, Notice)
        await read(session, found_in(plugins), config)
        assert set(session.readings(node)) == {"chooser"}
        assert [running.state for running in session.instruments()] == ["on", "off"]
    (notice,) = notices
    assert isinstance(notice, Notice)
    assert notice.text.startswith("plugins.counter.evry is no option of this plugin")


async def test_options_for_a_plugin_that_there_is_none_of_are_said(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    text = "[plugins]\ndisabled = ['gone']\n\n[plugins.conuter]\nevery = 3\n"
    async with opened(tmp_path / "a.loom") as session:
        notices = heard(session, Notice)
        await read(session, found_in(plugins), parse_config(text.encode(), Path("loom.toml")))
    (notice,) = notices
    assert isinstance(notice, Notice)
    assert notice.text.startswith("loom.toml, line 4: plugins.conuter: there is no plugin conuter")


async def test_a_plugin_that_fails_is_off_with_one_notice_and_the_others_read_on(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    (plugins / "counter.py").write_text(COUNTER.replace("logprob in", "_ in"))
    async with opened(tmp_path / "a.loom") as session:
        notices = heard(session, Notice)
        await read(session, found_in(plugins))
        for node in nodes:
            assert set(session.readings(node)) == {"chooser"}
    (notice,) = notices
    assert isinstance(notice, Notice) and "The plugin counter is off: it raised" in notice.text


async def test_switched_off_plugins_are_not_loaded(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    config = Config(plugins={"counter": PluginConfig(enabled=False)})
    async with opened(tmp_path / "a.loom") as session:
        node = nodes[-1]
        await read(session, found_in(plugins), config)
        assert set(session.readings(node)) == {"chooser"}
        states = {running.name: running.state for running in session.instruments()}
        assert states == {"chooser": "on"}


async def test_another_session_goes_on_with_the_plugins(plugins: Path, tmp_path: Path) -> None:
    async with opened(tmp_path / "a.loom") as first, opened(tmp_path / "b.loom") as second:
        await read(first, found_in(plugins))
        client = first._readings.client
        assert first.hand_instruments_to(second)
        assert not first.hand_instruments_to(second)
        node = (await grown(second))[-1]
        await second.instruments_settled()
        assert second._readings.client is client
        assert same(second.readings(node)["counter"], counted(second, plugins, node))


async def test_a_long_text_is_read_in_pieces_and_kept_as_one(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loom.reading.walking.PIECE", 4)
    async with opened(tmp_path / "a.loom") as session:
        await read(session, found_in(plugins))
        for node in nodes:
            assert same(session.readings(node)["counter"], counted(session, plugins, node))


@pytest.mark.parametrize("seed", [1, 2])
async def test_after_any_wandering_every_node_in_sight_is_read_as_its_path_says(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...], seed: int
) -> None:
    chance = random.Random(seed)
    async with opened(tmp_path / "a.loom") as session:
        await session.attach("echo")
        await session.engine_ready()
        await session.attach_instruments(Config(), found_in(plugins))
        for _ in range(14):
            await wander(session, chance)
            if chance.random() < 0.3:
                await session.instruments_settled()
        await session.finished(session.growing())
        while unread := session.read(session.place):
            await session.finished(unread)
        await session.instruments_settled()
        for number in session.tree:
            node = session.tree[number]
            if node.token_count and not session.is_hidden(number):
                expected = counted(session, plugins, number)
                assert same(session.readings(number)["counter"], expected), number
                chosen = session.readings(number)["chooser"].summary
                assert chosen["steps"] == len(path_of(session, number))


async def wander(session: Session, chance: random.Random) -> None:
    """One thing that a writer might do."""
    visible = [n for n in session.tree if not session.is_hidden(n)]
    node = session.tree[chance.choice(visible)]
    match chance.choice(["go", "write", "grow", "grow", "inside", "take", "hide", "undo", "redo"]):
        case "go":
            session.go(node.end)
        case "write":
            session.write(chance.choice([" and so", " it was", "\n\nThen "]))
        case "grow":
            session.grow(count=chance.randint(1, 3), recipe=replace(SHORT, tokens=4))
        case "inside":
            session.go(Place(node.id, chance.choice([0, *session.edges(node.id)])))
        case "take":
            span = session.span(node.id)
            if span is not None and len(span):
                index = chance.randrange(len(span))
                session.take_alternative(node.id, index, int(span.top_ids[index, 1]))
        case "hide":
            if node.id > 5:
                session.hide(session.display.segment_of(node.end))
        case "undo":
            session.undo()
        case "redo":
            session.redo()
    await asyncio.sleep(chance.choice([0, 0.01, 0.05]))


def heard(session: Session, kind: type[Change]) -> list[Change]:
    found: list[Change] = []
    session.subscribe(lambda change: found.append(change) if isinstance(change, kind) else None)
    return found


WAITER = """
import pathlib, time
from loom.instruments.api import Reading

NAME = "waiter"
OPTIONS = {"folder": ""}

def start(settings):
    return settings.options["folder"]

def step(state, span, context):
    folder = pathlib.Path(state)
    (folder / "begun").touch()
    time.sleep(0.02)
    while (folder / "wait").exists():
        time.sleep(0.01)
    return state, Reading(summary={"tokens": len(span)})
"""


async def test_what_has_just_come_does_not_wait_for_a_slow_plugin_that_is_at_work(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loom.instruments.client.SLOW", 0.01)
    monkeypatch.setattr("loom.instruments.client.STRIKES", 1000)
    (plugins / "waiter.py").write_text(WAITER)
    config = Config(plugins={"waiter": PluginConfig(options={"folder": str(tmp_path)})})
    begun, wait = tmp_path / "begun", tmp_path / "wait"
    async with opened(tmp_path / "a.loom") as session:
        await session.attach("echo")
        await read(session, found_in(plugins, "counter", "waiter"), config)
        assert begun.exists()
        begun.unlink()
        wait.touch()
        await session.engine_ready()
        came = asyncio.Event()
        more = [await grown_at(session, nodes[-1])]
        while not begun.exists():  # it is at work, and stays there
            await asyncio.sleep(0.01)
        session.subscribe(lambda change: came.set() if isinstance(change, Read) else None)
        more.append(await grown_at(session, nodes[0]))
        while not session.readings(more[1]):
            came.clear()
            await came.wait()
        assert set(session.readings(more[1])) == {"counter"}
        assert wait.exists()
        wait.unlink()
        await session.instruments_settled()
        for node in more:
            assert set(session.readings(node)) == {"counter", "waiter"}
            assert same(session.readings(node)["counter"], counted(session, plugins, node))


async def grown_at(session: Session, node: int) -> int:
    return (await session.generate(session.tree[node].end, count=1, recipe=SHORT))[0]


def by_another_model(session: Session, *nodes: int) -> None:
    """As if a second model had drawn these."""
    session._models[7] = replace(session._models[1], id=7, fingerprint="another")
    for node in nodes:
        session.tree.replace(replace(session.tree[node], model=7))


async def test_of_a_path_of_two_models_each_token_is_read_among_those_of_its_own(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    async with opened(tmp_path / "a.loom") as session:
        by_another_model(session, nodes[2], nodes[-2], nodes[-1])
        await read(session, found_in(plugins, "counter"))
        for node in nodes:
            assert same(session.readings(node)["counter"], counted(session, plugins, node)), node
        lonely = session.readings(nodes[2])["counter"]
        assert lonely.flags[0].reason == "4 tokens by now."
        assert lonely.flags[0].began > len(path_of(session, nodes[0])[0])  # on the whole path
        await session.attach("echo")
        await session.engine_ready()
        more = [await grown_at(session, node) for node in (nodes[-1], nodes[2])]
        await session.instruments_settled()
        for node in more:
            assert same(session.readings(node)["counter"], counted(session, plugins, node))
        settings = {session.reading_rows(node)[0].settings for node in (*nodes, *more)}
        assert len(settings) == 2


async def test_drift_of_a_path_is_what_was_kept_of_its_nodes(
    tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    """By all plugins that come with Loom, on a path that leaves a node in the middle."""
    async with opened(tmp_path / "a.loom") as session:
        node = nodes[-1]
        await read(session, listed("plugin"))
        arrivals = Arrivals(session.tree, session.marks)
        for event in session.events():
            arrivals.happened(event)
        stretches, place = Stretches(session, arrivals.choice_of), session.tree[node].end
        model = model_of_path(session, stretches, place)
        assert model is not None
        path, text = list(path_to(session, stretches, place, model)), session.tree.path_bytes(place)
        drift = await drift_of(path, text, model, Config(), tmp_path / "log")
        kept = [
            (session.readings(number), session.span(number), stop)
            for number, stop in session.tree.stretches(place)
            if stop and session.span(number) is not None
        ]
        assert set(drift.readings) == {"surprise", "traps", "ledger", "verify"}
        for name, reading in drift.readings.items():
            for value, column in reading.values.items():
                parts = [
                    found[name].values[value][: span.count_until(stop)]
                    for found, span, stop in kept
                    if span is not None
                ]
                assert np.concatenate(parts).tobytes() == column.tobytes(), (name, value)
        raised = [(one.plugin, one.flag.reason, one.start, one.stop) for one in drift.flags]
        on_path = session.flags(place)
        assert raised == [(one.plugin, one.flag.reason, one.start, one.stop) for one in on_path]


async def test_a_reading_that_goes_on_from_what_is_in_doubt_meanwhile_does_not_hold(
    plugins: Path, tmp_path: Path, nodes: tuple[int, ...]
) -> None:
    async with opened(tmp_path / "a.loom") as session:
        await read(session, found_in(plugins))
        desk, client = session._readings._desk, session._readings.client
        assert client is not None
        there: Lanes = client
        node, model = nodes[-1], desk.model_of(nodes[-1])

        class Meddling:
            """Somebody else finds out that the node before was chosen in another way."""

            async def fold(self, *asked: Any) -> Any:
                assert way.base is not None
                desk.holdings.doubt([way.base])
                return await there.fold(*asked)

        for reader, sound in ((client, True), (cast(Lanes, Meddling()), False)):
            desk.holdings.discard(node)
            way = desk.stretches.way_to(node, model, desk.holdings.is_sound)
            walk = Walk(reader, desk.stretches, desk.holdings, desk.roster, desk.readers(model))
            walked = [number async for number, _ in walk.along(way)]
            assert walked == [node] * sound
            assert desk.holdings.is_sound(node) is sound
