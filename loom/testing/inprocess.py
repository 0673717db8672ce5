"""An engine of this process that is asked and waited for as an `Asking` is: no process, no log.

It steps while anybody waits, and lets others have the event loop between two steps.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Self

from loom.asking.answers import Answer, Answers
from loom.core.recipe import Recipe
from loom.core.span import TOP
from loom.engine.api import Capabilities, Engine, Generate, Job, Piece, Score
from loom.engine.client import Encoded


class InProcess:
    """`jobs` are all that were submitted, `open` those that are before the engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.jobs: list[Job] = []
        self.open = Answers()
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
        (answer,) = await self._ask(Score(self._name(), prefix, text, top, following))
        return answer

    async def generate(
        self, prefix: tuple[Piece, ...], recipe: Recipe, seeds: Sequence[int]
    ) -> list[Answer]:
        return await self._ask(Generate(self._name(), prefix, recipe, tuple(seeds)))

    def _name(self) -> str:
        return f"job-{next(self._names)}"

    async def _ask(self, job: Job) -> list[Answer]:
        return await self.open.to(job, self._submit, self.engine.cancel)

    def _submit(self, job: Job) -> None:
        self.jobs.append(job)
        self.engine.submit(job)
        if self._stepping is None or self._stepping.done():
            self._stepping = asyncio.create_task(self._step())

    async def _step(self) -> None:
        while len(self.open):
            for event in self.engine.step():
                self.open.hear(event)
            await asyncio.sleep(0)
