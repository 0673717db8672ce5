"""An engine that one asks and waits for: whole answers instead of events.

Knows jobs and spans, not sessions.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from loom.asking.answers import Answer, Answers
from loom.core.recipe import Recipe
from loom.core.span import TOP
from loom.engine.api import Capabilities, EngineError, Event, Generate, Job, Piece, Score
from loom.engine.client import Died, Encoded, EngineClient, LoadFailed, Loading, Ready, Signal
from loom.paths import Paths

__all__ = ["Answer", "Asking"]


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
        self._answers = Answers()

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
        (answer,) = await self._ask(job)
        return answer

    async def generate(
        self, prefix: tuple[Piece, ...], recipe: Recipe, seeds: Sequence[int]
    ) -> list[Answer]:
        """One continuation a seed. Raises EngineError."""
        job = Generate(f"ask-{next(self._names)}", prefix, recipe, tuple(seeds))
        return await self._ask(job)

    async def _ask(self, job: Job) -> list[Answer]:
        return await self._answers.to(job, self._client.submit, self._client.cancel)

    def _hear(self, event: Event | Signal) -> None:
        match event:
            case Loading(done, total, what):
                self._on_loading(what, done / total if total else None)
            case LoadFailed(error, hint):
                self._answers.fail(EngineError(error, hint))
            case Died(code, lines):
                last = lines[-1].strip().rstrip(".") if lines else "it left no message"
                died = f"The engine stopped unexpectedly ({code}): {last}."
                self._answers.fail(EngineError(died))
            case Ready():
                pass
            case _:
                self._answers.hear(event)
