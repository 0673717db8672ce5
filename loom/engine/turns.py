"""Jobs on a `Network`: they take turns, one forward pass a step.

Every token is predicted from the `Sight` of the text before it and drawn with its own uniform, so
what a branch says doesn't depend on its siblings, on other jobs, or on what was read before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from loom.core.endings import EndingCheck
from loom.core.node import Ending
from loom.core.seeds import uniform
from loom.core.span import Span
from loom.engine.api import (
    Ended,
    EngineError,
    Event,
    Failed,
    Following,
    Generate,
    Grown,
    Job,
    JobFailed,
    Piece,
    Progress,
    Score,
)
from loom.engine.arithmetic import Arithmetic, Columns, HostArithmetic
from loom.engine.network import Interrupted, Language, Network
from loom.engine.sequences import CHUNK, Sequences

PAUSE = 1024  # tokens from one bit of text after which encoding goes on in the next step
CELLS = 1 << 24  # log-probabilities held at once while scoring


class Work(Protocol):
    """A job that has been submitted."""

    over: bool

    def cancel(self, branch: int | None) -> list[Event]:
        """Answers for what is stopped."""
        ...

    def step(self) -> list[Event]: ...


class Turns:
    """The queue. A job that goes wrong answers Failed and the others go on.

    `arithmetic` takes what the network's rows give; numpy's, where none is given."""

    def __init__(self, network: Network, arithmetic: Arithmetic | None = None) -> None:
        self._network = network
        self._arithmetic = arithmetic or HostArithmetic(network.language.banned)
        self._works: dict[str, Work] = {}
        self._answers: list[Event] = []

    def submit(self, job: Job) -> None:
        work: Work
        if isinstance(job, Generate):
            work = Growing(job, self._network, self._arithmetic)
        else:
            work = Scoring(job, self._network, self._arithmetic)
        if not work.over:
            self._works[job.id] = work

    def cancel(self, job: str, branch: int | None) -> None:
        work = self._works.get(job)
        if work is None:
            return
        self._answers += work.cancel(branch)
        if work.over:
            del self._works[job]

    def step(self) -> list[Event]:
        if self._answers or not self._works:
            answers, self._answers = self._answers, []
            return answers
        job, work = next(iter(self._works.items()))
        del self._works[job]
        try:
            events = work.step()
        except Interrupted:
            events = []  # it is tried again when its turn comes
        except (EngineError, RuntimeError, ValueError, MemoryError) as error:
            return [_failure(job, error)]
        if not work.over:
            self._works[job] = work  # to the end of the line
        return events

    def clear(self) -> None:
        self._works.clear()
        self._answers.clear()


class Branch:
    """One continuation of a Generate."""

    def __init__(self, number: int, seed: int, job: Generate) -> None:
        self.number = number
        self.seed = seed
        self.drawn = 0
        self.ending = EndingCheck(job.recipe)

    def uniform(self) -> float:
        """The number that draws the next token."""
        self.drawn += 1
        return uniform(self.seed, self.drawn - 1)


@dataclass(eq=False, slots=True)
class Group:
    """Branches that grow in one forward pass."""

    sequences: Sequences
    branches: list[Branch]

    def apart(self) -> list[Group]:
        """Each by itself."""
        rows = zip(self.sequences.apart(), self.branches, strict=True)
        return [Group(sequences, [branch]) for sequences, branch in rows]


class Growing:
    """A Generate: all live branches, one token a step, as long as they see the same of what they
    share; then each by itself."""

    def __init__(self, job: Generate, network: Network, arithmetic: Arithmetic) -> None:
        self.over = not job.seeds
        self._job = job
        self._network = network
        self._arithmetic = arithmetic
        self._encoding = _encoded(job.prefix, network.language)
        branches = [Branch(n, seed, job) for n, seed in enumerate(job.seeds)]
        self._groups = [Group(Sequences(network, [], len(branches)), branches)]

    def cancel(self, branch: int | None) -> list[Event]:
        events: list[Event] = []
        for group in list(self._groups):
            rows = [r for r, b in enumerate(group.branches) if branch in (None, b.number)]
            events += self._end(group, dict.fromkeys(rows, Ending.CANCEL))
        return events

    def step(self) -> list[Event]:
        group = self._groups[0]
        for _, ids in self._encoding:
            group.sequences.shared += ids
            if len(ids) > PAUSE:
                return [Progress(self._job.id, 0, group.sequences.length)]
        count = group.sequences.length
        if group.sequences.blind(count):
            raise JobFailed(
                "This model has no token that opens a document: it can't begin on an empty page.",
                "Write the first words yourself.",
            )
        if not group.sequences.agree(count):
            self._groups[:1] = group.apart()
            group = self._groups[0]
        progress = group.sequences.ready(count)
        self._groups.append(self._groups.pop(0))
        if progress is not None:
            return [Progress(self._job.id, *progress)]
        return self._draw(group, group.sequences.last(count)[:, 0])

    def _draw(self, group: Group, logprobs: Any) -> list[Event]:
        """One token in every row, from float32[rows, V]."""
        language, recipe = self._network.language, self._job.recipe
        uniforms = [branch.uniform() for branch in group.branches]
        top = min(recipe.top, language.size)
        tokens, columns = self._arithmetic.drawn(
            logprobs, recipe.sampling, self._recent(group.sequences), uniforms, top
        )
        start = not group.sequences.length
        pieces = [language.spelling.spelled((token,), start=start)[0] for token in tokens]
        span = _span(tokens, pieces, columns)
        events: list[Event] = []
        endings: dict[int, Ending] = {}
        for row, (branch, token, own) in enumerate(
            zip(group.branches, tokens, span.singles(), strict=True)
        ):
            if token in language.ends:
                endings[row] = Ending.EOS
                continue
            group.sequences.own[row].append(token)
            events.append(Grown(self._job.id, branch.number, pieces[row], own))
            ending = branch.ending.feed(pieces[row])
            if ending is not None:
                endings[row] = ending
        return events + self._end(group, endings)

    def _recent(self, sequences: Sequences) -> list[list[int]]:
        sampling = self._job.recipe.sampling
        if sampling.repetition_penalty == 1 or not sampling.repetition_window:
            return [[] for _ in sequences.own]
        shared = sequences.shared[-sampling.repetition_window :]
        return [shared + own for own in sequences.own]

    def _end(self, group: Group, endings: dict[int, Ending]) -> list[Event]:
        """Ends the branches in these rows."""
        if not endings:
            return []
        events: list[Event] = [
            Ended(self._job.id, group.branches[row].number, ending)
            for row, ending in endings.items()
        ]
        group.sequences.drop(list(endings))
        group.branches = [b for row, b in enumerate(group.branches) if row not in endings]
        if not group.branches:
            self._groups.remove(group)
        self.over = not self._groups
        return events


class Scoring:
    """A Score: a chunk of its text a step, then the distribution that follows."""

    def __init__(self, job: Score, network: Network, arithmetic: Arithmetic) -> None:
        self.over = False
        self._job = job
        self._arithmetic = arithmetic
        self._language = network.language
        self._encoding = _encoded((*job.prefix, job.text), network.language)
        self._sequences = Sequences(network, [], 1)
        self._first = self._next = 0  # tokens of the text: the first, the next to be scored

    def cancel(self, branch: int | None) -> list[Event]:
        if branch not in (None, 0):
            return []
        return self._end(Ending.CANCEL)

    def step(self) -> list[Event]:
        if not self._encode():
            return [Progress(self._job.id, 0, self._sequences.length)]
        count = self._next
        more = count < self._sequences.length
        if not more and not self._job.following:
            return self._end(Ending.LENGTH)
        if self._sequences.blind(count):
            logprobs = self._arithmetic.even(self._language.size)
            stop = count + 1
        else:
            progress = self._sequences.ready(count)
            if progress is not None:
                return [Progress(self._job.id, *progress)]
            stop = self._chunk_end(count) if more else count + 1
            logprobs = self._sequences.last(stop - 1)[0]
        if more:
            events = self._grown(stop, logprobs)
            done = stop == self._sequences.length and not self._job.following
            return [*events, *self._end(Ending.LENGTH)] if done else events
        return [self._following(logprobs[0]), *self._end(Ending.LENGTH)]

    def _encode(self) -> bool:
        """Whether all of the text is tokens now."""
        shared = self._sequences.shared
        for index, ids in self._encoding:
            shared += ids
            if index < len(self._job.prefix):
                self._first = self._next = len(shared)
            if len(ids) > PAUSE:
                return False
        return True

    def _chunk_end(self, count: int) -> int:
        """As far as one forward pass goes: the same sight, and not too much at once."""
        most = min(CHUNK, max(1, CELLS // self._language.size))
        seen_alike = self._sequences.seen_until(count) + 1
        return min(count + most, self._sequences.length, seen_alike)

    def _grown(self, stop: int, logprobs: Any) -> list[Event]:
        ids = self._sequences.shared[self._next : stop]
        pieces = self._language.spelling.spelled(ids, start=not self._next)
        columns = self._arithmetic.read(logprobs, ids, min(self._job.top, self._language.size))
        self._next = stop
        return [Grown(self._job.id, 0, b"".join(pieces), _span(ids, pieces, columns))]

    def _following(self, logprobs: Any) -> Following:
        top = min(self._job.top, self._language.size)
        columns = self._arithmetic.read(logprobs[None], [0], top)
        ids = tuple(columns["top_ids"][0].tolist())
        start = not self._sequences.length
        pieces = tuple(self._language.spelling.spelled((i,), start=start)[0] for i in ids)
        return Following(
            self._job.id,
            ids,
            tuple(columns["top_logprobs"][0].tolist()),
            pieces,
            float(columns["entropy"][0]),
            float(columns["varentropy"][0]),
        )

    def _end(self, ending: Ending) -> list[Event]:
        self._sequences.drop([0])
        self.over = True
        return [Ended(self._job.id, 0, ending)]


def _encoded(pieces: Sequence[Piece], language: Language) -> Iterator[tuple[int, Sequence[int]]]:
    """(number of the piece, token ids) in order, long pieces bit by bit. Raises JobFailed for ids
    that the model doesn't have."""
    start = True
    for index, piece in enumerate(pieces):
        if isinstance(piece, bytes):
            parts: Iterator[Sequence[int]] = language.spelling.blocks(piece, start=start)
        else:
            parts = iter((_known(piece, language),))
        for ids in parts:
            start = start and not ids
            yield index, ids


def _known(ids: Sequence[int], language: Language) -> Sequence[int]:
    if ids and not 0 <= min(ids) <= max(ids) < language.size:
        raise JobFailed(
            "The text before holds tokens of another model.",
            "Generate with the model it was written with, or pass it as text.",
        )
    return ids


def _span(tokens: Sequence[int], pieces: Sequence[bytes], columns: Columns) -> Span:
    ends = np.cumsum([len(piece) for piece in pieces])
    return Span(ids=np.array(tokens, np.int32), ends=ends.astype(np.int32), **columns)


def _failure(job: str, error: Exception) -> Failed:
    if isinstance(error, EngineError):
        return Failed(job, str(error), error.hint)
    reason = " ".join(str(error).split())[:200].rstrip(".")
    if isinstance(error, MemoryError) or "out of memory" in reason.lower():
        return Failed(
            job,
            "There was not enough memory for this job.",
            "Grow fewer continuations at once, close other programs, or use a smaller model.",
        )
    return Failed(job, f"The model failed in this job: {reason}.", "Try again.")
