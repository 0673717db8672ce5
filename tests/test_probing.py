"""A model is asked in several ways, answers come in turns, and the most frequent become sources."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from loom.asking.probing import (
    BATCH,
    FRAMES,
    LENGTH,
    PROBES,
    TAIL,
    attributions,
    candidates,
    probes_of,
)
from loom.core.recipe import Recipe
from loom.engine.api import Capabilities, Engine, Generate
from loom.extensions import load_backend
from loom.instruments.sources.api import Attribution, Cluster, Source, SourceSet
from loom.testing.inprocess import InProcess

WANTED = SourceSet(
    "two",
    "",
    (Source("Anne Hill", ("Anne Hill\n\n",)), Source("The Daily", ("The Daily\n\n",))),
    probes=("\n\n— ", "\nBy ", "\n(Printed in "),
)


def echo() -> InProcess:
    engine: Engine = load_backend("echo").load("echo", {}, lambda done, total: None)
    return InProcess(engine)


def tokens(engine: InProcess, count: int) -> tuple[int, ...]:
    ids, _ = engine.engine.encode(b"the old lamp. " * count, start=True)
    return ids[:count]


async def asked(engine: InProcess, **how: Any) -> list[Attribution]:
    ids = tokens(engine, how.pop("tokens", 40))
    return [found async for found in attributions(engine, WANTED, ids, **how)]


async def test_answers_come_in_turns_until_all_are_there() -> None:
    engine = echo()
    found = await asked(engine, count=50)
    assert [one.asked for one in found] == [12, 24, 36, 41, 46, 50]
    assert dict(found[-1].by_probe) == {"\n\n— ": 17, "\nBy ": 17, "\n(Printed in ": 16}
    assert sum(one.count for one in found[-1].clusters) <= 50
    jobs = [job for job in engine.jobs if isinstance(job, Generate)]
    assert max(len(job.seeds) for job in jobs) == BATCH
    assert len({seed for job in jobs for seed in job.seeds}) == 50


async def test_what_is_asked_is_the_end_of_the_passage_and_a_question_without_its_space() -> None:
    engine = echo()
    await asked(engine, count=3, tokens=400)
    passage = tokens(engine, 400)[-TAIL:]
    jobs = [job for job in engine.jobs if isinstance(job, Generate)]
    assert [job.prefix for job in jobs] == [
        (passage, "\n\n—".encode()),
        (passage, b"\nBy"),
        (passage, b"\n(Printed in"),
    ]
    recipes = [job.recipe for job in jobs]
    assert {recipe.tokens for recipe in recipes} == {LENGTH}
    assert [recipe.stop for recipe in recipes] == [("\n",), ("\n",), (")",)]
    assert all(recipe.sampling.neutral and not recipe.heal for recipe in recipes)


async def test_without_a_passage_only_the_question_is_asked() -> None:
    engine = echo()
    await asked(engine, count=1, tokens=0)
    (job,) = engine.jobs
    assert job.prefix == ("\n\n—".encode(),)


async def test_a_small_context_sees_less_of_the_passage() -> None:
    class Small(InProcess):
        async def ready(self) -> Capabilities:
            return replace(self.engine.can(), context=100)

    engine = Small(echo().engine)
    await asked(engine, count=1, tokens=90)
    (prefix, stem) = engine.jobs[0].prefix
    assert 40 < len(prefix) < 90
    assert len(prefix) + len(engine.engine.encode(bytes(stem), start=False)[0]) + LENGTH < 100


async def test_a_seed_draws_the_same_answers() -> None:
    one, same, other = [(await asked(echo(), count=20, seed=s))[-1] for s in (1, 1, 2)]
    assert one == same
    assert one != other


async def test_it_can_be_stopped_and_leaves_nothing() -> None:
    engine = echo()
    async with aclosing(attributions(engine, WANTED, tokens(engine, 40), count=100)) as come:
        async for _ in come:
            break
    assert not engine.open
    assert len(engine.jobs) == 1
    task = asyncio.create_task(asked(engine, count=100))
    while not engine.open:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not engine.open


async def test_an_answer_ends_where_it_is_closed() -> None:
    class Ready(InProcess):
        async def generate(self, prefix: Any, recipe: Recipe, seeds: Any) -> Any:
            found = await super().generate(prefix, recipe, seeds)
            for answer in found:
                answer.text[:] = (
                    b" Anne Hill\nand more" if recipe.stop == ("\n",) else b" The Daily)"
                )
            return found

    (last,) = [(await asked(Ready(echo().engine), count=9))[-1]]
    assert [(one.name, one.count, one.source) for one in last.clusters] == [
        ("Anne Hill", 6, "Anne Hill"),
        ("The Daily", 3, "The Daily"),
    ]


def test_a_set_without_questions_has_some() -> None:
    probes = probes_of(replace(WANTED, probes=()))
    assert [probe.text for probe in probes] == list(PROBES)
    assert len(probes) >= 3
    for probe in probes:
        assert probe.stem + probe.space == probe.text


# ── candidates ─────────────────────────────────────────────────────────────────────────────


def attribution(*clusters: tuple[str, int, str | None]) -> Attribution:
    found = tuple(Cluster(name, count, 0.0, 1.0, (), source) for name, count, source in clusters)
    return Attribution(100, found, 0.1)


def test_what_was_answered_becomes_sources_in_the_manner_of_the_set() -> None:
    found = candidates(
        attribution(("Bob Cray", 9, None), ("Anne Hill", 5, "Anne Hill"), ("x", 1, None)), WANTED
    )
    assert found.sources == (Source("Bob Cray", ("Bob Cray\n\n",)), WANTED.sources[0])
    assert found.probes == WANTED.probes


def test_the_most_frequent_only() -> None:
    clusters = [(f"Name {n}", 20 - n, None) for n in range(12)]
    found = candidates(attribution(*clusters), WANTED, most=4)
    assert [source.name for source in found.sources] == [f"Name {n}" for n in range(4)]


def test_what_was_said_once_counts_only_where_nothing_was_said_twice() -> None:
    found = candidates(attribution(("A", 1, None), ("B", 1, None)), WANTED)
    assert [source.name for source in found.sources] == ["A", "B"]


def test_frames_where_the_set_does_not_say_how_they_come_from_a_name() -> None:
    odd = replace(
        WANTED, sources=(Source("Law", ("IN THE COURT\n",)), Source("Ads", ("FOR SALE\n",)))
    )
    (found,) = candidates(attribution(("Bob Cray", 3, None)), odd).sources
    assert found.frames == tuple(form.replace("{}", "Bob Cray") for form in FRAMES)


def test_answers_that_cannot_be_shown_make_no_names() -> None:
    found = candidates(attribution(("\x1b[31m\u202e", 4, None), ("Bob\x07 {}", 3, None)), WANTED)
    assert [source.name for source in found.sources] == ["[31m", "Bob {}"]
    assert all(source.name.isprintable() for source in found.sources)
