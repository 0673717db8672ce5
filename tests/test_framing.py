"""A passage is scored under every frame as a plain reading of frame and window would have it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from loom.asking.framing import Frames, blocks, frames_of, score_frames
from loom.asking.questions import Gate
from loom.engine.api import Capabilities, Ended, Engine, EngineError, JobFailed, Score
from loom.extensions import load_backend, models
from loom.instruments.sources import filtering
from loom.instruments.sources.api import BLOCK, Source, SourceSet, Tempering, window_start
from loom.instruments.sources.tracking import Follower, bits_following
from loom.testing.inprocess import InProcess

WANTED = SourceSet(
    "three",
    "",
    (
        Source("Anne", ("Anne\n\n",)),
        Source("The Daily", ("The Daily\nToday\n\n", "From the Daily:\n")),
        Source("Minutes", ("Minutes of the meeting\n\n",)),
    ),
)
WORDS = b"The old lamp was on the table. Then someone turned away, and the water rose slowly. "
TEMPERING = Tempering(0.5, 0.3)


def load(model: str, **options: Any) -> Engine:
    engine: Engine = load_backend(model).load(model, options, lambda done, total: None)
    return engine


def echo() -> InProcess:
    return InProcess(load("echo"))


def tokens(engine: InProcess, count: int, text: bytes = WORDS) -> tuple[int, ...]:
    ids, _ = engine.engine.encode(text * (1 + count // 10), start=True)
    assert len(ids) >= count
    return ids[:count]


# ── what is said ───────────────────────────────────────────────────────────────────────────


async def plainly(engine: InProcess, ids: Sequence[int]) -> np.ndarray[Any, Any]:
    """float64[T, F]: each token after its frame and window, read by itself."""
    found = []
    for frame in WANTED.frames:
        column = []
        for token in range(len(ids)):
            before = tuple(ids[window_start(token) : token])
            answer = await engine.score((frame.encode(), before), (ids[token],))
            assert answer.span is not None
            column.append(float(answer.span.logprob[0]))
        found.append(column)
    return np.array(found).T


async def test_scores_are_those_of_each_token_after_its_frame_and_window() -> None:
    engine = echo()
    ids = tokens(engine, 290)
    expected = await plainly(engine, ids)
    scores = await score_frames(engine, WANTED, ids)
    assert np.allclose(scores.logprob, expected[:, 0], atol=1e-5)
    assert np.allclose(scores.ratio, expected[:, 1:] - expected[:, :1], atol=1e-5)
    assert np.isnan(scores.information).all()


async def test_a_branch_and_the_whole_path_agree() -> None:
    engine = echo()
    ids = tokens(engine, 300)
    whole = await score_frames(engine, WANTED, ids)
    for start, stop in ((0, 130), (130, 131), (131, 300), (256, 256)):
        part = await score_frames(engine, WANTED, ids, start, stop)
        assert np.array_equal(part.ratio, whole.ratio[start:stop])
        assert np.array_equal(part.logprob, whole.logprob[start:stop])
    wide = await score_frames(engine, WANTED, ids, wide=True)
    assert np.array_equal(wide.ratio, whole.ratio)


async def test_an_empty_passage_asks_nothing_but_what_follows() -> None:
    engine = echo()
    frames = await frames_of(engine, WANTED)
    scores = await score_frames(engine, WANTED, (), frames=frames)
    assert scores.ratio.shape == (0, len(WANTED.frames) - 1)
    assert not engine.jobs
    (block,) = [b async for b in blocks(engine, frames, (), following=True)]
    assert block.following is not None
    bits = bits_following(block, filtering.begin(WANTED).weights)
    assert bits is not None and bits >= 0


async def test_only_some_frames_leave_the_others_unknown() -> None:
    engine = echo()
    ids = tokens(engine, 20)
    whole = await score_frames(engine, WANTED, ids)
    some = await score_frames(engine, WANTED, ids, only=["Anne\n\n", "nobody's"])
    assert np.array_equal(some.ratio[:, 0], whole.ratio[:, 0])
    assert np.isnan(some.ratio[:, 1:]).all()
    assert len(engine.jobs) == 5 + 2


async def test_the_belief_is_followed_and_says_what_each_token_would_tell() -> None:
    engine = echo()
    ids = tokens(engine, 200)
    follower = Follower(WANTED, filtering.begin(WANTED), TEMPERING)
    frames = await frames_of(engine, WANTED)
    come = [b async for b in blocks(engine, frames, ids, following=True)]
    parts = [follower.read(block) for block in come]
    plain = await score_frames(engine, WANTED, ids)
    belief, _ = filtering.advance(WANTED, filtering.begin(WANTED), plain, TEMPERING)
    assert np.array_equal(follower.belief.weights, belief.weights)
    information = np.concatenate([part.information for part in parts])
    assert information.shape == (200,)
    assert (information >= 0).all() and information.max() > 0
    assert bits_following(come[0], belief.weights) is None
    assert bits_following(come[-1], belief.weights) is not None


@pytest.mark.skipif("house" not in models(), reason="the bundled model isn't here")
async def test_the_bundled_model_reads_frames_as_a_plain_forward_pass_does() -> None:
    import torch

    engine = InProcess(load(str(models()["house"]), cache_mb=8))  # less than one block of frames
    ids = tokens(engine, 270, "It was a dark night — the keeper’s lamp was out.\n\n".encode())
    scores = await score_frames(engine, WANTED, ids)
    network: Any = engine.engine.network  # type: ignore[attr-defined]
    for number, frame in enumerate(WANTED.frames):
        head = [network.language.first, *engine.engine.encode(frame.encode(), start=True)[0]]
        for start, stop in ((0, 256), (256, 270)):
            before = head + list(ids[window_start(start) : start])
            row = torch.tensor([before + list(ids[start:stop])])
            with torch.inference_mode():
                logits = network.module(row).logits[0].float()
            logs = torch.log_softmax(logits, dim=-1)[len(before) - 1 : -1]
            expected = logs.gather(1, torch.tensor(ids[start:stop])[:, None])[:, 0].numpy()
            found = scores.logprob + (scores.ratio[:, number - 1] if number else 0)
            assert np.abs(found[start:stop] - expected).max() < 1e-4
    engine.engine.close()


# ── what can't be ──────────────────────────────────────────────────────────────────────────


class Limited(InProcess):
    """With other capabilities than the engine's."""

    def __init__(self, **different: Any) -> None:
        super().__init__(load("echo"))
        self._can = replace(self.engine.can(), **different)

    async def ready(self) -> Capabilities:
        return self._can


