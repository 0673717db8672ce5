"""Texts that are read in one pass, on tiny models in both engines."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loom.core.recipe import Recipe
from loom.engine.api import Ended, Engine, Event, Failed, Following, Generate, Grown, Score
from loom.extensions import load_backend
from loom.testing import drive, span_in
from tests.backends import tiny_models

NEAR = 1e-4  # nats
LIBRARY = all(importlib.util.find_spec(name) for name in ("llama_cpp", "gguf"))
needs_library = pytest.mark.skipif(not LIBRARY, reason="llama-cpp-python is not installed")
MODELS = (
    "byte_level",
    "sentencepiece",
    "raw_bytes",
    "sliding",
    pytest.param("byte_level.gguf", marks=needs_library),
    pytest.param("sentencepiece.gguf", marks=needs_library),
)
TEXT = b"the lighthouse keeper had not spoken, and nobody asked. "
PREFIXES = (b"", b"the", "日本\n\n".encode(), TEXT, TEXT + b"the lighthouse", b"had not ing " * 3)

Loads = Callable[..., Any]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("models")
    kinds = ("byte_level", "sentencepiece", "raw_bytes", "sliding")
    made = {kind: getattr(tiny_models, kind)(base / kind) for kind in kinds}
    if LIBRARY:
        convert: Any = load_backend("model.gguf")
        for kind in kinds[:2]:
            made[f"{kind}.gguf"] = base / f"{kind}.gguf"
            convert.convert(made[kind], made[f"{kind}.gguf"], "f32", lambda done, total: None)
    return made


@pytest.fixture
def load(models: dict[str, Path]) -> Iterator[Loads]:
    engines: list[Engine] = []

    def loads(kind: str, **options: Any) -> Any:
        model = str(models[kind])
        engines.append(load_backend(model).load(model, options, lambda done, total: None))
        return engines[-1]

    yield loads
    for engine in engines:
        engine.close()


def scores(text: bytes = TEXT) -> list[Score]:
    jobs = [Score(str(n), (prefix,), text, 5, n % 2 == 1) for n, prefix in enumerate(PREFIXES)]
    return [*jobs, Score("empty", (TEXT,), b"", 5, True), Score("long", (), text * 3)]


def apart(one: list[Event], other: list[Event], job: str) -> float:
    """The largest difference of what was said in a job; infinite where the tokens are others."""
    mine, others = span_in(one, job), span_in(other, job)
    if mine.ids.tolist() != others.ids.tolist():
        return float("inf")
    columns = ("logprob", "entropy", "top_logprobs")
    return float(max(np.abs(getattr(mine, c) - getattr(others, c)).max() for c in columns))


@pytest.mark.parametrize("kind", MODELS)
def test_together_they_say_what_each_says_by_itself(load: Loads, kind: str) -> None:
    engine = load(kind)
    together = drive(engine, *scores())
    assert not [e for e in together if isinstance(e, Failed)]
    for job in scores():
        alone = drive(load(kind) if job.id == "0" else engine, job)
        assert alone[-1] == next(e for e in together if isinstance(e, Ended) and e.job == job.id)
        if job.text:
            assert apart(together, alone, job.id) < NEAR
        if job.following:
            one, other = (
                next(e for e in events if isinstance(e, Following) and e.job == job.id)
                for events in (together, alone)
            )
            assert np.abs(np.subtract(one.logprobs, other.logprobs)).max() < NEAR


@pytest.mark.parametrize("kind", MODELS)
def test_what_was_read_together_is_gone_on_from(load: Loads, kind: str) -> None:
    engine, fresh = load(kind), load(kind)
    drive(engine, *scores())
    for prefix in PREFIXES[1:5]:
        job = Generate("g", (prefix, TEXT), Recipe(tokens=5), (1, 2))
        one, other = drive(engine, job), drive(fresh, job)
        for branch in (0, 1):
            mine, others = span_in(one, "g", branch), span_in(other, "g", branch)
            assert mine.ids.tolist() == others.ids.tolist()
            assert np.abs(mine.logprob - others.logprob).max() < NEAR


@pytest.mark.parametrize("kind", MODELS)
def test_a_long_text_is_read_in_chunks_and_past_the_context(load: Loads, kind: str) -> None:
    engine = load(kind, context=32)
    jobs = [Score(str(n), (prefix,), TEXT * 2) for n, prefix in enumerate(PREFIXES[:3])]
    together = drive(engine, *jobs)
    for job in jobs:
        assert apart(together, drive(load(kind, context=32), job), job.id) < NEAR


@pytest.mark.parametrize("kind", MODELS)
def test_one_of_them_is_cancelled_and_one_is_of_another_model(load: Loads, kind: str) -> None:
    engine = load(kind)
    jobs = [*scores(), Score("odd", ((10**6,),), TEXT), Score("gone", (), TEXT * 40)]
    for job in jobs:
        engine.submit(job)
    events: list[Event] = list(engine.step())
    engine.cancel("gone")
    while came := engine.step():
        events += came
    assert [e.job for e in events if isinstance(e, Failed)] == ["odd"]
    assert {e.job: e.reason.value for e in events if isinstance(e, Ended)} == {
        **{job.id: "length" for job in scores()},
        "gone": "cancel",
    }


@pytest.mark.parametrize("kind", MODELS)
def test_reading_and_growing_leave_each_other_alone(load: Loads, kind: str) -> None:
    grows = Generate("g", (TEXT,), Recipe(tokens=12), (1, 2, 3))
    calm = drive(load(kind), grows)
    events = drive(load(kind), *scores(), grows)
    for branch in range(3):
        one, other = span_in(calm, "g", branch), span_in(events, "g", branch)
        assert one.ids.tolist() == other.ids.tolist()
        assert np.abs(one.logprob - other.logprob).max() < NEAR
    assert apart(events, drive(load(kind), scores()[3]), "3") < NEAR


@pytest.mark.parametrize("kind", ["byte_level", *MODELS[-2:-1]])
def test_passes_that_are_broken_off_change_nothing(load: Loads, kind: str) -> None:
    jobs: list[Score | Generate] = [*scores()]
    jobs.append(Generate("g", (TEXT,), Recipe(tokens=30), (1, 2)))
    calm = drive(load(kind), *jobs)
    engine = load(kind)
    for job in jobs:
        engine.submit(job)
    over = threading.Event()

    def pull() -> None:
        for _ in range(60):
            if over.wait(0.002):
                return
            engine.interrupt()

    pulling = threading.Thread(target=pull)
    pulling.start()
    shaken: list[Event] = []
    try:
        for _ in range(2000):
            shaken += engine.step()
            if sum(isinstance(e, Ended) for e in shaken) == len(scores()) + 2:
                break
    finally:
        over.set()
        pulling.join()
    for job in scores():
        assert not job.text or apart(calm, shaken, job.id) < NEAR
    for branch in (0, 1):
        one, other = span_in(calm, "g", branch), span_in(shaken, "g", branch)
        assert one.ids.tolist() == other.ids.tolist()


def passes_of(engine: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Gets the number of texts of each pass over texts."""
    network = engine.network if hasattr(engine, "network") else engine._network
    counts: list[int] = []
    plainly = network.together

    def counted(readings: Any) -> Any:
        counts.append(len(readings))
        return plainly(readings)

    monkeypatch.setattr(network, "together", counted)
    return counts


