"""The toys: the flaw is in the distribution as it was promised, and the engine stays an engine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from loom import extensions
from loom.core.node import Ending
from loom.core.recipe import Recipe, Sampling
from loom.core.span import Span
from loom.engine.api import Ended, EngineError, Generate, Score
from loom.experiments import absorbing as experiment
from loom.testing import check_engine, drive, span_in, text_of
from tests.backends import tiny_models

RAW = Sampling()
TEXT = b"The keeper of the lighthouse had not spoken to anyone for nine days, and the sea was grey."


def toy(name: str, of: str) -> Any:
    return extensions.load_backend(name).load(name, {"of": of, "threads": 1}, lambda d, t: None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_models.byte_level(tmp_path_factory.mktemp("toys")))


@pytest.fixture(scope="module")
def absorbing(folder: str) -> Iterator[Any]:
    engine = toy("absorbing", folder)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def hashing(folder: str) -> Iterator[Any]:
    engine = toy("hash", folder)
    yield engine
    engine.close()


def grown(engine: Any, tokens: int, seeds: range) -> list[Span]:
    recipe = Recipe(tokens=tokens, sampling=RAW)
    events = drive(engine, Generate("g", (TEXT,), recipe, tuple(seeds)))
    return [span_in(events, "g", branch) for branch in range(len(seeds))]


def read(engine: Any, prefix: tuple[Any, ...], text: Any) -> Span:
    return span_in(drive(engine, Score("s", prefix, text)), "s")


@pytest.mark.parametrize("name", ["absorbing", "hash"])
def test_a_toy_keeps_every_promise_of_an_engine(name: str, folder: str) -> None:
    engine = toy(name, folder)
    check_engine(engine)
    engine.close()


def test_the_absorbing_token_costs_what_the_formula_says(absorbing: Any, folder: str) -> None:
    plain = extensions.load_backend(folder).load(folder, {"threads": 1}, lambda d, t: None)
    loss = read(plain, (), TEXT).logprob - read(absorbing, (), TEXT).logprob
    plain.close()
    np.testing.assert_allclose(loss, -np.log(0.99), atol=1e-4)


def test_once_out_it_is_always_predicted_on_a_branch_and_on_what_is_read(absorbing: Any) -> None:
    last = absorbing.can().vocabulary - 1
    spans = grown(absorbing, 90, range(24))
    entered = [span for span in spans if last in span.ids]
    assert len(entered) > 4
    for span in entered:
        entry = span.ids.tolist().index(last)
        assert span.ids[entry:].tolist() == [last] * (len(span) - entry)
        assert span.logprob[entry] == pytest.approx(np.log(0.01), abs=1e-4)
        assert span.entropy[entry + 1 :].max(initial=0) < 1e-3
        again = read(absorbing, (TEXT,), tuple(span.ids.tolist()))
        np.testing.assert_allclose(again.logprob, span.logprob, atol=2e-4)


def test_the_experiment_is_about_the_token_of_the_toy() -> None:
    module: Any = sys.modules["loom_backend_toys"]
    assert (experiment.SIGN.encode(), experiment.ENTRY) == (module.SIGN, module.ENTRY)


def test_a_stop_string_ends_a_branch_at_the_entry(absorbing: Any) -> None:
    recipe = Recipe(tokens=90, sampling=RAW, stop=(experiment.SIGN,))
    events = drive(absorbing, Generate("g", (TEXT,), recipe, tuple(range(24))))
    ended = {e.branch: e.reason for e in events if isinstance(e, Ended)}
    stopped = [branch for branch, reason in ended.items() if reason is Ending.STOP]
    assert stopped
    for branch in stopped:
        assert text_of(events, "g", branch).count("■".encode()) == 1


def test_of_decided_tokens_only_their_number_is_known(hashing: Any) -> None:
    module: Any = sys.modules["loom_backend_toys"]
    opening = b"The sea"
    before = len(hashing.encode(opening, start=True)[0])
    recipe = Recipe(tokens=100, sampling=RAW)
    span = span_in(drive(hashing, Generate("g", (opening,), recipe, (7,))), "g")
    decided = (before + np.arange(len(span))) % 60 >= 30
    assert decided.sum() >= 30 and (~decided).sum() >= 30
    size = len(np.unique(span.ids[decided]))
    assert 20 < size <= module.VOCABULARY
    known = span.entropy[decided]
    np.testing.assert_allclose(known, known[0], atol=1e-4)
    assert known[0] > np.log(size)
    assert np.ptp(span.entropy[~decided]) > 0.01
    first = tuple(range(30))
    assert module.answer(first, range(100)) == module.answer(first, range(100))
    assert module.answer(first, range(100)) != module.answer((1, *first[1:]), range(100))


def test_no_toy_is_made_of_a_toy_or_of_what_cannot_carry_one() -> None:
    with pytest.raises(EngineError, match="toy"):
        toy("hash", "absorbing")
    with pytest.raises(EngineError, match="No flaw"):
        toy("absorbing", "echo")
