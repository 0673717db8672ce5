"""What is said of a model is right where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from loom.core.node import Author
from loom.core.statistics import span_of
from loom.instruments.api import Context, Passage
from loom.instruments.reference import facts_of

TOKENS, WORKS, VOCABULARY = 2000, 12, 64


def drawn(temperature: float, seed: int, genre: str = "") -> Passage:
    """Tokens drawn at a temperature from random distributions, read at 1."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (TOKENS, VOCABULARY))
    p = _softmax(logits)
    q = np.cumsum(_softmax(logits / temperature), axis=1)
    ids = np.minimum((q < rng.random((TOKENS, 1))).sum(axis=1), VOCABULARY - 1)
    span = span_of(np.log(p).astype(np.float32), ids, np.arange(1, TOKENS + 1), 5)
    return Passage(span, Context(0, 0, Author.IMPORT, (b"x",) * TOKENS), f"work {seed}", genre)


def _softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("temperature", [0.9, 1.0, 1.1])
def test_the_temperature_of_a_text_is_found_within_its_error(temperature: float) -> None:
    facts = facts_of([drawn(temperature, seed) for seed in range(WORKS)])
    bias = 0.015 * (temperature != 1)  # one Newton step from 1
    assert abs(facts["temperature"] - temperature) <= 3 * facts["temperature_error"] + bias
    assert facts["temperature_error"] < 0.02


def test_a_text_of_the_models_own_has_no_excess_and_no_calibration_error() -> None:
    facts = facts_of([drawn(1.0, 100 + seed) for seed in range(WORKS)])
    assert abs(facts["excess"]) <= 3 * facts["excess_error"]
    assert facts["ece"] < 0.02
    assert facts["ece_adaptive"] < 0.02


def test_a_colder_text_has_less_surprise_than_entropy_and_beats_the_models_confidence() -> None:
    facts = facts_of([drawn(0.7, 200 + seed) for seed in range(WORKS)])
    assert facts["excess"] < -5 * facts["excess_error"] < 0
    assert facts["ece"] > 0.05


def test_errors_are_those_of_works_not_of_tokens() -> None:
    """The same twelve texts, each four times: nothing new is known."""
    once = [drawn(1.0, seed) for seed in range(WORKS)]
    assert facts_of(once * 4)["excess_error"] == facts_of(once)["excess_error"]


def test_bits_are_means_of_the_columns() -> None:
    passages = [drawn(1.0, seed) for seed in range(3)]
    facts = facts_of(passages)
    mean = np.mean([-p.span.logprob.mean(dtype=np.float64) for p in passages]) / math.log(2)
    assert facts["surprise"] == pytest.approx(mean, abs=1e-3)
    assert (facts["tokens"], facts["works"]) == (3 * TOKENS, 3)
    assert [row["from"] for row in facts["positions"]] == [0, 4, 16, 64, 256]


def test_genres_of_a_single_work_are_not_told_apart() -> None:
    passages = [drawn(1.0, 1, "verse"), drawn(1.0, 2, "verse"), drawn(1.0, 3, "prose")]
    assert list(facts_of(passages)["genres"]) == ["verse"]
