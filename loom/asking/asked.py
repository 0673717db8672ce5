"""Scores and drawn texts that somebody waits for, beside those that become nodes.

Knows jobs and what comes of them; who asks is not its business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loom.asking.answers import Answer, Answers
from loom.core.recipe import Recipe
from loom.core.span import TOP
from loom.engine.api import Capabilities, EngineError, Event, Generate, Piece, Score
from loom.engine.client import Encoded, EngineClient


class Asked:
    """Those of one session, by job. `awaited` hears of each (1) that somebody sits and waits for,
    before it is asked, and when it is over (−1)."""

    def __init__(self, awaited: Callable[[int], None]) -> None:
        self._awaited = awaited
        self._answers = Answers()
        self._quiet: set[str] = set()

    def is_awaited(self, job: str) -> bool:
        """Whether a writer sits and waits for it."""
        return job in self._answers and job not in self._quiet

    async def answer(self, client: EngineClient, job: Score, *, quiet: bool = False) -> Answer:
        """Raises EngineError. Who waits no more has the job cancelled. What is asked `quiet` gives
        way to everything else (`withdraw`)."""
        if not quiet:
            (answer,) = await self._loudly(client, job)
            return answer
        self._quiet.add(job.id)
        try:
            (answer,) = await self._answers.to(job, client.submit, client.cancel)
        finally:
            self._quiet.discard(job.id)
        return answer

    async def drawn(self, client: EngineClient, job: Generate) -> list[Answer]:
        """One for each seed; likewise."""
        return await self._loudly(client, job)

    async def _loudly(self, client: EngineClient, job: Score | Generate) -> list[Answer]:
        self._awaited(1)
        try:
            return await self._answers.to(job, client.submit, client.cancel)
        finally:
            self._awaited(-1)

    def withdraw(self, client: EngineClient) -> None:
        """Take back what was asked quietly; there are no answers, and who waits is to be told."""
        for job in self._quiet:
            self._answers.drop(job)
            client.cancel(job)
        self._quiet.clear()

    def hear(self, event: Event) -> bool:
        """Whether the event was about one of these."""
        return self._answers.hear(event)

    def fail(self, error: EngineError) -> None:
        """Nothing more will come of any."""
        self._answers.fail(error)


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
