"""What is asked of an engine to score a passage: several questions at once, all of them taken back
while something else has the engine, no answer lost.

Knows jobs and answers; what they are about is the caller's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from loom.asking.answers import Answer
from loom.core.recipe import Recipe
from loom.core.span import TOP
from loom.engine.api import Capabilities, JobFailed, Piece
from loom.engine.client import Encoded
from loom.instruments.sources.windows import Answered, Job, Step

ON_CPU = 4096  # tokens of what is before an engine at once, and held in its memory meanwhile
ELSEWHERE = 16_384  # a GPU reads thousands in one pass
MOST = 96  # questions, however short: an engine reads only so many texts side by side


class Encoder(Protocol):
    """What is asked: an `Asking`, or a session's own engine."""

    async def ready(self) -> Capabilities: ...

    async def encode(self, text: bytes, *, start: bool) -> Encoded: ...


class Scorer(Encoder, Protocol):
    """One that reads given text."""

    @property
    def vocabulary(self) -> Sequence[bytes]: ...

    async def score(
        self, prefix: tuple[Piece, ...], text: Piece, top: int = TOP, *, following: bool = False
    ) -> Answer:
        """Whoever is cancelled while it waits leaves no job behind."""
        ...


class Drawer(Encoder, Protocol):
    """One that draws continuations."""

    async def generate(
        self, prefix: tuple[Piece, ...], recipe: Recipe, seeds: Sequence[int]
    ) -> list[Answer]:
        """Whoever is cancelled while it waits leaves no job behind."""
        ...


class Gate:
    """Shut while something else has the engine; what was asked by then is taken back."""

    def __init__(self) -> None:
        self._opened, self._shut = asyncio.Event(), asyncio.Event()
        self._opened.set()

    @property
    def is_open(self) -> bool:
        return self._opened.is_set()

    def open(self) -> None:
        self._shut.clear()
        self._opened.set()

    def shut(self) -> None:
        self._opened.clear()
        self._shut.set()

    async def until_open(self) -> None:
        await self._opened.wait()

    async def until_shut(self) -> None:
        await self._shut.wait()


class Questions:
    """Those of all steps, as many at once as `at_once` tokens make: the next ones are before the
    engine while a step is waited for. `progress` counts tokens that are told of."""

    def __init__(
        self,
        scorer: Scorer,
        steps: Iterable[Step],
        at_once: int,
        top: int,
        gate: Gate | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        steps = tuple(steps)
        self._scorer, self._top, self._gate = scorer, top, gate or Gate()
        self._progress, self._at_once = progress, at_once
        self._waiting = deque((n, job) for n, step in enumerate(steps) for job in step.jobs)
        self._answers: list[dict[int, Answered]] = [{} for _ in steps]
        self._wanted = [len(step.jobs) for step in steps]
        self._tasks: dict[asyncio.Task[Answered], tuple[int, Job]] = {}
        self._total = sum(_size(job) for _, job in self._waiting)
        self._done = 0

    async def answers(self, step: int) -> Mapping[int, Answered]:
        """By the number of the frame, once all are there."""
        while len(self._answers[step]) < self._wanted[step]:
            if not self._gate.is_open:
                await self.take_back()
                await self._gate.until_open()
            self._ask()
            await self._wait()
        found, self._answers[step] = self._answers[step], {}
        return found

    async def take_back(self) -> None:
        """What isn't answered yet waits again, in its place."""
        tasks, self._tasks = self._tasks, {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task, (step, job) in reversed(tasks.items()):
            if task.cancelled() or task.exception() is not None:
                self._waiting.appendleft((step, job))
            else:
                self._keep(step, job, task.result())

    def _ask(self) -> None:
        before = sum(_held(job) for _, job in self._tasks.values())
        while self._waiting and len(self._tasks) < MOST and (not before or before < self._at_once):
            step, job = self._waiting.popleft()
            before += _held(job)
            self._tasks[asyncio.create_task(self._answer(job))] = step, job

    async def _answer(self, job: Job) -> Answered:
        prefix = (job.prefix,) if job.prefix else ()
        answer = await self._scorer.score(prefix, job.text, self._top, following=job.following)
        after = answer.following
        if len(answer.span or ()) < len(job.text) or (job.following and after is None):
            raise JobFailed("The engine left off before it had read all of a passage.")
        return Answered(answer.span, None if after is None else (after.ids, after.logprobs))

    async def _wait(self) -> None:
        """Until there is an answer or the gate is shut. Raises what went wrong."""
        shut = asyncio.create_task(self._gate.until_shut())
        try:
            await asyncio.wait({*self._tasks, shut}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            shut.cancel()
        for task in [task for task in self._tasks if task.done()]:
            step, job = self._tasks.pop(task)
            self._keep(step, job, task.result())

    def _keep(self, step: int, job: Job, answered: Answered) -> None:
        self._answers[step][job.frame] = answered
        self._done += _size(job)
        self._progress(self._done, self._total)


def _size(job: Job) -> int:
    return max(1, len(job.text))


def _held(job: Job) -> int:
    return len(job.prefix) + len(job.text)


def at_once(model: Capabilities) -> int:
    """Tokens of questions that are worth being before it together."""
    return ON_CPU if model.device.partition(":")[0].lower() == "cpu" else ELSEWHERE
