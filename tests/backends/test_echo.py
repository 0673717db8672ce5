"""The public fake keeps the contract, and is worth looking at: words, echoes, differences."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom.core.node import Ending
from loom.core.recipe import PRESETS, Recipe, Sampling
from loom.engine.api import Engine, EngineError, Failed, Generate, Progress, Score
from loom.extensions import load_backend
from loom.testing import NASTY, check_engine, drive, ending_of, span_in, text_of

BACKEND = load_backend("echo", name="echo")
KEEPER = b"The lighthouse keeper had not spoken to anyone since"


def load(**options: Any) -> Engine:
    return BACKEND.load("echo", options, lambda done, total: None)


ENGINE = load()


def grown(prefix: bytes, seed: int, sampling: Sampling, tokens: int = 40) -> bytes:
    job = Generate("g", (prefix,), Recipe(sampling, tokens=tokens), (seed,))
    return text_of(drive(ENGINE, job), "g")


def scored(text: bytes) -> np.ndarray[Any, np.dtype[np.float32]]:
    return span_in(drive(ENGINE, Score("s", (), text)), "s").logprob


def test_it_keeps_the_contract() -> None:
    check_engine(load())
    check_engine(load(heals=True))


def test_it_accepts_its_own_name_only() -> None:
    assert BACKEND.accepts("echo")
    assert not BACKEND.accepts("gpt2")
    assert not BACKEND.accepts("/models/echo")


def test_it_says_that_it_is_no_model() -> None:
    assert ENGINE.can().label == "echo (no model: a toy that repeats your words)"
    assert 256 < ENGINE.can().vocabulary < 1000


def test_its_vocabulary_is_without_duplicates_and_has_every_byte() -> None:
    pieces = ENGINE.pieces(range(ENGINE.can().vocabulary))
    assert len(set(pieces)) == len(pieces)
    assert {bytes([byte]) for byte in range(256)} <= set(pieces)
    assert pieces.count(b"") == 1  # the end of a document


def test_two_loads_are_one_model() -> None:
    job = Generate("g", (KEEPER,), Recipe(tokens=20), (5,))
    assert text_of(drive(load(), job), "g") == text_of(drive(load(), job), "g")
    assert load().can().fingerprint == ENGINE.can().fingerprint


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_encoded_whole(text: bytes, start: bool) -> None:
    ids, ends = ENGINE.encode(text, start=start)
    assert b"".join(ENGINE.pieces(ids)) == text
    assert list(ends) == np.cumsum([len(p) for p in ENGINE.pieces(ids)]).tolist()


@settings(max_examples=25)
@given(st.binary(max_size=40), st.binary(max_size=40), st.integers(0, 2**53 - 1))
def test_a_path_in_pieces_is_the_path_in_one(before: bytes, after: bytes, seed: int) -> None:
    """Token ids and text in a prefix are worth the same, wherever the cut is."""
    ids, _ = ENGINE.encode(before, start=True)
    after_ids, _ = ENGINE.encode(after, start=False)
    recipe = Recipe(tokens=5)
    mixed = drive(ENGINE, Generate("g", (ids, after), recipe, (seed,)))
    plain = drive(ENGINE, Generate("g", ((*ids, *after_ids),), recipe, (seed,)))
    assert text_of(mixed, "g") == text_of(plain, "g")


@settings(max_examples=25)
@given(st.integers(0, 2**53 - 1), st.sampled_from(sorted(PRESETS)))
def test_what_it_writes_it_scores_the_same(seed: int, preset: str) -> None:
    job = Generate("g", (NASTY,), Recipe(PRESETS[preset], tokens=10), (seed,))
    span = span_in(drive(ENGINE, job), "g")
    read = span_in(drive(ENGINE, Score("s", (NASTY,), tuple(span.ids.tolist()))), "s")
    np.testing.assert_array_equal(read.ids, span.ids)
    np.testing.assert_allclose(read.logprob, span.logprob, atol=1e-6)
    np.testing.assert_allclose(read.top_logprobs, span.top_logprobs, atol=1e-6)


def test_chunks_make_no_difference_to_scores() -> None:
    text = b"The old house by the sea. " * 60
    assert len(scored(text)) > 256
    np.testing.assert_array_equal(scored(text)[:100], scored(text[:600])[:100])


def test_reading_long_text_tells_how_far_it_is() -> None:
    events = drive(ENGINE, Score("s", (), b"The sea. " * 400))
    told = [event for event in events if isinstance(event, Progress)]
    assert told
    assert all(0 < event.done < event.total for event in told)


def test_seeds_differ_and_a_seed_is_the_same_twice() -> None:
    texts = [grown(KEEPER, seed, PRESETS["balanced"]) for seed in range(8)]
    assert len(set(texts)) == 8
    assert texts == [grown(KEEPER, seed, PRESETS["balanced"]) for seed in range(8)]


def test_it_writes_words() -> None:
    text = b" ".join(grown(KEEPER, seed, PRESETS["balanced"], 60) for seed in range(5)).decode()
    known = {piece.strip().lower() for piece in ENGINE.pieces(range(ENGINE.can().vocabulary))}
    words = [word.strip(".,?!").lower().encode() for word in text.split()]
    assert sum(word in known for word in words) > 0.9 * len(words)


def test_it_repeats_the_words_of_the_writer() -> None:
    prefix = b"The zebra saw the zebra and the zebra knew the zebra. Then the zebra saw the"
    other = b"The horse saw the horse and the horse knew the horse. Then the horse saw the"
    texts = [grown(prefix, seed, PRESETS["balanced"]) for seed in range(10)]
    assert any(b" zebra" in text for text in texts)
    assert not any(b" zebra" in grown(other, seed, PRESETS["balanced"]) for seed in range(10))


def test_what_was_said_before_surprises_less() -> None:
    first, again = np.split(scored(b" The heron waited by the weir." * 2), 2)
    assert again.sum() > first.sum() / 2


@pytest.mark.parametrize("character", ["\u6d77", "\u00e9", "\U0001f680"])
def test_a_torn_character_is_likely_completed(character: str) -> None:
    torn = character.encode()[:1]
    events = drive(ENGINE, Score("s", (b"", torn), character.encode()[1:2]))
    assert span_in(events, "s").logprob[0] > np.log(1 / 128)


def test_recipes_end_where_they_say() -> None:
    recipe = Recipe(tokens=400, stop=("the",))
    events = drive(ENGINE, Generate("g", (KEEPER,), recipe, (1, 2, 3)))
    for branch in range(3):
        assert ending_of(events, "g", branch) is Ending.STOP
        assert text_of(events, "g", branch).count(b"the") == 1


def test_the_end_of_the_document_adds_no_text() -> None:
    only_eos = Sampling(logit_bias=((0, 1000.0),))
    events = drive(ENGINE, Generate("g", (KEEPER,), Recipe(only_eos), (1, 2)))
    assert [ending_of(events, "g", branch) for branch in (0, 1)] == [Ending.EOS] * 2
    assert text_of(events, "g") == b""


def test_very_many_branches_grow_some_at_a_time() -> None:
    many = Generate("many", (KEEPER,), Recipe(tokens=2), tuple(range(200)))
    events = drive(ENGINE, many)
    assert [ending_of(events, "many", branch) for branch in range(200)] == [Ending.LENGTH] * 200
    alone = drive(ENGINE, Generate("alone", (KEEPER,), Recipe(tokens=2), (150,)))
    assert text_of(events, "many", 150) == text_of(alone, "alone")


def test_jobs_take_turns() -> None:
    events = drive(
        load(),
        Generate("long", (), Recipe(tokens=50), (1,)),
        Score("short", (), b"The sea.", following=True),
    )
    order = [event.job for event in events]
    assert order.index("short") < 5
    assert order[-1] == "long"


def test_a_job_made_to_fail_fails_alone() -> None:
    engine = load(fail_job=2)
    jobs = [Generate(name, (), Recipe(tokens=2), (1,)) for name in "abc"]
    events = drive(engine, *jobs)
    assert [event.job for event in events if isinstance(event, Failed)] == ["b"]
    assert ending_of(events, "a") is ending_of(events, "c") is Ending.LENGTH


def test_tokens_it_does_not_have_fail_the_job() -> None:
    for ids in ((-1,), (10**6,)):
        (failed,) = drive(ENGINE, Generate("g", (ids,), Recipe(), (1,)))
        assert isinstance(failed, Failed)


def test_a_job_cancelled_before_its_first_step_ends() -> None:
    engine = load()
    engine.submit(Generate("g", (), Recipe(), (1, 2)))
    engine.cancel("g")
    events = engine.step()
    assert [ending_of(events, "g", branch) for branch in (0, 1)] == [Ending.CANCEL] * 2
    assert engine.step() == []


def test_a_bad_option_is_named() -> None:
    with pytest.raises(EngineError, match="delay"):
        load(delay="soon")


def test_delay_is_per_step(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    drive(load(delay=0.5), Generate("g", (), Recipe(tokens=3), (1, 2)))
    assert slept == [0.5] * 3


def test_it_dies_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def exits(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", exits)
    engine = load(die_after=2)
    engine.submit(Generate("g", (), Recipe(tokens=9), (1,)))
    assert engine.step()
    assert engine.step()
    with pytest.raises(SystemExit, match="70"):
        engine.step()
