"""What is planned covers every token once, after what the rule says, however a path is cut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loom.core.span import Span
from loom.instruments.sources.api import BLOCK, Scores, window_start
from loom.instruments.sources.windows import (
    LEAST,
    LIMIT,
    SPARE,
    Answered,
    FrameTooLong,
    Ids,
    Job,
    Opening,
    Step,
    Windows,
    joined,
)

FRAMES: tuple[Ids, ...] = ((), (900, 901), (902, 903, 904))
PASSAGE = tuple(range(700))
WINDOWS = Windows(FRAMES)

stretches = st.tuples(st.integers(0, 700), st.integers(0, 700)).map(sorted)


def seen(steps: Sequence[Step]) -> dict[tuple[int, int], Ids]:
    """By frame and token: the tokens before it."""
    found = {}
    for step in steps:
        for job in step.jobs:
            for place, token in enumerate(job.text):
                assert (job.frame, token) not in found, "a token is scored twice"
                found[job.frame, token] = job.prefix + job.text[:place]
    return found


@given(stretches, st.booleans(), st.sampled_from([16, 32, BLOCK]))
def test_every_token_is_scored_after_what_the_rule_says(
    stretch: list[int], wide: bool, block: int
) -> None:
    start, stop = stretch
    steps = [*Windows(FRAMES, block).steps(PASSAGE, start, stop, wide=wide)]
    found = seen(steps)
    assert set(found) == {(f, t) for f in range(len(FRAMES)) for t in range(start, stop)}
    for (frame, token), before in found.items():
        assert before == FRAMES[frame] + PASSAGE[window_start(token, block) : token]


@settings(max_examples=30)
@given(st.lists(st.integers(0, 700), max_size=6), st.booleans())
def test_a_path_in_pieces_is_scored_as_the_whole(cuts: list[int], wide: bool) -> None:
    edges = [0, *sorted(cuts), 700]
    parts = [
        step
        for start, stop in zip(edges, edges[1:], strict=False)
        for step in WINDOWS.steps(PASSAGE, start, stop, wide=wide)
    ]
    assert seen(parts) == seen([*WINDOWS.steps(PASSAGE, 0, 700)])


@given(stretches, st.booleans())
def test_what_follows_is_asked_once_after_what_the_rule_says(
    stretch: list[int], wide: bool
) -> None:
    start, stop = stretch
    steps = [*WINDOWS.steps(PASSAGE, start, stop, following=True, wide=wide)]
    assert [job.following for step in steps[:-1] for job in step.jobs] == [False] * len(
        [job for step in steps[:-1] for job in step.jobs]
    )
    for job in steps[-1].jobs:
        assert job.following
        assert job.prefix + job.text == FRAMES[job.frame] + PASSAGE[window_start(stop) : stop]


def test_as_much_at_a_time_as_a_block_or_as_has_the_same_before_it() -> None:
    def lengths(wide: bool) -> list[int]:
        return [s.stop - s.start for s in WINDOWS.steps(PASSAGE, 100, 500, wide=wide)]

    assert lengths(wide=False) == [28, 128, 128, 116]
    assert lengths(wide=True) == [156, 128, 116]


def test_only_some_frames_and_always_the_null() -> None:
    (step,) = WINDOWS.steps(PASSAGE, 0, 9, only=[2])
    assert [job.frame for job in step.jobs] == [0, 2]


@given(st.integers(0, 600), st.integers(40, 1100))
def test_blocks_shrink_until_a_frame_and_two_of_them_fit(length: int, context: int) -> None:
    frames = [(), (1,) * length, (2,)]
    if length + 2 * LEAST + SPARE > context:
        with pytest.raises(FrameTooLong) as raised:
            Windows.for_context(frames, context)
        assert (raised.value.frame, raised.value.tokens) == (1, length)
        assert raised.value.most < length
        return
    windows = Windows.for_context(frames, context)
    most = max(
        len(job.prefix + job.text)
        for step in windows.steps(PASSAGE, 0, 700, following=True, wide=True)
        for job in step.jobs
    )
    assert most + SPARE <= context
    assert windows.block == BLOCK or length + 4 * windows.block + SPARE > context


# ── answers ────────────────────────────────────────────────────────────────────────────────


def span_of(job: Job, logprobs: Sequence[float] | None = None) -> Span:
    """Columns that tell frame and token apart."""
    ids = np.array(job.text, np.int32)
    found = -(ids + 1 + 1000 * job.frame) / 1000 if logprobs is None else np.array(logprobs)
    some = np.zeros(len(ids), np.float32)
    top = np.stack([ids, ids + 1], axis=1)
    return Span(
        ids=ids,
        ends=np.arange(1, len(ids) + 1, dtype=np.int32),
        logprob=found.astype(np.float32),
        entropy=some,
        varentropy=some,
        rank=some.astype(np.int32),
        top_ids=top.astype(np.int32),
        top_logprobs=np.stack([found, found - 1], axis=1).astype(np.float32),
    )


def answered(step: Step, windows: Windows = WINDOWS) -> Scores:
    answers = {job.frame: Answered(span_of(job)) for job in step.jobs}
    return windows.block_of(step, answers).scores


@given(stretches)
def test_answers_are_put_where_their_tokens_are(stretch: list[int]) -> None:
    start, stop = stretch
    parts = [answered(step) for step in WINDOWS.steps(PASSAGE, start, stop)]
    scores = joined(parts, len(FRAMES))
    tokens = np.arange(start, stop)
    assert np.allclose(scores.logprob, -(tokens + 1) / 1000)
    assert scores.ratio.shape == (stop - start, 2)
    assert np.allclose(scores.ratio, [-1.0, -2.0])
    assert np.isnan(scores.information).all()
    assert scores.ratio.dtype == scores.logprob.dtype == np.float32


def test_frames_that_were_not_scored_are_not_known() -> None:
    (step,) = WINDOWS.steps(PASSAGE, 5, 9, only=[2])
    answers = {job.frame: Answered(span_of(job)) for job in step.jobs}
    block = WINDOWS.block_of(step, answers)
    assert np.isnan(block.scores.ratio[:, 0]).all()
    assert np.allclose(block.scores.ratio[:, 1], -2.0)
    assert block.tops.frames == (0, 2)
    assert block.tops.ids.shape == block.tops.logprobs.shape == (4, 2, 2)


def test_what_follows_is_told_of_every_frame_or_not_at_all() -> None:
    step = [*WINDOWS.steps(PASSAGE, 0, 256, following=True)][-1]
    assert step.start == step.stop == 256
    answers = {
        job.frame: Answered(None, ((7 + job.frame, 8), (-1.0, -2.0 - job.frame)))
        for job in step.jobs
    }
    block = WINDOWS.block_of(step, answers)
    assert len(block.scores) == 0
    assert block.following is not None
    assert block.following.ids.tolist() == [[[7, 8], [8, 8], [9, 8]]]
    assert block.following.logprobs[0, 2].tolist() == [-1.0, -4.0]
    answers[1] = Answered(None)
    assert WINDOWS.block_of(step, answers).following is None


def test_one_token_speaks_for_a_frame_only_so_far() -> None:
    (step,) = Windows(FRAMES[:2]).steps(PASSAGE, 0, 4)
    never = -np.inf
    null = span_of(step.jobs[0], [-1.0, never, never, -1.0])
    other = span_of(step.jobs[1], [-2.0, never, -3.0, never])
    scores = WINDOWS.block_of(step, {0: Answered(null), 1: Answered(other)}).scores
    assert scores.ratio[:, 0].tolist() == [-1.0, 0.0, LIMIT, -LIMIT]


# ── a passage that is spelled otherwise where it opens a document ──────────────────────────

OPENING = Opening(2, alone=(0, 1), after=(801, 802, 803))


@pytest.mark.parametrize("start", [0, 1, 2, 5])
@pytest.mark.parametrize("stop", [1, 2, 3, 200])
def test_an_opening_is_spelled_as_it_stands(start: int, stop: int) -> None:
    if start > stop:
        return
    for step in WINDOWS.steps(PASSAGE, start, stop, opening=OPENING, following=True):
        for job in step.jobs:
            own = OPENING.alone if job.frame == 0 else OPENING.after
            whole = FRAMES[job.frame] + own + PASSAGE[2:]
            given = job.prefix + job.text
            assert given == whole[: len(given)]
            if step.stop >= 2:
                assert given[-1] == PASSAGE[step.stop - 1] or given == FRAMES[job.frame] + own


def test_later_windows_know_nothing_of_the_opening() -> None:
    later = [*WINDOWS.steps(PASSAGE, 256, 400, opening=OPENING)]
    assert later == [*WINDOWS.steps(PASSAGE, 256, 400)]


@given(st.integers(0, 140), st.integers(0, 300))
def test_what_an_opening_is_worth_counts_at_its_end(start: int, stop: int) -> None:
    if start >= stop:
        return
    opening = Opening(2, alone=(0, 1), after=(801, 802, 803))
    blocks = [
        WINDOWS.block_of(step, {job.frame: Answered(span_of(job)) for job in step.jobs})
        for step in WINDOWS.steps(PASSAGE, start, stop, opening=opening)
    ]
    scores = joined([block.scores for block in blocks], len(FRAMES))
    logprob = -(np.arange(700) + 1) / 1000
    logprob[:2] = 0.0, -(1 + 2) / 1000
    assert np.allclose(scores.logprob, logprob[start:stop])
    first = -(801 + 802 + 803 + 3 + 3000) / 1000 - logprob[1]
    expected = np.full(700, -1.0)
    expected[:2] = 0.0, first
    assert np.allclose(scores.ratio[:, 0], expected[start:stop], atol=1e-5)
    for block in blocks:
        unknown = np.isnan(block.tops.logprobs).all(axis=(1, 2))
        assert unknown.tolist() == [t < 2 for t in range(block.start, block.stop)]
