"""Asked as well as read: what is believed where the writer is counts both, lasts, and nobody waits
for it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from loom.asking.asked import Asked
from loom.asking.coherence import Suffixes, worth
from loom.changes import Weighed
from loom.config import Config, SourcesConfig
from loom.core.node import Place
from loom.core.recipe import Recipe
from loom.engine.api import Score
from loom.engine.client import EngineClient
from loom.instruments import calibration
from loom.instruments.calibration import Calibration
from loom.instruments.sources import pooling, sets
from loom.instruments.sources.api import Pooling, Posterior, Source, SourceSet, Tempering
from loom.session import Session
from loom.sources import naming

OPENING = "The lighthouse keeper had not spoken to anyone since the old boat came in the night."
FIVE = SourceSet(
    "five",
    "",
    tuple(Source(f"The {one}", (f"The {one} said.\n\n",)) for one in ("boat", "sea", "old", "key")),
    probes=("\n\n— ", "\n\nBy "),
)
ITS = Pooling(
    0.8,
    0.5,
    0.1,
    sets.questions(FIVE),
    {source.name: (-12.0 - n, -14.0) for n, source in enumerate(FIVE.sources)},
)
SHORT = Recipe(tokens=12)


@pytest.fixture
async def path(path: Path) -> Path:
    """At the end of the opening (1); a branch inside the first of its continuations is 5."""
    async with Session.open(path) as session:
        session.go(session.tree[1].end)
    return path


async def attached(session: Session, *, weigh: bool = True, **engine: object) -> None:
    """With a model of which it is known how its answers count."""
    await session.attach("echo", engine)
    able = await session.engine_ready()
    its = Tempering(0.5, 0.0, pooling=ITS)
    known = Calibration(able.fingerprint, "echo").tempered(sets.digest(FIVE), "five", its)
    calibration.save(known)
    if session.sources != FIVE:
        session.set_sources(FIVE)
    await session.attach_sources(Config(sources=SourcesConfig(weigh=weigh)))


@contextmanager
def questions(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """The answers that the engine is asked about meanwhile."""
    found: list[bytes] = []
    answer = Asked.answer

    async def watched(
        self: Asked, client: EngineClient, job: Score, *, quiet: bool = False
    ) -> object:
        assert not isinstance(job.text, bytes)
        said = b"".join(client.vocabulary[number] for number in job.text)
        if quiet and said.endswith(b"\n"):
            found.append(said)
        return await answer(self, client, job, quiet=quiet)

    with monkeypatch.context() as patch:
        patch.setattr(Asked, "answer", watched)
        yield found


def shares(posterior: Posterior | None) -> dict[str, float]:
    assert posterior is not None
    return {one.name: one.probability for one in posterior.standings}


async def by_hand(session: Session, place: Place) -> Posterior:
    """The passage up to a place read and asked about at once."""
    read, passage = session.posterior_at(place), session.passage(place)
    assert read is not None and passage is not None
    suffixes = Suffixes(session.asking(), FIVE, pooling=ITS)
    asked = await worth(suffixes, FIVE, passage.ids)
    return pooling.posterior(FIVE, read.by_reading, asked, ITS)


async def test_where_the_writer_is_and_on_the_cards_both_count(path: Path) -> None:
    async with Session.open(path) as session:
        await attached(session)
        await session.weighed()
        for node in (1, 2, 3, 4):
            found = session.posterior(node)
            assert found is not None and found.read is not None and not found.unasked
            alone = await by_hand(session, session.tree[node].end)
            assert shares(found) == pytest.approx(shares(alone), abs=1e-5)
            assert shares(found) != pytest.approx(shares(found.read), abs=1e-3)
            assert found.entropy == pytest.approx(alone.entropy, abs=1e-5)
            assert found.following == found.read.following
            assert {(o.name, o.bits) for o in found.standings} == {
                (o.name, o.bits) for o in found.read.standings
            }


async def test_what_is_only_in_sight_is_read_and_not_asked_about(path: Path) -> None:
    async with Session.open(path) as session:
        await attached(session)
        session.posterior(5)
        await session.weighed()
        found = session.posterior(5)
        assert found is not None and found.unasked and found.read is None
        session.go(session.tree[5].end)
        await session.weighed()
        found = session.posterior(5)
        assert found is not None and found.read is not None


async def test_neighbours_are_asked_about_last(path: Path) -> None:
    async with Session.open(path) as session:
        session.go(session.tree[3].end)
        asked: list[int] = []

        def hear(change: object) -> None:
            for node in change.nodes if isinstance(change, Weighed) else ():
                found = session.posterior(node)
                if found is not None and found.read is not None and node not in asked:
                    asked.append(node)

        session.subscribe(hear)
        await attached(session)
        await session.weighed()
        assert asked[0] == 3 and sorted(asked[1:]) == [2, 4]


async def test_inside_a_node_the_question_stands_after_its_first_tokens(path: Path) -> None:
    async with Session.open(path) as session:
        await attached(session)
        inside = Place(1, session.edges(1)[6])
        session.go(inside)
        await session.weighed()
        found = session.posterior_at(inside)
        assert found is not None and found.read is not None and found.tokens == 7
        assert shares(found) == pytest.approx(shares(await by_hand(session, inside)), abs=1e-5)


async def test_a_restart_loses_no_answer_and_asks_for_none_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Session.open(path) as session:
        await attached(session)
        await session.weighed()
        before = {n: session.posterior(n) for n in (1, 2, 3, 4)}
    async with Session.open(path) as session:  # without any engine
        await session.attach_sources(Config())
        assert {session.posterior(n) for n in before} == {None}
        await session.weighed()
        assert {n: session.posterior(n) for n in before} == before
        assert session.readings(1) == {}, "it is no plugin's"
    with questions(monkeypatch) as asked:
        async with Session.open(path) as session:
            await attached(session)
            await session.weighed()
            assert {n: session.posterior(n) for n in before} == before
    assert not asked


async def test_what_is_damaged_is_asked_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Session.open(path) as session:
        await attached(session)
        await session.weighed()
        before = session.posterior(1)
    with sqlite3.connect(path) as file:
        row = "UPDATE reading SET data = zeroblob(40) WHERE instrument = 'sources asked'"
        assert file.execute(row).rowcount == 4
    file.close()
    with questions(monkeypatch) as asked:
        async with Session.open(path) as session:
            await attached(session)
            await session.weighed()
            assert session.posterior(1) == before
    assert len(asked) == 4 * len(FIVE.sources) * len(FIVE.probes)


async def test_after_no_text_nothing_is_asked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Session.open(path) as session:
        session.go(Place(1, 0))
        with questions(monkeypatch) as asked:
            await attached(session)
            await session.weighed()
        assert len(asked) == len(FIVE.sources) * len(FIVE.probes), "after what goes on there alone"
        assert session.posterior(1) != session.posterior_at(Place(1, 0))
        found = session.posterior_at(Place(1, 0))
        assert found is not None and not found.tokens
        assert found.read is None and not found.unasked, "there is nothing to ask about"


async def test_answers_to_other_questions_count_for_nothing(path: Path) -> None:
    async with Session.open(path) as session:
        await attached(session)
        await session.weighed()
        other = replace(FIVE, probes=("\n\nSaid by ",))
        session.set_sources(other)
        await session.weighed()
        found = session.posterior(1)
        assert found is not None and found.read is None and not found.unasked


async def test_without_a_pooling_nothing_is_asked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Session.open(path) as session:
        with questions(monkeypatch) as asked:
            await session.attach("echo")
            await session.engine_ready()
            session.set_sources(FIVE)
            await session.attach_sources(Config())
            await session.weighed()
            found = session.posterior(1)
        assert found is not None and not found.unasked and found.read is None
        assert not asked


async def test_who_asks_for_a_place_has_it_asked_about_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Session.open(path) as session:
        with questions(monkeypatch) as asked:
            await attached(session, weigh=False)
            await session.weighed()
            assert not asked
            session.weigh(session.tree[2].end)
            await session.weighed()
        found = session.posterior(2)
        assert found is not None and found.read is not None
        assert len(asked) == len(FIVE.sources) * len(FIVE.probes)
        assert session.posterior(3) is None


async def test_what_was_broken_off_is_gone_on_from(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "AT_ONCE", 1)
    async with Session.open(path) as session:
        with questions(monkeypatch) as asked:
            await attached(session, weigh=False)
            session.weigh(session.tree[1].end)
            while len(asked) <= 2 * len(FIVE.probes):  # the third name is asked for
                await asyncio.sleep(0)
            assert session.stop_weighing()
            await session.weighed()
            found = session.posterior(1)
            assert found is not None and found.unasked
            done = asked[: 2 * len(FIVE.probes)]
            asked.clear()
            session.weigh(session.tree[1].end)
            await session.weighed()
        assert not set(asked) & set(done) and asked
        found = session.posterior(1)
        assert shares(found) == pytest.approx(
            shares(await by_hand(session, session.tree[1].end)), abs=1e-5
        )


async def test_nothing_is_asked_while_anything_grows(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Session.open(path) as session:
        with questions(monkeypatch) as asked:
            await attached(session, weigh=False, delay=0.002)
            session.weigh(session.tree[1].end)
            while not asked:
                await asyncio.sleep(0)
            nodes = session.grow(count=2, recipe=replace(SHORT, tokens=30))
            await asyncio.sleep(0)
            before = len(asked)
            while session.growing():
                assert len(asked) == before
                await asyncio.sleep(0)
            await session.finished(nodes)
            await session.weighed()
        found = session.posterior(1)
        assert found is not None and found.read is not None


async def test_text_that_the_model_reads_anew_is_asked_about_anew(tmp_path: Path) -> None:
    async with Session.create(tmp_path / "b.loom", seed=5) as session:
        session.set_sources(FIVE)
        node = session.write(OPENING)
        await attached(session)
        await session.weighed()
        assert session.tree[node].token_count is not None
        found = session.posterior(node)
        assert found is not None and found.read is not None
        assert shares(found) == pytest.approx(
            shares(await by_hand(session, session.tree[node].end)), abs=1e-5
        )


async def test_the_belief_along_the_tokens_stays_that_of_reading(path: Path) -> None:
    async with Session.open(path) as session:
        await attached(session)
        session.course(1)
        await session.weighed()
        found, course = session.posterior(1), session.course(1)
        assert found is not None and found.read is not None and course is not None
        by_reading = {**shares(found.read), "": found.read.null}
        last = dict(zip(course.names, course.shares[-1].tolist(), strict=True))
        assert last == pytest.approx(by_reading, abs=1e-5)
