"""An engine that one asks and waits for: whole answers instead of events.

Knows jobs and spans, not sessions.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from loom.core.node import Ending
from loom.core.recipe import Recipe
from loom.core.span import TOP, Span, joined
from loom.engine.api import (
    Capabilities,
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
    Score,
)
from loom.engine.client import Died, Encoded, EngineClient, LoadFailed, Loading, Signal
from loom.paths import Paths


@dataclass(slots=True)
class Answer:
    """One branch as it came: its bytes, its columns, and why it ended (None: not yet). `following`
    is the distribution of the next token, of a Score that asked for it."""

    text: bytearray = field(default_factory=bytearray)
    parts: list[Span] = field(default_factory=list)
    ended: Ending | None = None
    following: Following | None = None

    @property
    def span(self) -> Span | None:
        """None for a branch without a token."""
        return joined(self.parts) if self.parts else None


class Asking:
    """One engine in a process of its own; `async with` starts and ends it."""

    def __init__(
        self,
        model: str,
        options: Mapping[str, Any],
        on_loading: Callable[[str, float | None], None] = lambda what, fraction: None,
    ) -> None:
        log = Paths.default().log_file("engine")
        self._client = EngineClient(model, options, self._hear, log)
        self._on_loading = on_loading
        self._names = itertools.count(1)
        self._answers: dict[str, tuple[asyncio.Future[None], list[Answer]]] = {}

    async def __aenter__(self) -> Self:
        await self._client.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.close()

    async def ready(self) -> Capabilities:
        """Raises EngineError where the model can't be loaded."""
        return await self._client.ready()

    @property
    def vocabulary(self) -> Sequence[bytes]:
        """The bytes of each token, once the engine is ready."""
        return self._client.vocabulary

    async def encode(self, text: bytes, *, start: bool) -> Encoded:
        """(ids, ends) of `text`; `start` when it opens a document. Raises EngineError."""
        return await self._client.encode(text, start)

    async def score(
        self, prefix: tuple[Piece, ...], text: Piece, top: int = TOP, *, following: bool = False
    ) -> Answer:
        """What the model makes of `text` after `prefix`. Raises EngineError."""
        job = Score(f"ask-{next(self._names)}", prefix, text, top, following)
        (answer,) = await self._ask(job, 1)
        return answer

    async def generate(
        self, prefix: tuple[Piece, ...], recipe: Recipe, seeds: Sequence[int]
    ) -> list[Answer]:
        """One continuation a seed. Raises EngineError."""
        job = Generate(f"ask-{next(self._names)}", prefix, recipe, tuple(seeds))
        return await self._ask(job, len(seeds))

    async def _ask(self, job: Job, branches: int) -> list[Answer]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answers = [Answer() for _ in range(branches)]
        self._answers[job.id] = (done, answers)
        try:
            self._client.submit(job)
            await done
        finally:
            self._answers.pop(job.id, None)
            if done.cancelled():
                self._client.cancel(job.id)
        return answers

    def _hear(self, event: Event | Signal) -> None:
        match event:
            case Grown() if event.job in self._answers:
                answer = self._answers[event.job][1][event.branch]
                answer.text += event.text
                answer.parts.append(event.span)
            case Following() if event.job in self._answers:
                self._answers[event.job][1][0].following = event
            case Ended() if event.job in self._answers:
                self._end(event)
            case Failed() if event.job in self._answers:
                _fail(self._answers[event.job][0], JobFailed(event.error, event.hint))
            case Loading(done, total, what):
                self._on_loading(what, done / total if total else None)
            case LoadFailed(error, hint):
                self._fail_all(EngineError(error, hint))
            case Died(code, lines):
                last = lines[-1].strip().rstrip(".") if lines else "it left no message"
                self._fail_all(EngineError(f"The engine stopped unexpectedly ({code}): {last}."))

    def _end(self, event: Ended) -> None:
        done, answers = self._answers[event.job]
        answers[event.branch].ended = event.reason
        if all(answer.ended is not None for answer in answers) and not done.done():
            done.set_result(None)

    def _fail_all(self, error: EngineError) -> None:
        for done, _ in self._answers.values():
            _fail(done, error)


def _fail(future: asyncio.Future[None], error: EngineError) -> None:
    if not future.done():
        future.set_exception(error)
