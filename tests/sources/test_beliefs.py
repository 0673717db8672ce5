"""Sources on a session: what is believed is what weighing the whole path by itself would tell, it
lasts, and nobody has to wait for it."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from loom import generation
from loom.asking.asked import Asked
from loom.asking.framing import score_frames
from loom.changes import EngineChanged, Notice, Weighed
from loom.config import Config, SourcesConfig
from loom.core.node import Place
from loom.core.recipe import Recipe
from loom.engine.api import Job, JobFailed, Score
from loom.engine.client import EngineClient
from loom.generation import Generation
from loom.instruments.sources import filtering, finding, sets
from loom.instruments.sources.api import Posterior, Source, SourceSet, Tempering
from loom.instruments.sources.tempering import DEFAULT
from loom.session import Session
from loom.sources import beliefs, scales
from loom.testing.near import NearClient

C = TypeVar("C")

OPENING = "The lighthouse keeper had not spoken to anyone since the old boat came in the night."
WORDS = ("old boat", "keeper", "night river", "window", "mother", "salt street", "tree", "sea wind")
SOURCES = tuple(
    Source(f"S{n}", (f"The {words} said the {words} of the {words}.\n\n",), short=f"s{n}")
    for n, words in enumerate((*WORDS, "fire"))
)
TEN = SourceSet("ten", "Nine kinds of words, and none of them.", SOURCES)
OTHER = SourceSet("other", "", (Source("A", ("A boat.\n",)), Source("B", ("Salt.\n",))))
SHORT = Recipe(tokens=12)
IDLE = Config()


async def attached(session: Session, wanted: SourceSet | None = TEN, **engine: object) -> None:
    await session.attach("echo", engine)
    await session.engine_ready()
    if wanted is not None and session.sources != wanted:
        session.set_sources(wanted)
    await session.attach_sources(IDLE)


@contextmanager
def scored(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Score]]:
    """What the engine is asked meanwhile for the sake of weighing."""
    jobs: list[Score] = []
    answer = Asked.answer

    async def watched(self: Asked, client: object, job: Score, *, quiet: bool = False) -> object:
        if quiet:
            jobs.append(job)
        return await answer(self, client, job, quiet=quiet)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Asked, "answer", watched)
        yield jobs


def heard(session: Session, kind: type[C]) -> list[C]:
    changes: list[C] = []
    session.subscribe(lambda change: changes.append(change) if isinstance(change, kind) else None)
    return changes


async def under_way(session: Session) -> None:
    """Until something is being weighed."""
    while session.weighing is None:
        await asyncio.sleep(0)


def told(posterior: Posterior | None) -> dict[str, tuple[float, float]]:
    assert posterior is not None
    return {one.name: (one.probability, one.bits) for one in posterior.standings}


async def by_itself(
    session: Session, place: Place, wanted: SourceSet, tempering: Tempering = DEFAULT
) -> Posterior:
    """What the whole path gives when it is scored at once."""
    engine = session._generation
    ids: list[int] = []
    for piece in session.prefix(place, (await engine.ready()).fingerprint):
        ids += piece if isinstance(piece, tuple) else (await engine.encode(piece, start=False))[0]
    scores = await score_frames(engine, wanted, ids)
    belief, _ = filtering.advance(wanted, filtering.begin(wanted), scores, tempering)
    return filtering.posterior(wanted, belief, calibrated=False)


async def test_a_branch_and_the_whole_path_agree(path: Path) -> None:
    async with Session.open(path) as session:
        await attached(session)
        for number in list(session.tree)[1:]:
            end = session.tree[number].end
            session.weigh(end)
            await session.weighed()
            found, alone = told(session.posterior(number)), told(await by_itself(session, end, TEN))
            for name, (probability, bits) in alone.items():
                assert found[name][0] == pytest.approx(probability, abs=1e-4)
                assert found[name][1] == pytest.approx(bits, abs=0.05)
        assert len({told(session.posterior(n))["S0"] for n in (2, 3, 4)}) == 3


async def test_the_node_under_the_writer_gets_every_frame_and_the_cards_some(path: Path) -> None:
    async with Session.open(path) as session:
        session.go(session.tree[1].end)
        await attached(session)
        await session.weighed()
        here = session.posterior(1)
        assert here is not None and all(one.rescored for one in here.standings)
        assert here.following is not None and here.following >= 0
        likeliest = {one.name for one in here.standings[:7]}
        for card in (2, 3, 4):
            after = session.posterior(card)
            assert after is not None
            assert {one.name for one in after.standings if one.rescored} == likeliest
            assert after.tokens == here.tokens + 12
        course = session.course(1)
        assert course is not None and len(course.entropy) == here.tokens
        assert np.isfinite(course.information).all()


async def test_inside_a_node_it_is_what_its_first_tokens_tell(path: Path) -> None:
    async with Session.open(path) as session:
        await attached(session)
        inside = Place(1, session.edges(1)[6])
        session.go(inside)
        await session.weighed()
        found, alone = session.posterior_at(inside), await by_itself(session, inside, TEN)
        assert found is not None and found.tokens == alone.tokens == 7
        assert told(found)["S1"][1] == pytest.approx(told(alone)["S1"][1], abs=0.05)
        course = session.course(1)
        assert course is not None and found.following == pytest.approx(course.information[7])


async def test_a_restart_loses_nothing_and_asks_nothing_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Session.open(path) as session:
        await attached(session)
        await session.weighed()
        before = {n: session.posterior(n) for n in session.tree if n}
    async with Session.open(path) as session:  # without any engine
        assert session.sources == TEN
        await session.attach_sources(IDLE)
        assert {session.posterior(n) for n in before} == {None}
        await session.weighed()
        assert {n: session.posterior(n) for n in before} == before
    with scored(monkeypatch) as jobs:
        async with Session.open(path) as session:
            await attached(session)
            await session.weighed()
            assert {n: session.posterior(n) for n in before} == before
    assert not jobs


async def test_what_is_damaged_is_weighed_again(path: Path) -> None:
    async with Session.open(path) as session:
        await attached(session)
        await session.weighed()
        before = session.posterior(session.place.node)
    with sqlite3.connect(path) as file:
        assert file.execute("UPDATE reading SET data = zeroblob(40)").rowcount > 3
    file.close()
    async with Session.open(path) as session:
        await session.attach_sources(IDLE)
        await session.weighed()
        assert session.posterior(session.place.node) is None
        await attached(session)
        await session.weighed()
        assert session.posterior(session.place.node) == before


async def test_nothing_is_weighed_while_anything_grows(path: Path) -> None:
    async with Session.open(path) as session:
        await attached(session, delay=0.002)
        place = session.tree[1].end
        session.weigh(place)
        await under_way(session)
        nodes = session.grow(place, count=2, recipe=replace(SHORT, tokens=40))
        client: Any = session.engine
        await asyncio.sleep(0)
        while session.growing():  # all is taken back, nothing new comes until they are complete
            assert [job for job in client.jobs.ids() if job.startswith("weigh")] == []
            await asyncio.sleep(0)
        await session.finished(nodes)
        await session.weighed()
        assert session.posterior(1) is not None


async def test_who_waits_for_the_next_token_goes_before(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut: list[bool] = []
    submit = NearClient.submit

    def watched(self: NearClient, job: Job) -> None:
        found = session._beliefs._fitting.scales
        if job.id.startswith("next") and found is not None:
            shut.append(not found.gate.is_open)
        submit(self, job)

    monkeypatch.setattr(NearClient, "submit", watched)
    async with Session.open(path) as session:
        await attached(session, delay=0.002)
        await under_way(session)
        assert (await session.next_tokens()).ids
        assert shut == [True]
        await session.weighed()
        assert session.posterior(session.place.node) is not None


async def test_a_move_breaks_off_what_is_out_of_sight(path: Path) -> None:
    async with Session.open(path) as session:
        session.go(session.tree[5].end)
        await attached(session, delay=0.01)
        await under_way(session)
        session.go(session.tree[3].end)
        await session.weighed()
        one = session.posterior(3)
        assert one is not None and all(standing.rescored for standing in one.standings)
        found = session.posterior(5)
        assert found is None or not all(standing.rescored for standing in found.standings)


async def test_what_was_broken_off_is_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Session.create(tmp_path / "b.loom", seed=5) as session:
        await session.attach("echo")
        await session.engine_ready()
        session.set_sources(TEN)
        await session.finished([session.write(f"{OPENING} " * 12)])
        node, place = session.place.node, session.place
        with scored(monkeypatch) as jobs:
            session.weigh()
            while len(jobs) < 3 * len(TEN.frames):
                await asyncio.sleep(0)
            session.stop_weighing()
            await session.weighed()
            assert session.posterior(node) is None
            asked = [job.prefix + (job.text,) for job in jobs[: len(TEN.frames)]]
            jobs.clear()
            session.weigh()
            await session.weighed()
            again = [job.prefix + (job.text,) for job in jobs]
        assert again and not set(asked) & set(again)
        found, alone = told(session.posterior(node)), told(await by_itself(session, place, TEN))
        assert found["S1"][1] == pytest.approx(alone["S1"][1], abs=0.1)


async def test_weighing_stops_when_told_and_goes_on_when_asked(path: Path) -> None:
    async with Session.open(path) as session:
        await attached(session, delay=0.01)
        await under_way(session)
        assert session.stop_weighing()
        await session.weighed()
        assert session.weighing is None
        assert session.posterior(session.place.node) is None
        session.weigh()
        await session.weighed()
        assert session.posterior(session.place.node) is not None


async def test_who_stops_where_nothing_is_weighed_stops_nothing_that_comes(path: Path) -> None:
    async with Session.open(path) as session:
        await attached(session)
        await session.weighed()
        assert not session.stop_weighing()
        (node,) = await session.generate(count=1, recipe=SHORT)
        await session.weighed()
        assert session.posterior(node) is not None


async def test_nothing_is_weighed_unasked_where_idle_time_is_not_to_be_used(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Session.open(path) as session:
        await session.attach("echo")
        await session.engine_ready()
        session.set_sources(TEN)
        with scored(monkeypatch) as jobs:
            await session.attach_sources(Config(sources=SourcesConfig(weigh=False)))
            await session.weighed()
            assert not jobs
            session.weigh(session.tree[2].end)
            await session.weighed()
        assert jobs and session.posterior(2) is not None
        assert session.posterior(3) is None


async def test_where_memory_is_short_it_is_shown_and_not_looked_up_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Session.open(path) as session:
        await attached(session)
        await session.weighed()
        before = {n: session.posterior(n) for n in session.tree if n}
    monkeypatch.setattr(scales, "KNOWN", 1)
    monkeypatch.setattr(scales, "COURSES", 1)
    async with Session.open(path) as session:
        await session.attach_sources(IDLE)
        changes = heard(session, Weighed)
        for _ in range(3):
            assert session.course(5) is None or len(changes) > 1
            found = {n: session.posterior(n) for n in before}
            await session.weighed()
        assert found == before
        assert len(changes) < 20


async def test_a_set_is_chosen_switched_off_and_both_undone(path: Path) -> None:
    async with Session.open(path) as session:
        await attached(session, None)
        assert session.sources is None  # none is offered for this model
        session.set_sources(TEN)
        session.set_sources(None)
        assert session.sources is None
        session.undo()
        assert session.sources is None  # changed twice in a row it is one operation
        session.redo()
        session.mark_all({})
        session.set_sampling(branches=3)
        session.set_sources(OTHER)
        session.undo()
        assert session.sources is None
        session.redo()
        assert session.sources == OTHER
    async with Session.open(path) as session:
        assert session.sources == OTHER


async def test_a_set_chosen_once_more_is_weighed_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = replace(TEN)
    monkeypatch.setattr(finding, "default_for", lambda model: offered)
    async with Session.open(path) as session:
        await attached(session, None)
        await session.weighed()
        before = session.posterior(1)
        assert before is not None and session.sources is offered
        with scored(monkeypatch) as jobs:
            changes = heard(session, Weighed)
            session.set_sources(sets.from_json(sets.to_json(offered)))
            await session.weighed()
            async with asyncio.timeout(5):
                while not changes:
                    await asyncio.sleep(0.01)
            assert session.sources is not offered
            assert session.posterior(1) == before and not jobs


async def test_what_is_offered_is_in_force_until_it_is_switched_off_for_good(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "default_for", lambda fingerprint: TEN)
    async with Session.open(path) as session:
        await attached(session, None)
        await session.weighed()
        assert session.sources == TEN and session.setting("sources") is None
        assert session.posterior(session.place.node) is not None
        session.set_sources(None)
        await session.weighed()
        assert session.posterior(session.place.node) is None
    async with Session.open(path) as session:
        await attached(session, None)
        await session.weighed()
        assert session.sources is None and session.posterior(session.place.node) is None


async def test_the_settings_say_what_is_offered(path: Path) -> None:
    file = path.parent / "mine.toml"
    file.write_text(sets.to_toml(OTHER))
    async with Session.open(path) as session:
        notices = heard(session, Notice)
        await session.attach("echo")
        await session.engine_ready()
        await session.attach_sources(Config(sources=SourcesConfig(str(file))))
        await session.weighed()
        assert session.sources == OTHER
        assert set(told(session.posterior(session.place.node))) == {"A", "B"}
        await session.attach_sources(Config(sources=SourcesConfig("nowhere")))
        await session.weighed()
        session.go(session.tree[2].end)
        await session.weighed()
        assert session.sources is None
        assert [notice.text for notice in notices] == ["There is no source set 'nowhere'."]


async def test_a_set_that_makes_no_sense_is_none(path: Path) -> None:
    async with Session.open(path) as session:
        session._set({"sources": "{"})
        await attached(session, None)
        await session.weighed()
        assert session.sources is None and session.posterior(1) is None


async def test_what_takes_long_is_weighed_only_when_asked_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beliefs, "IDLE_MOST", 44 * len(TEN.frames))
    async with Session.open(path) as session:
        with scored(monkeypatch) as jobs:
            await attached(session)
            await session.weighed()
        assert not jobs and session.posterior(1) is None
        session.weigh()
        await session.weighed()
        assert session.posterior(1) is not None
        session.go(session.tree[2].end)
        await session.weighed()
        assert session.posterior(2) is not None  # only twelve tokens more


async def test_an_engine_handed_on_weighs_in_the_other_session(path: Path) -> None:
    other = Path(shutil.copy(path, path.with_name("b.loom")))
    async with Session.open(path) as session, Session.open(other) as second:
        second.set_sources(OTHER)
        await attached(session, delay=0.005)
        await under_way(session)
        assert session.hand_engine_to(second)
        await second.attach_sources(IDLE)
        await second.weighed()
        assert set(told(second.posterior(second.place.node))) == {"A", "B"}
        await session.weighed()
        assert session.weighing is None


async def test_another_set_is_weighed_in_its_place(path: Path) -> None:
    async with Session.open(path) as session:
        await attached(session)
        await session.weighed()
        changes = heard(session, Weighed)
        session.set_sources(OTHER)
        assert session.posterior(session.place.node) is None
        await session.weighed()
        assert set(told(session.posterior(session.place.node))) == {"A", "B"}
        assert Weighed(frozenset()) in changes
        session.set_sources(None)
        await session.weighed()
        assert session.posterior(session.place.node) is None


async def test_a_session_for_reading_shows_it_and_keeps_nothing(path: Path) -> None:
    async with Session.open(path) as session:
        await attached(session)
        await session.weighed()
    before = path.read_bytes()
    async with Session.open(path, read_only=True) as session:
        await attached(session, OTHER)
        await session.weighed()
        assert set(told(session.posterior(session.place.node))) == {"A", "B"}
    assert path.read_bytes() == before


async def test_what_the_model_reads_above_is_weighed_in_its_tokens(tmp_path: Path) -> None:
    async with Session.create(tmp_path / "b.loom", seed=5) as session:
        session.set_sources(TEN)
        node = session.write(OPENING)
        below = session.write(" And the rest.", session.tree[node].end)
        await session.attach("echo")
        await session.engine_ready()
        await session.attach_sources(IDLE)
        await session.weighed()
        assert session.tree[node].token_count is not None  # it waited for that
        found = told(session.posterior(below))
        alone = told(await by_itself(session, session.tree[below].end, TEN))
        assert found["S0"][1] == pytest.approx(alone["S0"][1], abs=0.05)


async def test_who_asks_for_it_waits_until_all_of_the_path_was_read(tmp_path: Path) -> None:
    async with Session.create(tmp_path / "b.loom", seed=5) as session:
        session.set_sources(TEN)
        for word in OPENING.split():
            last = session.write(f"{word} ")
        await session.attach("echo")
        session.weigh()
        await session.weighed()
        assert session.posterior(last) is not None
        assert None not in {session.tree[n].token_count for n in session.tree if n}


async def test_a_job_that_fails_is_told_of_once_and_not_tried_over_and_over(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Session.open(path) as session:
        notices = heard(session, Notice)
        asked = 0

        async def fail(*args: object, **more: object) -> None:
            nonlocal asked
            asked += 1
            raise JobFailed("This job was made to fail.")

        with monkeypatch.context() as patch:
            patch.setattr(Generation, "score", fail)
            await attached(session)
            await session.weighed()
            session.go(session.tree[2].end)
            session.go(session.tree[3].end)
            await session.weighed()
            assert len(notices) == 1 and "could not be weighed" in notices[0].text
            assert session.posterior(session.place.node) is None
            assert asked < 3 * 2 * len(TEN.frames)
        session.weigh()
        await session.weighed()
        assert session.posterior(session.place.node) is not None


async def test_an_engine_that_dies_of_it_is_left_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "EngineClient", EngineClient)
    async with Session.open(path) as session:
        await attached(session, die_after=3)
        dead = heard(session, EngineChanged)
        for _ in range(400):
            await asyncio.sleep(0.01)
            if session.engine is not None and session.engine.state == "dead":
                break
        await session.weighed()
        assert sum(change.state == "dead" for change in dead) <= 2


async def test_frames_that_leave_no_room_are_told_of_once(path: Path) -> None:
    long = SourceSet("long", "", (Source("A", ("word " * 4000,)), Source("B", ("b\n",))))
    async with Session.open(path) as session:
        notices = heard(session, Notice)
        await attached(session, long)
        await session.weighed()
        session.go(session.tree[2].end)
        await session.weighed()
        assert len(notices) == 1 and "A" in notices[0].text and "context" in notices[0].text


async def test_plugins_do_not_take_it_for_one_of_theirs(path: Path) -> None:
    async with Session.open(path) as session:
        await attached(session)
        await session.weighed()
        node = session.place.node
        session._beliefs._save()
        assert [row.instrument for row in session.reading_rows(node, "sources")] == ["sources"]
        assert session.readings(node) == {} and session.flags() == []


async def test_a_session_without_a_set_is_left_as_it_is(path: Path) -> None:
    async with Session.open(path) as session:
        await attached(session, None)
        await session.weighed()
        assert session.posterior(1) is None and session.course(1) is None
        assert session.setting("sources") is None
        assert not [row for n in session.tree for row in session.reading_rows(n, "sources")]
