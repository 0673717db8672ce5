"""What a model says when asked, beside how it reads: both in bits, of the same stretch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from loom.asking.coherence import Agreement, Suffixes, agreements, anyway_of, frame_bits
from loom.asking.framing import score_frames
from loom.asking.probing import TAIL
from loom.engine.api import Engine
from loom.extensions import load_backend
from loom.instruments.sources.api import Pooling, Scores, Source, SourceSet
from loom.instruments.sources.neutral import NEUTRAL
from loom.testing.inprocess import InProcess

WANTED = SourceSet(
    "two",
    "",
    (
        Source("Anne Hill", ("Anne Hill\n\n",)),
        Source("The Daily", ("The Daily\n\n", "From the Daily:\n")),
    ),
    probes=("\n\n— ", "\nBy ", "\nSource: "),
)


def echo() -> InProcess:
    engine: Engine = load_backend("echo").load("echo", {}, lambda done, total: None)
    return InProcess(engine)


async def logprob(engine: InProcess, before: Sequence[Any], text: bytes) -> float:
    answer = await engine.score(tuple(before), text)
    assert answer.span is not None
    return float(answer.span.logprob.sum())


async def test_a_name_is_worth_what_it_gains_over_any_text_closed_as_an_answer() -> None:
    engine = echo()
    ids, _ = engine.engine.encode(b"The Daily said that the lamp was out. " * 4, start=True)
    found = await Suffixes(engine, WANTED).bits(ids, ["The Daily", "Nobody"])
    assert set(found) == {"The Daily", "Nobody"}
    for name, bits in found.items():
        for column, stem in enumerate(("\n\n—", "\nBy", "\nSource:")):
            said = f" {name}\n".encode()
            here = await logprob(engine, (ids, stem.encode()), said)
            anyway = [await logprob(engine, (t.encode(), stem.encode()), said) for t in NEUTRAL]
            assert bits[column] == pytest.approx((here - np.mean(anyway)) / np.log(2), abs=1e-4)


async def test_what_a_name_is_worth_anyway_is_found_out_once() -> None:
    engine = echo()
    suffixes = Suffixes(engine, WANTED)
    ids, _ = engine.engine.encode(b"the lamp was out.", start=True)
    await suffixes.bits(ids, ["The Daily"])
    assert len(engine.jobs) == 3 * (len(NEUTRAL) + 1)
    await suffixes.bits(ids[:2], ["The Daily"])
    assert len(engine.jobs) == 3 * (len(NEUTRAL) + 2)
    assert await suffixes.bits(ids, []) == {}


async def test_what_was_fitted_says_what_names_are_anyway() -> None:
    engine = echo()
    ids, _ = engine.engine.encode(b"The Daily said that the lamp was out. " * 4, start=True)
    known = Pooling(1.0, 1.0, anyway={"The Daily": (-9.0, -8.0, -7.0)})
    suffixes = Suffixes(engine, WANTED, pooling=known)
    bits = (await suffixes.bits(ids, ["The Daily"]))["The Daily"]
    assert len(engine.jobs) == 3, "after no other text"
    raw = await suffixes.logprobs(ids, ["The Daily"])
    assert bits == pytest.approx((raw[0] + [9.0, 8.0, 7.0]) / np.log(2))


def test_a_name_is_anyway_what_it_is_after_texts_by_others() -> None:
    logprobs = np.arange(12.0).reshape(3, 2, 2)  # passages by the first, the first, the second
    found = anyway_of(logprobs, [0, 0, 1])
    np.testing.assert_allclose(found, [logprobs[2, 0], logprobs[:2, 1].mean(axis=0)])
    alone = anyway_of(logprobs, [0, 0, 0])
    np.testing.assert_allclose(alone, [logprobs[:, 0].mean(axis=0), logprobs[:, 1].mean(axis=0)])


async def test_a_model_is_asked_after_as_much_as_is_weighed() -> None:
    engine = echo()
    ids, _ = engine.engine.encode(b"the lamp was out. " * 200, start=True)
    assert len(ids) > 2 * TAIL
    scores = await score_frames(engine, WANTED, ids[-TAIL - 40 :])
    found = await agreements(Suffixes(engine, WANTED), frame_bits(WANTED, scores), ids)
    tail = scores.ratio[-TAIL:].astype(np.float64).sum(axis=0) / np.log(2)
    mean = np.log2(np.mean(np.exp2(tail[1:])))
    expected = {"Anne Hill": tail[0], "The Daily": mean}
    assert {one.name for one in found} == set(expected)
    for one in found:
        assert one.by_frame == pytest.approx(expected[one.name], abs=1e-6)
        assert one.delta == pytest.approx(one.by_frame - one.by_probe)
        assert one.spread >= 0


def test_frames_that_were_not_scored_have_no_bits() -> None:
    ratio = np.full((5, 3), 0.5, np.float32)
    ratio[:, 1] = np.nan
    some = np.zeros(5, np.float32)
    assert set(frame_bits(WANTED, Scores(some, ratio, some))) == {"Anne Hill"}


def test_delta_is_how_much_more_the_frame_says() -> None:
    assert Agreement("x", 5.0, 3.5, 1.0).delta == 1.5


def test_neutral_texts_name_nobody_and_are_whole() -> None:
    assert 5 <= len(NEUTRAL) <= 10
    assert len(set(NEUTRAL)) == len(NEUTRAL)
    for text in NEUTRAL:
        assert text.endswith(".") and text.isascii()
        assert 25 < len(text.split()) < 80
