"""What a model has to read so that every token of a passage is scored under every frame.

Token t is scored after the frame and the passage from `window_start(t)` on, wherever the stretch
that is asked for begins. Knows token ids and columns; asks no engine.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loom.core.span import Span
from loom.instruments.sources.api import BLOCK, Scores, window_start

Ids = tuple[int, ...]

SPARE = 2  # tokens of the context left free: what opens a document, and the one that follows
LEAST = 16  # tokens of a block where the context leaves room for no more
LIMIT = 100.0  # nats: as far as one token may speak for a frame or against it


class FrameTooLong(ValueError):
    """`frame` is its number; it has `tokens` tokens, and the model has room for `most`."""

    def __init__(self, frame: int, tokens: int, most: int) -> None:
        super().__init__(f"frame {frame} has {tokens} tokens, at most {most} fit")
        self.frame, self.tokens, self.most = frame, tokens, most


@dataclass(frozen=True, slots=True)
class Opening:
    """The first `tokens` of a passage where a vocabulary spells them differently: `alone` as they
    open a document, `after` as they follow a frame."""

    tokens: int = 0
    alone: Ids = ()
    after: Ids = ()

    def of(self, frame: Ids) -> Ids:
        return self.after if frame else self.alone


@dataclass(frozen=True, slots=True)
class Job:
    """Read `text` after `prefix`, for frame number `frame`; with `following` the distribution of
    the token after it, too."""

    frame: int
    prefix: Ids
    text: Ids
    following: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """Tokens `start`..`stop` of a passage, a job for each frame that is scored; those before
    `opened` are part of its `Opening`."""

    start: int
    stop: int
    jobs: tuple[Job, ...]
    opened: int = 0


@dataclass(frozen=True, slots=True)
class Tops:
    """What the model expected under each of the frames numbered `frames`: ids int32[T, F, k] and
    logprobs float32[T, F, k], nats, falling. NaN where frames don't share a spelling."""

    frames: tuple[int, ...]
    ids: NDArray[np.int32]
    logprobs: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Block:
    """The scores of tokens `start`..`stop` of a passage, their information not yet known, and what
    is needed to know it; `following` is about the one token after them, where it was asked for."""

    start: int
    stop: int
    scores: Scores
    tops: Tops
    following: Tops | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a job: columns of its text, None where it has none, and (ids, logprobs) of the
    token after it."""

    span: Span | None
    following: tuple[Sequence[int], Sequence[float]] | None = None


@dataclass(frozen=True, slots=True)
class Windows:
    """`frames` as tokens, the null's, which has none, first. `block` is BLOCK, or less where the
    model doesn't see a frame and two blocks at once; it depends on nothing else."""

    frames: tuple[Ids, ...]
    block: int = BLOCK

    @classmethod
    def for_context(cls, frames: Sequence[Ids], context: int) -> Windows:
        """Raises FrameTooLong."""
        lengths = [len(frame) for frame in frames]
        longest = int(np.argmax(lengths))
        block = BLOCK
        while block >= LEAST and lengths[longest] + 2 * block + SPARE > context:
            block //= 2
        if block < LEAST:
            raise FrameTooLong(longest, lengths[longest], context - SPARE - 2 * LEAST)
        return cls(tuple(frames), block)

    def steps(
        self,
        passage: Sequence[int],
        start: int,
        stop: int,
        *,
        only: Collection[int] | None = None,
        following: bool = False,
        wide: bool = False,
        opening: Opening = Opening(),
    ) -> Iterator[Step]:
        """Tokens `start`..`stop` of the passage, a block at a time; `only` these frames and the
        null, every one by default. `wide`: as much at a time as has the same before it.

        `following` is asked for in the last step, which has no tokens if it can't be otherwise.
        """
        ids = tuple(passage[:stop])
        wanted = [n for n in range(len(self.frames)) if not n or only is None or n in only]
        pieces = [*self._pieces(start, stop, wide)]
        before = window_start(stop, self.block)
        apart = not pieces or before != window_start(pieces[-1][0], self.block)
        for first, last in pieces:
            told = following and not apart and last == stop
            yield self._step(ids, first, last, wanted, opening, following=told)
        if following and apart:
            yield self._step(ids, stop, stop, wanted, opening, following=True)

    def _pieces(self, start: int, stop: int, wide: bool) -> Iterator[tuple[int, int]]:
        while start < stop:
            end = self.block * (start // self.block + 1)
            if wide and not window_start(start, self.block):
                end = 2 * self.block
            yield start, min(end, stop)
            start = end

    def _step(
        self,
        ids: Ids,
        start: int,
        stop: int,
        wanted: Sequence[int],
        opening: Opening,
        *,
        following: bool,
    ) -> Step:
        jobs = []
        for number in wanted:
            frame = self.frames[number]
            before, text = _parts(ids, start, stop, window_start(start, self.block), opening, frame)
            jobs.append(Job(number, frame + before, text, following))
        opened = opening.tokens if start < opening.tokens and start < stop else 0
        return Step(start, stop, tuple(jobs), opened)

    def block_of(self, step: Step, answers: Mapping[int, Answered]) -> Block:
        """From the answer to each job of the step, by the number of its frame."""
        numbers = tuple(job.frame for job in step.jobs)
        told = [_told(step, answers[number].span) for number in numbers]
        count = step.stop - step.start
        null = told[0][0]
        ratio = np.full((count, len(self.frames) - 1), np.nan, np.float32)
        for number, (logprob, _, _) in zip(numbers[1:], told[1:], strict=True):
            ratio[:, number - 1] = _ratio(logprob, null)
        tops = Tops(
            numbers,
            np.stack([ids for _, ids, _ in told], axis=1),
            np.stack([logprobs for _, _, logprobs in told], axis=1),
        )
        unknown = np.full(count, np.nan, np.float32)
        scores = Scores(null, ratio, unknown)
        return Block(step.start, step.stop, scores, tops, _following(numbers, answers))


def _parts(
    ids: Ids, start: int, stop: int, window: int, opening: Opening, frame: Ids
) -> tuple[Ids, Ids]:
    """(tokens between frame and text, text)."""
    own = opening.of(frame)
    if start >= opening.tokens:
        before = ids[window:start] if window else own + ids[opening.tokens : start]
        return before, ids[start:stop]
    return ((), own + ids[opening.tokens : stop]) if stop > start else (own[:start], ())


def _told(
    step: Step, span: Span | None
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
    """(logprob, top ids, top logprobs) of the tokens of the step. Of an opening the last token has
    all of the probability, and nobody knows what else was expected."""
    if span is None:
        none: NDArray[Any] = np.zeros((0, 0), np.float32)
        return np.zeros(0, np.float32), none.astype(np.int32), none
    if not step.opened:
        return span.logprob, span.top_ids, span.top_logprobs
    head = len(span) - max(0, step.stop - step.opened)
    wide = span.top_ids.shape[1]
    logprob = np.zeros(step.opened, np.float32)
    logprob[-1] = span.logprob[:head].sum()
    ids = np.full((step.opened, wide), -1, np.int32)
    unknown = np.full((step.opened, wide), np.nan, np.float32)
    told = slice(step.start, step.stop)
    return (
        np.concatenate([logprob, span.logprob[head:]])[told],
        np.concatenate([ids, span.top_ids[head:]])[told],
        np.concatenate([unknown, span.top_logprobs[head:]])[told],
    )


def _ratio(logprob: NDArray[np.float32], null: NDArray[np.float32]) -> NDArray[np.float32]:
    """What neither of them allows speaks for none."""
    with np.errstate(invalid="ignore"):
        found = np.clip(logprob - null, -LIMIT, LIMIT)
    return np.where(np.isneginf(logprob) & np.isneginf(null), np.float32(0), found)


def _following(numbers: tuple[int, ...], answers: Mapping[int, Answered]) -> Tops | None:
    found = [answers[number].following for number in numbers]
    rows = [row for row in found if row is not None]
    if len(rows) < len(numbers):
        return None
    return Tops(
        numbers,
        np.array([[ids for ids, _ in rows]], np.int32),
        np.array([[logprobs for _, logprobs in rows]], np.float32),
    )


def joined(parts: Sequence[Scores], frames: int) -> Scores:
    """One after the other; `frames` is how many there are, should there be no part."""
    if not parts:
        none = np.zeros(0, np.float32)
        return Scores(none, np.zeros((0, frames - 1), np.float32), none)
    return Scores(
        np.concatenate([part.logprob for part in parts]),
        np.concatenate([part.ratio for part in parts]),
        np.concatenate([part.information for part in parts]),
    )