@pytest.mark.parametrize("kind", MODELS)
def test_several_go_into_one_pass_where_the_model_allows_it(
    load: Loads, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load(kind)
    counts = passes_of(engine, monkeypatch)
    drive(engine, *[Score(str(n), (bytes([65 + n]),), b"the keeper") for n in range(6)])
    assert counts == ([1] * len(counts) if kind == "sliding" else [6])


def test_memory_stays_bounded(load: Loads) -> None:
    engine = load("byte_level", cache_mb=1)
    for round_ in range(3):
        jobs = [Score(f"{round_} {n}", (b"%d %d" % (n, round_),), TEXT * 2) for n in range(40)]
        assert sum(isinstance(e, Grown) for e in drive(engine, *jobs)) >= 40
        assert engine.network.prefixes.bytes <= 2**20


@needs_library
def test_texts_that_do_not_fit_the_memory_together_are_read_one_by_one(load: Loads) -> None:
    engine = load("byte_level.gguf", context=128, cache_mb=0)
    jobs = [Score(str(n), (bytes([65 + n]) * 90,), TEXT * 3) for n in range(20)]
    events = drive(engine, *jobs)
    assert not [e for e in events if isinstance(e, Failed)]
    assert sum(isinstance(e, Ended) for e in events) == 20
    engine = load("byte_level.gguf", context=128)
    for job in jobs[::9]:
        assert apart(events, drive(engine, job), job.id) < NEAR
