"""Healing on the bundled model: what stays as it was is what it would have been anyway."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from loom.core.node import Ending
from loom.core.recipe import Recipe, Sampling
from loom.engine.api import Ended, Engine, Generate
from loom.extensions import HOUSE, load_backend, models
from loom.testing.engines import drive, ending_of, span_in, text_of

BEFORE, WORD = b"It was a dark and stormy", b" night"
RECIPE = Recipe(Sampling(temperature=0.9, repetition_penalty=1.1), tokens=10)


@pytest.fixture(scope="module", params=["packed", "rows", "device"])
def house(request: pytest.FixtureRequest) -> Engine:
    options = (
        {"statistics": "device"} if request.param == "device" else {"attention": request.param}
    )
    model = str(models()[HOUSE])
    engine: Engine = load_backend(model).load(model, options, lambda done, total: None)
    return engine


def test_a_branch_whose_seam_stays_is_the_one_without_healing(house: Engine) -> None:
    recipe = replace(RECIPE, begins=WORD)
    events = drive(house, Generate("healed", (BEFORE,), recipe, (1, 2, 3)))
    plain = drive(house, Generate("plain", (BEFORE + WORD,), RECIPE, (1, 2, 3)))
    for branch in range(3):
        found, wanted = span_in(events, "healed", branch), span_in(plain, "plain", branch)
        assert text_of(events, "healed", branch) == WORD + text_of(plain, "plain", branch)
        assert found.ids[1:].tolist() == wanted.ids.tolist()
        assert np.array_equal(found.logprob[1:], wanted.logprob)


@pytest.mark.parametrize("begins", [b" con", b" un", b" over"])
def test_branches_go_their_ways_whichever_tokens_they_begin_with(
    house: Engine, begins: bytes
) -> None:
    """Some repeat it in the text's own tokens, some don't; that makes no difference to others."""
    job = Generate("all", (b"She was the",), Recipe(tokens=8, begins=begins), tuple(range(8)))
    events = drive(house, job)
    spans = [span_in(events, "all", branch) for branch in range(8)]
    (own,) = house.encode(begins, start=False)[0]
    assert 0 < sum(int(span.ids[0]) == own for span in spans) < 8
    assert {len(span) for span in spans} == {8, 9}  # a token that goes beyond its end is one of 8
    for seed in range(8):
        alone = drive(house, Generate("one", job.prefix, job.recipe, (seed,)))
        assert text_of(alone, "one") == text_of(events, "all", seed)
        assert text_of(alone, "one").startswith(begins)


def test_what_goes_beyond_the_seam_counts_as_a_token_and_may_be_the_last(house: Engine) -> None:
    recipe = Recipe(tokens=1, begins=b" ")
    events = drive(house, Generate("short", (BEFORE,), recipe, (1, 2, 3)))
    assert [len(span_in(events, "short", branch)) for branch in range(3)] == [1, 1, 1]
    assert len([event for event in events if isinstance(event, Ended)]) == 3


def test_stopping_at_any_step_ends_every_branch(house: Engine) -> None:
    for steps in range(4):
        house.submit(Generate("stopped", (BEFORE,), Recipe(begins=b" ni"), (1, 2)))
        events = [event for _ in range(steps) for event in house.step()]
        house.cancel("stopped")
        for _ in range(10):
            events += house.step()
        endings = [ending_of(events, "stopped", branch) for branch in (0, 1)]
        assert endings == [Ending.CANCEL] * 2
    assert not house.step()
