"""An engine of this process that is asked and waited for as an `Asking` is: no process, no log.

It steps while anybody waits, and lets others have the event loop between two steps.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Self

from loom.asking import Answer
from loom.core.recipe import Recipe
from loom.core.span import TOP
from loom.engine.api import (
    Capabilities,
    Ended,
    Engine,
    Event,
    Failed,
    Following,
    Generate,
    Grown,
    Job,
    JobFailed,
    Piece,
    Score,
)
from loom.engine.client import Encoded


class InProcess:
    """`jobs` are all that were submitted, `open` those that are before the engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.jobs: list[Job] = []
        self.open: dict[str, tuple[asyncio.Future[None], list[Answer]]] = {}
        self._names = itertools.count(1)
        self._stepping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        """The engine stays for others."""

    @property
    def vocabulary(self) -> Sequence[bytes]:
        return self.engine.pieces(range(self.engine.can().vocabulary))

    async def ready(self) -> Capabilities:
        return self.engine.can()

    async def encode(self, text: bytes, *, start: bool) -> Encoded:
        return self.engine.encode(text, start=start)

    async def score(
        self, prefix: tuple[Piece, ...], text: Piece, top: int = TOP, *, following: bool = False
    ) -> Answer:
        (answer,) = await self._ask(Score(self._name(), prefix, text, top, following), 1)
        return answer

    async def generate(
        self, prefix: tuple[Piece, ...], recipe: Recipe, seeds: Sequence[int]
    ) -> list[Answer]:
        return await self._ask(Generate(self._name(), prefix, recipe, tuple(seeds)), len(seeds))

    def _name(self) -> str:
        return f"job-{next(self._names)}"

    async def _ask(self, job: Job, branches: int) -> list[Answer]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answers = [Answer() for _ in range(branches)]
        self.jobs.append(job)
        self.open[job.id] = done, answers
        self.engine.submit(job)
        if self._stepping is None or self._stepping.done():
            self._stepping = asyncio.create_task(self._step())
        try:
            await done
        finally:
            self.open.pop(job.id, None)
            if done.cancelled():
                self.engine.cancel(job.id)
        return answers

    async def _step(self) -> None:
        while self.open:
            for event in self.engine.step():
                self._hear(event)
            await asyncio.sleep(0)

    def _hear(self, event: Event) -> None:
        done, answers = self.open.get(event.job, (None, []))
        if done is None or done.done():
            return
        match event:
            case Grown():
                answers[event.branch].text += event.text
                answers[event.branch].parts.append(event.span)
            case Following():
                answers[0].following = event
            case Ended():
                answers[event.branch].ended = event.reason
                if all(answer.ended is not None for answer in answers):
                    done.set_result(None)
            case Failed():
                done.set_exception(JobFailed(event.error, event.hint))