async def test_an_engine_that_cannot_read_says_so() -> None:
    with pytest.raises(EngineError, match="can't read given text") as raised:
        await frames_of(Limited(scores=False, label="far away"), WANTED)
    assert "far away" in str(raised.value)
    assert raised.value.hint


async def test_a_frame_that_does_not_fit_is_named_with_its_source() -> None:
    long = replace(WANTED, sources=(*WANTED.sources, Source("The Wordy", ("the a his " * 40,))))
    with pytest.raises(EngineError, match="The Wordy") as raised:
        await frames_of(Limited(context=100), long)
    assert "121 tokens" in str(raised.value)
    assert "three" in raised.value.hint


async def test_a_small_context_shrinks_blocks_and_a_branch_still_agrees_with_the_whole() -> None:
    engine = Limited(context=150)
    frames = await frames_of(engine, WANTED)
    block = frames.windows.block
    assert block < BLOCK
    assert "150" in frames.limits and str(block) in frames.limits
    ids = tokens(engine, 140)
    whole = await score_frames(engine, WANTED, ids, frames=frames)
    part = await score_frames(engine, WANTED, ids, 70, frames=frames)
    assert np.array_equal(part.ratio, whole.ratio[70:])
    assert (await frames_of(echo(), WANTED)).limits == ""


async def test_what_an_engine_refuses_is_told_and_nothing_is_left() -> None:
    engine = InProcess(load("echo", fail_job=4))
    with pytest.raises(JobFailed):
        await score_frames(engine, WANTED, tokens(engine, 300))
    assert not engine.open


async def test_a_reading_that_ends_early_is_no_answer() -> None:
    engine = echo()
    engine.engine.step = lambda: [  # type: ignore[method-assign]
        Ended(job, 0, "cancel")  # type: ignore[arg-type]
        for job in [job.id for job in engine.jobs]
    ]
    with pytest.raises(JobFailed, match="left off"):
        await score_frames(engine, WANTED, tokens(engine, 10))


async def test_stretches_that_are_not_there_are_refused() -> None:
    engine = echo()
    with pytest.raises(ValueError, match=r"5\.\.11"):
        await score_frames(engine, WANTED, tokens(engine, 10), 5, 11)


