from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loom.core.recipe import PRESETS, End, Recipe, Sampling

FRACTIONS = st.floats(0.01, 1)
SAMPLINGS = st.builds(
    Sampling,
    logit_bias=st.lists(st.tuples(st.integers(0, 99), st.floats(-9, 9)), max_size=3).map(tuple),
    repetition_penalty=st.floats(0.1, 3),
    repetition_window=st.integers(0, 999),
    temperature=st.floats(0, 3),
    top_k=st.integers(0, 99),
    top_p=FRACTIONS,
    min_p=st.floats(0, 0.99),
    typical_p=FRACTIONS,
)
RECIPES = st.builds(
    Recipe,
    sampling=SAMPLINGS,
    tokens=st.integers(1, 9999),
    end=st.sampled_from(End),
    stop=st.lists(st.text(max_size=3), max_size=3).map(tuple),
    top=st.integers(1, 100),
    preset=st.text(max_size=5),
    frame=st.just("By nobody.\n\n"),
    instead=st.integers(0, 9),
)


@given(RECIPES)
def test_a_recipe_survives_json(recipe: Recipe) -> None:
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_what_json_leaves_out_is_the_default() -> None:
    assert Recipe.from_json({}) == Recipe()
    assert Recipe.from_json({"sampling": {"top_k": 3}}).sampling == Sampling(top_k=3)


def test_a_loom_that_knows_no_frames_reads_what_has_none() -> None:
    assert not {"frame", "instead"} & Recipe(tokens=3).to_json().keys()
    assert Recipe(frame="By nobody.\n\n").to_json()["frame"] == "By nobody.\n\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"instead": 3}, "instead must be 0 without a frame, not 3"),
        ({"instead": -1, "frame": "x"}, "instead must be 0"),
        ({"temprature": 1}, "unknown recipe key 'temprature'"),
        ({"sampling": {"heat": 1}}, "unknown sampling key 'heat'"),
        ({"sampling": {"temperature": -1}}, "temperature must be 0 or more, not -1"),
        ({"sampling": {"top_p": 0}}, "top_p must be above 0 and at most 1, not 0"),
        ({"sampling": {"typical_p": 1.2}}, "typical_p must be above 0"),
        ({"sampling": {"min_p": 1}}, "min_p must be at least 0 and below 1"),
        ({"sampling": {"top_k": -2}}, "top_k must be 0"),
        ({"sampling": {"repetition_penalty": 0}}, "repetition_penalty must be above 0"),
        ({"sampling": {"repetition_window": -1}}, "repetition_window must be 0 or more"),
        ({"tokens": 0}, "tokens must be 1 or more, not 0"),
        ({"top": 101}, "top must be between 1 and 100, not 101"),
        ({"end": "chapter"}, "chapter"),
    ],
)
def test_a_wrong_value_is_named(data: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Recipe.from_json(data)


def test_only_a_sampler_that_changes_nothing_is_neutral() -> None:
    assert Sampling().neutral
    assert Sampling(repetition_window=3).neutral
    for changed in (
        Sampling(logit_bias=((1, 2.0),)),
        Sampling(repetition_penalty=1.1),
        Sampling(temperature=0),
        Sampling(top_k=1),
        Sampling(top_p=0.9),
        Sampling(min_p=0.1),
        Sampling(typical_p=0.9),
    ):
        assert not changed.neutral


def test_the_presets_are_the_five_and_only_raw_is_neutral() -> None:
    assert set(PRESETS) == {"balanced", "wild", "careful", "greedy", "raw"}
    assert [name for name, sampling in PRESETS.items() if sampling.neutral] == ["raw"]
    assert PRESETS["greedy"].temperature == 0
