"""Scores and drawn texts that somebody waits for, beside those that become nodes.

Knows jobs and what comes of them; who asks is not its business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from loom.asking import Answer
from loom.core.recipe import Recipe
from loom.core.span import TOP
from loom.engine.api import (
    Capabilities,
    Ended,
    EngineError,
    Event,
    Failed,
    Following,
    Generate,
    Grown,
    JobFailed,
    Piece,
    Score,
)
from loom.engine.client import Encoded, EngineClient


class Asked:
    """Those of one session, by job."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[asyncio.Future[None], list[Answer]]] = {}
        self._quiet: set[str] = set()

    def is_awaited(self, job: str) -> bool:
        """Whether a writer sits and waits for it."""
        return job in self._open and job not in self._quiet

    async def answer(self, client: EngineClient, job: Score, *, quiet: bool = False) -> Answer:
        """Raises EngineError. Who waits no more has the job cancelled. What is asked `quiet` gives
        way to everything else (`withdraw`)."""
        (answer,) = await self._answers(client, job, 1, quiet=quiet)
        return answer

    async def drawn(self, client: EngineClient, job: Generate) -> list[Answer]:
        """One for each seed; likewise."""
        return await self._answers(client, job, len(job.seeds), quiet=False)

    async def _answers(
        self, client: EngineClient, job: Score | Generate, count: int, *, quiet: bool
    ) -> list[Answer]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answers = [Answer() for _ in range(count)]
        self._open[job.id] = done, answers
        if quiet:
            self._quiet.add(job.id)
        try:
            client.submit(job)
            await done
        finally:
            is_open = self._open.pop(job.id, None) is not None
            self._quiet.discard(job.id)
            if done.cancelled() and is_open:
                client.cancel(job.id)
        return answers

    def withdraw(self, client: EngineClient) -> None:
        """Take back what was asked quietly; there are no answers, and who waits is to be told."""
        for job in self._quiet:
            self._open.pop(job, None)
            client.cancel(job)
        self._quiet.clear()

    def hear(self, event: Event) -> bool:
        """Whether the event was about one of these."""
        done, answers = self._open.get(event.job, (None, []))
        if done is None:
            return False
        match event:
            case Grown():
                answers[event.branch].text += event.text
                answers[event.branch].parts.append(event.span)
            case Following():
                answers[0].following = event
            case Ended():
                answers[event.branch].ended = event.reason
                if not done.done() and all(one.ended is not None for one in answers):
                    done.set_result(None)
            case Failed() if not done.done():
                done.set_exception(JobFailed(event.error, event.hint))
        return True

    def fail(self, error: EngineError) -> None:
        """Nothing more will come of any."""
        for done, _ in self._open.values():
            if not done.done():
                done.set_exception(error)


class Aloud:
    """A session's own engine for a writer who sits and waits: what grows doesn't stop it."""

    def __init__(self, client: EngineClient, asked: Asked, name: Callable[[str], str]) -> None:
        self._client, self._asked, self._name = client, asked, name

    @property
    def vocabulary(self) -> Sequence[bytes]:
        return self._client.vocabulary

    async def ready(self) -> Capabilities:
        """Raises EngineError, as all that is asked does."""
        return await self._client.ready()

    async def encode(self, text: bytes, *, start: bool) -> Encoded:
        return await self._client.encode(text, start)

    async def score(
        self, prefix: tuple[Piece, ...], text: Piece, top: int = TOP, *, following: bool = False
    ) -> Answer:
        job = Score(self._name("ask"), prefix, text, top, following)
        return await self._asked.answer(self._client, job)

    async def generate(
        self, prefix: tuple[Piece, ...], recipe: Recipe, seeds: Sequence[int]
    ) -> list[Answer]:
        """One text a seed, for no node."""
        job = Generate(self._name("ask"), prefix, recipe, tuple(seeds))
        return await self._asked.drawn(self._client, job)