# ── its way there ──────────────────────────────────────────────────────────────────────────


async def test_several_questions_are_before_the_engine_at_once_and_not_all() -> None:
    engine = echo()
    frames = replace(await frames_of(engine, WANTED), at_once=300)
    most = 0
    told: list[tuple[int, int]] = []

    def count(done: int, total: int) -> None:
        nonlocal most
        most = max(most, len(engine.open))
        told.append((done, total))

    ids = tokens(engine, 256)
    await score_frames(engine, WANTED, ids, frames=frames, progress=count)
    assert 2 <= most < 10
    assert told[-1] == (5 * 256, 5 * 256)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


async def test_blocks_come_one_by_one_and_what_is_closed_leaves_nothing() -> None:
    engine = echo()
    frames = await frames_of(engine, WANTED)
    ids = tokens(engine, 600)
    async with aclosing(blocks(engine, frames, ids)) as come:
        async for block in come:
            assert (block.start, block.stop) == (0, BLOCK)
            break
    assert not engine.open
    assert len(engine.jobs) < 5 * 5
    while events := engine.engine.step():
        assert all(isinstance(event, Ended) for event in events)


async def test_cancelled_while_it_waits_it_leaves_nothing() -> None:
    engine = echo()
    task = asyncio.create_task(score_frames(engine, WANTED, tokens(engine, 600)))
    while not engine.open:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not engine.open


async def test_while_the_gate_is_shut_nothing_is_asked_and_no_answer_is_lost() -> None:
    engine = echo()
    ids = tokens(engine, 400)
    whole = await score_frames(engine, WANTED, ids)
    asked_before = len(engine.jobs)
    gate, done = Gate(), asyncio.Event()
    task = asyncio.create_task(
        score_frames(engine, WANTED, ids, gate=gate, progress=lambda *_: done.set())
    )
    await done.wait()
    gate.shut()
    assert not gate.is_open
    while engine.open:
        await asyncio.sleep(0)
    held = len(engine.jobs)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(engine.jobs) == held
    assert not task.done()
    gate.open()
    scores = await task
    assert np.array_equal(scores.ratio, whole.ratio)
    again = len(engine.jobs) - asked_before - asked_before
    assert 0 <= again < asked_before


async def test_a_gate_that_is_shut_from_the_start_waits() -> None:
    engine = echo()
    gate = Gate()
    gate.shut()
    task = asyncio.create_task(score_frames(engine, WANTED, tokens(engine, 10), gate=gate))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not engine.jobs
    gate.open()
    assert len(await task) == 10


# ── vocabularies that put a space before a document ────────────────────────────────────────


class Spaced(InProcess):
    """Echo, but that a text that opens a document is taken to begin with a space."""

    async def encode(self, text: bytes, *, start: bool) -> Any:
        return self.engine.encode(b" " + text if start and text else text, start=False)


async def test_the_space_before_a_document_stands_only_where_one_begins() -> None:
    engine = Spaced(load("echo"))
    ids, _ = await engine.encode(b"the lamp was old.", start=True)
    scores = await score_frames(engine, WANTED, ids)
    texts = {job.prefix: job.text for job in engine.jobs if isinstance(job, Score)}
    pieces = engine.vocabulary
    spelled = {
        prefix: b"".join(pieces[i] for i in text)
        for prefix, text in texts.items()
        if not isinstance(text, bytes)
    }
    assert spelled[()] == b" the lamp was old."
    assert set(spelled.values()) == {b" the lamp was old.", b"the lamp was old."}
    assert len(scores) == len(ids)
    assert np.isfinite(scores.ratio).all()


async def test_a_passage_inside_a_document_gets_the_space_where_it_opens_one() -> None:
    engine = Spaced(load("echo"))
    ids, _ = await engine.encode(b"the lamp was old.", start=False)
    await score_frames(engine, WANTED, ids, opens=False)
    pieces = engine.vocabulary
    told = {b"".join(pieces[i] for i in job.text): job.prefix for job in engine.jobs}  # type: ignore[union-attr]
    assert told[b" the lamp was old."] == ()
    assert told[b"the lamp was old."] != ()


async def test_frames_are_found_by_their_text() -> None:
    frames = await frames_of(echo(), WANTED)
    assert isinstance(frames, Frames)
    assert frames.numbers(["", "Minutes of the meeting\n\n", "?"]) == {0, 4}
